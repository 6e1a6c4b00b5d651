"""Our own learners keep what `check_learner` asks, and broken ones are told apart."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from jax_al.learners import cnn, host_learner, linear, network, propagate, resnet18, vgg16
from jax_al.testing.learner import check_learner
from jax_al.types import Fit, Learner, Outputs, Spec

TABLE = Spec((5,), np.dtype(np.float32))
LARGER = Spec((32, 32, 1), np.dtype(np.uint8))
FEW = {"epochs": 2, "batch_size": 8}
ONE = {"epochs": 1, "batch_size": 8, "optimizer": "sgd"}  # of the deep ones, slow to compile


class Net(nnx.Module):
    def __init__(self, shape, num_classes, *, rngs):
        self.hidden = nnx.Linear(shape[0], 8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.head = nnx.Linear(8, num_classes, rngs=rngs)

    def __call__(self, inputs):
        return self.head(self.dropout(nnx.relu(self.hidden(inputs))))


LEARNERS = {
    "cnn": (cnn(widths=(2, 4), embedding_size=8, augment=True, **FEW), None),
    "cnn_bfloat16": (
        cnn(widths=(2, 4), embedding_size=8, compute_dtype="bfloat16", **ONE),
        None,
    ),
    "vgg16": (vgg16(width=1, embedding_size=4, **ONE), LARGER),
    "resnet18": (resnet18(width=2, **ONE), None),
    "linear": (linear(), TABLE),
    "linear_images": (linear(), None),
    "own": (network(Net, **FEW), TABLE),
    "propagate": (propagate(linear(penalty=0.1), neighbours=4, most=10), TABLE),
    "propagate_own": (propagate(network(Net, **FEW)), TABLE),
    "forest": (host_learner(RandomForestClassifier(4)), TABLE),
    "bagging": (host_learner(BaggingClassifier(LogisticRegression(), 3, max_features=3)), TABLE),
    "logistic": (host_learner(LogisticRegression()), None),
}


# Deep networks are shorter here, with one of each kind of layer: what they are asked is asked of
# the whole, and each further layer is compiled eight times. tests/test_models.py has all of them.
SHORTER = {"vgg": ((2, 1), (1, 1), (1, 1), (1, 1), (1, 1)), "resnet": ((2, 2),)}


# Each of these has a rounding of its own.
BITS = ("cnn", "cnn_bfloat16", "vgg16", "resnet18", "linear")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.as_for_users] if name in BITS else [])
        for name in LEARNERS
    ],
)
def test_our_own_learners_keep_the_promises(name, monkeypatch):
    for module, stages in SHORTER.items():
        networks = importlib.import_module(f"jax_al.learners.networks.{module}")
        monkeypatch.setattr(networks, "STAGES", stages)
    make, spec = LEARNERS[name]
    check_learner(make, spec=spec)


# A learner that is quick to compile: the softmax of minus the distances to the means of classes.


def nearest_mean(spec, num_classes):
    del spec

    def init(key, context):
        del context
        return {"means": jax.random.normal(key, (num_classes, 5))}

    def begin(key, state, examples, context):
        del key, examples, context
        return state, jnp.zeros(())

    def advance(training, examples, context):
        del context

        # One after another, so that the capacity changes no bit.
        def add(i, carry):
            sums, counts = carry
            label, weight = examples.labels[i], examples.weights[i]
            return sums.at[label].add(weight * examples.inputs[i]), counts.at[label].add(weight)

        zeros = jnp.zeros((num_classes, 5)), jnp.zeros(num_classes)
        sums, counts = jax.lax.fori_loop(0, examples.count, add, zeros)
        return {"means": sums / jnp.maximum(counts, 1)[:, None]}, training[1] + 1

    def finish(training):
        return training[0], Fit(training[1], training[1])

    def predict(state, inputs):
        distances = ((inputs[:, None] - state["means"][None]) ** 2).sum(2)
        return Outputs(jax.nn.log_softmax(-distances), inputs, inputs)

    def sample(key, draw, state, inputs):
        shift = jax.random.normal(jax.random.fold_in(key, draw), state["means"].shape)
        return predict({"means": state["means"] + shift}, inputs).log_probs

    return Learner(lambda pool: (), init, begin, advance, 1, finish, predict, sample, None)


def test_a_learner_from_outside_keeps_the_promises():
    check_learner(nearest_mean, spec=TABLE)


GOOD = nearest_mean(TABLE, 3)


def unnormalised(state, inputs):
    outputs = GOOD.predict(state, inputs)
    return outputs._replace(log_probs=outputs.log_probs + 0.1)


def of_the_batch(state, inputs):
    return GOOD.predict(state, inputs - inputs.mean(axis=0)[None])


def mask_by_place(key, draw, state, inputs):
    noise = jax.random.normal(jax.random.fold_in(key, draw), inputs.shape)
    return GOOD.predict(state, inputs + noise).log_probs


def without_count(training, examples, context):
    whole = examples._replace(count=jnp.int32(examples.labels.size), weights=examples.weights + 1)
    return GOOD.advance(training, whole, context)


def without_weights(training, examples, context):
    return GOOD.advance(
        training, examples._replace(weights=jnp.ones(examples.labels.size)), context
    )


class Restless:
    """A classifier whose chance follows no seed."""

    def fit(self, inputs, labels):
        self.classes_ = np.unique(labels)
        self.probs = np.random.dirichlet(np.ones(len(self.classes_)))  # noqa: NPY002

    def predict_proba(self, inputs):
        return np.tile(self.probs, (len(inputs), 1))


def test_what_does_not_repeat_is_named():
    with pytest.raises(AssertionError, match="with the same key to the same examples"):
        check_learner(host_learner(Restless()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "`steps` is 0"),
        ({"draws": -1}, "`draws` is -1"),
        ({"draws": 0}, "`sample` must be None"),
        (
            {"init": lambda key, context: {"name": "Kim", **GOOD.init(key, context)}},
            "`init` cannot be traced",
        ),
        ({"predict": unnormalised}, "do not sum to 1"),
        ({"predict": lambda *a: GOOD.predict(*a)[0]}, "must return Outputs"),
        ({"predict": of_the_batch}, "depends on the batch"),
        ({"sample": mask_by_place}, "not one function"),
        ({"sample": lambda key, draw, *a: GOOD.predict(*a).log_probs}, "All draws are the same"),
        ({"advance": without_count}, "what stands in the padding"),
        ({"advance": without_weights}, "The weights of the examples change nothing in a fit"),
        ({"advance": lambda training, *a: (training[0], training[0])}, "changes the structure"),
        ({"predict": lambda s, x: GOOD.predict(s, np.asarray(x))}, "`predict` cannot be traced"),
        ({"finish": lambda training: training}, "must return .State, Fit."),
        ({"finish": lambda training: (training[0], Fit(0.0, 2.0))}, "accuracy of a fit is 2"),
    ],
)
def test_a_broken_promise_is_named(changes, words):
    with pytest.raises(AssertionError, match=words):
        check_learner(lambda spec, num_classes: GOOD._replace(**changes), spec=TABLE)


def test_what_makes_no_learner_is_told():
    with pytest.raises(AssertionError, match=r"a function of \(Spec, C\), and 'linear' is none"):
        check_learner("linear")
