"""Statistics of the points that are not excluded, with no copy of the pool."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.clustering import ROWS


def mean_present(
    points: jax.Array,
    excluded: jax.Array,
    of: Callable[[jax.Array], jax.Array] = lambda rows: rows,
) -> jax.Array:
    """Returns the mean [D] of what `of` makes of the rows that are not excluded; of none it is 0.

    Where nobody is excluded it is the plain mean, bit for bit. Else rows are summed in blocks: on
    a CPU, XLA would copy a masked pool before it sums.

    Args:
      points: float32 [N, D].
      excluded: bool [N].
      of: rows [R, D] -> [R, D].
    """
    N, D = points.shape
    size = min(ROWS, N)

    def add(i, total):
        start = jnp.minimum(i * size, N - size)  # the last block overlaps the one before it
        counts = ~lax.dynamic_slice(excluded, (start,), (size,))
        counts &= start + jnp.arange(size) >= i * size
        rows = of(lax.dynamic_slice(points, (start, 0), (size, D)))
        return total + jnp.where(counts[:, None], rows, 0.0).sum(axis=0)

    def masked():
        count = jnp.maximum((~excluded).sum(), 1).astype(jnp.float32)
        return lax.fori_loop(0, -(-N // size), add, jnp.zeros(D)) / count

    return lax.cond(excluded.any(), masked, lambda: of(points).mean(axis=0))


def moments_present(points: jax.Array, excluded: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns mean and standard deviation (1 / N), both [D], of the rows not excluded."""
    mean = mean_present(points, excluded)
    of_squares = mean_present(points, excluded, lambda rows: jnp.square(rows - mean[None, :]))
    return mean, jnp.sqrt(of_squares)
