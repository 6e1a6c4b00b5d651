"""The Laplace approximation, against the formulas of laplace-torch in NumPy's float64."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from labeled_digits import Digits, fitted

from jax_al.errors import UsageError
from jax_al.learners import laplace, linear
from jax_al.testing.learner import check_learner

PENALTY, C = 0.1, 3
DIGITS = Digits(width=9, num_classes=C)
ROWS = np.arange(150)  # more than a block
WEIGHTS = np.random.default_rng(0).uniform(0.2, 3, len(ROWS))
EXAMPLES = DIGITS.examples(ROWS, WEIGHTS, 160)
MODULE = importlib.import_module("jax_al.learners.laplace")


@pytest.fixture(params=["exact", "diagonal"])
def kind(request, monkeypatch):
    if request.param == "diagonal":
        monkeypatch.setattr(MODULE, "EXACT", 1)
    return request.param


def hessian(head, kind):
    """The precision at `head`, from the Jacobians of the logits, as laplace-torch makes it."""
    x = np.c_[DIGITS.standardised(), np.ones(len(DIGITS))]
    kernel = np.r_[np.asarray(head.kernel, np.float64), np.asarray(head.bias, np.float64)[None]]
    logits = x @ kernel
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    total = PENALTY * WEIGHTS.sum() * np.eye(C * x.shape[1])
    for row, weight in zip(ROWS, WEIGHTS, strict=True):
        jacobian = np.kron(np.eye(C), x[row])  # [C, P]
        curvature = np.diag(probs[row]) - np.outer(probs[row], probs[row])
        total += weight * jacobian.T @ curvature @ jacobian
    return x, logits, total if kind == "exact" else np.diag(np.diag(total))


def test_the_posterior_is_that_of_the_formulas_around_the_fit_of_linear(kind):
    learner = laplace(penalty=PENALTY)(DIGITS.spec, C)
    context = learner.prepare(DIGITS)
    state, fit = fitted(learner, EXAMPLES, context)
    _, _, precision = hessian(state.mean.head, kind)
    covariance = np.linalg.inv(precision)
    root = np.asarray(state.root, np.float64)
    ours = root.T @ root if kind == "exact" else np.diag(root.reshape(-1) ** 2)
    np.testing.assert_allclose(ours, covariance, atol=1e-4 * np.abs(covariance).max())

    plain = linear(penalty=PENALTY)(DIGITS.spec, C)
    theirs, plain_fit = fitted(plain, EXAMPLES, context)
    few = jnp.asarray(DIGITS.X[:20])
    found, expected = learner.predict(state, few), plain.predict(theirs, few)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), found, expected)
    assert float(fit.loss) == pytest.approx(float(plain_fit.loss), rel=1e-5)


def test_draws_have_the_mean_and_the_spread_of_the_posterior(kind):
    learner = laplace(penalty=PENALTY)(DIGITS.spec, C)
    state, _ = fitted(learner, EXAMPLES, learner.prepare(DIGITS))
    x, logits, precision = hessian(state.mean.head, kind)
    rows, T = [3, 170, 400], 4000
    many = jax.jit(jax.vmap(learner.sample, (None, 0, None, None)))
    found = many(jax.random.key(0), jnp.arange(T), state, jnp.asarray(DIGITS.X[rows]))
    # Of logits only differences are seen: those to class 0.
    gaps = np.asarray(found, np.float64)[:, :, 1:] - np.asarray(found, np.float64)[:, :, :1]
    apart = np.c_[-np.ones(C - 1), np.eye(C - 1)]
    for i, row in enumerate(rows):
        jacobian = apart @ np.kron(np.eye(C), x[row])
        spread = jacobian @ np.linalg.inv(precision) @ jacobian.T
        deviation = np.sqrt(np.diag(spread))
        error = np.abs(gaps[:, i].mean(axis=0) - apart @ logits[row]) / deviation
        assert (error < 5 / np.sqrt(T)).all()
        np.testing.assert_allclose(np.cov(gaps[:, i].T), spread, atol=0.1 * deviation.max() ** 2)


@pytest.mark.parametrize("penalty", [1e-8, 1e-12])
def test_a_penalty_below_rounding_leaves_draws_finite(penalty):
    wide = Digits(width=40, num_classes=C)
    learner = laplace(penalty=penalty)(wide.spec, C)
    state, _ = fitted(learner, wide.examples(ROWS, np.ones(len(ROWS)), 160), learner.prepare(wide))
    draw = learner.sample(jax.random.key(0), jnp.int32(0), state, jnp.asarray(wide.X[:9]))
    assert np.isfinite(draw).all()


def test_it_keeps_the_promises():
    check_learner(laplace(penalty=0.1, class_weights="balanced"), spec=DIGITS.spec)


def test_without_labels_there_is_nothing_to_disagree_about():
    learner = laplace()(DIGITS.spec, C)
    state = learner.init(jax.random.key(0), learner.prepare(DIGITS))
    few = jnp.asarray(DIGITS.X[:4])
    for found in (
        learner.predict(state, few).log_probs,
        learner.sample(jax.random.key(0), jnp.int32(3), state, few),
    ):
        np.testing.assert_allclose(found, np.log(1 / C), rtol=1e-6)
    assert learner.draws is None


def test_mistakes():
    with pytest.raises(UsageError, match="penalty is 0, but must be a positive number, or None"):
        laplace(penalty=0)
