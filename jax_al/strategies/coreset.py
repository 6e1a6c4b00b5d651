"""Core-set selection by greedy k-center (Sener & Savarese 2018, arXiv 1708.00489)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.geometry.kcenter import kcenter_greedy, kcenter_greedy_traced
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy


def coreset(*, embedding: str = "model") -> Strategy:
    """Picks, again and again, the point farthest from every labeled and every picked point.

    Euclidean distance between embeddings, ties to the lowest index, no chance involved: the
    greedy 2-approximation of the k-center problem with the labeled points as fixed centers (Sener &
    Savarese 2018, arXiv 1708.00489, algorithm 1). Its `info` holds `cover_radius`, the largest
    distance that is left. Published code does the same but for ties, which scikit-activeml breaks
    by chance. Where every point is at distance 0, the code beside BADGE picks the same one again.
    Needs `embedding`, no label. At most O(N (L + Q) D). An embedding that is mapped from a file is
    read from there, block by block, for the same picks.
    """
    return strategy(
        _select, needs={"embedding"}, seeded=False, embedding=embedding, reads_files=True
    )


def _select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
    del query_key
    assert signals.embedding is not None
    if isinstance(signals.embedding, np.memmap):
        return _select_from_file(signals.embedding, pool, budget)
    chosen = kcenter_greedy_traced(
        signals.embedding, pool.order, pool.num_labeled, budget, pool.excluded
    )
    # The first pick of all has no center to be far from, and what is not picked no distance.
    is_known = jnp.isfinite(chosen.sq_distances) & (chosen.indices >= 0)
    distances = jnp.sqrt(jnp.where(is_known, chosen.sq_distances, jnp.nan))
    return Query(chosen.indices, {"cover_radius": jnp.sqrt(chosen.sq_radius)}, scores=distances)


def _select_from_file(embedding: np.memmap, pool: PoolState, budget: int) -> Query:
    """The same, untraced: the lazy engine on the host."""
    excluded = np.asarray(pool.excluded)
    centers = np.asarray(pool.order)[: int(pool.num_labeled)]
    centers = centers[~excluded[centers]]  # one that was found to be broken covers nothing
    wanted = min(budget, len(excluded) - int(excluded.sum()) - len(centers))
    chosen = kcenter_greedy(embedding, wanted, centers, exclude=excluded)
    picks: Any = np.full(budget, NOTHING, np.int32)
    distances: Any = np.full(budget, np.nan, np.float32)
    picks[:wanted] = chosen.indices
    distances[:wanted] = np.where(np.isfinite(chosen.distances), chosen.distances, np.nan)
    radius: Any = np.float32(chosen.radius)
    return Query(picks, {"cover_radius": radius}, scores=distances)
