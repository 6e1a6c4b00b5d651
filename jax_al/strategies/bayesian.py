"""Disagreement of networks sampled by dropout (Gal & Ghahramani 2016, arXiv 1506.02142).

The T stochastic passes stand for T networks drawn from the posterior. Only sums over them reach
these strategies, never T x N x C numbers. All are O(N C) beside the passes.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jax_al.geometry.rounding import coarse
from jax_al.strategies.choosing import (
    by_score,
    check_number,
    highest_in_order,
    scores_of,
    tie_order,
)
from jax_al.strategies.strategy import strategy
from jax_al.strategies.uncertainty import entropy_score
from jax_al.types import PoolState, Query, Signals, Strategy

# Times 1 + the entropy, in nats: of passes that agree rounding leaves up to 1.4e-6 of it (measured
# with up to 100 passes and 1,000 classes).
FLOOR = 2e-6
MAX_BETA = 1e30  # times a score it is still a float32


def variation_ratios() -> Strategy:
    """Picks the points on whose class the passes agree least.

    Score 1 - (share of the passes that vote for the most voted class) (Freeman 1965; with dropout
    Gal 2016, *Uncertainty in deep learning*, section 3.3.1). Gal et al. 2017 (arXiv 1703.02910,
    section 4) define what they call variation ratios by the mean probability, 1 - max_c p_c: that
    is `mc_least_confidence`. deepALplus (`var_ratio.py`) takes 1 - max_c p_c of one plain pass, so
    it is `least_confidence` there. Needs `mc_votes`. With T passes there are at most T levels, so
    ties are many.
    O(N C) beside the T passes; the Q highest scores; chance decides between equals only.
    """

    def score(signals: Signals) -> jax.Array:
        assert signals.mc_votes is not None
        return 1 - signals.mc_votes.max(axis=1)

    return _scored(score, "mc_votes")


def committee_vote_entropy() -> Strategy:
    """Picks the points over whose class the votes of the passes are spread most evenly.

    Score -sum_c v_c log v_c in nats, v_c the share of the passes, or of an ensemble's members, that
    vote for class c (Dagan & Engelson 1995, "Committee-based sampling for training probabilistic
    classifiers"; they divide by the logarithm of the number of votes or classes, which ranks the
    same). Where `variation_ratios` looks at the most voted class only, this sees whether the others
    agree. Needs `mc_votes`. With T votes there are few levels, equal to 14 bits, so ties are many.
    O(N C) beside the T passes; the Q highest scores; chance decides between equals only.
    """

    def score(signals: Signals) -> jax.Array:
        assert signals.mc_votes is not None
        return coarse(entropy_score(jnp.log(signals.mc_votes)))

    return _scored(score, "mc_votes")


def mean_std() -> Strategy:
    """Picks the points whose class probabilities vary most between the passes.

    Score: the standard deviation over T of p_c, averaged over the classes (Kampffmeyer et al. 2016;
    Gal et al. 2017, arXiv 1703.02910, "Mean STD"), of the T passes themselves (1 / T), as in
    deepALplus. baal's `Variance` averages variances instead, which ranks otherwise. Needs `mc_std`.
    O(N C) beside the T passes; the Q highest scores; chance decides between equals only.
    """

    def score(signals: Signals) -> jax.Array:
        assert signals.mc_std is not None
        return signals.mc_std.mean(axis=1)

    return _scored(score, "mc_std")


def bald() -> Strategy:
    """Picks the points that tell most about the network: the passes are sure but disagree.

    Score H(mean over T of p) - mean over T of H(p), the mutual information of label and parameters
    in nats (Houlsby et al. 2011, arXiv 1112.5745; with dropout Gal et al. 2017, arXiv 1703.02910).
    Below 2e-6 (1 + mean H(p)) it counts as 0, as it may be rounding: passes that agree tie. baal
    and batchbald_redux give the same numbers but for that. Needs `mc_probs`, `mc_mean_entropy`.
    O(N C) beside the T passes; the Q highest scores; chance decides between equals only.
    """
    return _scored(bald_score, "mc_probs", "mc_mean_entropy")


def power_bald(*, beta: float = 1.0) -> Strategy:
    """Samples points with a probability proportional to a power of their BALD score.

    Without replacement: the highest of beta log s + Gumbel noise, s the score of `bald` (Kirsch et
    al. 2021, arXiv 2106.12059, table 1, "power"). With a beta above 0, points whose score is 0
    come after all others, in random order; with beta = 0 they are like any other. baal (2.1.0)
    draws the whole batch uniformly where fewer points than the budget have a score above 0.
    Needs `mc_probs`, `mc_mean_entropy`.
    O(N C + N log N) beside the T passes; seeded.

    Args:
      beta: from 0 (random) to 1e30 (`bald`); the paper's 1.
    """
    check_number("beta", beta, least=0, most=MAX_BETA)

    def priority(tie_key: jax.Array, scores: jax.Array, pool: PoolState) -> jax.Array:
        del tie_key, pool
        return beta * jnp.log(scores) if beta else jnp.zeros_like(scores)

    return _sampled(priority)


def softmax_bald(*, beta: float = 1.0) -> Strategy:
    """Samples points with a probability proportional to the exponential of their BALD score.

    Without replacement: the highest of beta s + Gumbel noise, s the score of `bald` (Kirsch et al.
    2021, arXiv 2106.12059, table 1, "softmax"). Needs `mc_probs`, `mc_mean_entropy`.
    O(N C + N log N) beside the T passes; seeded.

    Args:
      beta: per nat, from 0 (random) to 1e30 (`bald`); the paper's 1, at which scores of at
        most log C nats hardly matter.
    """
    check_number("beta", beta, least=0, most=MAX_BETA)
    return _sampled(lambda tie_key, scores, pool: beta * scores)


def softrank_bald(*, beta: float = 1.0) -> Strategy:
    """Samples points with a probability proportional to an inverse power of their BALD rank.

    Without replacement: the highest of -beta log r + Gumbel noise, r = 1, 2, ... the rank of the
    score of `bald` among the unlabeled (Kirsch et al. 2021, arXiv 2106.12059, table 1,
    "soft-rank"). Equal scores are ranked by chance; baal (2.1.0) gives them their mean rank. Needs
    `mc_probs`, `mc_mean_entropy`.
    O(N C + N log N) beside the T passes; seeded.

    Args:
      beta: from 0 (random) to 1e30 (`bald`); the paper's 1.
    """
    check_number("beta", beta, least=0, most=MAX_BETA)

    def priority(tie_key: jax.Array, scores: jax.Array, pool: PoolState) -> jax.Array:
        ties = tie_order(tie_key, scores.size)
        order = ties[jnp.argsort(jnp.where(pool.selectable, -scores, jnp.inf)[ties])]  # stable
        rank = jnp.zeros_like(order).at[order].set(jnp.arange(1, order.size + 1))
        return -beta * jnp.log(rank.astype(jnp.float32))

    return _sampled(priority)


def bald_score(signals: Signals) -> jax.Array:
    """Returns the mutual information of label and parameters in nats, float32 [N], 0 or more."""
    assert signals.mc_probs is not None
    assert signals.mc_mean_entropy is not None
    found = entropy_score(jnp.log(signals.mc_probs)) - signals.mc_mean_entropy
    return jnp.where(found > FLOOR * (1 + signals.mc_mean_entropy), found, 0.0)


def _scored(score: Callable[[Signals], jax.Array], *needs: str) -> Strategy:
    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        return by_score(query_key, score(signals), pool, budget)

    return strategy(select, needs=set(needs), seeded=False, needs_label=True)


def _sampled(priority: Callable[[jax.Array, jax.Array, PoolState], jax.Array]) -> Strategy:
    """Adding Gumbel noise to logarithms and taking the highest is sampling without replacement."""

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        scores = bald_score(signals)
        noise_key, tie_key = jax.random.split(query_key)
        noise = jax.random.gumbel(noise_key, scores.shape)
        # The noise alone decides where the priority is minus infinity, or too large to feel it.
        order = jnp.lexsort((-noise, -(priority(tie_key, scores, pool) + noise)))
        indices = highest_in_order(order, jnp.zeros(order.size), pool, budget)
        return Query(indices, {}, scores=scores_of(scores, indices))

    return strategy(select, needs={"mc_probs", "mc_mean_entropy"}, needs_label=True)
