import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.cluster import KMeans

from jax_al.geometry import clustering
from jax_al.geometry.clustering import kmeans, lloyd, nearest_center, seed_clusters
from jax_al.geometry.vectors import (
    mean_of,
    rows_at,
    rows_from,
    shape_of,
    sq_between,
    unit_length,
)
from jax_al.strategies import members as of_clusters
from jax_al.strategies.members import fold_within, take_turns
from jax_al.types import NOTHING


def blobs(seed, num_points, num_blobs, D=5, spread=0.3):
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(num_blobs, D)) * 3 + 7
    labels = rng.integers(0, num_blobs, num_points)
    return np.float32(middles[labels] + spread * rng.normal(size=(num_points, D)))


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(clustering, "ROWS", 7)


def jitted(function, *static):
    """`function` as one program for all calls of equal shapes and equal sizes of blocks."""

    @functools.partial(jax.jit, static_argnames=("sizes", *static))
    def program(*arguments, sizes, **named):
        del sizes
        return function(*arguments, **named)

    def called(*arguments, **named):
        return program(*arguments, sizes=(clustering.ROWS, clustering.DRAWS), **named)

    return called


def of_all_or_scaled(key, points, num_clusters, *, scaled=False, **named):
    return kmeans(key, unit_length(points) if scaled else points, num_clusters, **named)


kmeans_of = jitted(of_all_or_scaled, "scaled", "max_clusters", "iterations")
lloyd_of = jitted(lloyd, "iterations")
seeds_of = jitted(seed_clusters, "max_clusters")
mean_jitted = jitted(
    lambda points, exclude, scaled: mean_of(unit_length(points) if scaled else points, exclude),
    "scaled",
)
FEW = {"max_clusters": 10, "iterations": 9}  # of 80 rows: what most tests ask, so one program


@pytest.mark.as_for_users
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("iterations", [1, 50])
@pytest.mark.usefixtures("small_blocks")
def test_lloyd_is_scikit_learn_from_the_same_start(seed, iterations):
    points = blobs(seed, 60, 4, spread=2.0)
    start = points[:6]
    theirs = KMeans(6, init=start, n_init=1, max_iter=iterations, tol=0.0).fit(points)
    ours = lloyd_of(points, start, np.ones(6, bool), iterations=iterations)
    np.testing.assert_array_equal(ours.assignments, theirs.labels_)
    np.testing.assert_allclose(ours.centers, theirs.cluster_centers_, rtol=1e-5)
    np.testing.assert_allclose(ours.inertia, theirs.inertia_, rtol=1e-5)
    np.testing.assert_array_equal(ours.sizes, np.bincount(theirs.labels_, minlength=6))


@pytest.mark.as_for_users
def test_an_empty_cluster_moves_to_the_farthest_row_as_in_scikit_learn():
    points = np.float32([[0, 0], [0, 1], [1, 0], [9, 0], [9, 2], [30, 5]])
    start = np.float32([[0, 0], [9, 0], [500, 500], [600, 600]])
    theirs = KMeans(4, init=start, n_init=1, max_iter=20, tol=0.0).fit(points)
    ours = lloyd_of(points, start, np.ones(4, bool), iterations=20)
    np.testing.assert_array_equal(ours.assignments, theirs.labels_)
    np.testing.assert_allclose(ours.centers, theirs.cluster_centers_, rtol=1e-5)


@pytest.mark.usefixtures("small_blocks")
def test_masked_rows_are_assigned_but_do_not_count():
    points = blobs(0, 50, 3)
    mask = np.arange(50) % 3 > 0
    theirs = KMeans(4, init=points[mask][:4], n_init=1, tol=0.0).fit(points[mask])
    ours = lloyd_of(points, points[mask][:4], np.ones(4, bool), iterations=50, mask=mask)
    np.testing.assert_array_equal(ours.assignments, theirs.predict(points))
    np.testing.assert_allclose(ours.inertia, theirs.inertia_, rtol=1e-5)
    seeds = seeds_of(jax.random.key(0), points, 50, max_clusters=50, mask=mask).rows
    assert sorted(seeds.tolist()) == [NOTHING] * 17 + np.flatnonzero(mask).tolist()


