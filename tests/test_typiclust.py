import pathlib

import asking
import jax
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.geometry.clustering import Clusters
from jax_al.strategies import make_strategy
from jax_al.strategies.typiclust import typicality

GOLDEN = pathlib.Path(__file__).with_name("golden") / "typiclust.npz"


def asked(points, labeled, budget, *, normalize=False, **options):
    pool = asking.pool_of(len(points), labeled)
    signals, options = {"embedding": points}, {"normalize": normalize} | options
    query = asking.ask("typiclust", signals, pool, budget, **options)
    return query.indices.tolist(), query.info


def test_it_picks_what_scikit_activeml_picks():
    golden = np.load(GOLDEN)
    picks, info = asked(golden["points"], golden["labeled"], 4, neighbors=5, iterations=20)
    assert picks == golden["picks"].tolist()
    assert info["uncovered_clusters"] == 5


def typical(points, labels, members, neighbors):
    """As the published code has it, but for the root: of squared distances it takes the mean."""
    found = np.zeros(len(points))
    for i in np.flatnonzero(members):
        own = np.flatnonzero(members & (labels == labels[i]) & (np.arange(len(points)) != i))
        near = np.sort(np.linalg.norm(points[own].astype(np.float64) - points[i], axis=1))
        if len(own):
            found[i] = 1 / (near[: min(neighbors, (len(own) + 1) // 2)].mean() + 1e-5)
    return found


def typicality_of(points, labels, members, neighbors):
    """As it is compiled for users: rounding is looked at."""
    K = int(labels.max()) + 1
    centers = np.stack([points[labels == k].mean(axis=0) for k in range(K)])
    rest = np.zeros(K, np.int32), np.zeros(0, np.float32), np.float32(0)
    clusters = Clusters(labels.astype(np.int32), centers, *rest)
    return np.asarray(jax.jit(typicality, static_argnums=3)(points, clusters, members, neighbors))


@pytest.mark.parametrize("neighbors", [1, 4, 30])
def test_typicality_is_that_of_the_paper(neighbors):
    rng = np.random.default_rng(neighbors)
    points = rng.normal(size=(25, 3)).astype(np.float32)
    clusters, members = rng.integers(0, 3, 25), rng.random(25) < 0.8
    clusters[0], members[0] = 3, True  # alone
    found = typicality_of(points, clusters, members, neighbors)
    np.testing.assert_allclose(found, typical(points, clusters, members, neighbors), rtol=1e-4)


def test_typicality_where_points_are_dense_is_no_rounding_noise():
    # Two far heaps: distances within are a thousandth of the rounding that |a|^2 + |b|^2 leaves.
    rng = np.random.default_rng(0)
    heaps = np.repeat([[1.0], [-1.0]], 30, axis=0) / 8
    spread = rng.uniform(0.2, 5, (60, 1)) * 1e-5
    points = (heaps + spread * rng.normal(size=(60, 64))).astype(np.float32)
    labels, members = np.repeat([0, 1], 30), np.ones(60, bool)
    found, expected = (
        typicality_of(points, labels, members, 20),
        typical(points, labels, members, 20),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    for own in (slice(0, 30), slice(30, 60)):
        assert found[own].argmax() == expected[own].argmax()


def test_duplicates_in_a_wide_cluster_are_as_dense_as_can_be():
    points = np.random.default_rng(1).normal(size=(20, 40)).astype(np.float32)
    points = np.concatenate([points, points[:1], points[:1]])
    found = typicality_of(points, np.zeros(22, int), np.ones(22, bool), 2)
    np.testing.assert_allclose(found[[0, 20, 21]], 1e5, rtol=1e-6)
    assert found[1:20].max() < 1


def test_tiny_clusters_come_last_and_covered_ones_after_uncovered_ones():
    # Clusters of 7 (labeled), 6 and 2 points on a line.
    places = np.concatenate([np.linspace(0, 1, 7), np.linspace(50, 51, 6), [100.0, 101.0]])
    points = places[:, None]
    picks, _ = asked(points, [0], 14, max_clusters=3, iterations=20, neighbors=2)
    cluster = np.array([0] * 7 + [1] * 6 + [2] * 2)[picks]
    assert cluster.tolist() == [1, 0] * 6 + [2, 2]
    assert sorted(picks) == list(range(1, 15))


def test_scaled_embeddings_know_only_the_direction():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(40, 3))
    picks = [
        asked(p, [], 6, normalize=True)[0]
        for p in (points, points * 2.0 ** rng.integers(-3, 4, (40, 1)))
    ]
    assert picks[0] == picks[1]


@pytest.mark.parametrize("option", ["max_clusters", "neighbors"])
def test_options_must_be_positive(option):
    with pytest.raises(UsageError, match=f"^{option} is 0"):
        make_strategy("typiclust", **{option: 0})
