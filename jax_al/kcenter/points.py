"""One way to read the rows of a matrix, wherever it lives: NumPy, JAX, memory-mapped, sharded."""

from __future__ import annotations

import functools
import mmap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

SLICE = 2048  # rows read at once by the passes over the whole matrix
SCATTERED = 128  # rows read at once from here and there in a file, where each may map megabytes
LARGEST = 1e15  # entries beyond it would overflow when squared and summed in float32
METRICS = ("euclidean", "cosine")


class Points:
    """The rows of a matrix as float32 [R, D], ready for Euclidean distances.

    Any type is rounded to float32 first; under the cosine metric rows are then scaled to length
    1, where the squared Euclidean distance is twice the cosine distance. Constructing it reads
    the matrix once, to check it and to find its mean (float64 [D]).
    """

    def __init__(self, array: Any, metric: str = "euclidean"):
        if metric not in METRICS:
            raise ValueError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}")
        if not hasattr(array, "shape") or not hasattr(array, "dtype"):
            array = np.asarray(array)
        if len(array.shape) != 2:
            raise ValueError(f"points must be a matrix [N, D], not of shape {array.shape}")
        if 0 in array.shape:
            raise ValueError(f"points must have at least one row and column, not {array.shape}")
        if not jnp.issubdtype(array.dtype, jnp.floating) and array.dtype != np.uint8:
            raise ValueError(f"points must be floating-point or uint8, not {array.dtype}")
        self.N, self.D = (int(n) for n in array.shape)
        self.rows_read = 0
        self._array = array
        self._metric = metric
        self.mean = self._check_and_average()

    def take(self, rows: np.ndarray | slice) -> jax.Array:
        """Rows [R, D], by index or as a slice, on the default device."""
        taken = self._read(rows)
        self.rows_read += len(taken)
        return jnp.asarray(self._prepare(taken))

    def slices(self) -> Iterator[tuple[int, np.ndarray]]:
        """All rows in order: the first index and rows [R, D], on the host."""
        for start in range(0, self.N, SLICE):
            taken = np.asarray(self._read(slice(start, start + SLICE)))
            self.rows_read += len(taken)
            yield start, self._prepare(taken)

    def farthest_from_mean(self) -> int:
        """The row farthest from the mean, decided in float64; of equals the lowest index."""
        best, best_sq = 0, -1.0
        rounded = self.mean.astype(np.float32)
        # float32 only filters: its error in the distance is that of the mean, of the
        # differences, and of their sum.
        relative = (self.D + 16) * 2.0**-24
        absolute = float(np.linalg.norm(self.mean)) * 2.0**-23
        for start, rows in self.slices():
            rough = np.linalg.norm(rows - rounded, axis=1)
            cut = max(
                float(rough.max()) * (1 - 2 * relative) - 2 * absolute,
                np.sqrt(max(best_sq, 0)) * (1 - relative) - absolute,
            )
            for row in np.flatnonzero(rough >= cut):
                sq = float(np.square(rows[row].astype(np.float64) - self.mean).sum())
                if sq > best_sq:
                    best, best_sq = start + int(row), sq
        return best

    def _read(self, rows: np.ndarray | slice) -> Any:
        array = self._array
        if isinstance(array, jax.Array):
            if not _is_split(array):
                return array[rows]
            if isinstance(rows, slice):
                rows = np.arange(*rows.indices(self.N))
            return np.asarray(_gather(array, rows))
        if not isinstance(array, np.memmap):
            return np.asarray(array[rows])
        if isinstance(rows, slice):
            return _copied(array, rows)
        parts = [_copied(array, rows[at : at + SCATTERED]) for at in range(0, len(rows), SCATTERED)]
        return np.concatenate(parts)

    def _prepare(self, rows: Any) -> Any:
        rows = rows.astype(np.float32, copy=False)
        if self._metric == "cosine":
            lengths = np.sqrt(np.sum(np.square(np.asarray(rows, np.float64)), axis=1))
            with np.errstate(invalid="ignore"):
                rows = (np.asarray(rows, np.float64) / lengths[:, None]).astype(np.float32)
        return rows

    def _check_and_average(self) -> np.ndarray:
        total = np.zeros(self.D)
        bad: list[int] = []
        for start, rows in self.slices():
            peak = max(float(rows.max()), -float(rows.min()))
            if not peak <= LARGEST:
                with np.errstate(invalid="ignore"):
                    fine = (np.abs(rows) <= LARGEST).all(axis=1)
                bad += (start + np.flatnonzero(~fine)).tolist()
            else:
                total += rows.sum(axis=0, dtype=np.float64)
        if bad:
            kinds = f"NaN, infinity or entries beyond {LARGEST:g}"
            if self._metric == "cosine":
                kinds += ", or only zeros, which have no direction"
            raise ValueError(f"points hold {kinds}, in {name_rows(bad)}")
        return total / self.N


def name_rows(rows: Sequence[int]) -> str:
    """'row 3', 'rows 3, 5, 8', or the first ten and how many more."""
    shown = ", ".join(str(row) for row in rows[:10])
    more = f" and {len(rows) - 10} more" if len(rows) > 10 else ""
    return f"row{'s' if len(rows) > 1 else ''} {shown}{more}"


def _copied(array: np.memmap, rows: np.ndarray | slice) -> np.ndarray:
    """Rows of a mapped file; their pages would else stay with the process while memory lasts."""
    copy = np.array(array[rows])
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)
    return copy


def _is_split(array: jax.Array) -> bool:
    """Whether no single device holds the array; a ValueError if not by rows alone."""
    if array.is_fully_replicated:
        return False
    sharding = array.sharding
    if not isinstance(sharding, NamedSharding) or any(sharding.spec[1:]):
        raise ValueError(f"points may be sharded by rows, with a NamedSharding, not as {sharding}")
    return True


def _gather(array: jax.Array, rows: np.ndarray) -> jax.Array:
    """Rows [R, D] float32 of a sharded matrix, everywhere; one sum of R x D over the devices."""
    sharding = array.sharding
    assert isinstance(sharding, NamedSharding)
    return _gather_program(sharding)(array, rows.astype(np.int32))


@functools.cache
def _gather_program(sharding: NamedSharding) -> Callable[..., jax.Array]:
    axes = sharding.spec[0]

    def local(part: jax.Array, rows: jax.Array) -> jax.Array:
        at = rows - lax.axis_index(axes) * part.shape[0]
        is_mine = (at >= 0) & (at < part.shape[0])
        mine = part[jnp.clip(at, 0, part.shape[0] - 1)].astype(jnp.float32)
        return lax.psum(jnp.where(is_mine[:, None], mine, 0.0), axes)

    specs = (sharding.spec, PartitionSpec())
    return jax.jit(
        jax.shard_map(local, mesh=sharding.mesh, in_specs=specs, out_specs=PartitionSpec())
    )
