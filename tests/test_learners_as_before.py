"""The learner of a network gives the bits of the training it came from, while that is here."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.learners import cnn, inference, inputs, training
from jax_al.learners.networks import make_model
from jax_al.learners.optimizers import learning_rate, make_optimizer
from jax_al.types import NOTHING, UNKNOWN, Examples, Spec, empty_pool, label_points

N, COUNT, CLASSES, EPOCHS = 50, 29, 4, 3
SPEC = Spec((9, 8, 3), np.dtype(np.uint8))
SIZES = {"widths": (3, 5), "embedding_size": 8, "dropout_rates": (0.25, 0.5)}
IMAGES = np.random.default_rng(0).integers(0, 256, (N, *SPEC.shape), np.uint8)
ROWS = np.random.default_rng(1).permutation(N)[:COUNT].astype(np.int32)
LABELS = (ROWS % CLASSES).astype(np.int32)
INIT, TRAIN, SAMPLE = jax.random.split(jax.random.key(7), 3)


class Images:
    spec, ids = SPEC, [str(row) for row in range(N)]

    def __len__(self):
        return N

    def read(self, rows):
        return IMAGES[rows]

    def show(self, row):
        return IMAGES[row]


def assert_same_bits(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("augment", [False, True])
def test_three_epochs_of_adam_with_dropout(augment):
    options = {"batch_size": 8, "lr_step_epochs": 2, "epochs": EPOCHS}
    learner = cnn(**SIZES, **options, augment=augment)(SPEC, CLASSES)
    context = learner.prepare(Images())
    before = inference.fit_normalizer(IMAGES)
    assert_same_bits(tuple(context), tuple(before))

    padding = 40 - COUNT  # another capacity than below
    examples = Examples(
        jnp.asarray(np.pad(IMAGES[ROWS], ((0, padding), *((0, 0),) * 3))),
        jnp.asarray(np.pad(LABELS, (0, padding), constant_values=UNKNOWN)),
        jnp.asarray(np.pad(np.ones(COUNT, np.float32), (0, padding))),
        jnp.asarray(np.pad(ROWS, (0, padding), constant_values=NOTHING)),
        jnp.int32(COUNT),
    )
    fit = learner.begin(TRAIN, learner.init(INIT, context), examples, context)
    advance = jax.jit(learner.advance)
    for _ in range(learner.steps):
        fit = advance(fit, examples, context)
    state, score = learner.finish(fit)

    model, optimizer = make_model("cnn", SPEC.shape, CLASSES, **SIZES), make_optimizer("adam", 0.0)
    expected = training.init_state(INIT, model, optimizer)
    pool = label_points(empty_pool(N, N), jnp.asarray(ROWS), jnp.asarray(LABELS))
    epoch = jax.jit(
        functools.partial(
            training.train_epoch, model=model, optimizer=optimizer, batch_size=8, augment=augment
        )
    )
    for number in range(EPOCHS):
        key = jax.random.fold_in(TRAIN, number)
        rate = jnp.float32(learning_rate("step", 1e-3, 0.1, 2, EPOCHS, number))
        expected, last = epoch(key, expected, rate, pool, jnp.asarray(IMAGES), before)
    assert_same_bits(state.params, expected.params)
    assert_same_bits(tuple(score), tuple(last))

    batch = jnp.asarray(IMAGES[:7])
    normal = inference.normalize(batch, before)
    assert_same_bits(inputs.normalize(batch, context), normal)
    assert_same_bits(learner.predict(state, batch), model.apply(expected.params, normal))
    for number, key in enumerate(jax.random.split(SAMPLE, 4)):
        found = learner.sample(SAMPLE, jnp.int32(number), state, batch)
        passed = model.apply(expected.params, normal, key, one_mask=True).log_probs
        assert_same_bits(found, passed)
