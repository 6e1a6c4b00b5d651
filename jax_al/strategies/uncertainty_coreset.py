"""Core-set selection among the most uncertain points."""

import math

import jax
import jax.numpy as jnp

from jax_al.geometry.kcenter import kcenter_greedy_traced
from jax_al.strategies.choosing import check_number, highest
from jax_al.strategies.strategy import strategy
from jax_al.strategies.uncertainty import score_named
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy


def uncertainty_coreset(
    *, score: str = "margin", fraction: float = 0.1, embedding: str = "model"
) -> Strategy:
    """Picks the points farthest from all labeled and picked ones, among the most uncertain.

    Greedy k-center (Sener & Savarese 2018, arXiv 1708.00489) whose candidates are the
    max(`budget`, ceil(`fraction` N)) unlabeled points of the highest `score` ("entropy",
    "least_confidence" or "margin"), and whose fixed centers are all labeled points. Candidates
    that coincide with a center come last, the most uncertain first. `fraction` = 1 is `coreset`.
    The score of a pick is its distance to the nearest center before it; `info` holds
    `candidate_radius`, the largest distance that is left among the candidates.

    The field's two-step practice: Settles 2009, *Active learning literature survey*;
    R. Monarch 2021, *Human-in-the-Loop Machine Learning*, chapter 5. The k-center engine is
    ours. Needs `embedding` and `log_probs`; random while there is no label. Greedy.
    O(N C + M (L + Q) D) for M candidates.
    """
    rank = score_named(score)
    check_number("fraction", fraction, above=0, most=1)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        assert signals.embedding is not None
        assert signals.log_probs is not None
        N, L = pool.labeled.size, pool.order.size
        num_candidates = min(N, max(budget, math.ceil(fraction * N)))
        uncertainty = rank(signals.log_probs)
        tie_key, rest_key = jax.random.split(query_key)
        ranked = highest(tie_key, uncertainty, pool, num_candidates)
        # A share of the points that are there. In float64, as Python reckons.
        with jax.enable_x64(True):
            present = (~pool.excluded).sum().astype(jnp.float64)
            wanted = jnp.maximum(budget, jnp.ceil(fraction * present).astype(jnp.int32))
        ranked = jnp.where(jnp.arange(num_candidates) < wanted, ranked, NOTHING)
        # In the order of the pool: k-center gives ties to the lowest index. N stands for nothing.
        candidates = jnp.sort(jnp.where(ranked == NOTHING, N, ranked))
        # The labeled rows, then the candidates. Slots that hold nobody repeat the first center:
        # being at distance 0 they come after all that is away from the centers.
        rows = jnp.concatenate([pool.order, candidates])
        rows = jnp.where((rows == NOTHING) | (rows == N), jnp.maximum(pool.order[0], 0), rows)
        is_real = jnp.concatenate([jnp.zeros(L, bool), candidates < N])
        points = signals.embedding[rows]
        centers = jnp.arange(L, dtype=jnp.int32)
        chosen = kcenter_greedy_traced(points, centers, pool.num_labeled, budget)
        away = (chosen.indices >= 0) & (chosen.sq_distances > 0)
        away &= is_real[jnp.maximum(chosen.indices, 0)]
        indices = jnp.where(away, rows[jnp.maximum(chosen.indices, 0)], NOTHING)
        taken = pool.labeled.at[jnp.where(away, indices, N)].set(True, mode="drop")
        rest = highest(rest_key, uncertainty, pool._replace(labeled=taken), budget)
        slots = jnp.arange(budget, dtype=jnp.int32)
        num_away = away.sum()
        is_away = slots < num_away
        indices = jnp.where(is_away, indices, rest[jnp.maximum(slots - num_away, 0)])
        scores = jnp.where(is_away, jnp.sqrt(jnp.maximum(chosen.sq_distances, 0.0)), 0.0)
        scores = jnp.where(indices == NOTHING, jnp.nan, scores)
        return Query(indices, {"candidate_radius": jnp.sqrt(chosen.sq_radius)}, scores=scores)

    return strategy(
        select,
        needs={"embedding", "log_probs"},
        seeded=False,
        embedding=embedding,
        needs_label=True,
    )
