"""Weights of classes, against scikit-learn's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from labeled_digits import Digits, fitted
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight

from jax_al.errors import UsageError
from jax_al.learners import cnn, laplace, linear, mlp
from jax_al.learners.class_weights import balanced

DIGITS = Digits(width=20, num_classes=4)
# Many of the first two classes, few of the third, none of the fourth.
ROWS = np.concatenate([np.flatnonzero(c == DIGITS.Y)[:n] for c, n in enumerate((40, 25, 4))])


@pytest.mark.parametrize("capacity", [69, 90])
def test_the_weights_are_those_of_scikit_learn(capacity):
    examples = DIGITS.examples(ROWS, np.ones(len(ROWS)), capacity)
    found = balanced(examples, 4)
    expected = compute_sample_weight("balanced", DIGITS.Y[ROWS])
    np.testing.assert_allclose(found.weights[: len(ROWS)], expected, rtol=1e-6)
    assert (found.weights[len(ROWS) :] == 0).all()


def test_weights_of_examples_count_and_the_capacity_changes_no_bit():
    weights = np.random.default_rng(0).uniform(0.2, 3, len(ROWS))
    found = [
        balanced(DIGITS.examples(ROWS, weights, capacity), 4).weights[: len(ROWS)]
        for capacity in (69, 400)
    ]
    np.testing.assert_array_equal(*found)
    sums = np.bincount(DIGITS.Y[ROWS], found[0])
    np.testing.assert_allclose(sums, np.full(3, weights.sum() / 3), rtol=1e-5)


def test_rubbish_in_the_padding_counts_for_nothing():
    examples = DIGITS.examples(ROWS, np.ones(len(ROWS)), 90)
    dirty = examples._replace(
        weights=jnp.where(examples.weights > 0, examples.weights, 7.0),
        labels=jnp.where(examples.labels < 0, 1, examples.labels),
    )
    np.testing.assert_array_equal(balanced(dirty, 4).weights, balanced(examples, 4).weights)


def test_a_balanced_fit_is_that_of_scikit_learn():
    weights = np.random.default_rng(1).uniform(0.2, 3, len(ROWS))
    context = linear()(DIGITS.spec, 3).prepare(DIGITS)
    inputs = DIGITS.standardised()
    learner = linear(penalty=0.03, class_weights="balanced")(DIGITS.spec, 3)
    state, _ = fitted(learner, DIGITS.examples(ROWS, weights, 90), context)
    theirs = LogisticRegression(
        C=1 / (0.03 * weights.sum()), class_weight="balanced", tol=1e-8, max_iter=10_000
    )
    theirs.fit(inputs[ROWS], DIGITS.Y[ROWS], sample_weight=weights)
    found = learner.predict(state, jnp.asarray(DIGITS.X)).log_probs
    np.testing.assert_allclose(found, theirs.predict_log_proba(inputs), atol=1e-3)
    plain = theirs.set_params(class_weight=None).fit(inputs[ROWS], DIGITS.Y[ROWS], weights)
    assert np.abs(plain.predict_log_proba(inputs) - np.asarray(found)).max() > 0.1


def test_networks_weigh_alike():
    """In one batch a step with balanced classes is that with the weights of scikit-learn."""
    options = {"widths": (4,), "dropout_rate": 0.0, "epochs": 1, "batch_size": 90}
    context = linear()(DIGITS.spec, 3).prepare(DIGITS)
    ones, theirs = np.ones(len(ROWS)), compute_sample_weight("balanced", DIGITS.Y[ROWS])
    found = []
    for class_weights, weights in (("balanced", ones), (None, theirs)):
        learner = mlp(class_weights=class_weights, optimizer="sgd", **options)(DIGITS.spec, 3)
        found.append(fitted(learner, DIGITS.examples(ROWS, weights, 90), context)[0])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), *found)


@pytest.mark.parametrize("make", [linear, laplace, cnn])
def test_another_word_is_refused(make):
    with pytest.raises(
        UsageError, match="class_weights is 'equal', but must be None or 'balanced'"
    ):
        make(class_weights="equal")
