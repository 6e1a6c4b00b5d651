"""What a person may want to look up: files that were passed over, near duplicates."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from jax_al.durable import write_atomically
from jax_al.pools.folder import PassedOver

PASSED_OVER, NEAR_DUPLICATES = "passed_over.csv", "near_duplicates.csv"


def write_passed_over(directory: Path, passed_over: Iterable[PassedOver]) -> Path:
    """Writes `passed_over.csv` (id, why) and returns its path; an older one is replaced whole."""
    return _write(directory / PASSED_OVER, ("id", "why"), passed_over)


def num_passed_over(directory: Path) -> int:
    """Returns how many files `passed_over.csv` lists; 0 where there is none."""
    try:
        text = (directory / PASSED_OVER).read_text(encoding="utf-8")
    except OSError:
        return 0
    return max(0, sum(1 for _ in csv.reader(io.StringIO(text, newline=""))) - 1)


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


def _write(path: Path, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    # A name that is not UTF-8 is among what was passed over.
    write_atomically(path, text.getvalue().encode("utf-8", "backslashreplace"))
    return path
