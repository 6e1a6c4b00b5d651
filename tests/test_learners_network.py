"""Networks as learners: options, draws, schedules, and modules of one's own."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jax_al.errors import UsageError
from jax_al.learners import cnn, network, resnet18, vgg16
from jax_al.learners.inputs import Normalizer
from jax_al.learners.networks.own import own_model
from jax_al.learners.optimizers import learning_rate
from jax_al.learners.training_options import training_options
from jax_al.types import Examples, Outputs, Spec

IMAGES = Spec((8, 8, 1), np.dtype(np.uint8))
TABLE = Spec((5,), np.dtype(np.float32))
CONTEXT = Normalizer(jnp.zeros(5), jnp.ones(5))


class Net(nnx.Module):
    """Two dropout layers of one shape, one after the other."""

    def __init__(self, shape, num_classes, *, rngs, rate=0.5):
        self.hidden = nnx.Linear(shape[0], 16, rngs=rngs)
        self.first = nnx.Dropout(rate, rngs=rngs)
        self.second = nnx.Dropout(rate, rngs=rngs)
        self.head = nnx.Linear(16, num_classes, rngs=rngs)

    def __call__(self, inputs):
        x = self.second(self.first(nnx.relu(self.hidden(inputs))))
        return Outputs(nnx.log_softmax(self.head(x)), x, x)


def plain(shape, num_classes, rngs):
    return nnx.Linear(shape[0], num_classes, rngs=rngs)


def inputs_of(count):
    return jax.random.normal(jax.random.key(1), (count, 5))


def examples_of(count=10):
    rows = jnp.arange(count)
    return Examples(inputs_of(count), rows % 3, jnp.ones(count), rows, jnp.int32(count))


def test_the_step_of_an_epoch_follows_the_schedule():
    """With one batch, the steps from equal states are as the rates."""
    options = {"epochs": 4, "lr": 0.1, "gamma": 0.5, "lr_step_epochs": 2, "batch_size": 10}
    learner = network(plain, optimizer="rmsprop", **options)(TABLE, 3)
    examples = examples_of()
    start = learner.init(jax.random.key(0), CONTEXT)
    training = learner.begin(jax.random.key(0), start, examples, CONTEXT)
    advance = jax.jit(learner.advance)
    # The same gradient and a fresh optimizer each time; only the epoch counts on.
    found = [
        advance(training._replace(epoch=jnp.int32(epoch)), examples, CONTEXT) for epoch in range(4)
    ]
    assert [int(one.epoch) for one in found] == [1, 2, 3, 4]
    steps = [one.params["kernel"] - training.params["kernel"] for one in found]
    for epoch, step in enumerate(steps):
        ratio = learning_rate("step", 0.1, 0.5, 2, 4, epoch) / 0.1
        np.testing.assert_allclose(step, ratio * steps[0], rtol=1e-2, atol=1e-5)


def test_a_warm_start_goes_on_from_the_parameters_with_a_fresh_optimizer():
    learner = network(plain, epochs=1)(TABLE, 3)
    examples, start = examples_of(), learner.init(jax.random.key(0), CONTEXT)
    cold = learner.begin(jax.random.key(0), start, examples, CONTEXT)
    state, _ = learner.finish(learner.advance(cold, examples, CONTEXT))
    warm = learner.begin(jax.random.key(0), state, examples, CONTEXT)
    jax.tree.map(np.testing.assert_array_equal, warm.params, state.params)
    jax.tree.map(np.testing.assert_array_equal, warm.opt_state, cold.opt_state)


def test_weights_count_as_so_many_examples():
    """In one batch an example of weight 2 is as good as two of weight 1."""
    learner = network(plain, epochs=1, optimizer="sgd", lr=0.5, batch_size=16)(TABLE, 3)
    few = examples_of(4)._replace(weights=jnp.array([2.0, 1.0, 1.0, 1.0]))
    twice = jnp.array([0, 0, 1, 2, 3])
    many = Examples(few.inputs[twice], few.labels[twice], jnp.ones(5), twice, jnp.int32(5))
    found = []
    for examples in (few, many):
        start = learner.init(jax.random.key(0), CONTEXT)
        training = learner.begin(jax.random.key(0), start, examples, CONTEXT)
        found.append(learner.finish(learner.advance(training, examples, CONTEXT)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), *found)


@pytest.mark.parametrize(
    ("make", "draws"),
    [
        (cnn(), None),
        (cnn(dropout_rates=(0.0, 0.0)), 0),
        (cnn(dropout_rates=(0.0, 0.1)), None),
        (resnet18(), 0),
        (resnet18(dropout_rates=(0.1,)), None),
    ],
)
def test_a_network_has_draws_where_it_has_dropout(make, draws):
    learner = make(IMAGES, 3)
    assert learner.draws == draws
    assert (learner.sample is None) == (draws == 0)


def test_an_own_module_has_draws_where_it_has_dropout():
    assert network(Net)(TABLE, 3).draws is None
    assert network(lambda *args, rngs: Net(*args, rngs=rngs, rate=0.0))(TABLE, 3).draws == 0
    assert network(plain)(TABLE, 3).draws == 0


def test_logits_alone_are_embedding_and_head_inputs_too():
    learner = network(plain)(TABLE, 3)
    state = learner.init(jax.random.key(0), CONTEXT)
    found = learner.predict(state, inputs_of(4))
    logits = inputs_of(4) @ state.params["kernel"] + state.params["bias"][None]
    np.testing.assert_allclose(found.embedding, logits, atol=1e-5)
    np.testing.assert_array_equal(found.embedding, found.head_inputs)
    np.testing.assert_allclose(found.log_probs, jax.nn.log_softmax(logits), atol=1e-5)


def test_dropout_of_an_own_module_follows_the_key_and_each_layer_and_example_has_its_own():
    model, _ = own_model(Net, (5,), 3)
    params = model.init(jax.random.key(0))
    x = jnp.broadcast_to(inputs_of(1), (64, 5))
    plainly = model.apply(params, x).embedding
    np.testing.assert_array_equal(plainly, model.apply(params, x).embedding)
    dropped = model.apply(params, x, jax.random.key(1)).embedding
    np.testing.assert_array_equal(dropped, model.apply(params, x, jax.random.key(1)).embedding)
    assert (dropped != model.apply(params, x, jax.random.key(2)).embedding).any()
    assert (dropped[0] != dropped[1]).any()
    # Two layers that drop half each leave a quarter, were their masks the same it would be half.
    alive = plainly[0] > 0
    share = float((dropped[:, alive] > 0).astype(jnp.float32).mean())
    assert abs(share - 0.25) < 5 * (0.25 * 0.75 / (64 * int(alive.sum()))) ** 0.5
    masked = model.apply(params, x, jax.random.key(1), one_mask=True).embedding
    assert (masked == masked[:1]).all()
    assert (masked != plainly).any()


class Norm(nnx.Module):
    def __init__(self, shape, num_classes, *, rngs):
        self.norm = nnx.BatchNorm(5, rngs=rngs)


class Wrong(nnx.Module):
    def __init__(self, shape, num_classes, *, rngs):
        self.head = nnx.Linear(5, 2, rngs=rngs)

    def __call__(self, inputs):
        return self.head(inputs)


@pytest.mark.parametrize(
    ("make", "spec", "words"),
    [
        (
            lambda: cnn(epoch=3),
            IMAGES,
            "learner 'cnn' has no option 'epoch': did you mean 'epochs'",
        ),
        (lambda: cnn(widht=3), IMAGES, "did you mean 'widths'"),
        (lambda: cnn(learning_rate=0.1), IMAGES, "no option 'learning_rate': did you mean 'lr'"),
        (lambda: vgg16(epochs=0), IMAGES, "epochs is 0, but must be a whole number, at least 1"),
        (lambda: cnn(batch_size=2.0), IMAGES, "batch_size is 2.0"),
        (lambda: cnn(lr=float("nan")), IMAGES, "lr is nan, but must be a positive number"),
        (lambda: cnn(gamma=0), IMAGES, "gamma is 0"),
        (lambda: cnn(weight_decay=-1), IMAGES, "weight_decay is -1, but must be a number from 0"),
        (lambda: cnn(optimizer="adams"), IMAGES, "optimizer is 'adams': did you mean 'adam'"),
        (lambda: cnn(schedule=3), IMAGES, "schedule is 3: choose among cosine, step"),
        (lambda: cnn(augment=1), IMAGES, "augment is 1, but must be True or False"),
        (lambda: cnn(compute_dtype="int8"), IMAGES, "compute_dtype is 'int8': .* float32"),
        (lambda: network(Net, widths=3), TABLE, "learner 'network' has no option 'widths'"),
        (lambda: network(Net, augment=True), TABLE, "only images .* is float32 .5."),
        (lambda: cnn(), TABLE, "'cnn' needs images .* float32 .5.: take the learner 'linear'"),
        (lambda: vgg16(), IMAGES, "'vgg16' needs images of at least 32x32 pixels"),
        (lambda: cnn(widths=(0, 1)), IMAGES, "widths is .0, 1., but must be 2 whole numbers"),
        (lambda: network(Norm), TABLE, "Norm keeps BatchStat beside its parameters"),
        (lambda: network(Wrong), TABLE, r"Wrong answers a batch of 2 with the shape \(2, 2\)"),
        (lambda: network(lambda *a, rngs: 3), TABLE, "return a flax.nnx.Module, .* of type int"),
    ],
)
def test_mistakes_are_one_sentence(make, spec, words):
    with pytest.raises(UsageError, match=words):
        make()(spec, 3)


WHOLE = ([1, 2, 10**6], [0, -1, 1.0, True, "1", None])
POSITIVE = ([1, 1e-9, 0.5, 10.0], [0, 0.0, -1e-9, np.inf, np.nan, True, "1", None])
TRAINING = {  # what an option of training may be, and what not
    "epochs": WHOLE,
    "lr_step_epochs": WHOLE,
    "batch_size": WHOLE,
    "lr": POSITIVE,
    "gamma": POSITIVE,
    "weight_decay": ([0, 0.0, 1e-9, 0.5, 2], [-1e-9, np.inf, -np.inf, np.nan, True, "0", None]),
    "optimizer": (["adam", "rmsprop", "sgd"], ["", "ADAM", 0, None]),
    "schedule": (["step", "cosine"], ["", "linear", True, None]),
    "augment": ([True, False], [0, 1, None, "True"]),
}


@pytest.mark.parametrize("name", TRAINING)
def test_an_option_of_training_is_taken_within_its_range_and_nowhere_else(name):
    good, bad = TRAINING[name]
    for value in good:
        assert getattr(training_options("net", {name: value}), name) == value
    for value in bad:
        with pytest.raises(UsageError, match=f"^{name} is {re.escape(repr(value))}[,:] "):
            training_options("net", {name: value})
