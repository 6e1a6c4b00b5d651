"""What strategies share: taking the highest scores, and what to do before there is any label."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.base import NOTHING, PoolState, Query, Signals

Select = Callable[[jax.Array, Signals, PoolState, int], Query]


def highest(scores: jax.Array, pool: PoolState, budget: int) -> jax.Array:
    """Returns the unlabeled points with the highest of `scores` float32 [N], best first.

    Ties go to the lowest index. A score of NaN counts as the lowest. Where fewer than `budget`
    points are left, the end of the answer int32 [Q] is NOTHING.
    """
    lowest = jnp.finfo(jnp.float32).min
    scores = jnp.nan_to_num(scores, nan=lowest, posinf=jnp.finfo(jnp.float32).max, neginf=lowest)
    best, indices = lax.top_k(jnp.where(pool.labeled, -jnp.inf, scores), min(budget, scores.size))
    indices = jnp.where(jnp.isneginf(best), NOTHING, indices).astype(jnp.int32)
    return jnp.pad(indices, (0, budget - indices.size), constant_values=NOTHING)


def by_score(scores: jax.Array, pool: PoolState, budget: int) -> Query:
    """Returns the query of the unlabeled points with the highest of `scores` float32 [N]."""
    indices = highest(scores, pool, budget)
    return Query(indices, {}, scores=scores[jnp.maximum(indices, 0)])


def at_random(key: jax.Array, pool: PoolState, budget: int) -> jax.Array:
    """Returns unlabeled points, uniformly and without replacement, as `highest` does."""
    # A permutation holds no ties, unlike 32-bit noise on a pool of 50,000, and up to 2^24 points
    # each of its numbers is one of float32.
    order = jax.random.permutation(key, pool.labeled.size)
    return highest(order.astype(jnp.float32), pool, budget)


def random_without_labels(select: Select) -> Select:
    """Makes a strategy that must know a label fall back to random sampling while there is none.

    Its `info` says so: `random_fallback` is 1 then, else 0.
    """

    @functools.wraps(select)
    def wrapped(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        query = select(query_key, signals, pool, budget)
        blind = pool.num_labeled == 0
        indices = jnp.where(blind, at_random(query_key, pool, budget), query.indices)
        info = query.info | {"random_fallback": blind.astype(jnp.float32)}
        return query._replace(indices=indices, info=info)

    return wrapped
