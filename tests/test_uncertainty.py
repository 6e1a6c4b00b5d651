import pathlib

import asking
import jax
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies.uncertainty import (
    entropy_score,
    least_confidence_score,
    margin_score,
    ratio_score,
    score_named,
)
from jax_al.types import NOTHING

GOLDEN = pathlib.Path(__file__).parent / "golden" / "uncertainty.npz"
PROBS = ((0.5, 0.3, 0.2), (0.4, 0.4, 0.2), (1.0, 0.0, 0.0), (1 / 3, 1 / 3, 1 / 3), (0.6, 0.3, 0.1))
# By hand; the last point is labeled.
EXPECTED = {
    "least_confidence": ([3, 1, 0, 2], [2 / 3, 0.6, 0.5, 0.0]),
    "margin": ([1, 3, 0, 2], [0.0, 0.0, -0.2, -1.0]),
    "ratio": ([1, 3, 0, 2], [0.0, 0.0, np.log(0.6), -np.inf]),
    "entropy": ([3, 1, 0, 2], [np.log(3), 1.0549202, 1.0296530, 0.0]),
}


def log(probs):
    with np.errstate(divide="ignore"):
        return np.log(np.float32(probs))


def asked(name, budget=4, **signals):
    return asking.ask(name, signals, asking.pool_of(5, [4]), budget)


def check_order(query, indices, scores):
    """Best first, each with its score; chance decides between equals."""
    np.testing.assert_allclose(query.scores, scores, rtol=1e-6, atol=1e-6)
    of_point = dict(zip(indices, scores, strict=True))
    assert sorted(query.indices.tolist()) == sorted(indices)
    found = [of_point[row] for row in query.indices.tolist()]
    np.testing.assert_allclose(found, scores, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", EXPECTED)
def test_points_come_in_the_order_of_the_definition_with_their_scores(name):
    indices, scores = EXPECTED[name]
    check_order(asked(name, log_probs=log(PROBS)), indices, scores)


@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - {"ratio"}))
def test_of_stochastic_passes_the_mean_is_scored(name):
    indices, scores = EXPECTED[name]
    check_order(asked(f"mc_{name}", mc_probs=PROBS), indices, scores)


def test_a_place_without_a_point_has_no_score():
    query = asked("entropy", 7, log_probs=log(PROBS))
    assert query.indices[4:].tolist() == [NOTHING] * 3
    assert np.isnan(query.scores).tolist() == [False] * 4 + [True] * 3


def test_scores_are_those_of_scikit_activeml_and_baal():
    golden = np.load(GOLDEN)
    log_probs = log(golden["passes"].mean(axis=0))
    found = {
        "entropy": jax.jit(entropy_score)(log_probs),
        "least_confidence": jax.jit(least_confidence_score)(log_probs),
        # scikit-activeml adds 1 and calls it uncertainty; the order is the same.
        "margin": np.asarray(jax.jit(margin_score)(log_probs)) + 1,
    }
    for name, scores in found.items():
        expected = golden[f"skactiveml_{name}"]
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    # baal sorts the last two in ascending order: they are certainties.
    np.testing.assert_allclose(found["entropy"], golden["baal_entropy"], rtol=1e-5, atol=1e-6)
    certainty = 1 - np.asarray(found["least_confidence"])
    np.testing.assert_allclose(certainty, golden["baal_certainty"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(1 - found["margin"], golden["baal_margin"], rtol=1e-5, atol=1e-6)


def test_the_nearly_certain_are_told_apart():
    """The peers compute 1 - p, which is 0 for both of these in float32 and in float64."""
    log_probs = np.float32([[0.0, -60.0, -90.0], [0.0, -50.0, -90.0]])
    assert 1 - np.exp(-50.0) == 1
    found = jax.jit(least_confidence_score)(log_probs)
    np.testing.assert_allclose(found, np.exp([-60, -50]), rtol=1e-5)
    assert jax.jit(ratio_score)(log_probs).tolist() == [-60, -50]


def test_an_unknown_score_is_a_sentence():
    with pytest.raises(UsageError, match=r"^score is 'entropie': did you mean"):
        score_named("entropie")
