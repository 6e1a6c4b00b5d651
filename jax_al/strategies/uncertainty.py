"""How unsure the network is of one point, from its class probabilities (Settles 2009, section 3.1).

Each measure exists twice: of the plain forward pass, and (`mc_`) of the probabilities averaged over
T stochastic passes (Gal et al. 2017, arXiv 1703.02910). All are O(N C) beside the passes, pick the
Q highest scores; chance decides between equals only.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.errors import UsageError, did_you_mean
from jax_al.strategies.choosing import by_score
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy


def least_confidence() -> Strategy:
    """Picks the points whose most likely class is the least likely.

    Score 1 - max_c p_c (Lewis & Gale 1994). Published code agrees in the ranking (scikit-activeml;
    Monarch's book scales by C / (C - 1)), but where it subtracts from 1 in float32, all points
    with p above 1 - 6e-8 tie; here the other probabilities are added up. Needs `log_probs`.
    O(N C); the Q highest scores; chance decides between equals only.
    """
    return _one_pass(least_confidence_score)


def margin() -> Strategy:
    """Picks the points whose two most likely classes are the closest.

    Score p_(2) - p_(1), the two largest probabilities (Scheffer et al. 2001); at most 0. Code that
    sorts the margin p_(1) - p_(2) in descending order picks from the wrong end. Needs `log_probs`.
    O(N C); the Q highest scores; chance decides between equals only.
    """
    return _one_pass(margin_score)


def ratio() -> Strategy:
    """Picks the points whose two most likely classes are the closest in ratio.

    Score p_(2) / p_(1) (Monarch 2021, *Human-in-the-Loop Machine Learning*, section 3.2.3), as the
    difference of the logarithms: the same ranking as the book's code, which ties where p_(2) has
    become 0. Needs `log_probs`.
    O(N C); the Q highest scores; chance decides between equals only.
    """
    return _one_pass(ratio_score)


def entropy() -> Strategy:
    """Picks the points whose class distribution has the highest entropy.

    Score -sum_c p_c log p_c in nats, with 0 log 0 = 0 (Shannon 1948), as in scikit-activeml. Code
    that takes log p of p = 0 gets NaN and picks such a point never or first, depending on
    the sort: the one beside BADGE (`entropy_sampling.py`), the one of Monarch's book. Needs
    `log_probs`.
    O(N C); the Q highest scores; chance decides between equals only.
    """
    return _one_pass(entropy_score)


def mc_least_confidence() -> Strategy:
    """Picks as `least_confidence`, from probabilities averaged over stochastic passes.

    Score 1 - max_c of the mean over T of p_c (Gal et al. 2017, section 4, under the name of
    variation ratios, which otherwise count votes: `variation_ratios`). distil and baal average the
    probabilities too. Needs `mc_probs`.
    O(N C) beside the T passes; the Q highest scores; chance decides between equals only.
    """
    return _averaged(least_confidence_score)


def mc_margin() -> Strategy:
    """Picks as `margin`, from probabilities averaged over stochastic passes.

    Score p_(2) - p_(1) of the mean over T of p (Scheffer et al. 2001, with the averages of Gal et
    al. 2017); distil and baal do the same. Needs `mc_probs`.
    O(N C) beside the T passes; the Q highest scores; chance decides between equals only.
    """
    return _averaged(margin_score)


def mc_entropy() -> Strategy:
    """Picks as `entropy`, from probabilities averaged over stochastic passes.

    Score H(mean over T of p), the predictive entropy (Gal et al. 2017, "Max Entropy"). Not the mean
    of the entropies, which forgets that the passes disagree. Needs `mc_probs`.
    O(N C) beside the T passes; the Q highest scores; chance decides between equals only.
    """
    return _averaged(entropy_score)


def least_confidence_score(log_probs: jax.Array) -> jax.Array:
    """Returns 1 - max_c p_c, [N], of log-probabilities [N, C]."""
    # As the sum of the others, which keeps apart the certain from the nearly certain.
    is_top = jnp.arange(log_probs.shape[1])[None, :] == log_probs.argmax(axis=1)[:, None]
    return jnp.where(is_top, 0.0, jnp.exp(log_probs)).sum(axis=1)


def margin_score(log_probs: jax.Array) -> jax.Array:
    """Returns p_(2) - p_(1), [N], of log-probabilities [N, C]."""
    first, second = _two_largest(log_probs)
    return jnp.exp(first) * jnp.expm1(second - first)


def ratio_score(log_probs: jax.Array) -> jax.Array:
    """Returns log p_(2) - log p_(1), [N], of log-probabilities [N, C]."""
    first, second = _two_largest(log_probs)
    return second - first


def entropy_score(log_probs: jax.Array) -> jax.Array:
    """Returns the entropy in nats, [N], of log-probabilities [N, C]."""
    probs = jnp.exp(log_probs)
    return -jnp.where(probs > 0, probs * log_probs, 0.0).sum(axis=1)


# What hybrids rank by before they do something else: log-probabilities [N, C] to scores [N].
SCORES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "entropy": entropy_score,
    "least_confidence": least_confidence_score,
    "margin": margin_score,
}


def score_named(name: str) -> Callable[[jax.Array], jax.Array]:
    """Returns the score that the option `score` names.

    Raises:
      UsageError: there is none of that name.
    """
    if name not in SCORES:
        raise UsageError(f"score is {name!r}: {did_you_mean(name, SCORES)}")
    return SCORES[name]


def _two_largest(log_probs: jax.Array) -> tuple[jax.Array, jax.Array]:
    first, second = lax.top_k(log_probs, 2)[0].T
    return first, second


def _one_pass(score: Callable[[jax.Array], jax.Array]) -> Strategy:
    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        assert signals.log_probs is not None
        return by_score(query_key, score(signals.log_probs), pool, budget)

    return strategy(select, needs={"log_probs"}, seeded=False, needs_label=True)


def _averaged(score: Callable[[jax.Array], jax.Array]) -> Strategy:
    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        assert signals.mc_probs is not None
        return by_score(query_key, score(jnp.log(signals.mc_probs)), pool, budget)

    return strategy(select, needs={"mc_probs"}, seeded=False, needs_label=True)
