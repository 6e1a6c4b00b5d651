"""Greedy k-center in all its forms against a float64 brute force."""

import functools

import asking
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from jax_al.geometry.kcenter import distances as dist
from jax_al.geometry.kcenter import kcenter_greedy, kcenter_greedy_traced
from jax_al.geometry.kcenter.distances import sq_accurate, sq_accurate_host
from jax_al.geometry.kcenter.engine import front
from jax_al.geometry.kcenter.lazy import lazy_greedy
from jax_al.geometry.kcenter.points import Points

# What most tests ask for, so that they share the programs of a form.
N, D, Q = 200, 4, 150
jitted = jax.jit(kcenter_greedy_traced, static_argnums=3)


def lazy(points, num_picks, initial, block=None):
    if block is None:
        result = kcenter_greedy(points, num_picks, initial)
        return result.indices, result.distances**2, result.radius**2
    matrix = Points(points)
    first = matrix.farthest_from_mean()
    result = lazy_greedy(matrix, np.asarray(initial, int), num_picks, first, block=block)
    return result.indices, result.sq_distances, result.sq_radius


def traced(points, num_picks, initial):
    result = jitted(points, *as_centers(initial), num_picks)
    return tuple(np.asarray(part) for part in result)


def as_centers(initial):
    """The centers among few lengths, so that few programs are compiled, and their number."""
    room = 64 if len(initial) <= 64 else 960
    return np.array([*initial, *[-1] * (room - len(initial))], np.int32), np.int32(len(initial))


FORMS = {"lazy": lazy, "lazy, small blocks": functools.partial(lazy, block=64), "traced": traced}
every_form = pytest.mark.parametrize("greedy", FORMS.values(), ids=FORMS.keys())


def sq_to(x, row):
    return np.square(x - x[row]).sum(axis=1)


def brute_force(points, num_picks, initial):
    """Greedy by float64 differences; ties to the lowest index."""
    x = np.asarray(points, np.float64)
    nearest = np.full(len(x), np.inf)
    chosen = np.zeros(len(x), bool)
    picks, sq_distances = [], []
    for row in initial:
        nearest = np.minimum(nearest, sq_to(x, row))
        chosen[row] = True
    for _ in range(num_picks):
        score = np.square(x - x.mean(axis=0)).sum(axis=1) if np.isinf(nearest[0]) else nearest
        best = int(np.argmax(np.where(chosen, -1, score)))
        picks.append(best)
        sq_distances.append(nearest[best])
        nearest = np.minimum(nearest, sq_to(x, best))
        chosen[best] = True
    return np.array(picks), np.array(sq_distances), nearest.max()


def assert_greedy(points, initial, result, rtol=1e-5):
    """Given the picks before it, every pick is within `rtol` of the best, in float64."""
    x = np.asarray(points, np.float64)
    indices, sq_distances, sq_radius = result
    assert len({*indices.tolist(), *initial}) == len(indices) + len(initial)
    assert np.all(np.diff(sq_distances[np.isfinite(sq_distances)]) <= 0)
    nearest = np.full(len(x), np.inf)
    for row in initial:
        nearest = np.minimum(nearest, sq_to(x, row))
    for row, sq in zip(indices, sq_distances, strict=True):
        score = np.square(x - x.mean(axis=0)).sum(axis=1) if np.isinf(nearest[0]) else nearest
        assert score[row] >= score.max() * (1 - rtol)
        np.testing.assert_allclose(sq, nearest[row], rtol=rtol, atol=1e-37)
        nearest = np.minimum(nearest, sq_to(x, row))
    np.testing.assert_allclose(sq_radius, nearest.max(), rtol=rtol, atol=1e-37)


def assert_same_as_brute_force(greedy, points, num_picks, initial):
    indices, sq_distances, sq_radius = greedy(points, num_picks, initial)
    expected = brute_force(points, num_picks, initial)
    np.testing.assert_array_equal(indices, expected[0])
    np.testing.assert_allclose(sq_distances, expected[1], rtol=1e-5)
    np.testing.assert_allclose(sq_radius, expected[2], rtol=1e-5)


@functools.cache
def digits_embedding():
    """A ReLU layer over real images."""
    images = load_digits().data.astype(np.float32) / 16
    weights = np.random.default_rng(0).standard_normal((64, 96)).astype(np.float32)
    return np.maximum(images @ weights, 0)


@every_form
@pytest.mark.parametrize("num_initial", [0, 1, 40, 900])
def test_real_embeddings(greedy, num_initial):
    points = digits_embedding()
    initial = np.random.default_rng(1).permutation(len(points))[:num_initial]
    assert_same_as_brute_force(greedy, points, 300, initial)


