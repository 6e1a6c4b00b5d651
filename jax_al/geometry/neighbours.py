"""The nearest neighbours of every row of a matrix, exactly."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.errors import UsageError, did_you_mean
from jax_al.geometry.kcenter.distances import sq_accurate
from jax_al.outside import check_not_masked

METRICS = ("euclidean", "cosine")
_PRODUCTS = 2**24  # held at a time: 64 MiB
_TINY = 2.0**-50  # the square of 2^-24 of it can still be held
_READ = 2**22  # numbers of neighbours that are looked at together: 16 MiB


class Neighbours(NamedTuple):
    """The k nearest other rows of each row, the nearest first."""

    rows: np.ndarray  # int32 [N, k]
    distances: np.ndarray  # float32 [N, k]


def nearest_neighbours(points: np.ndarray, k: int, *, metric: str = "euclidean") -> Neighbours:
    """Returns the `k` nearest other rows of each row of a matrix.

    Brute force: blocks of rows times all rows, and `top_k`. O(N^2 D); a copy of the matrix and some
    200 MB of memory.

    Products are float32, so that of two rows whose distances differ by no more than their rounding
    either may be taken for the k-th; the distances that are told, and the order, are those of sums
    in float64. Of equally far rows the lowest comes first.

    Args:
      points: [N, D], cast to float32, finite.
      k: from 1 to N - 1.
      metric: "euclidean", or "cosine": 1 - the cosine of the angle. A row of zeros has the cosine
        0.5 to all others, and 1 to another row of zeros.

    Raises:
      UsageError: an argument is not as above.
    """
    if metric not in METRICS:
        raise UsageError(f"metric is {metric!r}: {did_you_mean(metric, METRICS)}")
    check_not_masked("points", points)
    points = np.asarray(points)
    if points.ndim != 2 or 0 in points.shape:
        raise UsageError(f"points must be a matrix [N, D], not {list(points.shape)}.")
    if not (jnp.issubdtype(points.dtype, jnp.floating) or points.dtype.kind in "iub"):
        raise UsageError(f"points must be real numbers, not {points.dtype}.")
    N, D = points.shape
    is_whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
    if not is_whole or not 1 <= k < N:
        raise UsageError(f"k is {k!r}, but must be a whole number from 1 to N - 1 = {N - 1}.")
    k = int(k)
    is_cosine = metric == "cosine"
    rows = _grown(points) if is_cosine else points
    rows, bias = _prepared(jnp.asarray(rows, jnp.float32), is_cosine)
    if not bool(jnp.isfinite(bias).all()):
        raise UsageError("points holds NaN or infinity, or numbers whose squares are: replace it.")
    size = max(1, min(_PRODUCTS // N, _READ // ((k + 1) * D), N))
    found = Neighbours(np.empty((N, k), np.int32), np.empty((N, k), np.float32))
    for start in range(0, N, size):
        start = min(start, N - size)  # the last block overlaps the one before it
        near, sq = _of_block(rows, bias, jnp.int32(start), size=size, k=k)
        found.rows[start : start + size] = near
        found.distances[start : start + size] = sq / 2 if is_cosine else np.sqrt(sq)
    return found


def _grown(points: np.ndarray) -> np.ndarray:
    """Returns the points with tiny rows, whose squares float32 cannot hold, times a power of two.

    That turns no row; the others, and a matrix without such rows, stay as they are.
    """
    with np.errstate(over="ignore"):  # refused by whoever looks at the squares
        rows = np.asarray(points, np.float32)
    is_tiny = np.maximum(rows.max(axis=1), -rows.min(axis=1)) < _TINY
    factors = np.where(is_tiny, 1 / _TINY**2, 1.0).astype(np.float32)
    return rows * factors[:, None] if is_tiny.any() else points


@functools.partial(jax.jit, static_argnames="is_cosine")
def _prepared(points: jax.Array, is_cosine: bool) -> tuple[jax.Array, jax.Array]:
    """Returns rows float32 [N, D] to take products of, and |b|^2 / 2 of each, not always finite."""
    if is_cosine:
        squares = jnp.square(points).sum(axis=1)
        lengths = jnp.where(squares > 0, jnp.sqrt(squares), 1.0)
        # NaN where a square is infinite.
        return points / lengths[:, None], squares / lengths / lengths / 2
    points = points - points.mean(axis=0)[None, :]  # shorter rows, smaller rounding
    return points, jnp.square(points).sum(axis=1) / 2


@functools.partial(jax.jit, static_argnames=("size", "k"))
def _of_block(
    rows: jax.Array, bias: jax.Array, start: jax.Array, *, size: int, k: int
) -> tuple[jax.Array, jax.Array]:
    """Returns neighbours int32 [size, k] of the rows from `start` on, and squared distances."""
    block = lax.dynamic_slice_in_dim(rows, start, size)
    products = jnp.dot(block, rows.T, precision=lax.Precision.HIGHEST)
    # One more: a row is, but for equals, the nearest of itself.
    near = lax.top_k(products - bias[None, :], k + 1)[1]
    sq = sq_accurate(block[:, None, :] - rows[near])
    is_self = near == start + jnp.arange(size, dtype=jnp.int32)[:, None]
    sq, near = lax.sort((jnp.where(is_self, jnp.inf, sq), near), num_keys=2)
    return near[:, :k], sq[:, :k]
