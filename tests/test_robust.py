"""k-center with outliers against exhaustive search."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array

from jax_al.geometry.kcenter import kcenter_greedy
from jax_al.geometry.kcenter.points import Points
from jax_al.geometry.robust import covering, greedy_with_outliers, robust_kcenter
from jax_al.geometry.robust import pairs as pairs_of
from jax_al.geometry.robust.answer import pose


def between(points):
    x = np.asarray(points, np.float64)
    return np.linalg.norm(x[:, None] - x[None], axis=2)


def exhaustive(points, num_picks, initial, num_outliers):
    distances = between(points)
    others = [row for row in range(len(points)) if row not in initial]
    best = np.inf
    for picks in itertools.combinations(others, num_picks):
        reached = np.sort(distances[[*initial, *picks]].min(axis=0))
        best = min(best, reached[len(points) - 1 - num_outliers])
    return best


def assert_consistent(points, num_picks, initial, num_outliers, result):
    """The cover is what it says it is."""
    assert len(result.indices) <= num_picks
    assert not set(result.indices.tolist()) & set(initial)
    assert len(set(result.indices.tolist())) == len(result.indices)
    reached = between(points)[[*initial, *result.indices]].min(axis=0)
    inside = np.setdiff1d(np.arange(len(points)), result.outliers)
    assert len(result.outliers) <= num_outliers
    np.testing.assert_allclose(reached[inside].max(), result.radius, rtol=1e-6)
    assert result.lower_bound <= result.radius


NUMBERS = (st.integers(0, 9), st.floats(0, 1, width=16))
# Of few sizes, so that few programs are compiled.
pools = st.sampled_from([6, 10, 14]).flatmap(
    lambda N: st.one_of(st.lists(st.tuples(x, x), min_size=N, max_size=N) for x in NUMBERS)
)


@settings(max_examples=60)
@given(pools, st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))
def test_equals_exhaustive_search(pool, num_picks, num_initial, num_outliers):
    points = np.array(pool, np.float32)
    initial = list(range(num_initial))
    result = robust_kcenter(points, num_picks, initial, num_outliers, tolerance=0)
    best = exhaustive(points, num_picks, initial, num_outliers)
    assert result.status == "optimal"
    np.testing.assert_allclose(result.radius, best, rtol=1e-6)
    np.testing.assert_allclose(result.lower_bound, best, rtol=1e-6)
    assert_consistent(points, num_picks, initial, num_outliers, result)


@settings(max_examples=60)
@given(pools, st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))
def test_the_approximation_holds_its_factor(pool, num_picks, num_initial, num_outliers):
    points = np.array(pool, np.float32)
    initial = list(range(num_initial))
    result = greedy_with_outliers(points, num_picks, initial, num_outliers)
    best = exhaustive(points, num_picks, initial, num_outliers)
    assert result.radius <= 3 * best * (1 + 1e-6)
    assert result.lower_bound <= best * (1 + 1e-6)
    assert_consistent(points, num_picks, initial, num_outliers, result)


@pytest.mark.parametrize("function", [robust_kcenter, greedy_with_outliers])
@settings(max_examples=30)
@given(pools, st.data())
def test_excluding_is_deleting(function, pool, data):
    points = np.array(pool, np.float32)
    points[:, 1] += 1  # so that no row is zero
    N = len(points)
    exclude = np.array(data.draw(st.lists(st.booleans(), min_size=N, max_size=N)))
    exclude[data.draw(st.integers(0, N - 1))] = False
    left = np.flatnonzero(~exclude)
    initial = left[: data.draw(st.integers(0, min(2, len(left) - 1)))]
    num_picks = data.draw(st.integers(1, min(3, len(left) - len(initial))))
    num_outliers = data.draw(st.sampled_from([None, 0, 1, 2]))
    metric = data.draw(st.sampled_from(["euclidean", "cosine"]))
    start = np.searchsorted(left, initial)
    expected = function(points[left], num_picks, start, num_outliers, metric=metric)
    points[exclude] = data.draw(st.sampled_from([np.nan, 0.0, 7.0]))
    found = function(points, num_picks, initial, num_outliers, metric=metric, exclude=exclude)
    np.testing.assert_array_equal(found.indices, left[expected.indices])
    np.testing.assert_array_equal(found.outliers, left[expected.outliers])
    assert found[1:3] == expected[1:3]
    assert found.status == expected.status


def test_what_is_excluded_can_be_no_center_and_is_not_left_to_pick():
    points = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    with pytest.raises(ValueError, match=r"initial and exclude both name row 4"):
        robust_kcenter(points, 2, [4, 5], exclude=[4])
    with pytest.raises(ValueError, match=r"num_picks is 1, but 0 of 20 points can be picked"):
        robust_kcenter(points, 1, [4], exclude=np.arange(20) != 4)
    with pytest.raises(ValueError, match=r"exclude names all 20 rows"):
        greedy_with_outliers(points, 1, exclude=np.ones(20, bool))


@pytest.mark.parametrize("limits", [{}, {"max_nodes": 0}, {"max_pairs": 0}])
@pytest.mark.parametrize("num_outliers", [0, 3])
def test_never_worse_than_greedy_and_the_gap_is_true(limits, num_outliers):
    points = np.random.default_rng(0).standard_normal((400, 3)).astype(np.float32)
    initial = list(range(20))
    greedy = kcenter_greedy(points, 25, initial)
    result = robust_kcenter(points, 25, initial, num_outliers, **limits)
    assert result.radius <= greedy.radius * (1 + 1e-6)
    assert_consistent(points, 25, initial, num_outliers, result)
    optimum = robust_kcenter(points, 25, initial, num_outliers)
    assert result.lower_bound <= optimum.radius
    assert optimum.lower_bound <= result.radius
    again = robust_kcenter(points, 25, initial, num_outliers, **limits)
    np.testing.assert_array_equal(again.indices, result.indices)
    assert again[1:3] == result[1:3]


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))
def test_cosine_equals_exhaustive_search(seed, num_picks, num_initial, num_outliers):
    rng = np.random.default_rng(seed)
    points = (rng.standard_normal((12, 3)) * rng.uniform(0.1, 10, (12, 1))).astype(np.float32)
    unit = points / np.linalg.norm(points.astype(np.float64), axis=1)[:, None]
    initial = list(range(num_initial))
    best = exhaustive(unit, num_picks, initial, num_outliers) ** 2 / 2
    args = points, num_picks, initial, num_outliers
    result = robust_kcenter(*args, metric="cosine", tolerance=0)
    assert result.status == "optimal"
    np.testing.assert_allclose([result.radius, result.lower_bound], best, rtol=1e-5)
    rough = greedy_with_outliers(*args, metric="cosine")
    assert rough.lower_bound <= best * (1 + 1e-5)
    assert rough.radius <= 9 * best * (1 + 1e-5)


@pytest.mark.parametrize(("N", "default"), [(9_999, 0), (10_000, 1), (29_999, 2)])
def test_default_outliers_are_one_in_ten_thousand(N, default):
    points = np.zeros((N, 1), np.float32)  # a crowd on an existing center, and two far away
    points[-2:, 0] = 10, -20
    assert pose(points, 1, None, None, "euclidean").num_outliers == default
    result = robust_kcenter(points, 1, [0])
    np.testing.assert_allclose(result.radius, 0 if default else 10)
    assert len(result.outliers) == min(default, 1)


def test_as_many_picks_as_points_are_left():
    points = np.arange(10, dtype=np.float32).reshape(5, 2)
    for method in (robust_kcenter, greedy_with_outliers):
        assert method(points, 5).indices.tolist() == [0, 1, 2, 3, 4]
        result = method(points, 2, [0, 2, 4])
        assert result.indices.tolist() == [1, 3]
        assert result.radius == 0


@pytest.mark.parametrize("method", [robust_kcenter, greedy_with_outliers])
@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (r"num_outliers is -1; it cannot be negative$", {"num_outliers": -1}),
        (r"num_outliers must be an integer, not 0.5$", {"num_outliers": 0.5}),
        (r"num_picks is 0; at least one", {"num_picks": 0}),
        (r"num_picks must be an integer, not 1.5$", {"num_picks": 1.5}),
        (r"num_picks is 10, but 5 of 5 points can be picked$", {"num_picks": 10}),
        (r"num_picks is 2, but 1 of 5 points", {"num_picks": 2, "initial": [0, 1, 2, 3]}),
        (r"num_picks is 1, but 0 of 5 points", {"initial": range(5)}),
        (r"names row 5", {"initial": [5]}),
        (r"repeats row 3", {"initial": [3, 3]}),
        (r"metric must be one of", {"metric": "manhattan"}),
    ],
)
def test_errors_name_what_is_wrong(method, message, arguments):
    points = np.arange(10, dtype=np.float32).reshape(5, 2)
    with pytest.raises(ValueError, match=message):
        method(points, **{"num_picks": 1, **arguments})


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (r"tolerance is -0.1; it must be 0 or more$", {"tolerance": -0.1}),
        (r"tolerance is nan", {"tolerance": float("nan")}),
        (r"max_nodes is -1; it cannot be negative$", {"max_nodes": -1}),
        (r"max_nodes must be an integer, not 2.5$", {"max_nodes": 2.5}),
        (r"max_pairs is -5; it cannot be negative$", {"max_pairs": -5}),
        (r"max_pairs must be an integer, not '9'$", {"max_pairs": "9"}),
    ],
)
def test_limits_that_cannot_be_are_refused(message, arguments):
    points = np.random.default_rng(0).standard_normal((60, 2)).astype(np.float32)
    with pytest.raises(ValueError, match=message):
        robust_kcenter(points, 5, **arguments)


def random_covers(seed, rows=12, columns=14):
    """Which columns cover which rows, and the same as the module holds it."""
    rng = np.random.default_rng(seed)
    inside = rng.random((rows, columns)) < rng.uniform(0.1, 0.5)
    inside[np.arange(rows), rng.integers(0, columns - 2, rows)] = True
    inside[:, -1] = inside[:, 0]  # a twin
    inside[:, -2] = inside[:, 1] & (rng.random(rows) < 0.7)  # covers less
    inside[0, ~inside.any(axis=0)] = True  # none covers nothing
    return inside, csc_array(inside.astype(float))


def fewest(inside, outliers):
    """By trying all: how many columns cover all rows but some."""
    for count in range(inside.shape[1] + 1):
        for picks in itertools.combinations(range(inside.shape[1]), count):
            if (~inside[:, list(picks)].any(axis=1)).sum() <= outliers:
                return count
    raise AssertionError


@pytest.mark.parametrize("seed", range(8))
def test_columns_that_cover_no_more_than_another_are_dropped_and_no_others(seed, monkeypatch):
    inside, covers = random_covers(seed)
    kept = covering._undominated(covers).tolist()
    C = inside.shape[1]

    def is_within(a, b):
        return not (inside[:, a] & ~inside[:, b]).any()

    expected = [
        a for a in range(C)
        if not any(is_within(a, b) and (not is_within(b, a) or b < a) for b in range(C) if b != a)
    ]  # fmt: skip
    assert kept == expected
    assert C - 1 not in kept
    monkeypatch.setattr(covering, "MAX_OVERLAPS", np.square(inside.sum(axis=1)).sum())
    assert covering._undominated(covers).tolist() == kept
    monkeypatch.setattr(covering, "MAX_OVERLAPS", np.square(inside.sum(axis=1)).sum() - 1)
    assert covering._undominated(covers).tolist() == list(range(C))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("outliers", [0, 2])
def test_each_way_to_a_cover_finds_covers_and_proves_only_what_is_true(seed, outliers):
    inside, covers = random_covers(seed)
    optimum = fewest(inside, outliers)
    solved = covering._solve(covers, outliers, integral=True, max_nodes=1000)
    np.testing.assert_allclose([solved.fun, solved.mip_dual_bound], optimum, atol=1e-6)
    relaxed = covering._solve(covers, outliers, integral=False, max_nodes=0)
    assert relaxed.fun <= optimum + 1e-6
    weight = relaxed.x[: inside.shape[1]]
    if not outliers:
        assert (inside @ weight >= 1 - 1e-6).all()
    for count in range(optimum - 1, inside.shape[1]):
        ways = [
            covering._greedy_cover(covers, np.zeros(len(weight)), count, outliers),
            covering._greedy_cover(covers, weight, count, outliers),
            covering._dive(covers, relaxed.x, count, outliers),
        ]
        for picked in ways:
            if picked is None:
                continue
            assert len(set(picked.tolist())) == len(picked) <= count
            assert (~inside[:, picked].any(axis=1)).sum() <= outliers
            assert (np.diff(picked) > 0).all()
    assert all(picked is not None for picked in ways)  # there was room for all


@pytest.mark.parametrize("seed", range(20))
def test_every_column_of_a_greedy_cover_covers_the_most_when_it_is_taken(seed):
    inside, covers = random_covers(seed, 40, 30)
    picked = covering._greedy_cover(covers, np.zeros(30), 30, 0)
    left, uncovered = picked.tolist(), np.ones(40, bool)
    while left:
        gains = (inside & uncovered[:, None]).sum(axis=0)
        best = max(left, key=lambda column: gains[column])
        assert gains[best] == gains.max() > 0
        left.remove(best)
        uncovered &= ~inside[:, best]
    assert not uncovered.any()
    # It stops where no more than the outliers are left, and has failed where too few may be taken.
    assert covering._greedy_cover(covers, np.zeros(30), len(picked) - 1, 0) is None
    assert len(covering._greedy_cover(covers, np.zeros(30), 30, 4)) <= len(picked)
    assert covering._greedy_cover(covers, np.zeros(30), 30, 40).tolist() == []
    # Weight comes first.
    heavy = covering._greedy_cover(covers, (np.arange(30) == 7).astype(float), 1, 40 - 1)
    assert heavy.tolist() == [7]


@pytest.mark.parametrize("existing", [[], [0, 17, 31]])
@pytest.mark.parametrize("offset", [0, 500])
def test_pairs_are_all_those_near_enough_and_no_others(existing, offset, monkeypatch):
    monkeypatch.setattr(pairs_of, "TILE", 16)  # several tiles, and several parts of a tile
    rng = np.random.default_rng(len(existing))
    points = rng.integers(0, 6, (48, 3)).astype(np.float32) + offset
    sq = np.square(points[:, None].astype(np.float64) - points[None]).sum(axis=2)
    existing = np.array(existing, int)
    nearest = np.sqrt(sq[existing].min(axis=0, initial=np.inf))
    low, high = 2.0, 3.0  # both are distances of some pairs
    found, floor = pairs_of.list_pairs(Points(points), existing, low, high, 10**6)
    assert floor == low
    beyond = nearest > low
    np.testing.assert_array_equal(found.to_existing[beyond], nearest[beyond])
    assert (found.to_existing[~beyond] <= low).all()
    near = (np.sqrt(sq) <= np.minimum(nearest, high)[:, None]) & beyond[:, None]
    expected = list(zip(*np.nonzero(near), strict=True))
    assert sorted(zip(found.point, found.center, strict=True)) == expected
    assert len(found.point) == len(expected)
    np.testing.assert_array_equal(found.distance, np.sqrt(sq)[found.point, found.center])
    assert pairs_of.list_pairs(Points(points), existing, low, high, len(expected) - 1) == (
        None,
        low,
    )

    centers = np.array([5, 40])
    reached = np.minimum(found.to_existing, np.where(near, np.sqrt(sq), np.inf)[:, centers].min(1))
    np.testing.assert_array_equal(pairs_of.distances_to(found, centers), reached)
    steps = np.unique([*found.distance, *found.to_existing[beyond]])
    for radius in (low, 2.1, 2.9):
        after = steps[steps > radius].min(initial=high)
        assert pairs_of.next_distance(found, radius, high) == after
    assert pairs_of.next_distance(found, high, high) == high


def test_greedy_with_outliers_goes_where_most_are_and_leaves_out_the_fewest():
    rng = np.random.default_rng(3)
    places = np.repeat([0, 100, 250], [10, 8, 3])
    points = (places + rng.uniform(-1, 1, 21))[:, None].astype(np.float32)
    result = greedy_with_outliers(points, 2, num_outliers=3)
    assert sorted(places[result.indices]) == [0, 100]
    assert result.outliers.tolist() == [18, 19, 20]
    best = exhaustive(points, 2, [], 3)
    assert result.lower_bound <= best <= result.radius <= 3 * best < 4
