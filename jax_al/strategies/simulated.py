"""Strategies that look at the truth: for simulations, as bounds of what choosing could achieve."""

import jax
import jax.numpy as jnp

from jax_al.strategies.choosing import by_score, highest_in_order, scores_of
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy


def class_balanced() -> Strategy:
    """Picks at random, each time from the class with the fewest labels that has points left.

    What balance alone can bring: stratified sampling (Cochran 1977, *Sampling Techniques*, chapter
    5) with equal parts, labels owned before included; chance decides between classes that own as
    few. O(N log N). Needs `true_labels`: only a simulated oracle has them, and any other is
    refused.
    """
    return strategy(_class_balanced, needs={"true_labels"})


def oracle_uncertainty() -> Strategy:
    """Picks the points on whose true label the network has the highest loss.

    Score -log p_(true class) in nats, the loss that learning-loss methods predict (Yoo & Kweon
    2019, arXiv 1905.03677): what "uncertain" would pick if it knew. The oracle of Sener &
    Savarese (arXiv 1708.00489, section 5) draws points in proportion to that loss instead. O(N);
    greedy, chance decides between equals only. Needs `log_probs` and `true_labels`: only a
    simulated oracle has them, and any other is refused.
    """
    return strategy(
        _oracle_uncertainty,
        needs={"log_probs", "true_labels"},
        seeded=False,
        needs_label=True,
    )


def _class_balanced(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
    assert signals.true_labels is not None
    N = pool.labeled.size
    # Numbered anew, below N: a pool can be smaller than the number of classes.
    _, truth = jnp.unique(signals.true_labels, return_inverse=True, size=N)
    truth = truth.astype(jnp.int32)
    owned = jnp.zeros(N, jnp.int32).at[truth].add(pool.labeled.astype(jnp.int32))
    queue_key, tie_key = jax.random.split(query_key)
    # The selectable points of a class wait in random order, and the point that is r-th in its queue
    # is bought when the class owns r more than now. So a sort by that number is the purchase.
    shuffled = jax.random.permutation(queue_key, N)
    class_of = jnp.where(pool.selectable, truth, N)[shuffled]
    queues = jnp.argsort(class_of)
    class_of, points = class_of[queues], shuffled[queues]
    rank = jnp.arange(N, dtype=jnp.int32) - jnp.searchsorted(class_of, class_of).astype(jnp.int32)
    level = owned[jnp.minimum(class_of, N - 1)] + rank
    # At each level a class has one point. Chance of its own decides between classes: the place in
    # the shuffle would not do, for the first in the queue of a large class stands early in it.
    ties = jax.random.bits(tie_key, (N,))
    turn = jnp.lexsort((ties, level, class_of == N))
    picks = highest_in_order(points[turn], jnp.zeros(N), pool, budget)
    wait = jnp.zeros(N).at[points].set(level.astype(jnp.float32))
    return Query(picks, {}, scores=scores_of(-wait, picks))


def _oracle_uncertainty(
    query_key: jax.Array, signals: Signals, pool: PoolState, budget: int
) -> Query:
    assert signals.log_probs is not None
    assert signals.true_labels is not None
    of_truth = jnp.take_along_axis(signals.log_probs, signals.true_labels[:, None], axis=1)
    return by_score(query_key, -of_truth[:, 0], pool, budget)
