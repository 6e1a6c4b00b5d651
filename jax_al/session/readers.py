"""The files for people, made from the journal: metrics.jsonl and picks.csv."""

import csv
import io
import json
import pathlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from jax_al.session.events import Event
from jax_al.session.fold import Draft, Record, Request, fold, grown
from jax_al.session.records import write_atomically

Row = dict[str, Any]


class Pick(NamedTuple):
    """One line of picks.csv: one label."""

    seed: int
    episode: int  # at whose end it was asked; 0 for the initial labels
    order: int  # from 0, over the whole part
    index: int  # type: ignore[assignment]  # in the whole data set; hides tuple.index
    id: str
    label: int  # of today, after corrections and merges
    strategy: str


def picks_of(events: Sequence[Event]) -> list[Pick]:
    """Returns the labels that `events` come to, in the order in which they count."""
    record = fold(events)
    names = {
        (request.number, row): (request.episode, index, id)
        for request in record.requests
        for row, index, id in zip(request.rows, request.index, request.ids, strict=True)
    }
    picks = []
    for order, (row, label) in enumerate(zip(record.order, record.labels, strict=True)):
        episode, index, id = names[record.asked[row], row]
        picks.append(Pick(record.seed, episode, order, index, id, label, record.strategy))
    return picks


def rows_of(events: Sequence[Event], *, finished: bool = True) -> list[Row]:
    """Returns the metrics of each episode that is over.

    An episode is over when its request is closed, or when none will come.

    Args:
      events: of one part.
      finished: whether no request will come after a last episode that has none yet.
    """
    record = fold(events)
    of_episode = {request.episode: request for request in record.requests}
    bought = Counter(record.requests[record.asked[row]].episode for row in record.order)
    trained_on = _records_as_of(events, {one.as_of for one in record.trained.values()})
    rows = []
    for episode, trained in sorted(record.trained.items()):
        request = of_episode.get(episode)
        if finished if request is None else request.closed:
            known = trained_on[trained.as_of]
            row = _row(record, known, episode, request, bought[episode])
            rows.append(row)
    return rows


def write(directory: pathlib.Path, rows: Iterable[Row], picks: Iterable[Pick]) -> None:
    """Replaces metrics.jsonl and picks.csv in `directory`, each at once.

    Raises:
      OSError: they cannot be written.
    """
    lines = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    write_atomically(directory / "metrics.jsonl", lines)
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([Pick._fields, *picks])
    write_atomically(directory / "picks.csv", table.getvalue())


def _row(
    record: Record, known: Record, episode: int, request: Request | None, num_bought: int
) -> Row:
    """Returns the row of `episode`, which was trained on what `known` holds."""
    metrics = record.trained[episode].metrics
    classes = Counter(known.labels)
    return {
        "seed": record.seed,
        "episode": episode,
        "num_labeled": len(known.order),
        "num_bought": num_bought,
        "train_loss": metrics.get("train_loss"),
        "train_accuracy": metrics.get("train_accuracy"),
        "test_accuracy": metrics.get("test_accuracy"),
        "test_nll": metrics.get("test_nll"),
        "test_ece": metrics.get("test_ece"),
        "cover_radius": request and request.info.get("cover_radius"),
        "near_duplicate_share": request and request.near_duplicate_share,
        "query_info": request.info if request else {},
        "labeled_class_counts": [classes[id] for id in range(known.num_classes)],
        "seconds_train": metrics.get("seconds_train"),
        "seconds_evaluate": metrics.get("seconds_evaluate"),
        "seconds_embed": request.seconds_embed if request else 0.0,
        "seconds_select": request.seconds_select if request else 0.0,
        "compiles": metrics.get("compiles"),
        "strategy": record.strategy,
    }


def _records_as_of(events: Sequence[Event], numbers: Iterable[int]) -> dict[int, Record]:
    """Returns the records that `events` had come to after the events of these `numbers`."""
    records: dict[int, Record] = {}
    draft: Draft | None = None
    for number in sorted(numbers):
        draft = grown(draft, events[: number + 1])
        records[number] = draft.record()
    return records
