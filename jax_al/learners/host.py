"""Classifiers in the manner of scikit-learn as learners, on the host."""

import functools
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_al.errors import UsageError
from jax_al.learners.naming import called
from jax_al.types import UNKNOWN, Examples, Fit, Learner, Outputs, Pool, Spec

NOTHING_FITTED = np.zeros(1, np.uint8)  # a checkpoint holds no empty array
FLOOR = 1e-6  # the least probability of a class, also of one that no example showed


class State(NamedTuple):
    """A fitted classifier as arrays, whose lengths differ from fit to fit."""

    pickled: np.ndarray  # uint8 [bytes]; NOTHING_FITTED if less than two classes were seen
    seen: np.ndarray  # int32, the classes that were seen; UNKNOWN: none, all are as probable


class Training(NamedTuple):
    """A fit under way."""

    seed: int  # of all that is random in it
    state: State
    fit: Fit


def host_learner(estimator: Any) -> Callable[[Spec, int], Learner]:
    """Returns `estimator` as a learner, to be made for a pool.

    Each fit is that of a fresh clone with every `random_state` in it set from the key; example
    weights are passed on where `fit` takes `sample_weight`, and have no effect elsewhere. Inputs
    are flattened, uint8 divided by 255; so they are embedding and head inputs too. No probability
    is below 1e-6 (before all are divided by their sum); a class that no example showed has that. A
    single class that was seen is certain, without a fit.

    A random forest, extra trees, or bagging of what has `predict_proba` can disagree with itself:
    draw number i is what its member i says. Others have no draws.

    The State holds the fitted classifier pickled. To unpickle runs code: predict with States from
    your own runs, not from strangers.

    Args:
      estimator: with `fit(X float32 [n, F], y int32 [n])` and `predict_proba`, a column for each
        of `classes_`, or else of the classes that it was fitted to, rising; as scikit-learn's
        classifiers.

    Raises:
      UsageError: it is a class, or lacks one of these methods; or, when it is used, it cannot be
        fitted to the examples or not be pickled.
    """
    if isinstance(estimator, type):
        raise UsageError(
            f"{estimator.__name__} is a class; host_learner wants one of its kind: "
            f"{estimator.__name__}()."
        )
    name = type(estimator).__name__
    for method in ("fit", "predict_proba"):
        if not hasattr(estimator, method):
            raise UsageError(
                f"{name} has no {method}, so it cannot be a learner: take a classifier that tells "
                "probabilities (or wrap it, as scikit-learn's CalibratedClassifierCV does)."
            )

    def make(spec: Spec, num_classes: int) -> Learner:
        members = _count_members(estimator)

        def prepare(pool: Pool) -> tuple[()]:
            del pool
            return ()

        def init(init_key: jax.Array, context: tuple[()]) -> State:
            del init_key, context
            return State(NOTHING_FITTED, np.full(1, UNKNOWN, np.int32))

        def begin(
            train_key: jax.Array, state: State, examples: Examples, context: tuple[()]
        ) -> Training:
            del examples, context
            seed = int(jax.random.bits(train_key, dtype=np.uint32))
            return Training(seed, state, Fit(0.0, 0.0))

        def advance(training: Training, examples: Examples, context: tuple[()]) -> Training:
            del context
            inputs, labels, weights = (
                np.asarray(array)[: int(examples.count)] for array in examples[:3]
            )
            seen = np.unique(labels).astype(np.int32)
            pickled = NOTHING_FITTED
            if seen.size > 1:
                fitted = _fitted(estimator, training.seed, _flat(inputs), labels, weights)
                pickled = _pickled(fitted)
            state = State(pickled, seen)
            log_probs = predict(state, inputs).log_probs
            loss = np.average(-log_probs[np.arange(len(labels)), labels], weights=weights)
            accuracy = np.average(log_probs.argmax(axis=1) == labels, weights=weights)
            fit = Fit(float(loss), float(accuracy))
            return training._replace(state=state, fit=fit)

        def finish(training: Training) -> tuple[State, Fit]:
            return training.state, training.fit

        def predict(state: State, inputs: Any) -> Outputs:
            flat = _flat(inputs)
            return Outputs(_log_probs(state, flat, num_classes, None), flat, flat)

        def sample(key: jax.Array, draw: Any, state: State, inputs: Any) -> Any:
            del key
            return _log_probs(state, _flat(inputs), num_classes, int(draw))

        return Learner(
            prepare,
            init,
            begin,
            advance,
            1,
            finish,
            predict,
            sample=sample if members else None,
            draws=members,
            on_host=True,
        )

    return called(make, "host_learner", estimator=estimator)


