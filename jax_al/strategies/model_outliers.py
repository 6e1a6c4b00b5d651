"""Model-based outliers: neurons that fire less than they are used to (Monarch 2021)."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.clustering import in_blocks
from jax_al.strategies.choosing import by_score
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy


def model_outliers(*, embedding: str = "model") -> Strategy:
    """Picks the points whose activations rank lowest among those of the labeled points.

    score = 1 - mean over the D neurons of the rank of the activation, 0 below the lowest and 1
    from the highest one of the labeled points on, between two of them linear in the activation:
    Monarch 2021, *Human-in-the-Loop Machine Learning*, chapter 4, and its code (get_rank). Chance
    decides between equals only.

    Two differences. The book ranks against held-out validation data, as activations on data that
    was trained on are higher; here every label is one to train on, so ranks are among the
    labeled points and all unlabeled points look a little more like outliers, which shifts the
    ranks and matters little to their order. And the code takes the logits of the last layer, of
    which the book says that any layer will do: here it is the penultimate one, before its ReLU.

    Needs `embedding` and one label (random sampling until then). O((N + L) D log L), memory
    O(N + L D).

    Args:
      embedding: whose embedding; only that of the model consists of neurons.
    """
    return strategy(
        _select, needs={"embedding"}, seeded=False, embedding=embedding, needs_label=True
    )


def _select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
    assert signals.embedding is not None
    ranks = mean_rank(signals.embedding, pool.order, pool.num_labeled)
    return by_score(query_key, 1 - ranks, pool, budget)


def mean_rank(points: jax.Array, order: jax.Array, count: jax.Array) -> jax.Array:
    """Mean rank [N] of the D activations of each point among those of `order[:count]`."""
    (N, D), L = points.shape, order.size
    known = points[jnp.maximum(order, 0)]
    # Infinity beyond the last real one: no activation reaches it.
    known = jnp.where(jnp.arange(L)[:, None] < count, known, jnp.inf)
    known = jnp.sort(known, axis=0).T
    total = jnp.maximum(count, 1).astype(jnp.float32)

    @functools.partial(jax.vmap, in_axes=(0, 1), out_axes=1)
    def rank(known, values):
        index = jnp.searchsorted(known, values, side="right").astype(jnp.int32)
        below = known[jnp.clip(index - 1, 0, L - 1)]
        above = known[jnp.clip(index, 0, L - 1)]
        inside = (index > 0) & (index < count)
        share = (values - below) / jnp.where(inside, above - below, 1.0)
        between = index.astype(jnp.float32) - 1 + jnp.where(inside, share, 0.0)
        return jnp.where(inside, between / total, (index >= count).astype(jnp.float32))

    def block(start, size):
        rows = lax.dynamic_slice(points, (start, 0), (size, D))
        return rank(known, rows).mean(axis=1)

    return in_blocks(block, N, width=4 * D)
