"""Core-set selection by greedy k-center (Sener & Savarese 2018, arXiv 1708.00489)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.errors import UsageError
from jax_al.geometry.clustering import in_blocks
from jax_al.geometry.kcenter import kcenter_greedy, kcenter_greedy_traced
from jax_al.geometry.kcenter.points import METRICS
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy


def coreset(*, metric: str = "euclidean", embedding: str = "model") -> Strategy:
    """Picks, again and again, the point farthest from every labeled and every picked point.

    Distances between embeddings, ties to the lowest index, no chance involved: the greedy
    2-approximation of the k-center problem with the labeled points as fixed centers (Sener &
    Savarese 2018, arXiv 1708.00489, algorithm 1). Its `info` holds `cover_radius`, the largest
    distance that is left. Published code does the same but for ties, which scikit-activeml breaks
    by chance. Where every point is at distance 0, the code beside BADGE picks the same one again.
    Needs `embedding`, no label. At most O(N (L + Q) D). An embedding that is mapped from a file is
    read from there, block by block, for the same picks.

    Args:
      metric: "euclidean", or "cosine": 1 - cos(angle), which is half the square of the Euclidean
        distance of directions; scores are such, and `info` calls the largest `cosine_radius`. It
        takes a copy of the embedding. A row of zeros, which has no direction, is at 1/2 from all;
        in a file it is refused.
      embedding: whose embedding.
    """
    if metric not in METRICS:
        raise UsageError(f"metric is {metric!r}; it must be {' or '.join(map(repr, METRICS))}.")
    is_cosine = metric == "cosine"

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        del query_key
        assert signals.embedding is not None
        if isinstance(signals.embedding, np.memmap):
            picks, distances, radius = _from_file(signals.embedding, pool, budget, metric)
        else:
            points = directions(signals.embedding) if is_cosine else signals.embedding
            picks, sq_distances, sq_radius = kcenter_greedy_traced(
                points, pool.order, pool.num_labeled, budget, pool.excluded
            )
            # The first pick of all has no center to be far from, what is not picked no distance.
            is_known = jnp.isfinite(sq_distances) & (picks >= 0)
            sq_distances = jnp.where(is_known, sq_distances, jnp.nan)
            distances, radius = (
                (sq_distances / 2, sq_radius / 2)
                if is_cosine
                else (jnp.sqrt(sq_distances), jnp.sqrt(sq_radius))
            )
        # Another metric's is not to be compared with the cover radius of other strategies.
        return Query(
            picks, {"cosine_radius" if is_cosine else "cover_radius": radius}, scores=distances
        )

    return strategy(
        select, needs={"embedding"}, seeded=False, embedding=embedding, reads_files=True
    )


def directions(points: jax.Array) -> jax.Array:
    """Returns rows float32 [N, D] scaled to length 1, in float64 and then rounded; zeros stay."""
    N, D = points.shape
    with jax.enable_x64(True):

        def block(start, size):
            rows = lax.dynamic_slice(points, (start, jnp.zeros_like(start)), (size, D))
            rows = rows.astype(jnp.float64)
            lengths = jnp.sqrt(jnp.square(rows).sum(axis=1, keepdims=True))
            return (rows / jnp.where(lengths > 0, lengths, 1.0)).astype(jnp.float32)

        return in_blocks(block, N)


def _from_file(embedding: np.memmap, pool: PoolState, budget: int, metric: str) -> tuple[Any, ...]:
    """Picks, distances and radius, untraced: the lazy engine on the host."""
    excluded = np.asarray(pool.excluded)
    centers = np.asarray(pool.order)[: int(pool.num_labeled)]
    centers = centers[~excluded[centers]]  # one that was found to be broken covers nothing
    wanted = min(budget, len(excluded) - int(excluded.sum()) - len(centers))
    chosen = kcenter_greedy(embedding, wanted, centers, exclude=excluded, metric=metric)
    picks = np.full(budget, NOTHING, np.int32)
    distances = np.full(budget, np.nan, np.float32)
    picks[:wanted] = chosen.indices
    distances[:wanted] = np.where(np.isfinite(chosen.distances), chosen.distances, np.nan)
    return picks, distances, np.float32(chosen.radius)
