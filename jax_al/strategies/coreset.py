"""Core-set selection by greedy k-center (Sener & Savarese 2018, arXiv 1708.00489)."""

import jax
import jax.numpy as jnp

from jax_al.geometry.kcenter import kcenter_greedy_traced
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy


def coreset(*, embedding: str = "model") -> Strategy:
    """Picks, again and again, the point farthest from every labeled and every picked point.

    Euclidean distance between embeddings, ties to the lowest index, no chance involved: the
    greedy 2-approximation of the k-center problem with the labeled points as fixed centers (Sener &
    Savarese 2018, arXiv 1708.00489, algorithm 1). Its `info` holds `cover_radius`, the largest
    distance that is left. Published code does the same but for ties, which scikit-activeml breaks
    by chance. Where every point is at distance 0, the code beside BADGE picks the same one again.
    Needs `embedding`, no label. At most O(N (L + Q) D).
    """
    return strategy(_select, needs={"embedding"}, seeded=False, embedding=embedding)


def _select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
    del query_key
    assert signals.embedding is not None
    chosen = kcenter_greedy_traced(
        signals.embedding, pool.order, pool.num_labeled, budget, pool.excluded
    )
    # The first pick of all has no center to be far from, and what is not picked no distance.
    is_known = jnp.isfinite(chosen.sq_distances) & (chosen.indices >= 0)
    distances = jnp.sqrt(jnp.where(is_known, chosen.sq_distances, jnp.nan))
    return Query(chosen.indices, {"cover_radius": jnp.sqrt(chosen.sq_radius)}, scores=distances)
