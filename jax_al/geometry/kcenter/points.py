"""The rows of a matrix as everything else here wants them: float32, checked, of one metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter import reading
from jax_al.geometry.kcenter.rows import NAMED, check_rows, name_rows
from jax_al.geometry.rounding import UNIT

SLICE = 2048  # rows read at once by the passes over the whole matrix
LARGEST = 1e15  # entries beyond it would overflow when squared and summed in float32
METRICS = ("euclidean", "cosine")
SPREAD = (
    2  # from storage all rows of a span are read where it holds at most so many times those kept
)


class Survey(NamedTuple):
    """What one pass over some rows finds."""

    bad: list[int]  # the first NAMED rows that cannot be used
    num_bad: int
    total: np.ndarray  # float64 [D], sum of the rows


class RawPoints:
    """The rows of a matrix as float32 [R, D], ready for Euclidean distances; not yet checked.

    Any type is rounded to float32 first; under the cosine metric rows are then scaled to length
    1, where the squared Euclidean distance is twice the cosine distance.

    What is excluded is as if it were absent: the N rows that are kept have places 0..N-1, by which
    all methods go, and numbers, by which the caller knows them.

    Args:
        array: [num_rows, D].
        metric: one of METRICS.
        exclude: row numbers, bool [num_rows], or None.
    """

    def __init__(self, array: Any, metric: str = "euclidean", exclude: Any = None):
        if metric not in METRICS:
            raise UsageError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}")
        array = reading.as_array(array)
        if len(array.shape) != 2:
            raise UsageError(f"points must be a matrix [N, D], not of shape {array.shape}")
        if 0 in array.shape:
            raise UsageError(f"points must have at least one row and column, not {array.shape}")
        dtype = reading.numpy_dtype(array)
        if not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
            raise UsageError(f"points must be real numbers, not {dtype}")
        self.num_rows, self.D = (int(n) for n in array.shape)
        self.excluded: np.ndarray | None = None  # bool [num_rows]; None: nothing is
        self._kept: np.ndarray | None = None  # int64 [N], numbers of the others
        absent = check_rows("exclude", exclude, self.num_rows)
        self.N = self.num_rows - len(absent)
        if self.N == 0:
            raise UsageError(f"exclude names all {self.num_rows} rows, so that no point is left")
        if len(absent):
            self.excluded = np.zeros(self.num_rows, bool)
            self.excluded[absent] = True
            self._kept = np.flatnonzero(~self.excluded)
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

    @property
    def index_bytes(self) -> int:
        """What it takes to know which rows are kept."""
        return 0 if self._kept is None else self._kept.nbytes + self.num_rows

    def numbers(self, places: Any) -> Any:
        """The row numbers of some places."""
        return places if self._kept is None else self._kept[places]

    def places(self, numbers: Any) -> Any:
        """The places of some rows that are kept."""
        return numbers if self._kept is None else np.searchsorted(self._kept, numbers)

    def take(self, rows: np.ndarray | slice) -> Any:
        """Rows [R, D] by ascending indices or as a slice, where the matrix is."""
        taken = reading.read(self._array, self.numbers(rows))
        self._rows_read += len(taken)
        return self.prepare(taken)

    def take_and_expect(self, rows: np.ndarray, likely: np.ndarray) -> Any:
        """Rows [R, D] by ascending indices, while from storage `likely` ones begin to be read."""
        if self._ahead is None:
            return self.take(rows)
        taken = self._ahead.take(self.numbers(rows), self.numbers(likely))
        return self.prepare(taken)

    def slices(self, pieces: Sequence[slice]) -> Iterator[Any]:
        """Rows [R, D] of some slices, one after the other."""
        spans = [self._span(piece) for piece in pieces]
        found = reading.in_order(self._array, [span for span, _ in spans])
        for rows, (_, wanted) in zip(found, spans, strict=True):
            self._rows_read += len(rows)
            yield self.prepare(rows if wanted is None else rows[wanted])

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
                    found = self.numbers(found)
                bad += found[: NAMED - len(bad)].tolist()
                num_bad += len(found)
            else:
                total += rows.sum(axis=0, dtype=np.float64)
        return Survey(bad, num_bad, total)

    def mean_from(self, survey: Survey, N: int) -> np.ndarray:
        """Mean [D] float32 of N surveyed rows, or the UsageError that names those that are bad.

        Rounded to float32, so that it does not depend on the order in which they were summed.
        """
        if survey.num_bad:
            kinds = f"NaN, infinity or entries beyond {LARGEST:g}"
            if self._metric == "cosine":
                kinds += ", or only zeros, which have no direction"
            raise UsageError(f"points hold {kinds}, in {name_rows(survey.bad, survey.num_bad)}")
        return (survey.total / N).astype(np.float32)

    def farthest_from(self, mean: np.ndarray) -> tuple[int, float]:
        """The row farthest from a float32 vector and its squared distance, of equals the first.

        Decided in float64; float32 only filters, off by the error of the differences and their sum.
        """
        best, best_sq = 0, -1.0
        relative = (self.D + 16) * UNIT
        for start, rows in self.everything():
            rough = np.linalg.norm(rows - mean, axis=1)
            edge = max(
                float(rough.max()) * (1 - 2 * relative), np.sqrt(max(best_sq, 0)) * (1 - relative)
            )
            for row in np.flatnonzero(rough >= edge):
                sq = float(np.square(rows[row].astype(np.float64) - mean).sum())
                if sq > best_sq:
                    best, best_sq = start + int(row), sq
        return int(self.numbers(best)), best_sq

    def _span(self, piece: slice) -> tuple[reading.Rows, np.ndarray | None]:
        """What to read for a slice of places, and which rows of that are wanted (None: all)."""
        if self._kept is None:
            return piece, None
        rows = self._kept[piece]
        first, last = int(rows[0]), int(rows[-1])
        # From storage rows that follow each other come sooner than some from here and there.
        if self.is_stored and last - first < SPREAD * len(rows):
            return slice(first, last + 1), rows - first
        return rows, None


class Points(RawPoints):
    """The same, checked, with `mean` [D] float32: constructing it reads the matrix once."""

    def __init__(self, array: Any, metric: str = "euclidean", exclude: Any = None):
        super().__init__(array, metric, exclude)
        self.mean = self.mean_from(self.survey(), self.N)

    def farthest_from_mean(self) -> int:
        """The number of the row farthest from the mean; of equals the lowest."""
        return self.farthest_from(self.mean)[0]


def cut(N: int, size: int) -> list[slice]:
    """0..N-1 in slices of `size`, the last one of what is left."""
    return [slice(start, min(start + size, N)) for start in range(0, N, size)]
