"""Examples that are held out, and the moment of a fit that is best on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.learners import mlp
from jax_al.learners.early_stopping import stopped_early
from jax_al.learners.held_out import held_apart
from jax_al.learners.inputs import Normalizer
from jax_al.learners.network import Training
from jax_al.types import NOTHING, UNKNOWN, Examples, Fit, Learner, Outputs, Spec

TABLE = Spec((5,), np.dtype(np.float32))


def examples_of(labels, capacity):
    count, padding = len(labels), (0, capacity - len(labels))
    rows = np.arange(count, dtype=np.int32)
    inputs = np.pad(rows[:, None] + np.zeros((1, 5), np.float32), (padding, (0, 0)))
    leaves = (
        inputs.astype(np.float32),
        np.pad(np.asarray(labels, np.int32), padding, constant_values=UNKNOWN),
        np.pad(1 + rows.astype(np.float32) / count, padding),
        np.pad(rows, padding, constant_values=NOTHING),
    )
    return Examples(*map(jnp.asarray, leaves), jnp.int32(count))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_the_share_is_kept_in_all_and_in_each_class(seed, share):
    labels = np.random.default_rng(seed).choice(4, 60, p=(0.6, 0.25, 0.1, 0.05))
    examples = examples_of(labels, 64)
    parts = held_apart(jax.random.key(seed), examples, share)
    rows = [np.asarray(part.rows)[: int(part.count)] for part in parts]
    assert sorted(np.concatenate(rows)) == list(range(60))
    for part, own in zip(parts, rows, strict=True):
        np.testing.assert_array_equal(np.diff(own) > 0, True)  # in their order
        np.testing.assert_array_equal(part.labels[: len(own)], labels[own])
        np.testing.assert_array_equal(part.inputs[: len(own), 0], own)
        np.testing.assert_allclose(part.weights[: len(own)], 1 + own / 60, rtol=1e-6)
        assert (part.weights[len(own) :] == 0).all()
        assert (part.rows[len(own) :] == NOTHING).all()
    held = np.bincount(labels[rows[1]], minlength=4)
    others = np.maximum(np.bincount(labels, minlength=4) - 1, 0)  # but for the first of a class
    assert (np.abs(held - share * others) < 1).all()
    assert abs(held.sum() - share * others.sum()) < 1
    assert (held <= others).all()


@pytest.mark.parametrize(("size", "share"), [(5, 0.2), (2, 0.5), (4, 0.25)])
def test_the_share_is_kept_where_classes_are_as_large_as_the_gaps_between_those_held(size, share):
    apart = jax.jit(held_apart, static_argnums=2)
    examples = examples_of(np.arange(10 * size) % 10, 10 * size)
    for seed in range(20):
        held = apart(jax.random.key(seed), examples, share).held
        assert abs(int(held.count) - share * 10 * (size - 1)) < 1


def test_the_key_decides_and_the_capacity_does_not():
    labels = np.arange(40) % 4
    found = [
        np.asarray(held_apart(jax.random.key(seed), examples_of(labels, capacity), 0.3).held.rows)
        for seed, capacity in ((0, 40), (0, 64), (1, 40))
    ]
    count = (found[0] != NOTHING).sum()
    np.testing.assert_array_equal(found[0][:count], found[1][:count])
    assert (found[1][count:] == NOTHING).all()
    assert (found[0] != found[2]).any()


def test_a_class_keeps_the_only_example_it_has():
    for seed in range(20):
        parts = held_apart(jax.random.key(seed), examples_of([0, 1, 2, 3], 6), 0.9)
        assert (int(parts.taught.count), int(parts.held.count)) == (4, 0)


def by_curve(curve):
    """A learner that after epoch e gives class 0 the log-probability -curve[e]."""

    def predict(state, inputs):
        other = jnp.log1p(-jnp.exp(-state))
        row = jnp.stack([-state, other])[None]
        return Outputs(jnp.repeat(row, inputs.shape[0], axis=0), inputs, inputs)

    def advance(training, examples, context):
        del examples, context
        return training[0] + 1, jnp.array(curve)[training[0]]

    return Learner(
        lambda pool: (),
        lambda key, context: jnp.float32(9),
        lambda key, state, examples, context: (jnp.int32(0), state),
        advance,
        len(curve),
        lambda training: (training[1], Fit(training[1], training[1])),
        predict,
    )


@pytest.mark.parametrize(
    ("curve", "count", "best"),
    [
        ((0.9, 0.4, 0.5, 0.7), 20, 0.4),
        ((0.5, 0.5, 0.6), 20, 0.5),
        ((0.3, 0.6), 1, 0.6),  # nothing is held out of a single label: the last
    ],
)
def test_the_state_of_the_least_loss_is_kept(curve, count, best):
    learner = stopped_early(by_curve(curve), 0.25)
    examples = examples_of(np.zeros(count, int), 32)
    training = learner.begin(jax.random.key(0), jnp.float32(9), examples, ())
    advance = jax.jit(learner.advance)
    for epoch in range(learner.steps):
        training = advance(training, examples, ())
        if count > 1:
            np.testing.assert_allclose(training.loss, min(curve[: epoch + 1]), rtol=1e-5)
    state, fit = learner.finish(training)
    assert float(state) == float(fit.loss) == np.float32(best)


def test_a_network_without_a_share_is_fitted_as_ever():
    examples = examples_of(np.arange(10) % 3, 12)
    context = Normalizer(jnp.zeros(5), jnp.ones(5))
    for share, is_plain in ((0.0, True), (0.3, False)):
        learner = mlp(widths=(4,), validation_share=share)(TABLE, 3)
        state = learner.init(jax.random.key(0), context)
        training = learner.begin(jax.random.key(0), state, examples, context)
        assert isinstance(training, Training) == is_plain
