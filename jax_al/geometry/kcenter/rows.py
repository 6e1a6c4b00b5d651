"""Rows that a caller names, by number or as a mask: which are centers, which are as if absent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jax_al.errors import UsageError

NAMED = 10  # rows named in an error, at most


def check_rows(name: str, rows: Any, N: int) -> np.ndarray:
    """Row numbers int64 [L], in the order given, from numbers or from a mask.

    Args:
        name: of the argument, for errors.
        rows: indices [L], bool [N], or None: no rows.
        N: rows in all.

    Raises:
        UsageError: neither of these, out of range, repeated (values named).
    """
    found = np.asarray([] if rows is None else rows)
    if found.size == 0:
        return np.zeros(0, np.int64)
    if found.ndim != 1 or not (found.dtype == bool or np.issubdtype(found.dtype, np.integer)):
        raise UsageError(
            f"{name} must be a vector of indices or a mask, not {found.dtype} {found.shape}"
        )
    if found.dtype == bool:
        if len(found) != N:
            raise UsageError(f"{name} is a mask of {len(found)} rows, but points has {N}")
        return np.flatnonzero(found)
    outside = found[(found < 0) | (found >= N)]
    if len(outside):
        raise UsageError(f"{name} names {name_rows(outside.tolist())}: points has rows 0..{N - 1}")
    values, counts = np.unique(found, return_counts=True)
    if (counts > 1).any():
        raise UsageError(f"{name} repeats {name_rows(values[counts > 1].tolist())}")
    return found.astype(np.int64)


def check_initial(initial: Any, N: int, excluded: np.ndarray | None = None) -> np.ndarray:
    """Rows of existing centers, int64 [L]; a UsageError names those that cannot be.

    Args:
        initial: indices [L], bool [N], or None.
        N: rows in all.
        excluded: bool [N], rows that cannot be centers; None: all can.
    """
    rows = check_rows("initial", initial, N)
    if excluded is not None and excluded[rows].any():
        both = np.sort(rows[excluded[rows]]).tolist()
        raise UsageError(f"initial and exclude both name {name_rows(both)}: leave out one of them")
    return rows


def name_rows(rows: Sequence[int], count: int | None = None) -> str:
    """'row 3', 'rows 3, 5, 8', or the first ten and how many more; `count` of them in all."""
    count = len(rows) if count is None else count
    shown = ", ".join(str(row) for row in rows[:NAMED])
    more = f" and {count - NAMED} more" if count > NAMED else ""
    return f"row{'s' if count > 1 else ''} {shown}{more}"
