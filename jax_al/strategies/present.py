"""Statistics of the points that are not excluded, with no copy of the pool."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.kcenter.distances import mean_without


def mean_present(
    points: jax.Array,
    excluded: jax.Array,
    of: Callable[[jax.Array], jax.Array] = lambda rows: rows,
) -> jax.Array:
    """Returns the mean [D] of what `of` makes of the rows that are not excluded; of none it is 0.

    Where nobody is excluded it is the plain mean, bit for bit.

    Args:
      points: float32 [N, D].
      excluded: bool [N].
      of: rows [R, D] -> [R, D].
    """
    D = points.shape[1]

    def read(start, size):
        return of(lax.dynamic_slice(points, (start, 0), (size, D)))

    def masked():
        return mean_without(read, D, excluded)

    return lax.cond(excluded.any(), masked, lambda: of(points).mean(axis=0))


def moments_present(points: jax.Array, excluded: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns mean and standard deviation (1 / N), both [D], of the rows not excluded."""
    mean = mean_present(points, excluded)
    of_squares = mean_present(points, excluded, lambda rows: jnp.square(rows - mean[None, :]))
    return mean, jnp.sqrt(of_squares)
