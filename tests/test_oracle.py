import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jax_al.oracles.simulated import INITIAL, initial_indices, simulated_oracle


@st.composite
def choices(draw):
    """A truth over some classes, and how many points to choose."""
    labels = np.array(draw(st.lists(st.integers(0, 4), min_size=1, max_size=40)), np.int32)
    return labels, draw(st.integers(1, labels.size)), draw(st.integers(0, 2**32 - 1))


@pytest.mark.parametrize("how", INITIAL)
@given(case=choices())
def test_initial_points_are_as_many_as_asked_distinct_and_repeat_for_one_seed(how, case):
    labels, size, seed = case
    chosen = initial_indices(np.random.default_rng(seed), how, labels, size)
    assert len(set(chosen.tolist())) == len(chosen) == size
    assert set(chosen.tolist()) <= set(range(labels.size))
    again = initial_indices(np.random.default_rng(seed), how, labels, size)
    np.testing.assert_array_equal(chosen, again)


@given(choices())
def test_balanced_counts_differ_by_at_most_one_except_where_a_class_is_used_up(case):
    labels, size, seed = case
    chosen = initial_indices(np.random.default_rng(seed), "class_balanced", labels, size)
    available = np.bincount(labels, minlength=5)
    counts = np.bincount(labels[chosen], minlength=5)
    can_give_more = counts < available
    if can_give_more.any():
        assert counts.max() <= counts[can_give_more].min() + 1


@pytest.mark.parametrize("how", INITIAL)
def test_chance_reaches_every_point(how):
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2], np.int32)
    seen = {
        int(index)
        for seed in range(200)
        for index in initial_indices(np.random.default_rng(seed), how, labels, 2)
    }
    assert seen == set(range(8))


def test_random_does_not_look_at_the_truth():
    one, other = np.zeros(20, np.int32), np.arange(20, dtype=np.int32)
    np.testing.assert_array_equal(
        initial_indices(np.random.default_rng(3), "random", one, 7),
        initial_indices(np.random.default_rng(3), "random", other, 7),
    )


def test_the_simulated_oracle_answers_what_is_asked_in_the_order_asked():
    oracle = simulated_oracle(np.array([5, 6, 7, 8], np.int32))
    assert oracle(np.array([3, 0, 2])).tolist() == [8, 5, 7]
