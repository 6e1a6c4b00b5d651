import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from jax_al.people import advice


@st.composite
def pairs(draw):
    n, C = draw(st.integers(1, 60)), draw(st.integers(1, 5))
    two = [draw(st.lists(st.integers(0, C - 1), min_size=n, max_size=n)) for _ in range(2)]
    return [np.array(one) for one in two]


@given(pairs())
def test_kappa_agrees_with_scikit_learn(two):
    one, other = two
    if len({*one.tolist(), *other.tolist()}) == 1:
        assert advice.kappa(one, other) == 1  # theirs is nan
    else:
        assert advice.kappa(one, other) == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)


def test_nothing_to_agree_on():
    assert math.isnan(advice.kappa(np.array([], int), np.array([], int)))


def test_a_stop_set_is_fixed_distinct_and_never_larger_than_the_pool():
    rows = advice.stop_set(10_000, seed=0)
    assert len(set(rows.tolist())) == advice.STOP_SET
    np.testing.assert_array_equal(rows, advice.stop_set(10_000, seed=0))
    assert set(rows.tolist()) != set(advice.stop_set(10_000, seed=1).tolist())
    np.testing.assert_array_equal(advice.stop_set(30, seed=0), np.arange(30))


def test_the_rule_wants_the_mean_of_three():
    assert not advice.has_settled([1, 1])
    assert advice.has_settled([0.1, 0.98, 0.995, 0.995])
    assert not advice.has_settled([1, 1, 0.98, 0.98, 0.98])


def test_the_noise_floor_is_of_two_draws_with_replacement():
    drawn = []

    def fit(places):
        drawn.append(places)
        return np.array([0, 1, 1, len(drawn) % 2])

    assert advice.noise_floor(fit, 50, 0) == advice.kappa(*np.array([[0, 1, 1, 1], [0, 1, 1, 0]]))
    assert len(drawn) == 2
    assert not np.array_equal(*drawn)
    assert all(len(one) == 50 and one.min() >= 0 and one.max() < 50 for one in drawn)
    assert len(set(drawn[0].tolist())) < 50


@pytest.mark.parametrize("answered", [100, 10**6])
def test_the_slope_is_that_of_scipy_and_its_interval_the_wider_one(answered):
    labels, share = [9, 20, 50, 100, 150, 200], np.array([0.1, 0.3, 0.51, 0.62, 0.66, 0.72])
    right = (share * answered).round().astype(int).tolist()
    gain = advice.expected_gain(labels, right, [answered] * 6, 50)
    x = np.log(labels[1:])
    error = (answered - np.array(right[1:]) + 0.5) / (answered + 1)
    line = stats.linregress(x, np.log(error))
    scatter = stats.t.ppf(0.975, 3) * line.stderr
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()  # slope = weights @ y
    chance = stats.norm.ppf(0.975) * math.sqrt(
        (weights**2 * (1 - error) / error / (answered + 1)).sum()
    )
    assert (chance > scatter) == (answered == 100)
    now = math.exp(line.intercept + line.slope * math.log(200))
    half = max(chance, scatter)
    slopes = [line.slope, line.slope + half, line.slope - half]
    for found, slope in zip(gain[1:], slopes, strict=True):
        assert found == pytest.approx(now * (1 - (250 / 200) ** slope), rel=1e-9)


def test_a_curve_that_falls_as_a_power_is_gone_on_with():
    labels = np.array([50, 100, 200, 300, 400, 500])
    right = 1e6 * (1 - 0.9 * labels**-0.3)
    gain = advice.expected_gain(labels, right, [10**6] * 6, 100)
    assert gain.estimate == pytest.approx(0.9 * (500**-0.3 - 600**-0.3), rel=1e-3)
    assert gain.high - gain.low < 1e-2


def test_what_cannot_be_told_is_not_told():
    assert advice.expected_gain([1, 2, 3, 4], [1, 2, 3, 4], [5] * 4, 1) is None
    assert advice.expected_gain([1, 7, 7, 7, 7, 7], [1] * 6, [5] * 6, 1) is None
    perfect = advice.expected_gain([10, 20, 30, 40, 50], [100] * 5, [100] * 5, 10)
    assert perfect.estimate == pytest.approx(0, abs=1e-9)
    wild = advice.expected_gain([1, 2, 3, 4, 5], [10, 90, 20, 80, 50], [100] * 5, 10**6)
    assert -1 <= wild.low <= wild.estimate <= wild.high <= 1


def told(**changes):
    given = {
        "classes": ["ant", "bee", "cat"],
        "counts": [3, 1, 2],
        "kappas": [0.9, 0.992, 0.994, 0.993],
        "floor": 0.971,
        "num_free": 1800,
        "gain": advice.Gain(50, 0.004, -0.001, 0.009),
        "source": "audit",
    }
    return advice.sentences(**{**given, **changes})


def test_advice_is_in_sentences_with_their_numbers():
    settled, gained = told()
    assert settled.startswith("You may stop: the last 3 models agree")
    assert "kappa 0.993 on 1,800 examples" in settled
    assert "resampled labels: 0.971" in settled
    assert "next 50 labels bring +0.4 points of accuracy (-0.1 to +0.9)" in gained
    assert "by audit" in gained


def test_nobody_is_told_to_stop_while_models_change_or_a_class_is_missing():
    assert told(kappas=[0.9, 0.9, 0.9])[0].startswith("Models still change")
    assert told(kappas=[1.0, 1.0])[0].startswith("Too early")
    missing, settled, _ = told(counts=[3, 0, 2])
    assert missing == "No label to train on yet of 1 of 3 classes: bee."
    assert "may stop" not in settled
    assert told(gain=None)[1].startswith("Too early")
    assert "resampled" not in told(floor=math.nan)[0]
    many = told(classes=[f"c{k}" for k in range(30)], counts=[0] * 30)[0]
    assert many.endswith("c7 and 22 more.")
