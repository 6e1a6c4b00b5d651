"""The nearest neighbours, against brute force in float64."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from jax_al.errors import UsageError
from jax_al.geometry import neighbours
from jax_al.geometry.neighbours import nearest_neighbours

RNG = np.random.default_rng(0)
POINTS = RNG.normal(3, 1, (301, 7)).astype(np.float32)


def by_brute_force(points, k):
    """Returns rows and distances in float64, the lowest row first of equals."""
    wide = points.astype(np.float64)
    distances = np.sqrt(((wide[:, None] - wide[None]) ** 2).sum(axis=2))
    np.fill_diagonal(distances, np.inf)
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(distances, rows, axis=1)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("products", [2**24, 50 * 301])  # in one block, in some that overlap
def test_they_are_those_of_scikit_learn(metric, products, monkeypatch):
    monkeypatch.setattr(neighbours, "_PRODUCTS", products)
    found = nearest_neighbours(POINTS, 5, metric=metric)
    theirs = NearestNeighbors(n_neighbors=5, metric=metric, algorithm="brute")
    distances, rows = theirs.fit(POINTS.astype(np.float64)).kneighbors()
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5)
    assert (found.rows.dtype, found.distances.dtype) == (np.int32, np.float32)


@pytest.mark.parametrize("k", [1, 6, 40])
def test_of_equally_far_rows_the_lowest_come_first(k):
    """On a grid whose mean is 0 every product is exact, and most distances are shared."""
    half = RNG.integers(-2, 3, (100, 3)).astype(np.float32)
    points = RNG.permutation(np.concatenate([half, -half]))
    rows, distances = by_brute_force(points, k)
    found = nearest_neighbours(points, k)
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6)


def test_copies_are_neighbours_and_nobody_is_its_own():
    points = np.repeat(POINTS[:20], 5, axis=0)
    found = nearest_neighbours(points, 4)
    np.testing.assert_array_equal(found.distances, 0)
    everyone = np.arange(100)[:, None]
    np.testing.assert_array_equal(found.rows // 5, np.repeat(everyone // 5, 4, axis=1))
    assert (found.rows != everyone).all()
    assert all(len(set(rows)) == 4 for rows in found.rows)


def test_far_from_zero_nothing_is_lost():
    rows, distances = by_brute_force(POINTS, 3)
    found = nearest_neighbours(POINTS.astype(np.float64) + 2.0**10, 3)
    assert (found.rows == rows).mean() > 0.99  # adding has rounded the points
    np.testing.assert_allclose(found.distances, distances, rtol=1e-3)


def test_all_the_others():
    rows, _ = by_brute_force(POINTS[:9], 8)
    np.testing.assert_array_equal(nearest_neighbours(POINTS[:9], np.int64(8)).rows, rows)


def test_a_row_of_zeros_is_half_a_cosine_away():
    points = np.array([[0, 0], [1, 0], [0, 2], [0, 0]], np.float32)
    found = nearest_neighbours(points, 3, metric="cosine")
    np.testing.assert_array_equal(found.rows[0], [3, 1, 2])
    np.testing.assert_allclose(found.distances[0], [0, 0.5, 0.5])


@pytest.mark.parametrize("size", [2.0**-20, 2.0**-55, 2.0**-63, 2.0**-75, 2.0**-100])
def test_the_cosine_of_rows_does_not_depend_on_their_size(size):
    points = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    expected = nearest_neighbours(points, 39, metric="cosine")
    sizes = np.where(np.arange(40) % 2, 1, size).astype(np.float32)[:, None]
    for smaller in (points * np.float32(size), points * sizes):
        found = nearest_neighbours(smaller, 39, metric="cosine")
        np.testing.assert_array_equal(found.rows, expected.rows)
        np.testing.assert_array_equal(found.distances, expected.distances)


@pytest.mark.parametrize(
    ("points", "k", "metric", "words"),
    [
        (POINTS, 0, "euclidean", "k is 0, but must be a whole number from 1 to N - 1 = 300"),
        (POINTS, 301, "euclidean", "k is 301"),
        (POINTS, 2.0, "euclidean", "k is 2.0"),
        (POINTS, 2, "cosin", "metric is 'cosin': did you mean 'cosine'"),
        (POINTS, True, "euclidean", "k is True"),
        (POINTS[:, :0], 2, "euclidean", r"must be a matrix \[N, D\], not \[301, 0\]"),
        (POINTS.astype(str), 2, "euclidean", "points must be real numbers, not <U32"),
        (POINTS.astype(complex), 2, "euclidean", "points must be real numbers, not complex128"),
        (POINTS[0], 2, "euclidean", r"must be a matrix \[N, D\], not \[7\]"),
        (np.where(np.arange(7) == 2, np.nan, POINTS), 2, "euclidean", "holds NaN or infinity"),
        (POINTS * 1e30, 2, "cosine", "holds NaN or infinity"),
        (np.ma.masked_greater(POINTS, 1), 2, "cosine", "points hold masked values: fill them"),
    ],
)
def test_mistakes_are_one_sentence(points, k, metric, words):
    with pytest.raises(UsageError, match=words):
        nearest_neighbours(points, k, metric=metric)
