import asking
import jax
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.geometry.clustering import seed_clusters
from jax_al.strategies import make_strategy


def asked(points, labeled, budget, **how):
    pool = asking.pool_of(len(points), labeled)
    return asking.ask("kmedoids", {"embedding": points}, pool, budget, **how).indices.tolist()


@asking.quickly
def first_seeds(key, points, mask):
    return seed_clusters(key, points, 6, max_clusters=6, mask=mask).rows


def alternate(points, medoids, iterations):
    """Voronoi iteration in float64, from whole distance matrices."""
    distances = np.linalg.norm(points[:, None].astype(np.float64) - points[None], axis=2)
    medoids = np.array(medoids)
    for _ in range(iterations):
        nearest = distances[:, medoids].argmin(axis=1)
        for k in range(len(medoids)):
            own = np.flatnonzero(nearest == k)
            if len(own):
                medoids[k] = own[distances[np.ix_(own, own)].sum(axis=1).argmin()]
    return medoids


@pytest.mark.parametrize("iterations", [1, 30])
def test_it_is_voronoi_iteration_from_kmeans_plus_plus_seeds(iterations):
    points = np.random.default_rng(iterations).normal(size=(70, 4)).astype(np.float32)
    left = points[5:]
    seed_key = jax.random.split(jax.random.key(8), 3)[0]  # the others decide between equals
    seeds = first_seeds(seed_key, points, np.arange(70) >= 5)
    expected = 5 + alternate(left, seeds - 5, iterations)
    picks = asked(points, range(5), 6, key=8, iterations=iterations)
    assert sorted(picks) == sorted(expected.tolist())


def test_heaps_far_apart_have_medoids_of_their_own():
    rng = np.random.default_rng(0)
    spread = rng.uniform(0.2, 5, (60, 1)) * 1e-4
    heaps = np.repeat([[1.0], [-1.0]], 30, axis=0)
    points = (heaps + spread * rng.normal(size=(60, 16))).astype(np.float32)
    picks = asked(points, [], 2, iterations=9, quick=False)
    assert sorted(picks) == alternate(points, [0, 30], 9).tolist()


def test_it_takes_the_median_not_the_mean():
    # The mean is 22.2, next to 30; the median is 2.
    assert asked([[0.0], [1.0], [2.0], [30.0], [78.0]], [], 1) == [2]


def test_iterations_must_be_positive():
    with pytest.raises(UsageError, match="iterations is 0"):
        make_strategy("kmedoids", iterations=0)
