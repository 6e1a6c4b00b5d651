"""The lines of an export, and of which of them a check speaks.

An export has a line for each name of a picture that is there now, so copies have several: they
were asked once, and are right or wrong together. What people skipped or were unsure of it names
by the model, and so it does with what nobody could be asked about when the check was drawn: near
duplicates, what waits for the audit, what has come since. Of these a check says nothing.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from jax_al.people.audit import Accuracy, Export, Stratum, accuracy, exported_lines
from jax_al.people.ledger_pool import LedgerPool
from jax_al.session.events import Event
from jax_al.session.fold import Record, fold
from jax_al.types import SKIP, UNSURE

_PASSED = {SKIP: "skipped", UNSURE: "unsure"}
OTHERS = "others that it was not drawn from"


class Checked(NamedTuple):
    """What a check says."""

    found: Accuracy  # of the model, on what was answered of it
    export: Export
    beside: dict[str, int]  # lines by the model that it says nothing of, by what they are


def lines_by_row(pool: LedgerPool) -> list[int]:
    """Returns how many lines an export has for each row; none where it is missing."""
    return [
        0 if path is None else 1 + len(pool.copies.get(row, ()))
        for row, path in enumerate(pool.paths)
    ]


def drawn_from(events: Sequence[Event], number: int) -> frozenset[int]:
    """Returns the rows that draw `number`, a uniform one, was drawn from."""
    places = [place for place, event in enumerate(events) if event["event"] == "drawn"]
    before = fold(events[: places[number]])
    taken = {*before.decisions, *before.held_out, *before.undecided()}
    return frozenset(range(before.data["size"])) - taken


def checked(
    record: Record,
    predicted: Mapping[int, int],
    told: Mapping[int, int],
    frame: Collection[int],
    lines: Sequence[int],
) -> Checked:
    """Returns what a check says of an export.

    Args:
      record: of now.
      predicted: the class of each row of `told` by the model.
      told: what people said of the check, by row: a class, or SKIP, UNSURE, BROKEN.
      frame: the rows that it was drawn from.
      lines: of the export by row, see `lines_by_row`.

    Raises:
      UsageError: nothing of the check has a class.
    """
    by_people, beside = 0, dict.fromkeys(("skipped", "unsure", OTHERS), 0)
    unlabeled = []  # what there was to draw from, but for what was labeled or put aside since
    for row, many in enumerate(lines):
        said = record.said(row)
        if said is None or (row in told and said.decision >= 0):
            if row not in frame:
                beside[OTHERS] += many
            elif many:
                unlabeled.append(row)
        elif said.decision in _PASSED:
            beside[_PASSED[said.decision]] += many
        elif said.decision >= 0:
            by_people += many
    seen = [row for row in unlabeled if row in told]
    sizes = Counter(lines[row] for row in unlabeled)
    answered = Counter(lines[row] for row in seen)
    right = Counter(lines[row] for row in seen if predicted[row] == told[row])
    strata = [Stratum(many, right[many], answered[many], size) for many, size in sizes.items()]
    found = accuracy(predicted, {row: said for row, said in told.items() if lines[row]})
    return Checked(found, exported_lines(strata, by_people), beside)
