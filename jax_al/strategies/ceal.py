"""CEAL: labels for the most uncertain points, the network's own guess for the surest."""

import jax
import jax.numpy as jnp

from jax_al.strategies.choosing import check_number, highest, scores_of
from jax_al.strategies.strategy import strategy
from jax_al.strategies.uncertainty import entropy_score, score_named
from jax_al.types import NOTHING, UNKNOWN, PoolState, Query, Signals, Strategy


def ceal(
    *,
    score: str = "entropy",
    threshold: float = 0.05,
    decay: float = 0.0033,
) -> Strategy:
    """Buys the most uncertain points and trains on the guesses for the surest as if true.

    Buys the `budget` points of the highest `score` ("entropy", "least_confidence" or "margin").
    Every other unlabeled point whose predictive entropy is below delta_t = `threshold` - `decay`
    t nats brings its most likely class as a pseudo-label, which holds for the next fit only; t
    counts the queries before this one, 0 at the first. `info` holds delta_t (`entropy_threshold`)
    and `num_pseudo_labels`.

    Wang, Zhang, Li, Zhang & Lin 2017, arXiv 1701.03551, Algorithm 1; defaults: theirs for
    CACD (Caltech-256: 0.005 and 0.00033). Needs `log_probs`; random, with no pseudo-label,
    while there is no label. Greedy. O(N C).

    Published code takes the update "delta - dr t" at its word and applies it to the last delta,
    so that delta_t = threshold - decay t (t + 1) / 2 is below zero from t = 6 on and nothing is
    pseudo-labeled any more; here it falls evenly, and is zero from t = 16 on. Other people's code
    does the one or the other.
    Entropies are in nats: a threshold means less with more classes. The paper fine-tunes with the
    pseudo-labels every so many iterations; here a network is fit once an episode.

    Args:
      score: what ranks the points to buy.
      threshold: delta_0 in nats; the paper's 0.05 for CACD.
      decay: nats by which the threshold falls from query to query; 0 keeps it.
    """
    rank = score_named(score)
    check_number("threshold", threshold, least=0)
    check_number("decay", decay, least=0)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        assert signals.log_probs is not None
        scores = rank(signals.log_probs)
        indices = highest(query_key, scores, pool, budget)
        t = jnp.asarray(pool.num_queries).astype(jnp.float32)
        limit = jnp.maximum(threshold - decay * t, 0.0)
        is_sure = entropy_score(signals.log_probs) < limit
        picked = jnp.where(indices == NOTHING, pool.labeled.size, indices)
        free = pool.selectable.at[picked].set(False, mode="drop")
        guesses = signals.log_probs.argmax(axis=1).astype(jnp.int32)
        pseudo_labels = jnp.where(free & is_sure, guesses, UNKNOWN)
        count = (pseudo_labels != UNKNOWN).sum().astype(jnp.float32)
        info = {"entropy_threshold": limit, "num_pseudo_labels": count}
        return Query(indices, info, pseudo_labels, scores_of(scores, indices))

    return strategy(select, needs={"log_probs"}, seeded=False, pseudo_labels=True, needs_label=True)
