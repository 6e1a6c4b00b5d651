"""Uniform sampling: the baseline every strategy has to beat."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.base import NOTHING, PoolState, Query, Signals, Strategy


def random() -> Strategy:
    """Every unlabeled point is as likely as any other; without replacement, O(N log N)."""
    return Strategy(needs=frozenset(), select=_select)


def _select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
    del signals
    # A permutation holds no ties, unlike 32-bit noise on a pool of 50,000.
    priority = jax.random.permutation(query_key, pool.labeled.size)
    priority = jnp.where(pool.labeled, -1, priority)
    best, indices = lax.top_k(priority, min(budget, priority.size))
    indices = jnp.where(best < 0, NOTHING, indices)
    padding = (0, budget - indices.size)
    return Query(jnp.pad(indices, padding, constant_values=NOTHING), {})
