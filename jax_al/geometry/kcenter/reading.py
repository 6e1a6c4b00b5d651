"""How rows are read, wherever the matrix lives: NumPy, JAX, a mapped file, zarr, TensorStore."""

from __future__ import annotations

import functools
import mmap
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

from jax_al.errors import UsageError
from jax_al.outside import check_not_masked

Rows = np.ndarray | slice
SCATTERED = 128  # rows read at once from here and there in a file, where each may map megabytes


def as_array(array: Any) -> Any:
    """What has a shape and an element type that NumPy knows is left alone; else a NumPy array.

    Raises:
      UsageError: it is sparse, or holds masked values.
    """
    check_not_masked("points", array)
    if hasattr(array, "toarray"):  # SciPy's
        raise UsageError("points must not be sparse: give points.toarray()")
    try:
        _ = tuple(array.shape), numpy_dtype(array)
    except (AttributeError, TypeError):
        return np.asarray(array)
    return array


def numpy_dtype(array: Any) -> np.dtype:
    """The element type; TensorStore wraps it."""
    return np.dtype(getattr(array.dtype, "numpy_dtype", array.dtype))


def is_stored(array: Any) -> bool:
    """Whether rows come from somewhere slow, so that reading ahead pays."""
    return isinstance(array, np.memmap) or not isinstance(array, np.ndarray | jax.Array)


def is_split(array: Any) -> bool:
    """Whether no single device holds the array; a UsageError if not by rows alone."""
    if not isinstance(array, jax.Array) or array.is_fully_replicated:
        return False
    sharding = array.sharding
    if not isinstance(sharding, NamedSharding) or any(sharding.spec[1:]):
        raise UsageError(f"points may be sharded by rows, with a NamedSharding, not as {sharding}")
    return True


def read(array: Any, rows: Rows) -> Any:
    """Rows [R, D] of the array's own type, by ascending indices or a slice."""
    if isinstance(rows, slice):
        rows = slice(*rows.indices(array.shape[0])[:2])
    if isinstance(array, jax.Array):
        return np.asarray(gather(array, rows)) if is_split(array) else array[rows]
    if isinstance(array, np.memmap):
        return _from_file(array, rows)
    # zarr and TensorStore read scattered rows by `oindex`; TensorStore only when asked to.
    if not isinstance(rows, slice) and hasattr(array, "oindex"):
        part = array.oindex[rows]
    else:
        part = array[rows]
    return np.asarray(part.read().result() if hasattr(part, "read") else part)


def _from_file(array: np.memmap, rows: Rows) -> np.ndarray:
    if isinstance(rows, slice):
        return _copied(array, rows)
    parts = [_copied(array, rows[at : at + SCATTERED]) for at in range(0, len(rows), SCATTERED)]
    return np.concatenate(parts) if parts else np.empty((0, array.shape[1]), array.dtype)


def _copied(array: np.memmap, rows: Rows) -> np.ndarray:
    """Rows of a mapped file; their pages would else stay with the process while memory lasts."""
    copy = np.array(array[rows])
    # A private map ("c") holds changes of its own there, which would be gone.
    is_private = array.mode == "c"
    if isinstance(array.base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED") and not is_private:
        array.base.madvise(mmap.MADV_DONTNEED)
    return copy


def in_order(array: Any, pieces: Sequence[Rows]) -> Iterator[Any]:
    """The rows of some pieces, one after the other; from storage the next is read meanwhile."""
    if not is_stored(array):
        yield from (read(array, piece) for piece in pieces)
    elif pieces:
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(read, array, pieces[0])
            for following in pieces[1:]:
                rows = coming.result()
                coming = reader.submit(read, array, following)
                yield rows
            yield coming.result()


class ReadAhead:
    """Blocks of scattered rows from storage, as few bytes and as little waiting as can be.

    What the last block held is not read again, and what the next one is likely to want is read
    while the present one is computed with.
    """

    def __init__(self, array: Any):
        self.rows_read = 0
        self._array = array
        self._reader = ThreadPoolExecutor(1)
        self._held = np.zeros(0, np.int64), np.empty((0, array.shape[1]), numpy_dtype(array))
        self._coming: tuple[np.ndarray, Future] | None = None

    def take(self, rows: np.ndarray, likely: np.ndarray) -> np.ndarray:
        """Rows [R, D] by ascending indices; `likely` ones begin to be read."""
        held, values = self._held
        if self._coming is not None:
            more, future = self._coming
            order = np.argsort(together := np.concatenate([held, more]))
            held, values = together[order], np.concatenate([values, future.result()])[order]
        at = np.searchsorted(held, rows)
        is_here = np.zeros(len(rows), bool)
        inside = at < len(held)
        is_here[inside] = held[at[inside]] == rows[inside]
        taken = np.empty((len(rows), self._array.shape[1]), values.dtype)
        taken[is_here] = values[at[is_here]]
        taken[~is_here] = self._read(rows[~is_here])
        self._held = rows, taken
        new = np.setdiff1d(likely, rows)
        self._coming = new, self._reader.submit(self._read, new)
        return taken

    def _read(self, rows: np.ndarray) -> np.ndarray:
        self.rows_read += len(rows)
        return read(self._array, rows)


def gather(array: jax.Array, rows: Rows) -> jax.Array:
    """Rows [R, D] float32 of a sharded matrix, everywhere; one sum of R x D over the devices."""
    if isinstance(rows, slice):
        rows = np.arange(*rows.indices(array.shape[0]))
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