@every_form
@pytest.mark.parametrize("D", [1, 2048])
def test_any_dimension(greedy, D):
    points = np.random.default_rng(2).standard_normal((300, D)).astype(np.float32) + 5
    assert_same_as_brute_force(greedy, points, 100, [])
    assert_same_as_brute_force(greedy, points, 100, [7, 8, 250])


@every_form
def test_heavy_tails(greedy):
    points = np.random.default_rng(3).standard_t(1, (N, D)).astype(np.float32)
    assert_same_as_brute_force(greedy, points, Q, [])
    assert_same_as_brute_force(greedy, points, Q, [3, 4])


@every_form
def test_far_from_the_origin(greedy):
    points = np.random.default_rng(4).standard_normal((N, D)).astype(np.float32) + 3e4
    assert_same_as_brute_force(greedy, points, Q, [0, 9])


def awkward():
    """Pools [N, D] on which a careless sum, bound or comparison goes wrong, by name."""
    rng = np.random.default_rng(12)
    cloud = rng.standard_normal((N, D))
    half = np.arange(N)[:, None] < N // 2
    return {
        "a tiny spread far out": 1e6 + cloud / 2,
        "two clouds far apart": cloud + 1e6 * half,
        "two huge outliers": np.concatenate([[[1e15] * D, [-1e15] * D], cloud[2:]]),
        "tiny": cloud * 1e-18,
        "too tiny to tell apart": cloud * 1e-25,
        "every magnitude": np.geomspace(1e-12, 1e12, N)[:, None] * np.sign(cloud),
        "zeros of both signs": np.where(cloud > 0.5, 1.0, np.where(cloud > 0, 0.0, -0.0)),
        "few bytes": rng.integers(0, 3, (N, D)),
        "opposites": np.concatenate([np.eye(N // 2, D), -np.eye(N // 2, D)]) / 10,
        "near its centers": np.concatenate([cloud[: N // 4]] * 4) * (1 + 1e-6 * cloud[::-1]),
    }


@every_form
@pytest.mark.parametrize("name", awkward().keys())
@pytest.mark.parametrize("initial", [[], [0, 1, 199]])
def test_awkward_numbers(greedy, name, initial):
    points = awkward()[name].astype(np.float32)
    indices, sq_distances, sq_radius = greedy(points, Q, initial)
    if name == "too tiny to tell apart":
        # Squares below float32 are zero, and equals come in index order (but for a cold start,
        # whose first pick is told apart in float64).
        assert not sq_distances[np.isfinite(sq_distances)].any()
        assert (np.diff(indices[not initial :]) > 0).all()
    else:
        assert_greedy(points, initial, (indices, sq_distances, sq_radius))
    same = lazy(points, Q, initial)
    np.testing.assert_array_equal(indices, same[0])


@every_form
@pytest.mark.parametrize("relative", [1e-6, 1e-5, 3e-4])
def test_near_duplicates(greedy, relative):
    rng = np.random.default_rng(5)
    base = rng.standard_normal((50, 64)) * 10 + 100
    near = np.repeat(base, 4, axis=0) * (1 + relative * rng.standard_normal((200, 64)))
    points = np.concatenate([base, near]).astype(np.float32)
    initial = list(range(40))
    assert_greedy(points, initial, greedy(points, 210, initial))


@every_form
def test_duplicates_tie_to_the_lowest_index(greedy):
    rng = np.random.default_rng(6)
    points = rng.standard_normal((N // 4, D)).astype(np.float32)[rng.integers(0, N // 4, N)]
    assert_same_as_brute_force(greedy, points, Q, [])
    assert_same_as_brute_force(greedy, points, Q, [N - 1, 3])


@every_form
def test_grids_full_of_ties(greedy):
    axes = np.meshgrid(*map(np.arange, (5, 5, 4, 2)))
    grid = np.stack(axes, -1).reshape(N, D).astype(np.float32)
    for initial in ([], [0], [5, 77]):
        assert_same_as_brute_force(greedy, grid, Q, initial)
    pixels = load_digits().data[:250].astype(np.float32)
    assert_same_as_brute_force(greedy, pixels, 210, [2])


@every_form
def test_all_equal_points_come_in_index_order(greedy):
    indices, sq_distances, sq_radius = greedy(np.full((N, D), 0.1, np.float32), Q, [4])
    np.testing.assert_array_equal(indices, np.delete(np.arange(N), 4)[:Q])
    assert not sq_distances.any()
    assert sq_radius == 0


@every_form
@pytest.mark.parametrize("initial", [[], range(11, 11 + N - Q)])
def test_every_point_is_picked(greedy, initial):
    points = np.random.default_rng(7).standard_normal((N, D)).astype(np.float32)
    left = N - len(initial)
    assert_same_as_brute_force(greedy, points, left, initial)
    assert greedy(points, left, initial)[2] == 0


@every_form
@pytest.mark.parametrize("num_left", [1, 9])
def test_the_last_points_of_a_pool_larger_than_a_block(greedy, num_left):
    points = np.random.default_rng(8).standard_normal((520, 3)).astype(np.float32)
    initial = list(range(520 - num_left))
    indices, _, radius = greedy(points, num_left, initial)
    assert set(indices) == set(range(520 - num_left, 520))
    assert radius == 0


@every_form
@settings(max_examples=40)
@given(data=st.data())
def test_any_pool(greedy, data):
    values = st.sampled_from([-2.0, 0.0, 1e-4, 1.0, 1.0001, 1e3]) | st.floats(-1, 1, width=16)
    some = data.draw(st.lists(st.tuples(values, values), min_size=1, max_size=24))
    # One shape, so one compilation: zeros and repeats of the first row fill up.
    points = np.zeros((N, D), np.float32)
    points[:, :2] = some + [some[0]] * (N - len(some))
    initial = data.draw(st.sets(st.integers(0, N - 1), max_size=1))
    assert_greedy(points, initial, greedy(points, Q, list(initial)))


def test_accurate_distances_do_not_depend_on_who_computes_them():
    rng = np.random.default_rng(8)
    for D in (1, 37, 2048):
        rows = rng.standard_normal((200, D)).astype(np.float32)
        host = sq_accurate_host(rows)
        np.testing.assert_array_equal(jax.jit(sq_accurate)(rows), host)
        np.testing.assert_array_equal(jax.lax.map(sq_accurate, rows), host)
        np.testing.assert_allclose(host, np.square(rows.astype(np.float64)).sum(1), rtol=1e-7)


@pytest.mark.parametrize("scale", [1.0, 1e-20])  # squares of the latter are less than any float32
@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_bounds_hold_and_are_those_of_the_proof_in_any_range_of_centers(scale, offset):
    """Against float64: none is on the wrong side, or off by as much as another constant makes."""
    rng = np.random.default_rng(13)
    D, width, first, last = 37, 64, 5, 150
    centers = (scale * rng.standard_normal((320, D))).astype(np.float32) + np.float32(offset)
    block = (scale * rng.standard_normal((40, D))).astype(np.float32) + np.float32(offset)
    block[:8] = centers[3:11]  # at distance 0
    block[8:16] = centers[149:157] * np.float32(1 + 1e-6)
    mean = centers.mean(axis=0)
    rows = np.arange(39, -1, -1)
    slack, tiny = dist.matmul_slack(D), dist.underflow(D)
    a, b = ((x.astype(np.float64) - mean) for x in (block[rows], centers))
    own, theirs = np.square(a).sum(axis=1), np.square(b).sum(axis=1)

    def distances(a, b):
        return np.square(a[:, None] - b[None]).sum(axis=2)

    def bounds(a, b):
        norms = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)[None]
        return (1 - slack) * norms - tiny - 2 * a @ b.T

    def groups_from(start, values):
        """The least of GROUP centers each, of those in the range."""
        count = -(-(last - start) // dist.GROUP)
        padded = np.full((40, count * dist.GROUP), np.inf)
        padded[:, : last - start] = values[:, start:last]
        return padded.reshape(40, count, dist.GROUP).min(axis=2)

    error = slack * (own + theirs.max()) / 3 + tiny / 3  # less than any step of a constant

    near = dist.nearest_groups(block, rows, centers, mean, first, last, width=width)
    lower, second, slot, upper = (np.asarray(part, np.float64) for part in near)
    true, proven = (groups_from(first, f(a, b)) for f in (distances, bounds))
    is_best = first + dist.GROUP * np.arange(true.shape[1]) == slot[:, None]
    assert (is_best.sum(axis=1) == 1).all()
    for groups, bound in ((np.where(is_best, true, np.inf), lower),
                          (np.where(is_best, np.inf, true), second)):  # fmt: skip
        assert (bound <= groups.min(axis=1)).all()
    np.testing.assert_array_less(abs(lower - proven.min(axis=1)), error)
    np.testing.assert_array_less(abs(second - np.partition(proven, 1)[:, 1]), error)
    assert (upper >= true.min(axis=1)).all()
    highest = np.maximum(proven.min(axis=1) + 6 * slack * own + 2 * tiny, 0) / (1 - 4 * slack)
    np.testing.assert_array_less(abs(upper - highest), error)

    # Here the groups begin at the first center, and those without one are infinitely far.
    found = np.asarray(dist.all_groups(block, rows, centers, mean, last, width=width), np.float64)
    true, proven = (groups_from(0, f(a, b)) for f in (distances, bounds))
    assert found.shape == (40, 320 // dist.GROUP)
    assert np.isinf(found[:, true.shape[1] :]).all()
    found = found[:, : true.shape[1]]
    assert (found <= true).all()
    np.testing.assert_array_less(abs(found - proven), np.broadcast_to(error[:, None], true.shape))

    found = np.asarray(dist.pair_lower(block, rows, mean), np.float64)
    assert (found <= distances(a, a)).all()
    error = slack * (own[:, None] + own[None]) / 3 + tiny / 3
    np.testing.assert_array_less(abs(found - bounds(a, a)), error)


@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0, 2.0, np.inf]), min_size=1), st.integers(1, 9))
def test_the_front_is_that_of_a_sort_and_the_next_in_line_is_the_threshold(upper, size):
    upper = np.array(upper, np.float32)
    rows, threshold = front(upper, size)
    order = [row for row in np.argsort(-upper, kind="stable") if upper[row] >= 0]
    assert rows.tolist() == sorted(order[:size])
    if len(order) > size:
        assert threshold == (upper[order[size]], order[size])
        passed = threshold.passed(upper, np.arange(len(upper)))
        assert np.flatnonzero(passed).tolist() == rows.tolist()
    else:
        assert threshold.passed(upper[rows], rows).all()
        assert not threshold.passed(np.float32([-1]), np.array([0])).any()


@pytest.mark.parametrize("initial", [[], [5]])
def test_when_bounds_are_refreshed_saves_distances(initial):
    """Of N Q distances some 0.63 are looked at; with another plan of when to, 0.77 or more."""
    matrix = Points(digits_embedding())
    first = matrix.farthest_from_mean()
    work = lazy_greedy(matrix, np.array(initial, int), 300, first, block=64).work
    assert work.distances < 0.7 * matrix.N * 300
    assert work.rows_read < 10 * matrix.N


def test_the_accurate_distance_to_a_group_is_that_to_its_nearest_center():
    rng = np.random.default_rng(14)
    centers, block = (rng.standard_normal((size, 5)).astype(np.float32) for size in (64, 10))
    rows, slots = np.array([9, 0, 4, 4]), np.array([0, 7, 24, 39])
    found = dist.sq_group(block, rows, centers, slots, 40)
    expected = [
        np.square(centers[slot : min(slot + dist.GROUP, 40)] - block[row]).sum(axis=1).min()
        for row, slot in zip(rows, slots, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_error_allowed_is_that_of_the_proof():
    unit = 2.0**-24
    for D in (1, 64, 2048):
        gamma = (D + 16) * unit / (1 - (D + 16) * unit)
        assert dist.matmul_slack(D) == pytest.approx(2 * gamma, rel=1e-12)
        assert dist.underflow(D) == pytest.approx(8 * (D + 16) * np.finfo(np.float32).tiny)


def test_traced_pads_when_nothing_is_left():
    points = np.random.default_rng(9).standard_normal((N, D)).astype(np.float32)
    indices, sq_distances, sq_radius = traced(points, Q, range(60))
    left = N - 60
    assert sorted(indices[:left].tolist()) == list(range(60, N))
    np.testing.assert_array_equal(indices[left:], -1)
    np.testing.assert_array_equal(sq_distances[left:], 0)
    assert sq_radius == 0


def test_traced_picks_nothing_where_points_are_not_finite():
    points = np.ones((N, D), np.float32)
    points[4, 1] = np.nan
    indices, sq_distances, sq_radius = traced(points, Q, [3, 1])
    np.testing.assert_array_equal(indices, -1)
    assert not sq_distances.any()
    assert np.isnan(sq_radius)


def test_traced_under_vmap_equals_one_at_a_time():
    points = np.random.default_rng(10).standard_normal((3, N, D)).astype(np.float32)
    given = [as_centers(initial) for initial in ([5, 6, 7], [], [9])]
    centers, counts = map(np.stack, zip(*given, strict=True))
    over_seeds = jax.jit(jax.vmap(functools.partial(kcenter_greedy_traced, num_picks=Q)))
    together = over_seeds(points, centers, counts)
    for s in range(3):
        alone = jitted(points[s], centers[s], counts[s], Q)
        np.testing.assert_array_equal(together.indices[s], alone.indices)


def test_traced_compiles_once_whatever_the_count():
    points = np.random.default_rng(11).standard_normal((50, 2)).astype(np.float32)
    traces = []

    @functools.partial(jax.jit, static_argnums=3, compiler_options=asking.QUICKLY)
    def counted(points, centers, count, num_picks):
        traces.append(1)
        return kcenter_greedy_traced(points, centers, count, num_picks)

    for count in (0, 3, 10):
        counted(points, jnp.arange(10, dtype=jnp.int32), jnp.int32(count), 5)
    assert len(traces) == 1
