"""The rows of a matrix as everything else here wants them: float32, checked, of one metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.geometry.kcenter import reading

SLICE = 2048  # rows read at once by the passes over the whole matrix
LARGEST = 1e15  # entries beyond it would overflow when squared and summed in float32
METRICS = ("euclidean", "cosine")
NAMED = 10  # rows named in an error, at most


class Survey(NamedTuple):
    """What one pass over some rows finds."""

    bad: list[int]  # the first NAMED rows that cannot be used
    num_bad: int
    total: np.ndarray  # float64 [D], sum of the rows


class RawPoints:
    """The rows of a matrix as float32 [R, D], ready for Euclidean distances; not yet checked.

    Any type is rounded to float32 first; under the cosine metric rows are then scaled to length
    1, where the squared Euclidean distance is twice the cosine distance.
    """

    def __init__(self, array: Any, metric: str = "euclidean"):
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}")
        array = reading.as_array(array)
        if len(array.shape) != 2:
            raise ValueError(f"points must be a matrix [N, D], not of shape {array.shape}")
        if 0 in array.shape:
            raise ValueError(f"points must have at least one row and column, not {array.shape}")
        dtype = reading.numpy_dtype(array)
        if not jnp.issubdtype(dtype, jnp.floating) and dtype != np.uint8:
            raise ValueError(f"points must be floating-point or uint8, not {dtype}")
        self.N, self.D = (int(n) for n in array.shape)
        self._row_bytes = self.D * dtype.itemsize
        self.is_stored = reading.is_stored(array)
        self._array = array
        self._metric = metric
        self._rows_read = 0
        self._ahead = reading.ReadAhead(array) if self.is_stored else None

    @property
    def rows_read(self) -> int:
        """Rows read so far, those read ahead in vain included."""
        return self._rows_read + (self._ahead.rows_read if self._ahead else 0)

    @property
    def bytes_read(self) -> int:
        """The same in bytes."""
        return self.rows_read * self._row_bytes

    def take(self, rows: np.ndarray | slice) -> jax.Array:
        """Rows [R, D] by ascending indices or as a slice, on the default device."""
        taken = reading.read(self._array, rows)
        self._rows_read += len(taken)
        return jnp.asarray(self.prepare(taken))

    def take_and_expect(self, rows: np.ndarray, likely: np.ndarray) -> jax.Array:
        """Rows [R, D] by ascending indices, while from storage `likely` ones begin to be read."""
        if self._ahead is None:
            return self.take(rows)
        return jnp.asarray(self.prepare(self._ahead.take(rows, likely)))

    def slices(self, pieces: Sequence[slice]) -> Iterator[Any]:
        """Rows [R, D] of some slices, one after the other."""
        for rows in reading.in_order(self._array, pieces):
            self._rows_read += len(rows)
            yield self.prepare(rows)

    def everything(self) -> Iterator[tuple[int, np.ndarray]]:
        """All rows in order: the first index and rows [R, D], on the host."""
        pieces = cut(self.N, SLICE)
        for piece, rows in zip(pieces, self.slices(pieces), strict=True):
            yield piece.start, np.asarray(rows)

    def prepare(self, rows: Any) -> Any:
        """Rows of the matrix's own type as float32, scaled as the metric wants them."""
        rows = rows.astype(np.float32, copy=False)
        if self._metric == "cosine":
            lengths = np.sqrt(np.sum(np.square(np.asarray(rows, np.float64)), axis=1))
            with np.errstate(invalid="ignore"):
                rows = (np.asarray(rows, np.float64) / lengths[:, None]).astype(np.float32)
        return rows

    def survey(self) -> Survey:
        """Read everything once."""
        total = np.zeros(self.D)
        bad: list[int] = []
        num_bad = 0
        for start, rows in self.everything():
            peak = max(float(rows.max()), -float(rows.min()))
            if not peak <= LARGEST:
                with np.errstate(invalid="ignore"):
                    found = start + np.flatnonzero(~(np.abs(rows) <= LARGEST).all(axis=1))
                bad += found[: NAMED - len(bad)].tolist()
                num_bad += len(found)
            else:
                total += rows.sum(axis=0, dtype=np.float64)
        return Survey(bad, num_bad, total)

    def mean_from(self, survey: Survey, N: int) -> np.ndarray:
        """Mean [D] float32 of N surveyed rows, or the ValueError that names those that are bad.

        Rounded to float32, so that it does not depend on the order in which they were summed.
        """
        if survey.num_bad:
            kinds = f"NaN, infinity or entries beyond {LARGEST:g}"
            if self._metric == "cosine":
                kinds += ", or only zeros, which have no direction"
            raise ValueError(f"points hold {kinds}, in {name_rows(survey.bad, survey.num_bad)}")
        return (survey.total / N).astype(np.float32)

    def farthest_from(self, mean: np.ndarray) -> tuple[int, float]:
        """The row farthest from a float32 vector and its squared distance, of equals the first.

        Decided in float64; float32 only filters, off by the error of the differences and their sum.
        """
        best, best_sq = 0, -1.0
        relative = (self.D + 16) * 2.0**-24
        for start, rows in self.everything():
            rough = np.linalg.norm(rows - mean, axis=1)
            edge = max(
                float(rough.max()) * (1 - 2 * relative), np.sqrt(max(best_sq, 0)) * (1 - relative)
            )
            for row in np.flatnonzero(rough >= edge):
                sq = float(np.square(rows[row].astype(np.float64) - mean).sum())
                if sq > best_sq:
                    best, best_sq = start + int(row), sq
        return best, best_sq


class Points(RawPoints):
    """The same, checked, with `mean` [D] float32: constructing it reads the matrix once."""

    def __init__(self, array: Any, metric: str = "euclidean"):
        super().__init__(array, metric)
        self.mean = self.mean_from(self.survey(), self.N)

    def farthest_from_mean(self) -> int:
        """The row farthest from the mean; of equals the lowest."""
        return self.farthest_from(self.mean)[0]


def cut(N: int, size: int) -> list[slice]:
    """0..N-1 in slices of `size`, the last one of what is left."""
    return [slice(start, min(start + size, N)) for start in range(0, N, size)]


def name_rows(rows: Sequence[int], count: int | None = None) -> str:
    """'row 3', 'rows 3, 5, 8', or the first ten and how many more; `count` of them in all."""
    count = len(rows) if count is None else count
    shown = ", ".join(str(row) for row in rows[:NAMED])
    more = f" and {count - NAMED} more" if count > NAMED else ""
    return f"row{'s' if count > 1 else ''} {shown}{more}"
