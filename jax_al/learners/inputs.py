"""What learners make of what a pool gives: statistics in one streamed pass, and normalised numbers.

Images are normalised by channel, tables by column.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.errors import UsageError
from jax_al.types import Pool

_BLOCK_BYTES = 2**24  # read together
_CACHED_IMAGES = 100  # counted together: their copy as int64 stays in the cache


class Normalizer(NamedTuple):
    """Statistics of the pool, in its own units (of a pixel: 0 to 255)."""

    mean: jax.Array  # float32 [channels], or of the shape of an example
    std: jax.Array  # the same shape; 1 where all examples are equal


def fit_normalizer(pool: Pool) -> Normalizer:
    """Returns the statistics of `pool`: of its channels if it holds images, else of its columns."""
    return by_channel(pool) if pool.spec.is_image else by_column(pool)


def by_channel(pool: Pool) -> Normalizer:
    """Returns mean and deviation of each channel of images uint8 [N, H, W, channels], exactly."""
    # A histogram per channel is exact in integers, however the pool is cut into blocks.
    counts = np.zeros((pool.spec.shape[-1], 256), np.int64)
    for block in _blocks(pool):
        for first in range(0, len(block), _CACHED_IMAGES):
            part = block[first : first + _CACHED_IMAGES]
            for channel, count in enumerate(counts):
                count += np.bincount(part[..., channel].reshape(-1), minlength=256)
    values = np.arange(256)
    mean = counts @ values / counts.sum(1)
    variance = (counts * (values - mean[:, None]) ** 2).sum(1) / counts.sum(1)
    return _normalizer(mean, variance)


def by_column(pool: Pool) -> Normalizer:
    """Returns mean and deviation of each number of an example, by float64.

    Raises:
      UsageError: the pool holds NaN or infinity.
    """
    return _normalizer(*_moments(pool))


def by_one_scale(pool: Pool) -> Normalizer:
    """Returns the mean of each number of an example, and one deviation for all, by float64.

    It is the root of the mean variance: what is large stays larger than what is small.

    Raises:
      UsageError: the pool holds NaN or infinity.
    """
    mean, variance = _moments(pool)
    return _normalizer(mean, np.full_like(variance, variance.mean()))


def _moments(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each number of an example, float64.

    Raises:
      UsageError: the pool holds NaN or infinity.
    """
    # From the first example on, so that a constant column has a variance of exactly 0, and block by
    # block (Chan, Golub & LeVeque 1983), so that a large mean hides no small variance.
    start = np.asarray(pool.read(slice(0, 1))[0], np.float64)
    total, mean, squares = 0, np.zeros_like(start), np.zeros_like(start)
    with np.errstate(invalid="ignore"):  # of infinity; refused below
        for block in _blocks(pool):
            block = block.astype(np.float64) - start
            size, block_mean = len(block), block.mean(axis=0)
            gap, total = block_mean - mean, total + size
            mean = mean + gap * (size / total)
            squares += ((block - block_mean) ** 2).sum(axis=0)
            squares += gap**2 * (size * (total - size) / total)
        mean = mean + start
    bad = np.flatnonzero(~np.isfinite(squares))
    if bad.size:
        raise UsageError(
            f"Column {bad[0]} of the pool (from 0) holds NaN or infinity, of which no mean can be "
            "taken: replace it."
        )
    return mean, squares / total


def normalize(inputs: jax.Array, normalizer: Normalizer) -> jax.Array:
    """Returns `inputs` [B, ...] as float32, with mean 0 and deviation 1 over the pool."""
    new_axes = (None,) * (inputs.ndim - normalizer.mean.ndim)
    return (inputs.astype(jnp.float32) - normalizer.mean[new_axes]) / normalizer.std[new_axes]


def _blocks(pool: Pool) -> Iterator[np.ndarray]:
    """Yields the examples of `pool`, some megabytes at a time."""
    size = max(1, _BLOCK_BYTES // (math.prod(pool.spec.shape) * pool.spec.dtype.itemsize))
    for first in range(0, len(pool), size):
        yield pool.read(slice(first, min(first + size, len(pool))))


def _normalizer(mean: np.ndarray, variance: np.ndarray) -> Normalizer:
    std = np.sqrt(variance)
    # Below the smallest normal float32 a compiled program takes a divisor for zero.
    std = np.where(std >= np.finfo(np.float32).tiny, std, 1.0)
    return Normalizer(jnp.asarray(mean, jnp.float32), jnp.asarray(std, jnp.float32))
