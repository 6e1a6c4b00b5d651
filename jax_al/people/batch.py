"""A batch to label as a CSV file: written for a spreadsheet, and read as spreadsheets leave it.

Nothing is guessed: a cell is the text that stands in it, whatever it looks like. What cannot be
meant is listed with its line, and who asked decides what becomes of the rest.
"""

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from jax_al.errors import UsageError, did_you_mean, nearest, spelled
from jax_al.pools.sheet import columns_of, delimiter_of, guarded, no_formula, plain, text_of
from jax_al.types import BROKEN, SKIP, UNSURE

COLUMNS = ("id", "label", "decision", "why")
DECISIONS = {"skip": SKIP, "unsure": UNSURE, "broken": BROKEN}
REVIEW = "review"  # why a label is asked once more


class Line(NamedTuple):
    """What a batch says of one id, as it stands there."""

    number: int  # of the line where it begins, from 1; a name may hold line ends
    id: str
    label: str
    decision: str
    why: str  # it is asked


class Fault(NamedTuple):
    """What is wrong with a line."""

    number: int
    what: str  # a clause
    new_class: str = ""  # what it is labeled as, where no class is called that or nearly that


class Told(NamedTuple):
    """What a batch says, and what in it cannot be meant."""

    answers: dict[str, str | int]  # by id: the name of a class, or SKIP, UNSURE, BROKEN
    numbers: dict[str, int]  # the line of each
    undecided: int  # lines that say nothing yet
    reviewed: frozenset[str]  # ids whose labels were doubted
    faults: tuple[Fault, ...]  # rising


