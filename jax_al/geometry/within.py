"""Which rows lie within a distance of each other, as float64 would say."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.kcenter.distances import matmul_slack, sq_accurate


def within(a: jax.Array, b: jax.Array, center: jax.Array, sq_limit: jax.Array) -> jax.Array:
    """Returns whether the squared distance is at most `sq_limit`, bool [A, B].

    The matmul form decides where its error cannot matter. Its bound grows with D, so that what is
    left in doubt is settled by sums of squared differences: a pair of each row at a time, few
    unless `sq_limit` is close to nothing beside the squared lengths of the rows.

    To be called under `jit`; `vmap` works. O(A B D), memory O(A (B + D)).

    Args:
      a: float32 [A, D].
      b: float32 [B, D].
      center: float32 [D], amid them: rounding grows with distances to it.
      sq_limit: float32 [].
    """
    slack = matmul_slack(a.shape[1])
    near, far = a - center[None, :], b - center[None, :]
    norms = jnp.square(near).sum(axis=1)[:, None] + jnp.square(far).sum(axis=1)[None, :]
    sq = norms - 2 * jnp.dot(near, far.T, precision=lax.Precision.HIGHEST)
    # Twice the slack: taking the center away rounds, too.
    found = sq + 2 * slack * norms <= sq_limit
    doubtful = (sq - 2 * slack * norms <= sq_limit) & ~found
    rows = jnp.arange(a.shape[0])

    def settle(carry):
        found, doubtful = carry
        column = doubtful.argmax(axis=1)
        is_in = doubtful[rows, column] & (sq_accurate(a - b[column]) <= sq_limit)
        return found.at[rows, column].max(is_in), doubtful.at[rows, column].set(False)

    return lax.while_loop(lambda carry: carry[1].any(), settle, (found, doubtful))[0]
