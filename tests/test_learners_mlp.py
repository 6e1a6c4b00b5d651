"""The multilayer perceptron, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.learners import mlp
from jax_al.learners.inputs import Normalizer
from jax_al.testing.learner import check_learner
from jax_al.types import Spec

TABLE = Spec((5,), np.dtype(np.float32))
CONTEXT = Normalizer(jnp.arange(5.0), jnp.full(5, 2.0))
INPUTS = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)


def test_it_keeps_the_promises():
    check_learner(
        mlp(widths=(8, 4), epochs=2, batch_size=8, validation_share=0.3, class_weights="balanced"),
        spec=TABLE,
    )


@pytest.mark.parametrize("widths", [(6,), (6, 4)])
def test_what_it_says_is_what_numpy_says(widths):
    learner = mlp(widths=widths)(TABLE, 3)
    state = learner.init(jax.random.key(0), CONTEXT)
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), state.params)
    x = (INPUTS.astype(np.float64) - np.arange(5)) / 2
    for i in range(len(widths)):
        layer = params["hidden"][i]
        hidden = x @ layer["kernel"] + layer["bias"]
        x = np.maximum(hidden, 0)
    logits = x @ params["head"]["kernel"] + params["head"]["bias"]
    found = learner.predict(state, jnp.asarray(INPUTS))
    np.testing.assert_allclose(found.embedding, hidden, atol=1e-5)
    np.testing.assert_allclose(found.head_inputs, x, atol=1e-5)
    expected = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found.log_probs, expected, atol=1e-5)


def test_a_draw_is_a_mask_of_every_hidden_layer():
    learner = mlp(widths=(64, 64), dropout_rate=0.5)(TABLE, 3)
    state = learner.init(jax.random.key(0), CONTEXT)
    twice = jnp.asarray(np.tile(INPUTS[:1], (4, 1)))
    draws = [learner.sample(jax.random.key(1), jnp.int32(t), state, twice) for t in range(2)]
    assert (draws[0] == draws[0][:1]).all()
    assert (draws[0] != draws[1]).all()
    assert mlp(dropout_rate=0.0)(TABLE, 3).sample is None


def test_images_are_flattened():
    learner = mlp(widths=(4,))(Spec((3, 2, 1), np.dtype(np.uint8)), 3)
    state = jax.eval_shape(learner.init, jax.random.key(0), None)
    assert state.params["hidden"][0]["kernel"].shape == (6, 4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"widths": (1, 2, 3)}, "widths is .1, 2, 3., but must be one or two whole numbers"),
        ({"widths": 64}, "widths is 64, but must be one or two"),
        ({"widths": (0,)}, "widths is .0,., but must be 1 whole numbers from 1 on"),
        ({"dropout_rate": 1}, "dropout_rate is 1, but must be a number from 0 to below 1"),
        ({"compute_dtype": "int8"}, "compute_dtype is 'int8'"),
        ({"width": (3,)}, "learner 'mlp' has no option 'width': did you mean 'widths'"),
        ({"validation_share": 1}, "validation_share is 1, but must be a number from 0 to below 1"),
    ],
)
def test_mistakes(options, words):
    with pytest.raises(UsageError, match=words):
        mlp(**options)(TABLE, 3)
