"""CEAL: labels for the most uncertain points, the network's own guess for the surest."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jax_al.base import NOTHING, UNKNOWN, PoolState, Query, Signals, Strategy, UsageError
from jax_al.strategies.choosing import highest, random_without_labels
from jax_al.strategies.uncertainty import entropy_score, score_named


def ceal(*, score: str = "entropy", threshold: float = 0.05, decay: float = 0.0033) -> Strategy:
    """Buys the most uncertain points and trains on the guesses for the surest as if true.

    Buys the `budget` points of the highest `score` ("entropy", "least_confidence" or "margin").
    Every other unlabeled point whose predictive entropy is below delta_t = `threshold` - `decay`
    t nats brings its most likely class as a pseudo-label, which holds for the next fit only; t is
    the number of whole batches of labels owned, `num_labeled // budget`. `info` holds
    delta_t (`entropy_threshold`) and `num_pseudo_labels`.

    Wang, Zhang, Li, Zhang & Lin 2017, arXiv 1701.03551, Algorithm 1; defaults: theirs for
    CACD (Caltech-256: 0.005 and 0.00033). Needs `log_probs`; random, with no pseudo-label,
    while there is no label. Greedy. O(N C).

    Published code takes the update "delta - dr t" at its word and applies it to the last delta,
    so that delta_t = threshold - decay t (t + 1) / 2 is below zero from t = 6 on and nothing is
    pseudo-labeled any more; here it falls evenly, and is zero from t = 16 on.
    Entropies are in nats: a threshold means less with more classes. The paper fine-tunes with the
    pseudo-labels every so many iterations; here a network is fit once an episode.
    """
    rank = score_named(score)
    _check("threshold", threshold)
    _check("decay", decay)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        del query_key
        assert signals.log_probs is not None
        indices = highest(rank(signals.log_probs), pool, budget)
        batches = (pool.num_labeled // budget).astype(jnp.float32)
        limit = jnp.maximum(threshold - decay * batches, 0.0)
        is_sure = entropy_score(signals.log_probs) < limit
        # With no label yet, the batch will be another one and no guess is worth anything.
        free = ~pool.labeled & (pool.num_labeled > 0)
        picked = jnp.where(indices == NOTHING, free.size, indices)
        free = free.at[picked].set(False, mode="drop")
        guesses = signals.log_probs.argmax(axis=1).astype(jnp.int32)
        pseudo_labels = jnp.where(free & is_sure, guesses, UNKNOWN)
        count = (pseudo_labels != UNKNOWN).sum().astype(jnp.float32)
        info = {"entropy_threshold": limit, "num_pseudo_labels": count}
        return Query(indices, info, pseudo_labels)

    return Strategy(
        needs=frozenset({"log_probs"}),
        select=random_without_labels(select),
        seeded=False,
        pseudo_labels=True,
    )


def _check(option: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and value >= 0):
        raise UsageError(
            f"config.strategy_args.{option} is {value!r}: it must be a number, 0 or more."
        )
