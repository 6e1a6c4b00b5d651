"""scikit-learn's classifiers as learners: they answer as they do without."""

import jax
import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from jax_al.errors import UsageError
from jax_al.learners import host_learner
from jax_al.learners.host import FLOOR
from jax_al.types import Examples, Spec

SPEC = Spec((4,), np.dtype(np.float32))
X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
Y = ((X[:, 0] > 0) * 3 + (X[:, 1] > 0)).astype(np.int32)  # classes 0, 1, 3, 4 of 5
WEIGHTS = np.random.default_rng(1).uniform(0.5, 2, 40).astype(np.float32)
SEEN = [0, 1, 3, 4]


def fitted(learner, labels=Y, inputs=X, key=0):
    count = len(labels)
    rows = np.arange(count, dtype=np.int32)
    examples = Examples(inputs[:count], labels, WEIGHTS[:count], rows, np.array(count, np.int32))
    context = learner.prepare(None)
    state = learner.init(jax.random.key(5), context)
    training = learner.begin(jax.random.key(key), state, examples, context)
    return learner.finish(learner.advance(training, examples, context))


def made(estimator):
    return host_learner(estimator)(SPEC, 5)


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), RandomForestClassifier(7), DecisionTreeClassifier()]
)
def test_the_answer_is_that_of_the_estimator_with_weights_and_the_rest_is_floored(estimator):
    learner = made(estimator)
    state, fit = fitted(learner)
    seed = int(jax.random.bits(jax.random.key(0), dtype=np.uint32))
    theirs = type(estimator)(**estimator.get_params() | {"random_state": seed})
    theirs.fit(X, Y, sample_weight=WEIGHTS)
    outputs = learner.predict(state, X)
    expected = np.zeros((40, 5))
    expected[:, SEEN] = theirs.predict_proba(X)
    np.testing.assert_allclose(np.exp(outputs.log_probs), expected, atol=1e-5)
    np.testing.assert_allclose(outputs.log_probs[:, 2], np.log(FLOOR), rtol=1e-4)
    hits = expected.argmax(axis=1) == Y
    np.testing.assert_allclose(fit.accuracy, np.average(hits, weights=WEIGHTS), rtol=1e-6)
    np.testing.assert_array_equal(outputs.embedding, X)
    assert learner.on_host


@pytest.mark.parametrize(
    "estimator",
    [
        RandomForestClassifier(6),
        BaggingClassifier(n_estimators=6),
        BaggingClassifier(LogisticRegression(), 6, max_samples=4, max_features=2),
    ],
)
def test_the_members_are_the_draws_and_their_mean_is_the_answer(estimator):
    learner = made(estimator)
    state, _ = fitted(learner)
    assert learner.draws == 6
    draws = [np.exp(learner.sample(jax.random.key(0), i, state, X)) for i in range(6)]
    expected = np.exp(learner.predict(state, X).log_probs)
    np.testing.assert_allclose(np.mean(draws, axis=0), expected, atol=2e-5)
    assert any((draw != draws[0]).any() for draw in draws)


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        GradientBoostingClassifier(),
        BaggingClassifier(SVC()),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
)
def test_what_has_no_members_with_probabilities_has_no_draws(estimator):
    learner = made(estimator)
    assert (learner.draws, learner.sample) == (0, None)


def test_all_chance_in_it_follows_the_key_and_the_estimator_given_stays_as_it_was():
    forest = RandomForestClassifier(3, random_state=1)
    learner = made(make_pipeline(StandardScaler(), forest))
    one, again, other = (
        learner.predict(fitted(learner, key=key)[0], X).log_probs for key in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert forest.random_state == 1
    assert not hasattr(forest, "estimators_")


def test_untrained_all_is_equal_and_a_single_class_is_certain():
    learner = made(LogisticRegression())
    untrained = learner.init(jax.random.key(0), ())
    np.testing.assert_allclose(learner.predict(untrained, X).log_probs, np.log(0.2), rtol=1e-6)
    state, fit = fitted(learner, labels=np.full(3, 4, np.int32))
    found = np.exp(learner.predict(state, X).log_probs)
    np.testing.assert_allclose(found, np.tile([0, 0, 0, 0, 1], (40, 1)), atol=1e-5)
    assert fit.accuracy == 1


def test_images_are_flattened_and_scaled():
    spec = Spec((2, 2, 1), np.dtype(np.uint8))
    images = np.random.default_rng(0).integers(0, 256, (40, *spec.shape), np.uint8)
    learner = host_learner(LogisticRegression())(spec, 5)
    state, _ = fitted(learner, inputs=images)
    found = learner.predict(state, images)
    np.testing.assert_allclose(found.head_inputs, images.reshape(40, 4) / 255, rtol=1e-6)
    assert found.head_inputs.dtype == np.float32


class Plain:
    """As little as is asked for: nothing of scikit-learn's."""

    def fit(self, inputs, labels):
        self.shares = np.unique(labels, return_counts=True)[1] / len(labels)

    def predict_proba(self, inputs):
        return np.tile(self.shares, (len(inputs), 1))


class OfItsOwnOrder(Plain):
    """It says which column is which class."""

    def fit(self, inputs, labels):
        super().fit(inputs, labels)
        self.classes_, self.shares = np.unique(labels)[::-1], self.shares[::-1]


class Lost(Plain):
    """It does not know."""

    def predict_proba(self, inputs):
        return np.nan * super().predict_proba(inputs)


@pytest.mark.parametrize("kind", [Plain, OfItsOwnOrder])
def test_fit_and_predict_proba_are_enough(kind):
    learner = made(kind())
    found = np.exp(learner.predict(fitted(learner)[0], X).log_probs)
    np.testing.assert_allclose(found[0], np.bincount(Y, minlength=5) / 40, atol=1e-5)


def test_what_is_no_probability_is_told():
    with pytest.raises(UsageError, match=r"predict_proba of Lost .* that add up to 1"):
        fitted(made(Lost()))


def test_mistakes_are_one_sentence():
    with pytest.raises(UsageError, match="SVC has no predict_proba, so it cannot be a learner"):
        host_learner(SVC())
    unhappy = made(make_pipeline(StandardScaler(), LogisticRegression(solver="newton")))
    with pytest.raises(UsageError, match="Pipeline cannot be fitted to 40 examples of 4 classes"):
        fitted(unhappy)
    secret = made(make_pipeline(FunctionTransformer(lambda x: x), LogisticRegression()))
    with pytest.raises(UsageError, match="Pipeline cannot be pickled, as a checkpoint wants"):
        fitted(secret)
    many = made(KNeighborsClassifier(50))
    with pytest.raises(UsageError, match=r"KNeighborsClassifier cannot predict .*n_neighbors = 50"):
        fitted(many)


def test_a_class_in_place_of_a_classifier_is_told():
    with pytest.raises(UsageError, match=r"LogisticRegression is a class; .*: LogisticRegression"):
        host_learner(LogisticRegression)
