import functools

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jax_al.geometry.lazy_greedy import lazy_greedy
from jax_al.types import NOTHING


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def cover(sets, available, order, num_picks, block, tie=0.0):
    """Greedy maximum coverage of the columns of `sets` bool [N, M]."""
    return lazy_greedy(
        lambda covered, rows: (sets[rows] & ~covered[None, :]).sum(axis=1).astype(jnp.float32),
        lambda covered, row: covered | sets[row],
        jnp.zeros(sets.shape[1], bool),
        jnp.where(available, float(sets.shape[1]), -jnp.inf),
        order,
        num_picks,
        block=block,
        tie=tie,
    )


def plain_greedy(sets, available, order, num_picks, tie=0.0):
    """Picks, the gain of each, what is covered; of equals, to `tie`, the first of `order`."""
    covered, picks, gains = np.zeros(sets.shape[1], bool), [], []
    left = [row for row in order if available[row]]
    for _ in range(num_picks):
        if not left:
            picks.append(NOTHING)
            gains.append(np.nan)
            continue
        theirs = [(sets[row] & ~covered).sum() for row in left]
        best = left[np.argmax(theirs >= (1 - tie) * max(theirs))]
        left.remove(best)
        gains.append((sets[best] & ~covered).sum())
        covered |= sets[best]
        picks.append(best)
    return picks, gains, covered


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(1, 9, 0.0), (3, 2, 0.3), (3, 30, 0.0), (50, 9, 0.3)]),
)
def test_it_is_plain_greedy_whatever_the_block(seed, how):
    block, num_picks, tie = how
    rng = np.random.default_rng(seed)
    sets, available = rng.random((20, 12)) < rng.random() * 0.6, rng.random(20) < 0.8
    order = rng.permutation(20).astype(np.int32)
    picks, gains, covered = cover(sets, available, order, num_picks, block, tie)
    expected, expected_gains, expected_covered = plain_greedy(
        sets, available, order, num_picks, tie
    )
    assert picks.tolist() == expected
    np.testing.assert_array_equal(gains, expected_gains)
    np.testing.assert_array_equal(covered, expected_covered)


def test_most_gains_are_never_computed_again():
    sets = np.eye(200, dtype=bool)
    sets[:, :3] = np.arange(200)[:, None] < np.array([150, 100, 50])
    calls = []

    def gains(covered, rows):
        jax.debug.callback(lambda rows: calls.append(len(rows)), rows)
        return (jnp.asarray(sets)[rows] & ~covered[None, :]).sum(axis=1).astype(jnp.float32)

    bounds = jnp.asarray(sets.sum(axis=1), jnp.float32)
    lazy_greedy(
        gains,
        lambda c, row: c | jnp.asarray(sets)[row],
        jnp.zeros(200, bool),
        bounds,
        jnp.arange(200),
        20,
        block=8,
    )
    jax.effects_barrier()
    assert sum(calls) < 20 * 200 / 4


def test_it_can_be_mapped_over_seeds():
    sets = np.random.default_rng(0).random((3, 20, 12)) < 0.3

    @jax.jit
    def run(sets):
        return lazy_greedy(
            lambda c, rows: (sets[rows] & ~c[None, :]).sum(axis=1).astype(jnp.float32),
            lambda c, row: c | sets[row],
            jnp.zeros(12, bool),
            jnp.full(20, 12.0),
            jnp.arange(20),
            5,
            block=4,
        )[0]

    together = jax.jit(jax.vmap(run))(sets)
    for i in range(3):
        np.testing.assert_array_equal(together[i], run(sets[i]))


def test_what_is_not_on_offer_may_have_any_gain():
    sets = np.random.default_rng(1).random((20, 12)) < 0.3
    available = np.random.default_rng(2).random(20) < 0.6

    @jax.jit
    def run(sets, available):
        absent = ~available
        return lazy_greedy(
            lambda c, rows: jnp.where(
                absent[rows], jnp.nan, (sets[rows] & ~c[None, :]).sum(axis=1).astype(jnp.float32)
            ),
            lambda c, row: c | sets[row],
            jnp.zeros(12, bool),
            jnp.where(absent, -jnp.inf, 12.0),
            jnp.arange(len(sets)),
            8,
            block=4,
        )

    picks, _, covered = run(sets, available)
    left = np.flatnonzero(available)
    expected, _, expected_covered = run(sets[left], np.ones(len(left), bool))
    np.testing.assert_array_equal(picks, left[expected])
    np.testing.assert_array_equal(covered, expected_covered)


def test_gains_within_the_tie_are_equal_and_others_are_not():
    gain = np.float32([1.0, 1.0 + 2e-6, 0.99, 1.0 - 2e-6])

    def run(order, tie):
        return lazy_greedy(
            lambda state, rows: jnp.asarray(gain)[rows],
            lambda state, row: state,
            jnp.zeros(()),
            jnp.full(4, 2.0),
            order,
            4,
            block=2,
            tie=tie,
        )[0]

    run = jax.jit(run, static_argnums=1)
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        assert run(np.int32(order), 1e-5).tolist() == [row for row in order if row != 2] + [2]
        assert run(np.int32(order), 0.0).tolist() == [1, 0, 3, 2]
