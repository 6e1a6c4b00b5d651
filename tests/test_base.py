import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jax_al.errors import did_you_mean, some_of
from jax_al.types import NOTHING, UNKNOWN, empty_pool, label_points


@st.composite
def purchases(draw):
    """Pool size, capacity, and purchases: (indices, labels, padding) each, all indices distinct."""
    N = draw(st.sampled_from([1, 8]))
    bought = draw(st.lists(st.integers(0, N - 1), unique=True))
    capacity = draw(st.sampled_from([len(bought), N]))
    cuts = sorted(draw(st.lists(st.integers(0, len(bought)), max_size=2)))
    chunks = [bought[a:b] for a, b in zip([0, *cuts], [*cuts, len(bought)], strict=True)]
    padding = draw(st.lists(st.integers(0, 2), min_size=len(chunks), max_size=len(chunks)))
    return N, capacity, list(zip(chunks, padding, strict=True))


def truth(index):
    return (7 * index + 3) % 5


compiled = jax.jit(label_points)


def told(pool, chunk, padding, label=compiled):
    indices = jnp.array([*chunk, *[NOTHING] * padding], jnp.int32)
    labels = jnp.array([*map(truth, chunk), *[4] * padding], jnp.int32)
    return label(pool, indices, labels)


@settings(max_examples=25)
@given(purchases())
def test_a_pool_remembers_exactly_what_was_bought_in_the_order_bought(case):
    N, capacity, chunks = case
    pool = empty_pool(N, capacity)
    for chunk, padding in chunks:
        pool = told(pool, chunk, padding)
    bought = [index for chunk, _ in chunks for index in chunk]
    assert int(pool.num_labeled) == len(bought)
    assert pool.order.tolist() == bought + [NOTHING] * (capacity - len(bought))
    assert pool.labeled.tolist() == [i in bought for i in range(N)]
    assert pool.labels.tolist() == [truth(i) if i in bought else UNKNOWN for i in range(N)]


@settings(max_examples=20)
@given(purchases())
def test_shapes_and_dtypes_never_change(case):
    N, capacity, chunks = case
    pool = empty_pool(N, capacity)
    for chunk, padding in chunks:
        after = told(pool, chunk, padding)
        assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, pool)
        assert jax.tree.map(jnp.dtype, after) == jax.tree.map(jnp.dtype, pool)
        pool = after
    assert (pool.labeled.dtype, pool.labels.dtype) == (bool, jnp.int32)
    assert (pool.order.dtype, pool.num_labeled.dtype) == (jnp.int32, jnp.int32)


@settings(max_examples=20)
@given(purchases())
def test_several_purchases_equal_one_that_buys_it_all(case):
    N, capacity, chunks = case
    piecewise = empty_pool(N, capacity)
    for chunk, padding in chunks:
        piecewise = told(piecewise, chunk, padding)
    at_once = told(empty_pool(N, capacity), [i for chunk, _ in chunks for i in chunk], 0)
    jax.tree.map(np.testing.assert_array_equal, piecewise, at_once)


def test_a_query_of_nothing_changes_nothing():
    pool = told(empty_pool(6, 4), [5, 2], 0)
    jax.tree.map(np.testing.assert_array_equal, told(pool, [], 3), pool)


def test_padding_never_writes_beyond_a_full_capacity():
    pool = told(empty_pool(5, 2), [4, 0], 0)
    jax.tree.map(np.testing.assert_array_equal, told(pool, [], 1), pool)


def test_labeling_is_pure_and_jits():
    pool = empty_pool(6, 4)
    before = jax.tree.map(np.array, pool)
    plain = told(pool, [3, 1], 1, label_points)
    jitted = told(pool, [3, 1], 1)
    jax.tree.map(np.testing.assert_array_equal, plain, jitted)
    jax.tree.map(np.testing.assert_array_equal, pool, before)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("corset", "did you mean 'coreset'?"), ("x", "coreset, random")],
)
def test_a_misspelled_name_is_answered_with_the_nearest_or_with_all(name, expected):
    assert expected in did_you_mean(name, ["random", "coreset"])


def test_names_in_a_sentence_leave_it_one_line():
    names = ["é.png", "a\nb", "\x1b[31m", "bad\udcff", "l\u2028s", "c,\t'd"]
    assert some_of(names) == "é.png, a\\nb, \\x1b[31m, bad\\udcff, l\\u2028s, c,\\t'd"
    assert some_of([str(k) for k in range(10)]).endswith("7 and 2 more")
