"""What the files for people hold, made from the journal: rows of metrics and picks."""

from collections import Counter
from collections.abc import Iterable, Sequence

from jax_al.session.drafts import Drafts, grown
from jax_al.session.events import Event
from jax_al.session.fold import Record, Request, fold
from jax_al.session.records import Pick, Row


def picks_of(events: Sequence[Event]) -> list[Pick]:
    """Returns the labels that `events` come to, in the order in which they count."""
    record = fold(events)
    names = {
        (number, row): (one.episode, index, id)
        for numbered in (enumerate(record.requests), ((~d.number, d) for d in record.draws))
        for number, one in numbered
        for row, index, id in zip(one.rows, one.index, one.ids, strict=True)
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
    bought = Counter(record.origin(row).episode for row in record.order)
    trained_on = _records_as_of(events, {one.as_of for one in record.trained.values()})
    rows = []
    for episode, trained in sorted(record.trained.items()):
        request = of_episode.get(episode)
        if finished if request is None else request.closed:
            known = trained_on[trained.as_of]
            row = _row(record, known, episode, request, bought[episode])
            rows.append(row)
    return rows


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
        "test_class_accuracy": metrics.get("test_class_accuracy"),
        "cover_radius": request and request.info.get("cover_radius"),
        "near_duplicate_share": request and request.near_duplicate_share,
        "query_info": request.info if request else {},
        "labeled_class_counts": [classes[id] for id in range(known.num_classes)],
        "seconds_train": metrics.get("seconds_train"),
        "seconds_evaluate": metrics.get("seconds_evaluate"),
        "seconds_embed": request.seconds_embed if request else 0.0,
        "seconds_select": request.seconds_select if request else 0.0,
        "seconds_record": request.seconds_record if request else 0.0,
        "compiles": metrics.get("compiles"),
        "strategy": record.strategy,
        **({"fit_info": metrics["fit_info"]} if "fit_info" in metrics else {}),
    }


def _records_as_of(events: Sequence[Event], numbers: Iterable[int]) -> dict[int, Record]:
    """Returns the records that `events` had come to after the events of these `numbers`."""
    records: dict[int, Record] = {}
    drafts: Drafts | None = None
    for number in sorted(numbers):
        drafts = grown(drafts, events[: number + 1])
        records[number] = drafts.record()
    return records
