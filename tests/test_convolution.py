import functools

import asking
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax
from scipy import signal

from jax_al.learners.convolution import convolve, max_pool

LAYOUT = ("NHWC", "HWIO", "NHWC")

shapes = st.fixed_dictionaries(
    {
        "batch": st.integers(1, 9),  # around the chunk of the kernel's gradient, and no multiple
        "size": st.tuples(st.integers(4, 7), st.integers(4, 7)),
        "window": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "channels": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "strides": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "padding": st.sampled_from(["VALID", "SAME", ((0, 2), (5, 1))]),
        "seed": st.integers(0, 2**16),
    }
)


def native(images, kernel, strides, padding):
    return lax.conv_general_dilated(images, kernel, strides, padding, dimension_numbers=LAYOUT)


def gradients(function, images, kernel, weights):
    """The outputs and both gradients of a linear function of the outputs."""
    out, pull = jax.vjp(function, images, kernel)
    return out, *pull(weights.astype(out.dtype))


gradients_jitted = jax.jit(gradients, static_argnums=0)


# In float64, where how it is compiled is below what is asked.
@functools.partial(jax.jit, static_argnums=(3, 4), compiler_options=asking.QUICKLY)
def gradients_of_both(images, kernel, weights, strides, padding):
    return [
        gradients(lambda x, w, f=f: f(x, w, strides, padding), images, kernel, weights)
        for f in (convolve, native)
    ]


def drawn(rng, *shape):
    return rng.standard_normal(shape, dtype=np.float32)


@settings(max_examples=20)
@given(shapes)
def test_gradients_are_those_of_the_native_convolution(shape):
    rng = np.random.default_rng(shape["seed"])
    args = shape["strides"], shape["padding"]
    (c_in, c_out), batch = shape["channels"], shape["batch"]
    with jax.enable_x64(True):
        images = rng.standard_normal((batch, *shape["size"], c_in))
        kernel = rng.standard_normal((*shape["window"], c_in, c_out))
        out = jax.eval_shape(lambda x, w: native(x, w, *args), images, kernel)
        weights = rng.standard_normal(out.shape)
        ours, theirs = gradients_of_both(images, kernel, weights, *args)
        assert ours[0].dtype == np.float64
        # Sums of at most a few hundred products near 1, in float64: 1e-12 leaves a wide margin.
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-12), ours, theirs
        )


def test_agrees_with_scipy():
    rng = np.random.default_rng(0)
    images, kernel = drawn(rng, 2, 6, 5, 3), drawn(rng, 3, 2, 3, 4)
    out = np.asarray(convolve(images, kernel))  # outside of a program
    for b in range(2):
        for c in range(4):
            expected = signal.correlate(images[b], kernel[..., c], mode="valid")[..., 0]
            np.testing.assert_allclose(out[b, :, :, c], expected, atol=1e-5)


def test_bfloat16_stays_bfloat16_and_is_near():
    rng = np.random.default_rng(0)
    images, kernel, weights = drawn(rng, 5, 8, 8, 3), drawn(rng, 3, 3, 3, 4), drawn(rng, 5, 6, 6, 4)
    exact = gradients_jitted(convolve, images, kernel, weights)
    low = images.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16)
    rough = gradients_jitted(convolve, *low, weights)
    for a, b in zip(exact, rough, strict=True):
        assert b.dtype == jnp.bfloat16
        # bfloat16 keeps 8 bits; the sums here are up to ten times larger than their terms.
        near = 0.03 * float(np.abs(a).max())
        np.testing.assert_allclose(a, np.asarray(b).astype(np.float32), atol=near)


@pytest.mark.parametrize(
    "mapped", [jax.vmap, lambda f: lambda *args: lax.map(lambda a: f(*a), args)]
)
def test_mapping_over_seeds_equals_a_loop(mapped):
    rng = np.random.default_rng(0)
    images, kernel = drawn(rng, 3, 5, 8, 8, 3), drawn(rng, 3, 3, 3, 3, 4)
    weights = drawn(rng, 3, 5, 6, 6, 4)

    def both(images, kernel, weights):
        return gradients(convolve, images, kernel, weights)

    together = jax.jit(mapped(both))(images, kernel, weights)
    apart = [gradients_jitted(convolve, *one) for one in zip(images, kernel, weights, strict=True)]
    for a, b in zip(together, zip(*apart, strict=True), strict=True):
        np.testing.assert_allclose(a, np.stack(b), atol=1e-4)


def test_inside_a_loop_of_unknown_length_equals_outside():
    rng = np.random.default_rng(0)
    images, kernel = drawn(rng, 5, 8, 8, 3), drawn(rng, 3, 3, 3, 4)

    def descend(kernel, gradient):
        return kernel - 0.01 * gradient(kernel)

    def gradient_with(function):
        return jax.grad(lambda kernel: (function(images, kernel) ** 2).mean())

    @jax.jit
    def ours(num_steps):
        gradient = gradient_with(convolve)
        return lax.fori_loop(0, num_steps, lambda _, kernel: descend(kernel, gradient), kernel)

    expected = kernel
    theirs = jax.jit(gradient_with(lambda x, w: native(x, w, (1, 1), "VALID")))
    for _ in range(3):
        expected = descend(expected, theirs)
    np.testing.assert_allclose(ours(3), expected, atol=1e-5)


def count_convolutions(platform):
    """Convolutions in the program of one kernel gradient lowered for a platform."""
    images, kernel = np.zeros((5, 8, 8, 3), np.float32), np.zeros((3, 3, 3, 4), np.float32)
    gradient = jax.jit(jax.grad(lambda kernel: (convolve(images, kernel) ** 2).sum()))
    text = gradient.trace(kernel).lower(lowering_platforms=(platform,)).as_text()
    return text.count("stablehlo.convolution")


def test_other_platforms_keep_the_native_gradient():
    # The forward pass is one convolution everywhere; the images' gradient is asked for by nobody.
    assert count_convolutions("cpu") == 1
    assert count_convolutions("cuda") == 2
    assert count_convolutions("tpu") == 2


def test_options_beyond_a_plain_convolution_keep_their_meaning():
    rng = np.random.default_rng(0)
    images, kernel = drawn(rng, 2, 8, 8, 4), drawn(rng, 3, 3, 2, 6)
    options = {"rhs_dilation": (2, 2), "feature_group_count": 2, "dimension_numbers": LAYOUT}
    out = convolve(images, kernel, (1, 1), "SAME", **options)
    expected = lax.conv_general_dilated(images, kernel, (1, 1), "SAME", **options)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("size", [(4, 6), (5, 6), (7, 7), (2, 3)])
def test_max_pool_agrees_with_reduce_window(size):
    images = drawn(np.random.default_rng(0), 3, *size, 2)

    def native_pool(images):
        return lax.reduce_window(images, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    np.testing.assert_array_equal(max_pool(images), native_pool(images))
    ours, theirs = (
        jax.jit(jax.grad(lambda x, pool=pool: (pool(x) ** 2).sum()))(images)
        for pool in (max_pool, native_pool)
    )
    np.testing.assert_array_equal(ours, theirs)
