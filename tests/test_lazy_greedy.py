import functools

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jax_al.geometry.lazy_greedy import lazy_greedy
from jax_al.types import NOTHING


@functools.partial(jax.jit, static_argnums=(2, 3))
def cover(sets, available, num_picks, block):
    """Greedy maximum coverage of the columns of `sets` bool [N, M]."""
    return lazy_greedy(
        lambda covered, rows: (sets[rows] & ~covered[None, :]).sum(axis=1).astype(jnp.float32),
        lambda covered, row: covered | sets[row],
        jnp.zeros(sets.shape[1], bool),
        jnp.where(available, float(sets.shape[1]), -jnp.inf),
        num_picks,
        block=block,
    )


def plain_greedy(sets, available, num_picks):
    covered, picks, left = np.zeros(sets.shape[1], bool), [], set(np.flatnonzero(available))
    for _ in range(num_picks):
        if not left:
            picks.append(NOTHING)
            continue
        best = max(sorted(left), key=lambda i: (sets[i] & ~covered).sum())
        left.remove(best)
        covered |= sets[best]
        picks.append(best)
    return picks, covered


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 50]), st.sampled_from([2, 9, 30]))
def test_it_is_plain_greedy_whatever_the_block(seed, block, num_picks):
    rng = np.random.default_rng(seed)
    sets, available = rng.random((20, 12)) < rng.random() * 0.6, rng.random(20) < 0.8
    picks, covered = cover(sets, available, num_picks, block)
    expected, expected_covered = plain_greedy(sets, available, num_picks)
    assert picks.tolist() == expected
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
        gains, lambda c, row: c | jnp.asarray(sets)[row], jnp.zeros(200, bool), bounds, 20, block=8
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
            8,
            block=4,
        )

    picks, covered = run(sets, available)
    left = np.flatnonzero(available)
    expected, expected_covered = run(sets[left], np.ones(len(left), bool))
    np.testing.assert_array_equal(picks, left[expected])
    np.testing.assert_array_equal(covered, expected_covered)