def test_seeds_follow_the_law_of_kmeans_plus_plus():
    points = np.float32([[0.0], [1.0], [3.0], [7.0]])
    draw = jax.jit(
        jax.vmap(lambda key: seed_clusters(key, jnp.asarray(points), 3, max_clusters=3).rows)
    )
    keys = 4000
    seeds = np.asarray(draw(jax.random.split(jax.random.key(1), keys)))
    chance = np.zeros((4, 4, 4))
    for a in range(4):
        first = np.square(points[:, 0] - points[a, 0])
        for b in np.flatnonzero(first):
            second = np.minimum(first, np.square(points[:, 0] - points[b, 0]))
            chance[a, b] = 0.25 * first[b] / first.sum() * second / second.sum()
    found = np.zeros((4, 4, 4))
    np.add.at(found, tuple(seeds.T), 1)
    possible = chance > 0
    assert (found[~possible] == 0).all()
    sq = np.square(found - keys * chance)[possible] / (keys * chance[possible])
    assert sq.sum() < 2.5 * possible.sum()  # 24 of them: 23 expected, 46 in one of 300 tries


@pytest.mark.usefixtures("small_blocks")
def test_seeds_find_every_blob():
    points = blobs(3, 400, 12, spread=0.01)
    found = kmeans_of(jax.random.key(0), points, 12, max_clusters=12, iterations=20)
    assert float(found.inertia) < 400 * 5 * 0.01**2 * 1.2


def test_a_traced_number_of_clusters_is_that_number():
    points = blobs(5, 80, 6)
    for k in (1, 4, 10):
        sizes = np.asarray(kmeans_of(jax.random.key(2), points, k, **FEW).sizes)
        assert (sizes[:k] > 0).all()
        assert (sizes[k:] == 0).all()
        assert sizes.sum() == 80


def test_equal_rows_make_one_cluster_and_no_rows_none():
    points = np.tile(np.float32(1e3) + np.arange(5, dtype=np.float32), (80, 1))
    found = kmeans_of(jax.random.key(0), points, 4, **FEW)
    assert found.sizes.tolist() == [80] + [0] * 9
    assert float(found.inertia) == 0
    points = np.tile(points[:1], (1_797, 1))
    found = clustered(points, None, False, mask=np.zeros(1_797, bool))
    assert found.sizes.tolist() == [0] * 10
    assert np.isfinite(found.inertia)


def test_as_many_clusters_as_distinct_rows_cover_them_all():
    points = np.repeat(blobs(2, 8, 6), 10, axis=0)
    found = kmeans_of(jax.random.key(4), points, 10, **FEW)
    assert sorted(found.sizes.tolist()) == [0] * 2 + [10] * 8
    np.testing.assert_allclose(found.inertia, 0, atol=1e-8)


@pytest.mark.usefixtures("small_blocks")
def test_seeds_know_which_of_them_is_the_nearest(monkeypatch):
    monkeypatch.setattr(clustering, "DRAWS", 8)  # so that it takes several rounds to draw them
    points, mask = blobs(4, 90, 9), np.arange(90) % 4 > 0
    seeds = seeds_of(jax.random.key(5), points, 30, max_clusters=30, mask=mask)
    wide = points.astype(np.float64)
    sq = np.square(wide[:, None] - wide[np.asarray(seeds.rows)][None]).sum(axis=2)
    np.testing.assert_array_equal(seeds.assignments, sq.argmin(axis=1))
    np.testing.assert_allclose(seeds.sq_distances, sq.min(axis=1), rtol=1e-4, atol=1e-4)


@pytest.mark.as_for_users
@pytest.mark.usefixtures("small_blocks")
def test_rows_scaled_when_read_are_rows_scaled_before():
    points = blobs(7, 90, 5)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    points[3] = 0
    found, plain = (
        clustered(rows, None, scaled)
        for rows, scaled in ((points, True), (points / lengths, False))
    )
    np.testing.assert_array_equal(found.assignments, plain.assignments)
    np.testing.assert_allclose(found.centers[:8], plain.centers[:8], atol=1e-6)


