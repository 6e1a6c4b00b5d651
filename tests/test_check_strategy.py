"""That the contract of a strategy catches those that break it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from asking import QUICKLY

from jax_al.strategies import by_score, make_strategy, strategy
from jax_al.testing.strategy import check_strategy
from jax_al.types import NOTHING, UNKNOWN, Query, Strategy


def most(key, signals, pool, budget):
    return by_score(key, signals.embedding[:, 0], pool, budget)


def quickly(broken):
    """Compiled already, and quickly: what is answered is the question, not how fast."""
    select = jax.jit(broken.select, static_argnums=3, compiler_options=QUICKLY)
    return broken._replace(select=select)


def kept(select=most, **said):
    return strategy(select, **({"needs": {"embedding"}, "seeded": False} | said))


def picks_labeled(key, signals, pool, budget):
    return most(key, signals, pool._replace(labeled=jnp.zeros_like(pool.labeled)), budget)


def picks_excluded(key, signals, pool, budget):
    return most(key, signals, pool._replace(excluded=jnp.zeros_like(pool.excluded)), budget)


def picks_twice(key, signals, pool, budget):
    query = most(key, signals, pool, budget)
    return query._replace(indices=query.indices.at[1].set(query.indices[0]))


def picks_too_few(key, signals, pool, budget):
    query = most(key, signals, pool, budget)
    return query._replace(indices=query.indices.at[-1].set(NOTHING))


def says_nan(key, signals, pool, budget):
    return most(key, signals, pool, budget)._replace(info={"odd": jnp.float32(jnp.nan)})


def has_guesses(key, signals, pool, budget):
    guesses = jnp.zeros(pool.labels.size, jnp.int32)
    return most(key, signals, pool, budget)._replace(pseudo_labels=guesses)


def guessing(label):
    """Believes that every point that it may guess is of this class."""

    def select(key, signals, pool, budget):
        query = most(key, signals, pool, budget)
        picked = jnp.where(query.indices == NOTHING, pool.labeled.size, query.indices)
        free = pool.selectable.at[picked].set(False, mode="drop")
        guesses = jnp.where(free, jnp.array(label), UNKNOWN)
        return query._replace(pseudo_labels=guesses)

    return select


def knows_the_key(key, signals, pool, budget):
    return by_score(key, jax.random.normal(key, pool.labeled.shape), pool, budget)


def knows_the_labels(key, signals, pool, budget):
    told = jnp.where(pool.labels > 1, 1.0, 0.0).sum()
    return by_score(key, signals.embedding[:, 0] * (1 - told), pool, budget)


def knows_the_room(key, signals, pool, budget):
    return by_score(key, signals.embedding[:, pool.order.size % 3], pool, budget)


def counts_excluded(key, signals, pool, budget):
    away = jnp.abs(signals.embedding - signals.embedding.mean(axis=0)[None, :]).sum(axis=1)
    return by_score(key, away, pool, budget)


def counts_positions(key, signals, pool, budget):
    return by_score(key, jnp.sin(7 * jnp.arange(pool.labels.size, dtype=jnp.float32)), pool, budget)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (kept(picks_labeled), "neither labeled nor excluded"),
        (kept(picks_excluded), "neither labeled nor excluded"),
        (kept(picks_twice), "must be distinct"),
        (kept(picks_too_few), "points are left and must be picked"),
        (kept(says_nan), r"info\['odd'\] must be a finite number"),
        (kept(has_guesses), "with pseudo_labels, though it is not made with pseudo_labels=True"),
        (kept(pseudo_labels=True), "without pseudo_labels, though it is made with"),
        (kept(has_guesses, pseudo_labels=True), "must have no pseudo-label"),
        (kept(guessing(99), pseudo_labels=True), r"classes from 0 to 3, .* and \[99\] are among"),
        (kept(guessing(-2), pseudo_labels=True), r"\[-2\] are among"),
        (kept(guessing(1.5), pseudo_labels=True), "pseudo_labels are float32"),
        (kept(guessing([[0]]), pseudo_labels=True), r"pseudo_labels are of shape \[1, 24\]"),
        (kept(knows_the_key), "seeded is False"),
        (kept(knows_the_labels), "uses_labels is False"),
        (kept(knows_the_room), "room for more labels"),
        (kept(counts_excluded, seeded=True), "what an excluded point looks like"),
        (kept(counts_positions), "what deleting them gives"),
    ],
)
def test_a_broken_promise_is_named(broken, promise):
    with pytest.raises(AssertionError, match=promise):
        check_strategy(quickly(broken), seeds=(0, 1, 2))


def test_what_is_kept_is_kept():
    check_strategy(kept())
    check_strategy(quickly(kept(knows_the_labels, uses_labels=True)))
    check_strategy(quickly(kept(knows_the_key, seeded=True)))
    check_strategy(quickly(kept(guessing(1), pseudo_labels=True)))
    check_strategy(quickly(make_strategy("least_confidence")), num_classes=3, seeds=(5,))


def test_on_the_host_nothing_is_traced():
    def first(key, signals, pool, budget):
        free = np.flatnonzero(pool.selectable)[np.argsort(signals.embedding[pool.selectable, 0])]
        picks = np.full(budget, NOTHING, np.int32)
        picks[: len(free)] = free[:budget]
        return Query(picks, {})

    check_strategy(kept(first, on_host=True))
    with pytest.raises(jax.errors.TracerArrayConversionError):
        check_strategy(kept(first))


def test_on_the_host_nothing_is_written_in_place():
    def centred(key, signals, pool, budget):
        points = signals.embedding
        points -= points[~pool.excluded].mean(axis=0)
        return kept().select(key, signals._replace(embedding=points), pool, budget)

    with pytest.raises(AssertionError, match=r"writes into an array .*: copy it"):
        check_strategy(kept(centred, on_host=True))


def test_what_is_no_strategy_or_no_signal_is_told():
    with pytest.raises(AssertionError, match="must be a Strategy"):
        check_strategy(most)
    with pytest.raises(AssertionError, match=r"names \['embeding'\]"):
        check_strategy(Strategy(frozenset({"embeding"}), most, seeded=False))


def test_what_is_no_query_is_a_promise_broken():
    with pytest.raises(AssertionError, match=r"must return a Query .* returned an array"):
        check_strategy(strategy(lambda key, signals, pool, budget: jnp.arange(budget), needs=set()))
