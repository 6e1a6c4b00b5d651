import functools
import itertools

import asking
import jax
import numpy as np
import pytest
from scipy.stats import chisquare

from jax_al.strategies import make_strategy
from jax_al.types import NOTHING, Signals


@functools.cache
def asked_by_many(budget):
    """For every budget one function, which compiles once for every size of pool and of keys."""
    select = make_strategy("class_balanced").select
    ask = jax.vmap(lambda key, *given: select(key, *given, budget).indices, in_axes=(0, None, None))
    return asking.quickly(ask)


def queries(truth, labeled, budget, num_keys):
    """The indices [K, Q] that `class_balanced` answers to as many keys."""
    signals = Signals(true_labels=np.asarray(truth, np.int32))
    keys = jax.random.split(jax.random.key(0), num_keys)
    return asked_by_many(budget)(keys, signals, asking.pool_of(len(truth), labeled))


def test_a_class_may_have_a_number_beyond_the_pool():
    truth = np.repeat([30, 40, 50], 8)
    # Class 30 owns eight labels, 40 two, 50 none: twice 50, and then one of 40 and 50.
    found = truth[queries(truth, tuple(range(10)), 4, 50)]
    assert (found[:, :2] == 50).all()
    assert (np.sort(found[:, 2:]) == [40, 50]).all()
    none_owned = truth[queries(np.repeat([24, 1, 2], 8), (), 4, 50)]
    assert (np.sort(none_owned[:, :3]) == [30, 40, 50]).all()


def test_the_class_with_the_fewest_labels_is_asked_until_it_has_no_points_left():
    truth = np.repeat([0, 1, 2], [12, 3, 8])
    # Class 0 owns four labels, class 1 one, class 2 none: first 2; then 1 and 2; then class 1 is
    # used up and class 2 goes on till it owns as many as class 0, when these two take turns.
    found = truth[queries(truth, (0, 1, 2, 3, 12), 10, 50)]
    assert (found[:, 0] == 2).all()
    assert (np.sort(found[:, 1:3]) == [1, 2]).all()
    assert (np.sort(found[:, 3:5]) == [1, 2]).all()
    assert (found[:, 5] == 2).all()
    assert (np.sort(found[:, 6:8]) == [0, 2]).all()
    assert (np.sort(found[:, 8:10]) == [0, 2]).all()


def test_what_is_left_is_bought_and_no_point_twice():
    truth = np.repeat([0, 1], [5, 2])
    for row in queries(truth, (1, 6), 7, 5):
        assert sorted(row[:5].tolist()) == [0, 2, 3, 4, 5]
        assert row[5:].tolist() == [NOTHING] * 2


def test_chance_between_classes_knows_nothing_of_their_size():
    truth = np.repeat([0, 1], [900, 100])
    found = truth[queries(truth, (), 4, 400)]
    # At each of two levels one class is the first: four ways, of which any is as likely.
    ways = [tuple(row[:3:2].tolist()) for row in found]
    assert (np.sort(found.reshape(400, 2, 2)) == [0, 1]).all()
    counts = [ways.count(way) for way in itertools.product((0, 1), repeat=2)]
    assert chisquare(counts).pvalue > 0.001


def test_within_a_class_any_point_is_as_likely():
    truth = np.repeat([0, 1], [6, 4])
    found = queries(truth, (0,), 1, 1200)[:, 0]
    assert chisquare(np.bincount(found, minlength=10)[6:]).pvalue > 0.001
    found = queries(truth, (9, 8), 1, 1200)[:, 0]
    assert chisquare(np.bincount(found, minlength=10)[:6]).pvalue > 0.001


def test_oracle_uncertainty_is_the_loss_on_the_truth():
    log_probs = np.log([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [1.0, 1.0]])
    log_probs[4, 0] = -np.inf
    signals = {"log_probs": log_probs, "true_labels": [0, 0, 0, 1, 0]}
    query = asking.ask("oracle_uncertainty", signals, asking.pool_of(5, [0]), 4)
    assert query.indices.tolist() == [4, 2, 3, 1]
    expected = [np.inf, -np.log(0.2), -np.log(0.4), -np.log(0.9)]
    np.testing.assert_allclose(query.scores, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["class_balanced", "oracle_uncertainty"])
def test_they_say_that_they_look_at_the_truth(name):
    assert "true_labels" in make_strategy(name).needs
