import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.base import Signals, UsageError, empty_pool, label_points
from jax_al.strategies import make_strategy
from jax_al.strategies.typiclust import typicality

GOLDEN = pathlib.Path(__file__).with_name("golden") / "typiclust.npz"


def pool_of(N, labeled):
    indices = jnp.array(labeled, jnp.int32)
    return label_points(empty_pool(N, N), indices, jnp.zeros_like(indices))


def asked(points, labeled, budget, key=0, **options):
    points = jnp.asarray(points, jnp.float32)
    select = make_strategy("typiclust", normalize=False, **options).select
    query = select(
        jax.random.key(key), Signals(embedding=points), pool_of(len(points), labeled), budget
    )
    return query.indices.tolist(), query.info


def test_it_picks_what_scikit_activeml_picks():
    golden = np.load(GOLDEN)
    picks, info = asked(golden["points"], golden["labeled"], 4, neighbors=5, iterations=20)
    assert picks == golden["picks"].tolist()
    assert info["uncovered_clusters"] == 5


@pytest.mark.parametrize("neighbors", [1, 4, 30])
def test_typicality_is_that_of_the_paper(neighbors):
    rng = np.random.default_rng(neighbors)
    points = rng.normal(size=(25, 3)).astype(np.float32)
    clusters, members = rng.integers(0, 3, 25), rng.random(25) < 0.8
    clusters[0], members[0] = 3, True  # alone
    found = typicality(
        jnp.asarray(points), jnp.asarray(clusters, jnp.int32), jnp.asarray(members), neighbors, 4
    )
    for i in np.flatnonzero(members):
        own = np.flatnonzero(members & (clusters == clusters[i]) & (np.arange(25) != i))
        near = np.sort(np.linalg.norm(points[own].astype(np.float64) - points[i], axis=1))
        expected = 1 / near[:neighbors].mean() if len(own) else 0
        np.testing.assert_allclose(found[i], expected, rtol=1e-4)


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
    select = make_strategy("typiclust").select
    picks = [
        select(
            jax.random.key(0), Signals(embedding=jnp.asarray(p, jnp.float32)), pool_of(40, []), 6
        )
        for p in (points, points * 2.0 ** rng.integers(-3, 4, (40, 1)))
    ]
    assert picks[0].indices.tolist() == picks[1].indices.tolist()


@pytest.mark.parametrize("option", ["max_clusters", "neighbors"])
def test_options_must_be_positive(option):
    with pytest.raises(UsageError, match=f"config.strategy_args.{option} is 0"):
        make_strategy("typiclust", **{option: 0})
