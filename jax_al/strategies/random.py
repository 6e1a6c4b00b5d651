"""Uniform sampling: the baseline every strategy has to beat."""

import jax

from jax_al.strategies.choosing import at_random
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy


def random() -> Strategy:
    """Every unlabeled point is as likely as any other.

    Simple random sampling without replacement (Cochran 1977, *Sampling Techniques*, chapter 2), the
    passive learner that active ones are measured against. O(N log N). Needs no signal, so there is
    no pass over the pool.
    """
    return strategy(_select, needs=set())


def _select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
    del signals
    return Query(at_random(query_key, pool, budget), {})