def batch_text(rows: Iterable[Sequence[str]], more: Sequence[str] = ()) -> str:
    """Returns the text of a batch in which nothing is decided yet.

    Args:
      rows: id, why it is asked, and a text for each of `more`.
      more: columns that are there to be looked at.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow((*COLUMNS, *more))
    writer.writerows((guarded(id), "", "", why, *map(no_formula, rest)) for id, why, *rest in rows)
    return "\ufeff" + text.getvalue()  # without the mark, Excel takes UTF-8 for something else


def read_lines(content: bytes, name: str) -> tuple[list[Line], list[Fault]]:
    """Returns the lines of a batch, and those that are none.

    Args:
      content: of the file: UTF-8 or UTF-16, with commas, semicolons or tabs.
      name: of the file, for the sentence.

    Raises:
      UsageError: it is empty, no text, no table, or lacks a column.
    """
    text = text_of(content, name)
    if not text.strip():
        raise UsageError(f"{name} is empty: there is nothing to tell.")
    delimiter = delimiter_of(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    lines, faults, start = [], [], 1
    try:
        for cells in reader:
            number, start = start, reader.line_num + 1
            if not any(cells):
                continue
            if not header:
                header = columns_of(cells, name, COLUMNS)
                continue
            if any(cells[len(header) :]):
                what = f"has {len(cells)} cells, and the first line {len(header)}: a name with "
                faults.append(Fault(number, f"{what}{delimiter!r} in it needs quotes around it"))
                continue
            cell = dict(zip(header, cells, strict=False))
            said = (cell.get(column, "") for column in COLUMNS)
            lines.append(Line(number, *said))
    except csv.Error as error:
        raise UsageError(
            f"Line {start} of {name} cannot be read as a table ({error}): quotes open or close "
            "where they must not."
        ) from error
    return lines, faults


def told(
    content: bytes,
    name: str,
    ids: Collection[str],
    classes: Collection[str],
    moved: Mapping[str, Collection[str]] = MappingProxyType({}),
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> Told:
    """Returns what a batch says, by ids.

    An empty label and decision are no answer yet. Blanks around a label are passed over, and are
    part of an id. Of an id with two different answers none is taken.

    Args:
      content: of the file, as for `read_lines`.
      name: of the file, for the sentence.
      ids: all that there are.
      classes: their names.
      moved: by other names that examples go by, the ids of these.
      renamed: by names that classes had before, what they are called now.

    Raises:
      UsageError: as `read_lines`.
    """
    lines, faults = read_lines(content, name)
    if not lines and not faults:
        raise UsageError(f"{name} has no line below its first: there is nothing to tell.")
    names = {*ids, *moved}
    answers: dict[str, str | int] = {}
    numbers: dict[str, int] = {}
    torn: set[str] = set()
    reviewed: set[str] = set()
    undecided = 0
    for line in lines:
        said = _said(line, classes, renamed)
        called = plain(line.id, names)
        whose = {*moved.get(called, ()), *([called] if called in ids else [])}
        id = min(whose, default="")
        if said is None:
            undecided += 1
        elif not whose:
            faults.append(Fault(line.number, f"there is no example {line.id!r}"))
        elif isinstance(said, Fault):
            faults.append(said)
        elif len(whose) > 1:
            what = f"{called!r} is the name of one and was that of another: label it on the page"
            faults.append(Fault(line.number, what))
        elif answers.setdefault(id, said) != said:
            torn.add(id)
            what = f"{word(said)} for {id!r}, and line {numbers[id]} says {word(answers[id])}"
            faults.append(Fault(line.number, what))
        else:
            numbers.setdefault(id, line.number)
            if line.why.strip() == REVIEW:
                reviewed.add(id)
    for id in torn:
        del answers[id], numbers[id]
    return Told(answers, numbers, undecided, frozenset(reviewed - torn), tuple(sorted(faults)))


def changes(said: Told, standing: Mapping[str, str | int]) -> dict[str, Fault]:
    """Returns by id what would take the place of another answer.

    Args:
      said: by a batch.
      standing: all answers that stand, by id.
    """
    return {
        id: Fault(said.numbers[id], f"{id!r} is {word(standing[id])} and would become {word(new)}")
        for id, new in said.answers.items()
        if id in standing and standing[id] != new
    }


def is_filled_in(content: bytes, name: str) -> bool:
    """Returns whether any answer stands in a batch.

    Raises:
      UsageError: as `read_lines`.
    """
    lines, faults = read_lines(content, name)
    return bool(faults) or any(line.label.strip() or line.decision.strip() for line in lines)


def is_of_others(content: bytes, name: str, ids: Collection[str]) -> bool:
    """Returns whether a batch asks for what is none of `ids`, as one of another project does.

    Raises:
      UsageError: as `read_lines`.
    """
    lines, _ = read_lines(content, name)
    return any(plain(line.id, ids) not in ids for line in lines)


def listed(faults: Iterable[Fault]) -> str:
    """Returns faults as text, each on a line of its own."""
    return "".join(f"\n  line {one.number}: {one.what}" for one in faults)


def word(said: str | int) -> str:
    """Returns an answer as people read it: a class in quotes, or a decision."""
    return repr(said) if isinstance(said, str) else _WORDS[said]


_WORDS = {number: name for name, number in DECISIONS.items()}


def _said(
    line: Line, classes: Collection[str], renamed: Mapping[str, str]
) -> str | int | Fault | None:
    """Returns the answer of a line, None where it says nothing yet."""
    # A class may be called anything, so what stands there whole comes first.
    label = line.label if line.label in classes else line.label.strip()
    decision = line.decision.strip().lower()
    if not label and not decision:
        return None
    if label and decision:
        return Fault(line.number, f"says {label!r} and {decision!r}: leave one of them empty")
    if decision and decision not in DECISIONS:
        near = did_you_mean(decision, DECISIONS)
        return Fault(line.number, f"there is no decision {decision!r}: {near}")
    if decision:
        return DECISIONS[decision]
    if (called := spelled(label, classes)) in classes:
        return called
    if (called := spelled(label, renamed)) in renamed:
        return renamed[called]
    if label.lower() in DECISIONS:
        return Fault(line.number, f"{label!r} is no class: it goes into the column decision")
    choice = did_you_mean(label, classes) if classes else "none has been named yet"
    is_new = not nearest(label.casefold(), map(str.casefold, classes))
    return Fault(line.number, f"there is no class {label!r}: {choice}", label * is_new)
