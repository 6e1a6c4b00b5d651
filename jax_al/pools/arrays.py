"""A pool of examples that lie in one array, in memory or mapped from a file."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging

from jax_al.errors import UsageError
from jax_al.outside import check_not_masked
from jax_al.pools.rows import RowPool
from jax_al.types import Spec

_BLOCK_BYTES = 1 << 23  # of float32, for the one pass that looks for numbers that cannot be used
_EXACT = 1 << 24  # float32 holds every whole number up to here


def arrays(x: Any, ids: Sequence[str] | None = None) -> RowPool:
    """Makes a pool of an array, which is neither copied nor converted as a whole.

    Args:
      x: images, uint8 [N, H, W, channels] or [N, H, W]; or rows of numbers of any other type or
        shape [N, ...], which are read as float32. A memory map stays one. It must not change.
      ids: N distinct strings; None: the row as text.

    Returns:
      The pool. Whole numbers that float32 cannot hold are rounded when read, and a warning says so.

    Raises:
      UsageError: `x` does not hold finite numbers within the range of float32, or `ids` are not N
        distinct strings.
    """
    check_not_masked("The examples of a pool", x)
    array = np.asarray(x)
    if not (array.dtype.kind in "biuf" or array.dtype.type.__module__ == "ml_dtypes"):
        raise UsageError(f"The examples of a pool must be numbers, not of type {array.dtype}.")
    if array.ndim < 2 or 0 in array.shape:
        raise UsageError(
            "The examples of a pool must be rows [N, ...] of one number or more, not of shape "
            f"{array.shape}."
        )
    if array.dtype == np.uint8 and array.ndim == 3:
        array = array[..., None]
    is_image = array.dtype == np.uint8 and array.ndim == 4
    dtype = np.dtype(np.uint8 if is_image else np.float32)
    if not is_image:
        _check_numbers(array)

    def fetch(rows: np.ndarray | slice) -> np.ndarray:
        if isinstance(rows, slice):
            return np.array(array[rows], dtype, order="C")
        return np.take(array, rows, axis=0).astype(dtype, order="C", copy=False)

    return RowPool(len(array), Spec(array.shape[1:], dtype), fetch, ids=ids)


def blocks_of(size: int, row_bytes: int) -> Iterator[slice]:
    """Yields slices that together are the rows 0..size-1, each of some megabytes."""
    step = max(1, _BLOCK_BYTES // max(1, row_bytes))
    for start in range(0, size, step):
        yield slice(start, min(start + step, size))


def _check_numbers(array: np.ndarray) -> None:
    """One pass over the array; nothing is kept of it."""
    if array.dtype.kind in "biu" and array.dtype.itemsize <= 2:
        return  # every value is a float32
    told = False
    for rows in blocks_of(len(array), array[0].size * 4):
        block = array[rows].reshape(rows.stop - rows.start, -1)
        if array.dtype.kind in "iu":
            told = told or _tell_of_rounding(block, rows.start)
            continue
        with np.errstate(over="ignore"):  # told below
            finite = np.isfinite(block.astype(np.float32)).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            value = block[row][~np.isfinite(block[row].astype(np.float64))]
            what = "NaN or infinity" if value.size else "a number beyond the range of float32"
            raise UsageError(f"Row {rows.start + row} of the examples holds {what}.")


def _tell_of_rounding(block: np.ndarray, start: int) -> bool:
    if block.max() <= _EXACT and block.min() >= -_EXACT:
        return False
    # A whole number is a float32 if what is left of it without its last zeros has 24 bits.
    size = block.astype(np.uint64)
    size = np.where(block < 0, ~size + np.uint64(1), size)
    lowest = np.maximum(size & (~size + np.uint64(1)), np.uint64(1))
    rounded = size // lowest >= _EXACT
    if not rounded.any():
        return False
    row, column = np.argwhere(rounded)[0]
    logging.warning(
        "Row %d of the examples holds %d, a whole number beyond 2^24 that float32 cannot hold: "
        "it is read as %d, and others may be rounded too.",
        start + row, block[row, column], int(np.float32(block[row, column])),
    )  # fmt: skip
    return True
