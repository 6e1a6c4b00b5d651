"""Ensembles: members that are fits of their own, and what they say together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from labeled_digits import Digits, compiled, fitted
from sklearn.linear_model import LogisticRegression

from jax_al.errors import UsageError
from jax_al.learners import ensemble, host_learner, linear, mlp, propagate
from jax_al.learners.ensemble import weighed
from jax_al.pools.arrays import arrays
from jax_al.testing.learner import check_learner

DIGITS = Digits(width=12, num_classes=3)
ROWS = np.arange(60)
EXAMPLES = DIGITS.examples(ROWS, np.ones(60), 64)
LINEAR = linear(penalty=0.1)
CONTEXT = LINEAR(DIGITS.spec, 3).prepare(DIGITS)
FEW = jnp.asarray(DIGITS.X[:50])


@pytest.fixture(scope="module")
def of_linear():
    learner = ensemble(LINEAR, members=3)(DIGITS.spec, 3)
    return learner, *fitted(learner, EXAMPLES, CONTEXT)


def draws_of(learner, state, key=0):
    sample = compiled(learner.sample)
    return [sample(jax.random.key(key), jnp.int32(i), state, FEW) for i in range(learner.draws)]


def test_it_says_the_mean_of_what_its_members_say(of_linear):
    learner, state, _ = of_linear
    draws = draws_of(learner, state)
    outputs = learner.predict(state, FEW)
    np.testing.assert_allclose(np.exp(outputs.log_probs), np.exp(draws).mean(axis=0), atol=1e-6)
    assert (learner.draws, learner.steps) == (3, 1)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(draws[one] - draws[other]).max() > 0.01
    np.testing.assert_array_equal(draws, draws_of(learner, state, key=1))


def test_a_member_is_a_fit_to_examples_weighed_anew(of_linear):
    learner, state, fit = of_linear
    weigh_key, _ = jax.random.split(jax.random.key(0))
    inputs, draws, losses = DIGITS.standardised(), draws_of(learner, state), []
    for i, key in enumerate(jax.random.split(weigh_key, 3)):
        weights = np.asarray(weighed(key, EXAMPLES).weights)[:60]
        theirs = LogisticRegression(C=1 / (0.1 * weights.sum()), tol=1e-8, max_iter=10_000)
        theirs.fit(inputs[ROWS], DIGITS.Y[ROWS], sample_weight=weights)
        expected = theirs.predict_log_proba(inputs)
        np.testing.assert_allclose(draws[i], expected[:50], atol=1e-3)
        losses.append(np.average(-expected[ROWS, DIGITS.Y[ROWS]], weights=weights))
    np.testing.assert_allclose(fit.loss, np.mean(losses), rtol=1e-3)


def test_weights_are_of_an_exponential_distribution_and_never_zero():
    examples = DIGITS.examples(np.arange(400), np.full(400, 2.0), 500)
    many = jax.vmap(lambda key: weighed(key, examples).weights)(
        jax.random.split(jax.random.key(0), 50)
    )
    factors = np.asarray(many)[:, :400].reshape(-1) / 2
    assert factors.min() > 0
    assert (np.asarray(many)[:, 400:] == 0).all()
    # Mean and deviation 1, and a share exp(-1) above 1, each within 5 standard errors.
    assert abs(factors.mean() - 1) < 5 / np.sqrt(factors.size)
    assert abs(factors.std() - 1) < 5 * np.sqrt(8 / factors.size) / 2
    assert abs((factors > 1).mean() - np.exp(-1)) < 5 * 0.49 / np.sqrt(factors.size)


def test_members_by_key_begin_apart_and_each_is_a_fit_of_its_own():
    inner = mlp(widths=(4,), epochs=2, batch_size=16)
    learner = ensemble(inner, members=2, by="key")(DIGITS.spec, 3)
    state, _ = fitted(learner, EXAMPLES, CONTEXT)
    one = inner(DIGITS.spec, 3)
    init_keys = jax.random.split(jax.random.key(0), 2)
    fit_keys = jax.random.split(jax.random.split(jax.random.key(0))[1], 2)
    for i, draw in enumerate(draws_of(learner, state)):
        training = one.begin(fit_keys[i], one.init(init_keys[i], CONTEXT), EXAMPLES, CONTEXT)
        for _ in range(one.steps):
            training = compiled(one.advance)(training, EXAMPLES, CONTEXT)
        expected = one.predict(one.finish(training)[0], FEW).log_probs
        np.testing.assert_allclose(draw, expected, atol=1e-4)


def test_it_keeps_the_promises():
    check_learner(ensemble(LINEAR, members=2), spec=DIGITS.spec)


def test_mistakes():
    for options, words in (
        ({"members": 1}, "members is 1, but must be a whole number, at least 2"),
        ({"by": "chance"}, "by is 'chance', but must be 'bootstrap' or 'key'"),
    ):
        with pytest.raises(UsageError, match=words):
            ensemble(LINEAR, **options)
    same = ensemble(LINEAR, by="key")(DIGITS.spec, 3)
    with pytest.raises(UsageError, match=r"no key decides anything .* take by='bootstrap'"):
        fitted(same, EXAMPLES, CONTEXT)
    # A key that propagate splits, and of which nothing is used where it takes all there is.
    pool = arrays(DIGITS.X[:100])
    for most, is_same in ((1000, True), (2, False)):
        spread = ensemble(propagate(LINEAR, most=most), by="key", members=2)(DIGITS.spec, 3)
        context = spread.prepare(pool)
        if is_same:
            with pytest.raises(UsageError, match="no key decides anything"):
                fitted(spread, EXAMPLES, context)
        else:
            fitted(spread, EXAMPLES, context)
    with pytest.raises(UsageError, match="runs on the host: take scikit-learn's BaggingClassifier"):
        ensemble(host_learner(LogisticRegression()))(DIGITS.spec, 3)
