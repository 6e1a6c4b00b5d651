"""A table of numbers as people have it: ids, something to show, and features of their own."""

import csv
import io
from pathlib import Path

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.arrays import arrays
from jax_al.pools.rows import RowPool
from jax_al.pools.sheet import delimiter_of, text_of

ID, SHOW = "id", "show"  # columns that are no numbers


def csv_table(path: Path) -> RowPool:
    """Returns the pool of a .csv table: a row for each line, read as its numbers, float32 [F].

    Args:
      path: of a table, as spreadsheets save it too (see `sheet`), whose first line names the
        columns: `id`, distinct texts; maybe `show`, what a person looks at; all others are numbers.

    Raises:
      UsageError: it cannot be read, a column is missing or twice there, a line is short or long, or
        holds what is no finite number.
    """
    try:
        text = text_of(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text, (ID,)))
    try:
        columns = next(filter(any, lines), [])
        if ID not in columns or len(set(columns)) < len(columns):
            raise UsageError(
                f"The first line of {path} must name the columns, each of them once, {ID!r} among "
                "them."
            )
        places = [k for k, name in enumerate(columns) if name not in (ID, SHOW)]
        if not places:
            raise UsageError(f"{path} has no column of numbers beside {ID!r} and {SHOW!r}.")
        ids, shown, numbers = [], [], []
        for line in filter(None, lines):
            if len(line) != len(columns):
                raise UsageError(
                    f"Line {lines.line_num} of {path} has {len(line)} values, and there are "
                    f"{len(columns)} columns."
                )
            ids.append(line[columns.index(ID)])
            shown.append(line[columns.index(SHOW)] if SHOW in columns else ids[-1])
            numbers.append(_numbers([line[k] for k in places], lines.line_num, path))
    except csv.Error as error:
        raise UsageError(f"Line {lines.line_num} of {path} is no CSV ({error}).") from error
    if not ids:
        raise UsageError(f"{path} has no line below the names of its columns.")
    pool = arrays(np.stack(numbers), ids=ids)
    return RowPool(len(pool), pool.spec, pool.read, ids=pool.ids, show=shown.__getitem__)


def _numbers(values: list[str], number: int, path: Path) -> np.ndarray:
    """Returns the numbers of a line, float32 [F]."""
    try:
        with np.errstate(over="ignore"):
            found = np.array(values, np.float64).astype(np.float32)
    except ValueError as error:
        raise UsageError(f"Line {number} of {path} holds what is no number: {error}.") from error
    if not np.isfinite(found).all():
        raise UsageError(f"Line {number} of {path} holds NaN, infinity or a number beyond float32.")
    return found
