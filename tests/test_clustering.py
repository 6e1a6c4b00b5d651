import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.cluster import KMeans

from jax_al.geometry import clustering
from jax_al.geometry.clustering import (
    kmeans,
    lloyd,
    mean_of,
    nearest_center,
    seed_clusters,
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


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("iterations", [1, 3, 50])
@pytest.mark.usefixtures("small_blocks")
def test_lloyd_is_scikit_learn_from_the_same_start(seed, iterations):
    points = blobs(seed, 60, 4, spread=2.0)
    start = points[:6]
    theirs = KMeans(6, init=start, n_init=1, max_iter=iterations, tol=0.0).fit(points)
    ours = lloyd(jnp.asarray(points), jnp.asarray(start), jnp.ones(6, bool), iterations=iterations)
    np.testing.assert_array_equal(ours.assignments, theirs.labels_)
    np.testing.assert_allclose(ours.centers, theirs.cluster_centers_, rtol=1e-5)
    np.testing.assert_allclose(ours.inertia, theirs.inertia_, rtol=1e-5)
    np.testing.assert_array_equal(ours.sizes, np.bincount(theirs.labels_, minlength=6))


def test_an_empty_cluster_moves_to_the_farthest_row_as_in_scikit_learn():
    points = np.float32([[0, 0], [0, 1], [1, 0], [9, 0], [9, 2], [30, 5]])
    start = np.float32([[0, 0], [9, 0], [500, 500], [600, 600]])
    theirs = KMeans(4, init=start, n_init=1, max_iter=20, tol=0.0).fit(points)
    ours = lloyd(jnp.asarray(points), jnp.asarray(start), jnp.ones(4, bool), iterations=20)
    np.testing.assert_array_equal(ours.assignments, theirs.labels_)
    np.testing.assert_allclose(ours.centers, theirs.cluster_centers_, rtol=1e-5)


@pytest.mark.usefixtures("small_blocks")
def test_masked_rows_are_assigned_but_do_not_count():
    points = blobs(0, 50, 3)
    mask = np.arange(50) % 3 > 0
    theirs = KMeans(4, init=points[mask][:4], n_init=1, tol=0.0).fit(points[mask])
    ours = lloyd(
        jnp.asarray(points),
        jnp.asarray(points[mask][:4]),
        jnp.ones(4, bool),
        iterations=50,
        mask=jnp.asarray(mask),
    )
    np.testing.assert_array_equal(ours.assignments, theirs.predict(points))
    np.testing.assert_allclose(ours.inertia, theirs.inertia_, rtol=1e-5)
    seeds = seed_clusters(
        jax.random.key(0), jnp.asarray(points), 50, max_clusters=50, mask=jnp.asarray(mask)
    ).rows
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
    found = kmeans(jax.random.key(0), jnp.asarray(points), 12, max_clusters=12, iterations=20)
    assert float(found.inertia) < 400 * 5 * 0.01**2 * 1.2


def test_a_traced_number_of_clusters_is_that_number():
    points = jnp.asarray(blobs(5, 80, 6))
    run = jax.jit(lambda k: kmeans(jax.random.key(2), points, k, max_clusters=9, iterations=5))
    for k in (1, 4, 9):
        sizes = np.asarray(run(k).sizes)
        assert (sizes[:k] > 0).all()
        assert (sizes[k:] == 0).all()
        assert sizes.sum() == 80


def test_equal_rows_make_one_cluster_and_no_rows_none():
    points = jnp.full((20, 3), 1e3) + jnp.arange(3.0)[None, :]
    found = kmeans(jax.random.key(0), points, 4, max_clusters=4, iterations=5)
    assert found.sizes.tolist() == [20, 0, 0, 0]
    assert float(found.inertia) == 0
    nobody = jnp.zeros(20, bool)
    found = kmeans(jax.random.key(0), points, 4, max_clusters=4, iterations=5, mask=nobody)
    assert found.sizes.tolist() == [0, 0, 0, 0]
    assert np.isfinite(found.inertia)


def test_as_many_clusters_as_distinct_rows_cover_them_all():
    points = jnp.repeat(jnp.asarray(blobs(2, 6, 6)), 3, axis=0)
    found = kmeans(jax.random.key(4), points, 10, max_clusters=10, iterations=5)
    assert sorted(found.sizes.tolist()) == [0] * 4 + [3] * 6
    np.testing.assert_allclose(found.inertia, 0, atol=1e-8)


@pytest.mark.usefixtures("small_blocks")
def test_seeds_know_which_of_them_is_the_nearest(monkeypatch):
    monkeypatch.setattr(clustering, "DRAWS", 8)  # so that it takes several rounds to draw them
    points, mask = blobs(4, 90, 9), jnp.arange(90) % 4 > 0
    seeds = seed_clusters(jax.random.key(5), jnp.asarray(points), 30, max_clusters=30, mask=mask)
    wide = points.astype(np.float64)
    sq = np.square(wide[:, None] - wide[np.asarray(seeds.rows)][None]).sum(axis=2)
    np.testing.assert_array_equal(seeds.assignments, sq.argmin(axis=1))
    np.testing.assert_allclose(seeds.sq_distances, sq.min(axis=1), rtol=1e-4, atol=1e-4)


def test_rows_scaled_when_read_are_rows_scaled_before():
    points = blobs(7, 80, 5)
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    points[3] = 0
    found, plain = (
        kmeans(jax.random.key(0), rows, 6, max_clusters=6, iterations=9)
        for rows in (unit_length(jnp.asarray(points)), jnp.asarray(points / lengths))
    )
    np.testing.assert_array_equal(found.assignments, plain.assignments)
    np.testing.assert_allclose(found.centers, plain.centers, atol=1e-6)


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


def clustered(points, exclude, scaled, iterations=9, K=8):
    mask = jnp.arange(len(points)) % 4 > 0

    def run(points, mask, exclude):
        rows = unit_length(points) if scaled else points
        key = jax.random.key(3)
        return kmeans(
            key, rows, K, max_clusters=K + 2, iterations=iterations, mask=mask, exclude=exclude
        )

    return jax.jit(run)(jnp.asarray(points), mask, exclude)


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
            one, other = getattr(found, name), getattr(expected, name)
            np.testing.assert_array_equal(one[there], other[there])
        for name in ("centers", "sizes", "inertia"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    counts = there & (np.arange(90) % 4 > 0)
    assert found.sizes.sum() == counts.sum()
    rows = points[there] / (np.linalg.norm(points[there], axis=1, keepdims=True) if scaled else 1)
    mean = mean_of(unit_length(jnp.asarray(points)) if scaled else jnp.asarray(points), exclude)
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("small_blocks")
def test_clusters_without_some_rows_are_those_of_the_others(seed):
    points, exclude = blobs(seed, 80, 6), np.random.default_rng(seed).random(80) < 0.4
    left = np.flatnonzero(~exclude)
    key = jax.random.key(seed)
    expected = kmeans(key, jnp.asarray(points[left]), 6, max_clusters=6, iterations=20)
    points[exclude] = np.nan
    found = kmeans(
        key,
        jnp.asarray(points),
        6,
        max_clusters=6,
        iterations=20,
        exclude=jnp.asarray(exclude),
    )
    np.testing.assert_array_equal(found.assignments[left], expected.assignments)
    np.testing.assert_array_equal(found.sizes, expected.sizes)
    np.testing.assert_allclose(found.centers, expected.centers, rtol=1e-5)
    np.testing.assert_allclose(found.inertia, expected.inertia, rtol=1e-5)


@pytest.mark.parametrize("scaled", [False, True])
def test_excluding_nobody_changes_no_bit(scaled):
    points = blobs(9, 1_797, 7)
    plain = clustered(points, None, scaled)
    found = clustered(points, np.zeros(1_797, bool), scaled)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_excluded_row_is_a_seed_and_of_nobody_there_is_no_cluster():
    points, exclude = blobs(1, 40, 4), np.arange(40) % 3 > 0
    points[exclude] = np.nan
    rows = jnp.asarray(points)
    seeds = seed_clusters(
        jax.random.key(0), rows, 40, max_clusters=40, exclude=jnp.asarray(exclude)
    ).rows
    assert sorted(seeds.tolist()) == [NOTHING] * 26 + np.flatnonzero(~exclude).tolist()
    nobody = kmeans(
        jax.random.key(0), rows, 4, max_clusters=4, iterations=5, exclude=jnp.ones(40, bool)
    )
    assert nobody.sizes.tolist() == [0, 0, 0, 0]
    assert float(nobody.inertia) == 0
    assert (mean_of(rows, jnp.ones(40, bool)) == 0).all()


@pytest.mark.usefixtures("small_blocks")
def test_the_nearest_center_is_the_nearest():
    points, centers = blobs(0, 33, 3), blobs(1, 5, 3)
    exists = jnp.array([True, True, False, True, True])
    found, sq_distances = nearest_center(jnp.asarray(points), jnp.asarray(centers), exists)
    wide = np.square(points[:, None].astype(np.float64) - centers[None]).sum(axis=2)
    wide[:, 2] = np.inf
    np.testing.assert_array_equal(found, wide.argmin(axis=1))
    np.testing.assert_allclose(sq_distances, wide.min(axis=1), rtol=1e-4)


def test_it_can_be_mapped_over_seeds():
    points = jnp.stack([jnp.asarray(blobs(seed, 40, 4)) for seed in range(3)])
    keys = jax.random.split(jax.random.key(0), 3)
    run = jax.jit(lambda key, points: kmeans(key, points, 5, max_clusters=5, iterations=9))
    together = jax.vmap(run)(keys, points)
    for i in range(3):
        np.testing.assert_array_equal(together.assignments[i], run(keys[i], points[i]).assignments)


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
    labels = jnp.array([0, 0, 0, 1, 1, 2, 2])
    scores = jnp.array([1.0, 3.0, 3.0, 5.0, 9.0, 7.0, 7.0])
    offered = jnp.array([True, True, True, False, True, True, True])
    turn = jnp.array([2, 0, 1])
    picks = take_turns(labels, scores, offered, turn, 8)
    assert picks.tolist() == [4, 5, 1, 6, 2, 0, NOTHING, NOTHING]
    last = jnp.array([False, True, False])
    assert take_turns(labels, scores, offered, turn, 5, last).tolist() == [5, 1, 6, 2, 0]