def test_rows_and_what_is_between_them_are_those_of_numpy():
    points = blobs(6, 30, 4)
    points[3] = 0
    lengths = np.linalg.norm(points.astype(np.float64), axis=1, keepdims=True)
    unit = points / np.where(lengths > 0, lengths, 1)
    for rows, wide in ((jnp.asarray(points), points), (unit_length(jnp.asarray(points)), unit)):
        assert shape_of(rows) == (30, 5)
        np.testing.assert_allclose(mean_of(rows), wide.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(rows_from(rows, 7, 4), wide[7:11], rtol=1e-6)
        some = np.array([[29, 3], [0, 3]])
        np.testing.assert_allclose(rows_at(rows, some), wide[some], rtol=1e-6)
    a, b = points[:12], points[8:]
    wide = np.square(a[:, None].astype(np.float64) - b[None]).sum(axis=2)
    np.testing.assert_allclose(sq_between(a, b), wide, rtol=1e-4, atol=1e-3)
    assert (sq_between(a, b) >= 0).all()


@pytest.mark.as_for_users
def test_no_copy_of_the_pool_is_made():
    """At N = 10^6, from the compiler alone: the rows take 2 GB, and little is asked for more."""

    def run(key, points, exclude=None):
        points = unit_length(points)
        return kmeans(key, points, 100, max_clusters=100, iterations=2, exclude=exclude)

    points = jax.ShapeDtypeStruct((1_000_000, 512), jnp.float32)
    exclude = jax.ShapeDtypeStruct((1_000_000,), bool)
    for absent in ([], [exclude]):
        compiled = jax.jit(run).lower(jax.random.key(0), points, *absent).compile()
        assert compiled.memory_analysis().temp_size_in_bytes < 200e6


def clustered(points, exclude, scaled, mask=None, seed=3, num_clusters=8):
    """The clusters, where by default every fourth row does not count."""
    mask = np.arange(len(points)) % 4 > 0 if mask is None else mask
    named = {"mask": mask, "exclude": exclude, "scaled": scaled}
    return kmeans_of(jax.random.key(seed), points, num_clusters, **named, **FEW)


@pytest.mark.as_for_users
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.usefixtures("small_blocks")
def test_what_excluded_rows_hold_shows_nowhere(scaled):
    points, exclude = blobs(8, 90, 5), np.random.default_rng(0).random(90) < 0.3
    exclude[0] = True  # it stands where there is no seed
    there = ~exclude
    points[exclude] = 0
    expected = clustered(points, exclude, scaled)
    for held in (np.nan, np.inf, 1e20):
        points[exclude] = held
        found = clustered(points, exclude, scaled)
        for name in ("assignments", "sq_distances"):
            one, other = np.asarray(getattr(found, name)), np.asarray(getattr(expected, name))
            np.testing.assert_array_equal(one[there], other[there])
        for name in ("centers", "sizes", "inertia"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    counts = there & (np.arange(90) % 4 > 0)
    assert found.sizes.sum() == counts.sum()
    rows = points[there] / (np.linalg.norm(points[there], axis=1, keepdims=True) if scaled else 1)
    mean = mean_jitted(points, exclude, scaled=scaled)
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-5)


@pytest.mark.as_for_users
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("small_blocks")
def test_clusters_without_some_rows_are_those_of_the_others(seed):
    points, exclude = blobs(seed, 90, 6), np.random.default_rng(seed).permutation(90) < 36
    left = np.flatnonzero(~exclude)
    expected = kmeans_of(jax.random.key(seed), points[left], 6, **FEW)
    points[exclude] = np.nan
    found = clustered(points, exclude, False, np.ones(90, bool), seed, 6)
    np.testing.assert_array_equal(np.asarray(found.assignments)[left], expected.assignments)
    np.testing.assert_array_equal(found.sizes, expected.sizes)
    np.testing.assert_allclose(found.centers[:6], expected.centers[:6], rtol=1e-5)
    np.testing.assert_allclose(found.inertia, expected.inertia, rtol=1e-5)


@pytest.mark.as_for_users
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.usefixtures("small_blocks")
def test_excluding_nobody_changes_no_bit(scaled):
    points = blobs(9, 90, 7)
    plain = clustered(points, None, scaled)
    found = clustered(points, np.zeros(90, bool), scaled)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_excluded_row_is_a_seed_and_of_nobody_there_is_no_cluster():
    points, exclude = blobs(1, 40, 4), np.arange(40) % 3 > 0
    points[exclude] = np.nan
    seeds = seeds_of(jax.random.key(0), points, 40, max_clusters=40, exclude=exclude).rows
    assert sorted(seeds.tolist()) == [NOTHING] * 26 + np.flatnonzero(~exclude).tolist()
    points, everybody = np.full((1_797, 5), np.nan, np.float32), np.ones(1_797, bool)
    nobody = clustered(points, everybody, False, everybody)
    assert nobody.sizes.tolist() == [0] * 10
    assert float(nobody.inertia) == 0
    # Outside of a program, where it is asked of a whole pool.
    assert (mean_of(jnp.asarray(points), jnp.asarray(everybody)) == 0).all()


@pytest.mark.usefixtures("small_blocks")
def test_the_nearest_center_is_the_nearest():
    points, centers = blobs(0, 33, 3), blobs(1, 5, 3)
    exists = np.array([True, True, False, True, True])
    found, sq_distances = jitted(nearest_center)(points, centers, exists)
    wide = np.square(points[:, None].astype(np.float64) - centers[None]).sum(axis=2)
    wide[:, 2] = np.inf
    np.testing.assert_array_equal(found, wide.argmin(axis=1))
    np.testing.assert_allclose(sq_distances, wide.min(axis=1), rtol=1e-4)


@pytest.mark.as_for_users
def test_it_can_be_mapped_over_seeds():
    points = np.stack([blobs(seed, 80, 4) for seed in range(3)])
    keys = jax.random.split(jax.random.key(0), 3)
    run = jax.jit(jax.vmap(lambda key, points: kmeans(key, points, 5, **FEW)))
    together = run(keys, points)
    for i in range(3):
        alone = kmeans_of(keys[i], points[i], 5, **FEW)
        np.testing.assert_array_equal(together.assignments[i], alone.assignments)


@pytest.mark.parametrize("within", [2, 5, 100])
def test_every_member_meets_every_other_of_its_cluster_once(monkeypatch, within):
    monkeypatch.setattr(of_clusters, "WITHIN", within)
    rng = np.random.default_rng(within)
    points = rng.normal(size=(30, 4)).astype(np.float32)
    labels, members = rng.integers(0, 4, 30), rng.random(30) < 0.7
    found = jax.jit(
        lambda: fold_within(
            jnp.asarray(points),
            jnp.asarray(points[:4]),
            jnp.asarray(labels, jnp.int32),
            jnp.asarray(members),
            lambda carry, sq, new, rows: (
                carry[0] + jnp.where(new, sq, 0.0).sum(axis=1),
                carry[1] + new.sum(axis=1),
                carry[2] + jnp.where(new, rows[None, :], 0).sum(axis=1),
            ),
            (jnp.float32(0), jnp.int32(0), jnp.int32(0)),
        )
    )()
    pairs = (labels[:, None] == labels) & members[:, None] & members & ~np.eye(30, dtype=bool)
    sq = np.square(points[:, None] - points[None]).sum(axis=2)
    np.testing.assert_allclose(found[0], (sq * pairs).sum(axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found[1], pairs.sum(axis=1))
    np.testing.assert_array_equal(found[2], pairs @ np.arange(30))


def test_clusters_take_turns():
    take = jax.jit(lambda *given: take_turns(jax.random.key(0), *given)[0], static_argnums=4)
    labels = np.int32([0, 0, 0, 1, 1, 2, 2])
    scores = np.float32([1.0, 3.0, 2.0, 5.0, 9.0, 7.0, 6.0])
    offered = np.array([True, True, True, False, True, True, True])
    turn = np.int32([2, 0, 1])
    assert take(labels, scores, offered, turn, 8).tolist() == [4, 5, 1, 6, 2, 0, NOTHING, NOTHING]
    last = np.array([False, True, False])
    assert take(labels, scores, offered, turn, 5, last).tolist() == [5, 1, 6, 2, 0]


def test_chance_decides_between_equals_of_a_cluster():
    labels, turn = np.zeros(9, np.int32), np.int32([0])
    take = jax.jit(lambda key: take_turns(key, labels, jnp.zeros(9), labels == 0, turn, 2))
    found = [np.asarray(take(jax.random.key(seed))[0]).tolist() for seed in range(30)]
    assert {pick for picks in found for pick in picks} == set(range(9))
    assert all(len(set(picks)) == 2 for picks in found)
