"""Core-set selection by greedy k-center (Sener & Savarese 2018, arXiv 1708.00489)."""

import jax
import jax.numpy as jnp

from jax_al.base import PoolState, Query, Signals, Strategy
from jax_al.kcenter import kcenter_greedy_traced


def coreset() -> Strategy:
    """Picks, again and again, the point farthest from every labeled and every picked point.

    Euclidean distance between embeddings, ties to the lowest index, no chance involved: the
    greedy 2-approximation of the k-center problem with the labeled points as fixed centers. Its
    `info` holds `cover_radius`, the largest distance that is left. At most O(N (L + Q) D).
    """
    return Strategy(needs=frozenset({"embedding"}), select=_select)


def _select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
    del query_key
    assert signals.embedding is not None
    chosen = kcenter_greedy_traced(signals.embedding, pool.order, pool.num_labeled, budget)
    return Query(chosen.indices, {"cover_radius": jnp.sqrt(chosen.sq_radius)})
