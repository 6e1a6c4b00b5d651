import asking
import numpy as np
import pytest

from jax_al.strategies.model_outliers import mean_rank


def book_rank(value, rankings):
    """The rank of one activation, as in the code that goes with the book (get_rank)."""
    index = sum(1 for r in rankings if r <= value)
    if index == len(rankings):
        return 1.0
    if index == 0:
        return 0.0
    share = (value - rankings[index - 1]) / (rankings[index] - rankings[index - 1])
    return (index - 1 + share) / len(rankings)


ranked = asking.quickly(mean_rank)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_ranks_are_those_of_the_book(count):
    rng = np.random.default_rng(count)
    points = rng.integers(0, 12, size=(30, 4)).astype(np.float32)  # with ties
    order = np.full(12, -1)
    order[:count] = rng.permutation(30)[:count]
    found = ranked(points, order.astype(np.int32), np.int32(count))
    known = np.sort(points[order[:count]], axis=0)
    expected = [np.mean([book_rank(x[d], known[:, d]) for d in range(4)]) for x in points]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_quietest_points_are_picked():
    points = np.array([[5.0, 5.0], [1.0, 1.0], [3.0, 3.0], [0.5, 2.0], [-9.0, -9.0], [9.0, 9.0]])
    query = asking.ask("model_outliers", {"embedding": points}, asking.pool_of(6, [0, 1]), 4)
    assert query.indices.tolist() == [4, 3, 2, 5]
    assert float(query.info["random_fallback"]) == 0
