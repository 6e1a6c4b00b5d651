"""Disagreement of networks sampled by dropout (Gal & Ghahramani 2016, arXiv 1506.02142).

The T stochastic passes stand for T networks drawn from the posterior. Only sums over them reach
these strategies, never T x N x C numbers. All are O(N C) beside the passes.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jax_al.base import PoolState, Query, Signals, Strategy, UsageError
from jax_al.strategies.choosing import by_score, random_without_labels
from jax_al.strategies.uncertainty import entropy_score


def variation_ratios() -> Strategy:
    """Picks the points on whose class the passes agree least.

    Score 1 - (share of the passes that vote for the most voted class) (Freeman 1965; Gal et al.
    2017, arXiv 1703.02910). Some published code takes 1 - max_c of the mean probability for it,
    which is `mc_least_confidence`. Needs `mc_votes`. With T passes there are only T levels, so
    ties, which go to the lowest index, are many.
    """

    def score(signals: Signals) -> jax.Array:
        assert signals.mc_votes is not None
        return 1 - signals.mc_votes.max(axis=1)

    return _scored(score, "mc_votes")


def mean_std() -> Strategy:
    """Picks the points whose class probabilities vary most between the passes.

    Score: the standard deviation over T of p_c, averaged over the classes (Kampffmeyer et al. 2016;
    Gal et al. 2017, arXiv 1703.02910, "Mean STD"). Needs `mc_std`.
    """

    def score(signals: Signals) -> jax.Array:
        assert signals.mc_std is not None
        return signals.mc_std.mean(axis=1)

    return _scored(score, "mc_std")


def bald() -> Strategy:
    """Picks the points that tell most about the network: the passes are sure but disagree.

    Score H(mean over T of p) - mean over T of H(p), the mutual information of label and parameters
    in nats (Houlsby et al. 2011, arXiv 1112.5745; with dropout Gal et al. 2017, arXiv 1703.02910).
    Needs `mc_probs`, `mc_entropy`.
    """
    return _scored(bald_score, "mc_probs", "mc_entropy")


def power_bald(*, beta: float = 1.0) -> Strategy:
    """Samples points with a probability proportional to a power of their BALD score.

    Without replacement: the highest of beta log s + Gumbel noise, s the score of `bald` (Kirsch et
    al. 2021, arXiv 2106.12059, table 1, "power"). A score of 0 is never drawn before any other.
    Needs `mc_probs`, `mc_entropy`.

    Args:
      beta: from 0 (random) to infinity (`bald`); the paper's 1.
    """
    _check(beta)

    def priority(scores: jax.Array, pool: PoolState) -> jax.Array:
        del pool
        # The mutual information is never negative, but its rounding error may be.
        return beta * jnp.log(jnp.maximum(scores, jnp.finfo(jnp.float32).tiny))

    return _sampled(priority)


def softmax_bald(*, beta: float = 1.0) -> Strategy:
    """Samples points with a probability proportional to the exponential of their BALD score.

    Without replacement: the highest of beta s + Gumbel noise, s the score of `bald` (Kirsch et al.
    2021, arXiv 2106.12059, table 1, "softmax"). Needs `mc_probs`, `mc_entropy`.

    Args:
      beta: per nat, from 0 (random) to infinity (`bald`); the paper's 1, at which scores of at
        most log C nats hardly matter.
    """
    _check(beta)
    return _sampled(lambda scores, pool: beta * scores)


def softrank_bald(*, beta: float = 1.0) -> Strategy:
    """Samples points with a probability proportional to an inverse power of their BALD rank.

    Without replacement: the highest of -beta log r + Gumbel noise, r = 1, 2, ... the rank of the
    score of `bald` among the unlabeled (Kirsch et al. 2021, arXiv 2106.12059, table 1,
    "soft-rank"). Equal scores are ranked by index. Needs `mc_probs`, `mc_entropy`.

    Args:
      beta: from 0 (random) to infinity (`bald`); the paper's 1.
    """
    _check(beta)

    def priority(scores: jax.Array, pool: PoolState) -> jax.Array:
        order = jnp.argsort(jnp.where(pool.labeled, jnp.inf, -scores))  # stable
        rank = jnp.zeros_like(order).at[order].set(jnp.arange(1, order.size + 1))
        return -beta * jnp.log(rank.astype(jnp.float32))

    return _sampled(priority)


def bald_score(signals: Signals) -> jax.Array:
    """Returns the mutual information of label and parameters in nats, float32 [N]."""
    assert signals.mc_probs is not None
    assert signals.mc_entropy is not None
    return entropy_score(jnp.log(signals.mc_probs)) - signals.mc_entropy


def _check(beta: float) -> None:
    if not 0 <= beta < float("inf"):
        raise UsageError(f"config.strategy_args.beta is {beta}, but must be a number from 0 on.")


def _scored(score: Callable[[Signals], jax.Array], *needs: str) -> Strategy:
    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        del query_key
        return by_score(score(signals), pool, budget)

    return Strategy(frozenset(needs), random_without_labels(select), seeded=False)


def _sampled(priority: Callable[[jax.Array, PoolState], jax.Array]) -> Strategy:
    """Adding Gumbel noise to logarithms and taking the highest is sampling without replacement."""

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        scores = bald_score(signals)
        noise = jax.random.gumbel(query_key, scores.shape)
        return by_score(priority(scores, pool) + noise, pool, budget)

    return Strategy(
        frozenset({"mc_probs", "mc_entropy"}), random_without_labels(select), seeded=True
    )
