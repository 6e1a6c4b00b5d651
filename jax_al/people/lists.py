"""What a person may want to look up: files that were passed over, near duplicates, other names."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from jax_al.durable import write_atomically
from jax_al.pools.folder import PassedOver

PASSED_OVER, NEAR_DUPLICATES = "passed_over.csv", "near_duplicates.csv"
MOVED, COPIES = "moved.csv", "copies.csv"


def write_passed_over(directory: Path, passed_over: Iterable[PassedOver]) -> Path:
    """Writes `passed_over.csv` (id, why) and returns its path; an older one is replaced whole."""
    return _write(directory / PASSED_OVER, ("id", "why"), passed_over)


def no_pictures(passed_over: Sequence[PassedOver]) -> str:
    """Returns how many files were passed over, as the beginning of a sentence."""
    count = len(passed_over)
    return "1 file is no picture" if count == 1 else f"{count:,} files are no pictures"


def num_passed_over(directory: Path) -> int:
    """Returns how many files `passed_over.csv` lists; 0 where there is none."""
    return len(_lines(directory / PASSED_OVER))


def write_near_duplicates(
    directory: Path, ids: Sequence[str], groups: Iterable[Sequence[int]]
) -> Path:
    """Writes `near_duplicates.csv` (group, id) and returns its path.

    Args:
      directory: of the file.
      ids: by row.
      groups: rows that are nearly the same, the lowest first; a group is called by its id.
    """
    lines = ((ids[rows[0]], ids[row]) for rows in groups for row in rows)
    return _write(directory / NEAR_DUPLICATES, ("group", "id"), lines)


def note_moved(directory: Path, names: Mapping[str, str]) -> None:
    """Adds to `moved.csv` (id, name) the names that are not there yet, by the id of each.

    Older ones stay, so that a batch that was written before a file moved again can still be told.
    """
    known = dict.fromkeys(_moved(directory))  # in their order, as a set has none
    if new := [pair for pair in names.items() if pair not in known]:
        _write(directory / MOVED, ("id", "name"), [*known, *new])


def note_copies(directory: Path, copies: Mapping[str, Sequence[str]]) -> None:
    """Keeps in `copies.csv` (id, name) the other names that ids have now, and no earlier ones."""
    lines = [[id, name] for id, names in copies.items() for name in names]
    if lines != _lines(directory / COPIES):
        _write(directory / COPIES, ("id", "name"), lines)


def other_names(directory: Path) -> dict[str, set[str]]:
    """Returns the names that are no ids, of copies and of files before they moved: ids by name."""
    found: dict[str, set[str]] = {}
    for id, name in [*_moved(directory), *_lines(directory / COPIES)]:
        found.setdefault(name, set()).add(id)
    return found


def _moved(directory: Path) -> list[tuple[str, str]]:
    return [(id, name) for id, name in _lines(directory / MOVED)]


def _lines(path: Path) -> list[list[str]]:
    """Returns the cells of what `_write` wrote below the names of the columns, if it is there."""
    try:
        text = path.read_bytes().decode()  # as a text file it would lose a "\r" in a name
    except OSError:
        return []
    return list(csv.reader(io.StringIO(text, newline="")))[1:]


def _write(path: Path, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text)  # with "\n" as the end of a line, a "\r" in a name is not quoted
    writer.writerow(columns)
    writer.writerows(lines)
    # A name that is not UTF-8 is among what was passed over.
    write_atomically(path, text.getvalue().encode("utf-8", "backslashreplace"))
    return path
