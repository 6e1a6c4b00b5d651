import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.strategies import make_strategy
from jax_al.strategies.model_outliers import mean_rank
from jax_al.types import Signals, empty_pool, label_points


def book_rank(value, rankings):
    """The rank of one activation, as in the code that goes with the book (get_rank)."""
    index = sum(1 for r in rankings if r <= value)
    if index == len(rankings):
        return 1.0
    if index == 0:
        return 0.0
    share = (value - rankings[index - 1]) / (rankings[index] - rankings[index - 1])
    return (index - 1 + share) / len(rankings)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_ranks_are_those_of_the_book(count):
    rng = np.random.default_rng(count)
    points = rng.integers(0, 12, size=(30, 4)).astype(np.float32)  # with ties
    order = np.full(12, -1)
    order[:count] = rng.permutation(30)[:count]
    found = mean_rank(jnp.asarray(points), jnp.asarray(order, jnp.int32), jnp.int32(count))
    known = np.sort(points[order[:count]], axis=0)
    expected = [np.mean([book_rank(x[d], known[:, d]) for d in range(4)]) for x in points]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_quietest_points_are_picked():
    points = jnp.array([[5.0, 5.0], [1.0, 1.0], [3.0, 3.0], [0.5, 2.0], [-9.0, -9.0], [9.0, 9.0]])
    pool = label_points(empty_pool(6, 6), jnp.array([0, 1]), jnp.array([0, 0]))
    query = make_strategy("model_outliers").select(
        jax.random.key(0), Signals(embedding=points), pool, 4
    )
    assert query.indices.tolist() == [4, 3, 2, 5]
    assert float(query.info["random_fallback"]) == 0
