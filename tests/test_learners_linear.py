"""Logistic regression, against scikit-learn's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from labeled_digits import Digits
from sklearn.linear_model import LogisticRegression

from jax_al.errors import UsageError
from jax_al.learners import ensemble, laplace, linear, mlp, propagate
from jax_al.learners.cross_validation import FOLDS, PENALTIES, _dealt, cross_validated
from jax_al.learners.logistic import in_blocks
from jax_al.learners.naming import described

DIGITS = Digits()
X, Y, SPEC = DIGITS.X, DIGITS.Y, DIGITS.spec
examples_of, standardised = DIGITS.examples, DIGITS.standardised

LEARNER = linear(penalty=1e-2)(SPEC, 10)
CONTEXT = LEARNER.prepare(DIGITS)
ADVANCE = jax.jit(LEARNER.advance)


def fitted(rows, weights, capacity=400):
    examples = examples_of(rows, weights, capacity)
    state = LEARNER.init(jax.random.key(0), CONTEXT)
    training = LEARNER.begin(jax.random.key(0), state, examples, CONTEXT)
    return LEARNER.finish(ADVANCE(training, examples, CONTEXT))


@pytest.mark.parametrize(("count", "weighted"), [(200, True), (400, False)])
def test_the_answer_is_that_of_scikit_learn(count, weighted):
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(X))[:count]
    weights = rng.uniform(0.2, 3, count) if weighted else np.ones(count)
    state, fit = fitted(rows, weights)
    inputs = standardised()
    theirs = LogisticRegression(C=1 / (1e-2 * weights.sum()), tol=1e-8, max_iter=10_000)
    theirs.fit(inputs[rows], Y[rows], sample_weight=weights)
    outputs = LEARNER.predict(state, jnp.asarray(X))
    expected = theirs.predict_log_proba(inputs)
    np.testing.assert_allclose(outputs.log_probs, expected, atol=1e-3)
    np.testing.assert_allclose(outputs.head_inputs, inputs, atol=1e-4)
    np.testing.assert_array_equal(outputs.embedding, outputs.head_inputs)
    losses = -expected[rows, Y[rows]]
    np.testing.assert_allclose(fit.loss, np.average(losses, weights=weights), rtol=1e-3)
    hits = expected[rows].argmax(1) == Y[rows]
    np.testing.assert_allclose(fit.accuracy, np.average(hits, weights=weights), rtol=1e-6)


def test_of_two_classes_it_is_that_of_scikit_learn_with_twice_the_c():
    rows = np.flatnonzero(Y < 2)[:100]
    state, _ = fitted(rows, np.ones(100))
    inputs = standardised()
    theirs = LogisticRegression(C=2 / (1e-2 * 100), tol=1e-8, max_iter=10_000)
    theirs.fit(inputs[rows], Y[rows])
    found = LEARNER.predict(state, jnp.asarray(X)).log_probs
    np.testing.assert_allclose(
        jax.nn.log_softmax(found[:, :2]), theirs.predict_log_proba(inputs), atol=1e-3
    )


def test_numbers_of_numpy_are_numbers():
    for penalty in (np.float64(0.5), np.float32(0.5)):
        assert described(linear(penalty=penalty)) == described(linear(penalty=0.5))
        assert described(laplace(penalty=penalty)) == described(laplace(penalty=0.5))
    made = ensemble(linear(), members=np.int64(2)), propagate(linear(), alpha=np.float32(0.5))
    assert described(made[0]) == described(ensemble(linear(), members=2))
    assert described(made[1]) == described(propagate(linear(), alpha=0.5))
    assert described(mlp(lr=np.float64(0.1))) == described(mlp(lr=0.1))


def test_by_one_scale_it_is_that_of_scikit_learn_on_inputs_of_one_scale():
    learner, rows = linear(penalty=1e-2, scale="one")(SPEC, 10), np.arange(200)
    context = learner.prepare(DIGITS)
    examples = examples_of(rows, np.ones(200), 200)
    state = learner.init(jax.random.key(0), context)
    training = learner.begin(jax.random.key(0), state, examples, context)
    state, _ = learner.finish(jax.jit(learner.advance)(training, examples, context))
    centred = X.reshape(len(X), -1) - X.reshape(len(X), -1).mean(axis=0, dtype=np.float64)
    inputs = centred / np.sqrt((centred**2).mean())
    theirs = LogisticRegression(C=1 / (1e-2 * 200), tol=1e-8, max_iter=10_000)
    theirs.fit(inputs[rows], Y[rows])
    found = learner.predict(state, jnp.asarray(X))
    np.testing.assert_allclose(found.head_inputs, inputs, atol=1e-4)
    np.testing.assert_allclose(found.log_probs, theirs.predict_log_proba(inputs), atol=1e-3)
    with pytest.raises(UsageError, match="scale is 'rows', but must be one of columns, one"):
        linear(scale="rows")


def test_where_a_fit_begins_does_not_matter():
    rows, more = np.arange(60), np.arange(120)
    first, _ = fitted(rows, np.ones(60))
    examples = examples_of(more, np.ones(120), 400)
    training = LEARNER.begin(jax.random.key(0), first, examples, CONTEXT)
    warm, _ = LEARNER.finish(ADVANCE(training, examples, CONTEXT))
    cold, _ = fitted(more, np.ones(120))
    found, expected = (LEARNER.predict(s, jnp.asarray(X[:50])).log_probs for s in (warm, cold))
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_untrained_it_knows_nothing():
    state = LEARNER.init(jax.random.key(0), CONTEXT)
    found = LEARNER.predict(state, jnp.asarray(X[:3])).log_probs
    np.testing.assert_allclose(found, np.log(0.1), rtol=1e-6)
    assert (LEARNER.draws, LEARNER.sample, LEARNER.steps) == (0, None, 1)


CHOOSE = jax.jit(lambda examples: cross_validated(in_blocks(examples), CONTEXT, num_classes=10))


def losses_by_scikit_learn(rows, labels, weights):
    """Mean losses on what was left out, for each penalty, by folds dealt class by class."""
    inputs = standardised()[rows]
    folds = np.empty(len(rows), int)
    folds[np.argsort(labels, kind="stable")] = np.arange(len(rows)) % FOLDS
    losses = []
    for penalty in PENALTIES:
        total = 0.0
        for fold in range(FOLDS):
            taught, out = folds != fold, folds == fold
            theirs = LogisticRegression(C=1 / (penalty * weights[taught].sum()), max_iter=1000)
            theirs.fit(inputs[taught], labels[taught], sample_weight=weights[taught])
            known = out & np.isin(labels, theirs.classes_)
            places = np.searchsorted(theirs.classes_, labels[known])
            found = theirs.predict_log_proba(inputs[known])[np.arange(known.sum()), places]
            total -= (weights[known] * found).sum()
        losses.append(total)
    return np.array(losses)


@pytest.mark.parametrize(("count", "shuffled"), [(30, False), (120, False), (120, True)])
def test_the_penalty_is_the_one_that_scikit_learn_finds_best_on_the_same_parts(count, shuffled):
    rng = np.random.default_rng(count)
    rows, weights = rng.permutation(len(X))[:count], rng.uniform(0.5, 2, count)
    labels = rng.permutation(Y[rows]) if shuffled else Y[rows]
    examples = examples_of(rows, weights, 400)
    examples = examples._replace(labels=examples.labels.at[:count].set(labels))
    losses = losses_by_scikit_learn(rows, labels, weights)
    assert np.diff(np.sort(losses))[0] > 1e-3 * losses.min()  # the best is so beyond rounding
    chosen = float(CHOOSE(examples))
    assert chosen == np.float32(PENALTIES[losses.argmin()])
    assert (chosen == np.float32(PENALTIES[0])) == shuffled  # labels that say nothing want most


def test_what_has_no_equal_left_is_not_counted():
    """With one example a class nothing can be learned of those left out."""
    rows = np.unique(Y, return_index=True)[1]
    assert float(CHOOSE(examples_of(rows, np.ones(10), 400))) == np.float32(PENALTIES[0])


def test_of_a_class_of_few_labels_each_is_left_out_by_itself():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(8), np.arange(1, 9)))
    examples = examples_of(np.arange(36), np.ones(36), 60)
    examples = examples._replace(labels=examples.labels.at[:36].set(labels))
    parts = np.asarray(_dealt(in_blocks(examples))).ravel()
    assert (parts[36:] == -1).all()
    for label in range(8):
        mine = parts[:36][labels == label]
        assert len(set(mine)) == min(len(mine), FOLDS)


def test_a_penalty_that_was_chosen_is_as_one_that_was_given():
    rows, weights = np.arange(90), np.ones(90)
    chosen = float(CHOOSE(examples_of(rows, weights, 400)))
    found = []
    for penalty, capacity in ((None, 400), (None, 130), (chosen, 400)):
        learner = linear(penalty=penalty)(SPEC, 10)
        examples = examples_of(rows, weights, capacity)
        state = learner.init(jax.random.key(0), CONTEXT)
        training = learner.begin(jax.random.key(0), state, examples, CONTEXT)
        found.append(learner.finish(jax.jit(learner.advance)(training, examples, CONTEXT))[0])
    jax.tree.map(np.testing.assert_array_equal, found[0], found[1])
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=1e-4), found[0], found[2])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"penalty": 0}, "penalty is 0, but must be a positive number, or None"),
        ({"penalty": "much"}, "penalty is 'much'"),
        ({"max_iterations": 0}, "max_iterations is 0"),
    ],
)
def test_mistakes(options, words):
    with pytest.raises(UsageError, match=words):
        linear(**options)