def _flat(inputs: Any) -> Any:
    """Returns float32 [B, F]."""
    flat = np.asarray(inputs).reshape(len(inputs), -1)
    return flat.astype(np.float32) / np.float32(255 if flat.dtype == np.uint8 else 1)


def _fitted(
    estimator: Any, seed: int, inputs: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> Any:
    from sklearn.base import clone
    from sklearn.utils.validation import has_fit_parameter

    estimator = clone(estimator, safe=False)
    if hasattr(estimator, "get_params"):
        states = [name for name in estimator.get_params() if name.endswith("random_state")]
        estimator.set_params(**dict.fromkeys(states, seed))
    weighted = has_fit_parameter(estimator, "sample_weight")
    try:
        estimator.fit(inputs, labels, **({"sample_weight": weights} if weighted else {}))
    except ValueError as error:
        raise UsageError(
            f"{type(estimator).__name__} cannot be fitted to {len(labels)} examples of "
            f"{len(np.unique(labels))} classes: {str(error).splitlines()[0]}"
        ) from error
    return estimator


def _pickled(fitted: Any) -> np.ndarray:
    try:
        return np.frombuffer(pickle.dumps(fitted), np.uint8)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(
            f"{type(fitted).__name__} cannot be pickled, as a checkpoint wants: {error}."
        ) from error


@functools.lru_cache(maxsize=2)  # the blocks of a pool come one after another
def _unpickled(pickled: bytes) -> Any:
    return pickle.loads(pickled)


def _log_probs(state: State, flat: np.ndarray, num_classes: int, member: int | None) -> Any:
    """Returns what the classifier, or its `member`, says of `flat` [B, F], float32 [B, C]."""
    probs = np.zeros((len(flat), num_classes))
    if state.seen[0] == UNKNOWN:
        probs[:] = 1
    elif state.seen.size == 1:
        probs[:, state.seen] = 1
    else:
        fitted = _unpickled(np.asarray(state.pickled).tobytes())
        classes = np.asarray(getattr(fitted, "classes_", state.seen))
        if member is not None:
            if hasattr(fitted, "estimators_features_"):  # of bagging: those that a member sees
                flat = flat[:, fitted.estimators_features_[member]]
            fitted = fitted.estimators_[member]
            # Members know classes by their places among those of the ensemble.
            classes = classes[np.asarray(fitted.classes_, int)]
        try:
            told = np.asarray(fitted.predict_proba(flat))
        except ValueError as error:
            raise UsageError(
                f"{type(fitted).__name__} cannot predict {len(flat)} examples after a fit to "
                f"{len(classes)} classes: {str(error).splitlines()[0]}"
            ) from error
        fits = told.shape == (len(flat), len(classes))
        if not fits or not np.abs(told.sum(axis=1) - 1).max() <= 1e-3:  # nor is NaN
            raise UsageError(
                f"predict_proba of {type(fitted).__name__} gave {told.dtype} {told.shape}, but "
                f"must give probabilities that add up to 1, [{len(flat)}, {len(classes)}]."
            )
        probs[:, classes] = told
    probs = np.maximum(probs, FLOOR)
    return np.log(probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


def _count_members(estimator: Any) -> int:
    """Returns M, how many members with probabilities `estimator` will have; 0: it is no such."""
    from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier, RandomForestClassifier

    forest = isinstance(estimator, RandomForestClassifier | ExtraTreesClassifier)
    bagging = isinstance(estimator, BaggingClassifier) and (
        estimator.estimator is None or hasattr(estimator.estimator, "predict_proba")
    )
    return estimator.n_estimators if forest or bagging else 0
