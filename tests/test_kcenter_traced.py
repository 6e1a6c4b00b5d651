"""The traced greedy k-center against a float64 brute force: jit, vmap, strict promotion."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jax_al.kcenter import greedy_k_center

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

pick = jax.jit(greedy_k_center, static_argnums=3)


def padded(initial, K):
    return jnp.asarray(list(initial) + [-1] * (K - len(initial)), jnp.int32)


def brute_force(points, initial, num_picks):
    """Greedy in float64 by direct differences; picks, squared distances, final squared radius."""
    x = np.asarray(points, np.float64)
    chosen = np.zeros(len(x), bool)
    nearest = np.full(len(x), np.inf)
    for c in initial:
        chosen[c] = True
        nearest = np.minimum(nearest, ((x - x[c]) ** 2).sum(1))
    picks, sq = [], []
    for _ in range(num_picks):
        score = ((x - x.mean(0)) ** 2).sum(1) if np.isinf(nearest[0]) else nearest
        best = int(np.argmax(np.where(chosen, -1.0, score)))
        picks.append(best)
        sq.append(nearest[best])
        chosen[best] = True
        nearest = np.minimum(nearest, ((x - x[best]) ** 2).sum(1))
    return np.array(picks), np.array(sq), nearest.max()


def assert_greedy(points, initial, result, rtol=1e-5):
    """Every pick is, given the picks before it, within `rtol` of the best in float64."""
    x = np.asarray(points, np.float64)
    indices = np.asarray(result.indices)
    assert len(set(indices) | set(initial)) == len(indices) + len(initial)
    nearest = np.full(len(x), np.inf)
    for c in initial:
        nearest = np.minimum(nearest, ((x - x[c]) ** 2).sum(1))
    for i, sq in zip(indices, np.asarray(result.sq_distances), strict=True):
        if np.isinf(nearest[0]):
            spread = ((x - x.mean(0)) ** 2).sum(1)
            assert spread[i] >= spread.max() * (1 - rtol)
            assert np.isinf(sq)
        else:
            assert nearest[i] >= nearest.max() * (1 - rtol)
            np.testing.assert_allclose(sq, nearest[i], rtol=rtol)
        nearest = np.minimum(nearest, ((x - x[i]) ** 2).sum(1))
    np.testing.assert_allclose(result.sq_radius, nearest.max(), rtol=rtol)


@pytest.mark.parametrize("num_initial", [0, 1, 7, 300])
def test_equals_brute_force(num_initial):
    rng = np.random.default_rng(0)
    points = (rng.standard_normal((600, 17)) + 3).astype(np.float32)
    initial = rng.permutation(600)[:num_initial]
    result = pick(points, padded(initial, 300), num_initial, 40)
    indices, sq, sq_radius = brute_force(points, initial, 40)
    np.testing.assert_array_equal(result.indices, indices)
    np.testing.assert_allclose(result.sq_distances, sq, rtol=1e-5)
    np.testing.assert_allclose(result.sq_radius, sq_radius, rtol=1e-5)


@pytest.mark.parametrize("relative", [1e-6, 1e-5, 3e-4])
def test_near_duplicates_of_centers_are_not_mistaken(relative):
    rng = np.random.default_rng(1)
    base = rng.standard_normal((50, 64)) * 10 + 100
    near = np.repeat(base, 4, 0) * (1 + relative * rng.standard_normal((200, 64)))
    points = np.concatenate([base, near]).astype(np.float32)
    initial = np.arange(50)
    result = pick(points, padded(initial, 50), 50, 200)
    assert_greedy(points, initial, result)
    assert np.all(np.diff(result.sq_distances) <= 0)


def test_ties_go_to_the_lowest_index():
    points = np.stack(np.meshgrid(*[np.arange(6)] * 3), -1).reshape(-1, 3).astype(np.float32)
    for initial in ([], [0], [5, 77]):
        result = pick(points, padded(initial, 2), len(initial), 100)
        np.testing.assert_array_equal(result.indices, brute_force(points, initial, 100)[0])


def test_all_equal_points_come_in_index_order():
    result = pick(jnp.ones((20, 3)), padded([4], 3), 1, 19)
    np.testing.assert_array_equal(result.indices, [i for i in range(20) if i != 4])
    np.testing.assert_array_equal(result.sq_distances, 0)


def test_pads_when_nothing_is_left():
    points = np.random.default_rng(2).standard_normal((10, 3)).astype(np.float32)
    result = pick(points, padded([3, 1], 5), 2, 12)
    assert sorted(result.indices[:8].tolist()) == [0, 2, 4, 5, 6, 7, 8, 9]
    np.testing.assert_array_equal(result.indices[8:], -1)
    np.testing.assert_array_equal(result.sq_distances[8:], 0)
    assert result.sq_radius == 0


def test_vmap_over_seeds_equals_one_at_a_time():
    rng = np.random.default_rng(3)
    points = rng.standard_normal((3, 200, 8)).astype(np.float32)
    centers = jnp.stack([padded([5, 6, 7], 6), padded([], 6), padded([9], 6)])
    counts = jnp.asarray([3, 0, 1], jnp.int32)
    together = jax.jit(jax.vmap(functools.partial(greedy_k_center, num_picks=30)))(
        points, centers, counts
    )
    for s in range(3):
        alone = pick(points[s], centers[s], counts[s], 30)
        np.testing.assert_array_equal(together.indices[s], alone.indices)


def test_one_compile_whatever_the_count():
    points = np.random.default_rng(4).standard_normal((50, 2)).astype(np.float32)
    traces = []

    @functools.partial(jax.jit, static_argnums=3)
    def counted(points, centers, count, num_picks):
        traces.append(1)
        return greedy_k_center(points, centers, count, num_picks)

    for count in (0, 3, 10):
        counted(points, padded(range(count), 10), jnp.int32(count), 5)
    assert len(traces) == 1


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_pool(data):
    rows = st.lists(st.sampled_from([-2.0, 0.0, 1e-4, 1.0, 1.0001, 1e3]), min_size=2, max_size=2)
    pool = data.draw(st.lists(rows, min_size=1, max_size=24))
    # One shape, so one compile: the rest of the 24 rows repeats the first.
    points = np.array(pool + [pool[0]] * (24 - len(pool)), np.float32)
    initial = data.draw(st.lists(st.integers(0, 23), unique=True, max_size=6))
    assert_greedy(points, initial, pick(points, padded(initial, 6), len(initial), 18))
