"""What all pools here are made of: a function that reads checked rows."""

import collections
from collections.abc import Callable, Iterator, Sequence
from typing import overload

import numpy as np

from jax_al.errors import UsageError
from jax_al.outside import is_text
from jax_al.types import Pool, Spec

_TOGETHER = 10_000  # ids made text at a time


class Numbers(Sequence[str]):
    """The ids of rows that have no names: `index` int [N] as text.

    Made when asked for: N strings would take more memory than all else that is kept of a large
    pool whose examples lie on disk.
    """

    def __init__(self, index: np.ndarray) -> None:
        self._index = index

    def __len__(self) -> int:
        """Returns N."""
        return len(self._index)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[str, ...]: ...
    def __getitem__(self, place: int | slice) -> str | tuple[str, ...]:
        """Returns an id, or those of a slice."""
        found = self._index[place].tolist()
        return tuple(map(str, found)) if isinstance(place, slice) else str(found)

    def __iter__(self) -> Iterator[str]:
        """Yields the ids in order."""
        for start in range(0, len(self), _TOGETHER):
            yield from map(str, self._index[start : start + _TOGETHER].tolist())

    def __eq__(self, other: object) -> bool:
        """Whether the ids are those of another sequence, of whatever type."""
        return (
            isinstance(other, Sequence)
            and len(other) == len(self)
            and all(one == another for one, another in zip(self, other, strict=True))
        )

    __hash__ = None  # type: ignore[assignment]  # equal to sequences that hash in their own way


class RowPool:
    """A pool made of a function that reads rows; see `jax_al.types.Pool`.

    Attributes:
      spec: shape and dtype of one example.
      index: int64 [N], the place of each row in the whole data; 0..N-1 unless this is a subset.
      whole_size: rows of the whole data, N unless this is a subset.
      base: the pool of the examples themselves, where this one has features in their place.
    """

    base: Pool | None = None

    def __init__(
        self,
        size: int,
        spec: Spec,
        fetch: Callable[[np.ndarray | slice], np.ndarray],
        *,
        ids: Sequence[str] | None = None,
        whole: tuple[np.ndarray, int] | None = None,
        show: Callable[[int], np.ndarray | str | None] | None = None,
    ):
        """Makes a pool of `size` rows.

        Args:
          size: N.
          spec: shape and dtype of one example.
          fetch: returns a fresh contiguous array of rows int64 [n] or of a slice with start, stop
            and step 1, all of them in range; called by many threads at once.
          ids: N distinct strings; None: the index as text.
          whole: `index` and `whole_size` of a subset; None: this is the whole.
          show: what a person would look at; None: an image as it is, of other examples nothing.

        Raises:
          UsageError: `ids` are not N distinct strings.
        """
        self.spec = spec
        self.index: np.ndarray = np.arange(size) if whole is None else whole[0].view()
        self.index.flags.writeable = False
        self.whole_size: int = size if whole is None else whole[1]
        self._size = size
        self._fetch = fetch
        self._ids = Numbers(self.index) if ids is None else _checked_ids(ids, size)
        self._show = show

    @property
    def ids(self) -> Sequence[str]:
        """N distinct names that last."""
        return self._ids

    def __len__(self) -> int:
        """Returns N."""
        return self._size

    def read(self, rows: np.ndarray | slice) -> np.ndarray:
        """Returns examples [n, ...] of int rows [n] in their order, or of a slice.

        Raises:
          IndexError: a row is out of range, or not a whole number.
        """
        return self._fetch(checked_rows(rows, self._size))

    def show(self, row: int) -> np.ndarray | str | None:
        """Returns what a person would look at: an image uint8 [H, W, channels], text, nothing."""
        one = checked_rows(np.array([row]), self._size)
        if self._show is not None:
            return self._show(row)
        return self._fetch(one)[0] if self.spec.is_image else None

    def restricted(self, found: "RowPool", rows: np.ndarray) -> "RowPool":
        """Returns `found`, some `rows` int64 [n] of this pool, as a pool of its kind."""
        del rows
        return found

    def joined(
        self, found: "RowPool", pools: Sequence[Pool], ids: Sequence[str] | None
    ) -> "RowPool":
        """Returns `found`, all rows of `pools`, of which this is one, as a pool of its kind.

        Raises:
          UsageError: they cannot be one.
        """
        del pools, ids
        return found


def checked_rows(rows: np.ndarray | slice, size: int) -> np.ndarray | slice:
    """Returns rows int64 [n] that lie in 0..size-1, or a slice with start <= stop and step 1.

    Raises:
      IndexError: a row is out of range, or not a whole number.
    """
    if isinstance(rows, slice):
        start, stop, step = rows.indices(size)
        return slice(start, max(start, stop)) if step == 1 else np.arange(start, stop, step)
    rows = np.asarray(rows)
    if rows.shape == (0,):
        return np.empty(0, np.int64)  # a list without elements is of type float64
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
        raise IndexError(
            f"Rows must be whole numbers [n] or a slice, not {rows.dtype}{rows.shape}."
        )
    outside = (rows < 0) | (rows >= size)
    if outside.any():
        raise IndexError(
            f"Row {rows[outside][0]} is out of range: the pool has rows 0..{size - 1}."
        )
    return rows.astype(np.int64, copy=False)


def whole_index(pool: Pool) -> np.ndarray:
    """Returns int64 [N], the place of each row in the whole data, for readers and writers of files.

    A pool that does not tell is the whole.
    """
    index = getattr(pool, "index", None)  # of a sequence, a method
    return index if isinstance(index, np.ndarray) else np.arange(len(pool))


def whole_size(pool: Pool) -> int:
    """Returns how many rows the whole data has, of which `pool` may be a subset."""
    return getattr(pool, "whole_size", len(pool))


def base_of(pool: Pool) -> Pool:
    """Returns the pool of the examples themselves, where `pool` has features in their place."""
    # Of a pool from outside, an attribute of that name may be anything.
    base = pool.base if isinstance(pool, RowPool) else None
    return pool if base is None else base


def check_ids(ids: Sequence[str]) -> None:
    """Makes sure that ids are texts which a file can hold.

    Raises:
      UsageError: one is not.
    """
    for name in ids:
        if not isinstance(name, str):
            raise UsageError(f"Ids must be strings, and {name!r} is none.")
        if not is_text(name):  # os.listdir makes such of names that are not UTF-8
            raise UsageError(
                f"The id {name!r} is not UTF-8, so no file could hold it: give another."
            )


def _checked_ids(ids: Sequence[str], size: int) -> tuple[str, ...]:
    check_ids(ids)
    checked = tuple(map(str, ids))  # np.str_ becomes plain text, as files give it back
    if len(checked) != size:
        raise UsageError(
            f"There are {len(checked):,} ids for {size:,} examples: give one for each."
        )
    if len(set(checked)) < size:
        twice, _ = collections.Counter(checked).most_common(1)[0]
        raise UsageError(f"The id {twice!r} stands for two examples: ids must be distinct.")
    return checked
