"""Statistics of a pool, in one streamed pass, against NumPy's over all of it."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jax_al.errors import UsageError
from jax_al.learners import inputs
from jax_al.learners.inputs import by_column, by_one_scale, fit_normalizer, normalize
from jax_al.types import Spec

pixels = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
)


class Numbers:
    """A pool that remembers the largest block it was asked for."""

    def __init__(self, numbers):
        self.numbers, self.largest = numbers, 0
        self.spec = Spec(numbers.shape[1:], numbers.dtype)
        self.ids = [str(row) for row in range(len(numbers))]

    def __len__(self):
        return len(self.numbers)

    def read(self, rows):
        block = self.numbers[rows]
        self.largest = max(self.largest, block.nbytes)
        return block

    def show(self, row):
        return None


def assert_normalizer(found, wide, axes):
    std = wide.std(axis=axes)
    np.testing.assert_allclose(found.mean, wide.mean(axis=axes), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.std, np.where(std > 0, std, 1), rtol=1e-6)
    assert found.mean.dtype == found.std.dtype == jnp.float32


@settings(max_examples=50)
@given(pixels)
def test_of_images_the_channels_are_normalised(images):
    assert_normalizer(fit_normalizer(Numbers(images)), images.astype(np.float64), (0, 1, 2))


@pytest.mark.parametrize("shape", [(300, 3), (300, 2, 2), (300, 2, 2, 2)])
def test_of_a_table_each_column_is_normalised(shape):
    rng = np.random.default_rng(0)
    table = rng.normal(1e4 * rng.normal(size=shape[1:]), 0.5, shape).astype(np.float32)
    assert_normalizer(fit_normalizer(Numbers(table)), table.astype(np.float64), 0)


def test_bytes_that_are_no_images_are_a_table():
    table = np.random.default_rng(0).integers(0, 256, (50, 7), np.uint8)
    assert_normalizer(fit_normalizer(Numbers(table)), table.astype(np.float64), 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_blocks_change_nothing_and_are_small(monkeypatch, dtype):
    numbers = np.random.default_rng(0).integers(0, 256, (57, 3, 2, 2)).astype(dtype)
    whole = fit_normalizer(Numbers(numbers))
    pool = Numbers(numbers)
    monkeypatch.setattr(inputs, "_BLOCK_BYTES", 480)
    for one, other in zip(whole, fit_normalizer(pool), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7)
        if dtype == np.uint8:
            np.testing.assert_array_equal(one, other)
    assert pool.largest <= 480


def test_a_normalized_pool_has_mean_zero_and_deviation_one_and_a_constant_channel_is_zero():
    images = np.random.default_rng(0).integers(0, 256, (250, 4, 4, 3), np.uint8)
    images[..., 1] = 77
    normalizer = fit_normalizer(Numbers(images))
    found = np.asarray(normalize(jnp.asarray(images), normalizer), np.float64)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=(0, 1, 2)), [1, 0, 1], atol=1e-5)


def test_a_constant_column_is_left_as_it_is_about_its_value():
    table = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    table[:, 0], table[:, 1] = 0.1, 1e-30 * table[:, 1]
    found = by_column(Numbers(table))
    assert found.std[0] == 1
    assert found.mean[0] == np.float32(0.1)
    table[:, 1] *= np.float32(1e-12)  # so small that its deviation is no normal number
    assert by_column(Numbers(table)).std[1] == 1


def test_one_scale_is_the_root_of_the_mean_variance_and_keeps_what_is_large_large():
    table = (np.random.default_rng(0).normal(size=(100, 4)) * [9, 1, 0.1, 0] + 5).astype(np.float32)
    found = by_one_scale(Numbers(table))
    np.testing.assert_allclose(found.std, np.sqrt(table.var(axis=0).mean()), rtol=1e-5)
    np.testing.assert_allclose(found.mean, by_column(Numbers(table)).mean)
    centred = table - table.mean(axis=0)
    rows = normalize(jnp.asarray(table), found)
    np.testing.assert_allclose(rows, centred / np.sqrt((centred**2).mean()), atol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_has_no_mean_is_refused(bad):
    table = np.zeros((10, 4), np.float32)
    table[7, 2] = bad
    with pytest.raises(UsageError, match=r"Column 2 of the pool .* NaN or infinity"):
        by_column(Numbers(table))
