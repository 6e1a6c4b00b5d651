"""Scores are means over all test examples; the calibration error is that of Guo et al. 2017."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.drivers.score import expected_calibration_error, score


def test_a_score_is_the_plain_mean_over_all_examples():
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(50, 4)), rng.integers(0, 4, 50)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = score(jax.nn.log_softmax(jnp.float32(logits)), jnp.asarray(labels, jnp.int32))
    np.testing.assert_allclose(found.loss, -np.log(probs[np.arange(50), labels]).mean(), rtol=1e-5)
    np.testing.assert_allclose(found.accuracy, (probs.argmax(1) == labels).mean(), rtol=1e-6)
    of_class = [(probs.argmax(1) == labels)[labels == label].mean() for label in range(4)]
    np.testing.assert_allclose(found.class_accuracy, of_class, rtol=1e-6)


def test_a_class_without_a_test_example_has_no_accuracy():
    log_probs = jax.nn.log_softmax(jnp.eye(3))
    found = score(log_probs, jnp.array([0, 2, 2]))
    np.testing.assert_array_equal(found.class_accuracy, [1, np.nan, 0.5])


def test_an_impossible_label_costs_infinity_and_not_nan():
    log_probs = jnp.array([[0.0, -jnp.inf]])
    found = score(log_probs, jnp.array([1]))
    assert np.isposinf(found.loss)
    assert (float(found.accuracy), float(found.ece)) == (0.0, 1.0)


def test_calibration_error_is_the_weighted_gap_of_the_bins():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.1, 1, 500).astype(np.float32)
    hits = (rng.random(500) < confidence**2).astype(np.float32)
    found = expected_calibration_error(jnp.asarray(confidence), jnp.asarray(hits))
    edges = np.linspace(0, 1, 16)
    expected = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            gap = abs(hits[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("confidence", "hit", "expected"), [(1.0, 1, 0.0), (1.0, 0, 1.0), (0.1, 0, 0.1)]
)
def test_calibration_error_of_one_answer(confidence, hit, expected):
    found = expected_calibration_error(jnp.array([confidence]), jnp.array([float(hit)]))
    np.testing.assert_allclose(found, expected, atol=1e-6)
