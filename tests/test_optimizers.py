"""Optimizers and schedules, against optax's ready-made ones."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jax_al.learners.optimizers import OPTIMIZERS, learning_rate, make_optimizer

RATE = 0.01
READY_MADE = {
    ("adam", 0.0): optax.adam(RATE),
    ("adam", 0.1): optax.adamw(RATE, weight_decay=0.1),
    ("rmsprop", 0.0): optax.rmsprop(RATE, decay=0.9),
    ("sgd", 0.0): optax.sgd(RATE, momentum=0.9, nesterov=True),
}


@pytest.mark.parametrize(("name", "weight_decay"), READY_MADE)
def test_the_steps_are_those_of_optax(name, weight_decay):
    mine, theirs = make_optimizer(name, weight_decay), READY_MADE[name, weight_decay]
    params = {"w": jnp.array([[1.0, -2.0, 0.5]])}
    found, expected = params, params
    state, other = mine.init(params), theirs.init(params)
    with jax.numpy_dtype_promotion("standard"):
        for step in range(5):
            grads = {"w": jnp.sin(jnp.arange(3.0) + step)[None, :]}
            updates, state = mine.update(grads, state, found)
            found = jax.tree.map(lambda p, u: p - RATE * u, found, updates)
            updates, other = theirs.update(grads, other, expected)
            expected = optax.apply_updates(expected, updates)
    np.testing.assert_allclose(found["w"], expected["w"], rtol=1e-5)


def test_weight_decay_shrinks_what_has_no_gradient_by_the_rate():
    for name in OPTIMIZERS:
        optimizer = make_optimizer(name, 0.1)
        params = {"w": jnp.array([[2.0]]), "bias": jnp.array([2.0])}
        still = jax.tree.map(jnp.zeros_like, params)
        with jax.numpy_dtype_promotion("standard"):
            updates, _ = optimizer.update(still, optimizer.init(params), params)
        np.testing.assert_allclose(updates["w"], [[0.2]], rtol=1e-6)
        assert updates["bias"] == 0  # nor are the scales of norms


def test_a_kernel_of_any_shape_is_decayed_and_a_single_number_is_not():
    optimizer = make_optimizer("sgd", 0.5)
    params = {"kernel": jnp.full((2, 3, 1, 1), 4.0), "temperature": jnp.float32(4)}
    still = jax.tree.map(jnp.zeros_like, params)
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = optimizer.update(still, optimizer.init(params), params)
    assert (updates["kernel"] == 2).all()
    assert updates["temperature"] == 0


@pytest.mark.parametrize(("gamma", "every"), [(0.1, 10), (0.5, 3), (1.0, 1)])
def test_the_rate_decays_in_steps(gamma, every):
    expected = optax.exponential_decay(RATE, every, gamma, staircase=True)
    for number in range(25):
        found = learning_rate("step", RATE, gamma, every, 25, number)
        np.testing.assert_allclose(found, expected(number), rtol=1e-5)


@pytest.mark.parametrize("epochs", [1, 10])
def test_the_rate_falls_along_a_cosine(epochs):
    expected = optax.cosine_decay_schedule(RATE, epochs)
    for number in range(epochs):
        found = learning_rate("cosine", RATE, 0.1, 3, epochs, number)
        np.testing.assert_allclose(found, expected(number), rtol=1e-5)
