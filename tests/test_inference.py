import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jax_al.learners.inference import fit_normalizer, map_chunks, normalize


def facts(chunk, images):
    """Of every image its sum and its mirror: exact in integers, and of two ranks."""
    del chunk
    wide = images.astype(jnp.int32)
    return {"sum": wide.sum(axis=(1, 2, 3)), "mirror": images[:, ::-1]}


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 13), st.integers(1, 16))
def test_chunked_equals_unchunked(N, chunk_size):
    images = np.random.default_rng(0).integers(0, 256, (N, 3, 2, 1), np.uint8)
    found = map_chunks(facts, jnp.asarray(images), chunk_size)
    jax.tree.map(np.testing.assert_array_equal, found, facts(0, images))


@pytest.mark.parametrize(("N", "chunk_size"), [(7, 3), (6, 3), (1, 3), (3, 100)])
def test_chunks_are_numbered_in_order_and_none_is_larger_than_asked(N, chunk_size):
    def number(chunk, images):
        assert images.shape[0] == min(chunk_size, N)
        return jnp.full(images.shape[0], chunk)

    numbers = map_chunks(number, jnp.zeros((N, 2, 2, 1), jnp.uint8), chunk_size)
    assert numbers.tolist() == [i // chunk_size for i in range(N)]


def test_looking_twice_gives_the_same_bits():
    images = jnp.asarray(np.random.default_rng(0).integers(0, 256, (11, 8, 8, 1), np.uint8))
    normalizer = fit_normalizer(np.asarray(images))
    weights = jax.random.normal(jax.random.key(0), (64, 4))

    @jax.jit
    def embed(images):
        return map_chunks(
            lambda _, chunk: normalize(chunk, normalizer).reshape(-1, 64) @ weights, images, 4
        )

    np.testing.assert_array_equal(embed(images), embed(images))
