import jax
import numpy as np
import pytest

import jax_al as al
from jax_al.errors import UsageError
from jax_al.geometry.robust import robust_kcenter
from jax_al.strategies import make_strategy
from jax_al.strategies.coreset_robust import _canonical
from jax_al.testing.made_up import pool_of
from jax_al.types import Signals


def asked(points, labeled, budget, excluded=(), **options):
    points, labeled = np.asarray(points, np.float32), np.array(labeled, int)
    out = np.array(excluded, int)
    pool = pool_of(len(points), labeled, np.zeros(len(labeled), np.int32), out, len(points))
    select = make_strategy("coreset_robust", **options).select
    return select(jax.random.key(0), Signals(embedding=points), pool, budget)


def reached(points, centers):
    return np.linalg.norm(points[:, None] - points[None, centers], axis=2).min(axis=1)


@pytest.mark.parametrize("labeled", [[], [4, 11]])
def test_the_radius_is_that_of_the_solver(labeled):
    points = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    query = asked(points, labeled, 5, outliers=0.05)
    outliers = 2 if labeled else 3  # 0.05 of the unlabeled: of 58 or of 60
    best = robust_kcenter(points, 5, labeled, outliers)
    np.testing.assert_allclose(query.info["robust_radius"], best.radius, rtol=2e-3)
    assert query.info["robust_lower_bound"] <= query.info["robust_radius"]
    distances = np.sort(reached(points, [*labeled, *query.indices.tolist()]))
    assert distances[-1 - outliers] <= float(query.info["robust_radius"]) * (1 + 1e-5)


def test_a_share_loses_no_outlier_to_rounding():
    points = np.random.default_rng(1).normal(size=(100, 2)).astype(np.float32)
    assert 0.29 * 100 < 29  # in float64
    query = asked(points, [], 3, outliers=0.29)
    expected = robust_kcenter(points, 3, [], 29)
    np.testing.assert_allclose(query.info["robust_radius"], expected.radius, rtol=2e-3)


def test_a_pool_that_would_take_hours_is_refused():
    points = np.zeros((30, 2))
    with pytest.raises(UsageError, match=r"all pairs of 30 points.*max_points, which is 20"):
        asked(points, [], 3, max_points=20)


def test_a_pool_beyond_max_points_is_refused_before_anything_is_trained(tmp_path):
    strategies = {"robust": make_strategy("coreset_robust", max_points=20)}
    pool = al.arrays(np.zeros((30, 2), np.float32))
    benchmark = al.Benchmark(pool, np.arange(30) % 2, ("a", "b"))
    how = {"learner": al.linear(), "initial": 2, "budget": 2, "directory": tmp_path / "run"}
    with pytest.raises(UsageError, match=r"at most 20 points.*this one holds 30"):
        al.run(benchmark, strategies=strategies, **how)
    assert not (tmp_path / "run" / "parts").exists()


def test_an_outlier_is_left_alone():
    points = np.array([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0], [900.0]])
    assert sorted(asked(points, [], 2, outliers=0.15).indices.tolist()) == [1, 4]
    assert 6 in asked(points, [], 2, outliers=0.0).indices


def test_a_shuffled_pool_gets_the_same_points_in_the_same_order():
    rng = np.random.default_rng(5)
    points, order = rng.normal(size=(50, 3)).astype(np.float32), rng.permutation(50)
    plain = np.asarray(asked(points, [7], 6).indices)
    shuffled = np.asarray(asked(points[order], [int(np.flatnonzero(order == 7)[0])], 6).indices)
    np.testing.assert_array_equal(order[shuffled], plain)


@pytest.mark.parametrize("levels", [1, 2, 9])
def test_the_order_is_a_matter_of_values_alone(levels):
    rng = np.random.default_rng(levels)
    points = rng.integers(-levels, levels, (60, 4)).astype(np.float32)  # sums tie, rows too
    shuffled = points[rng.permutation(60)]
    np.testing.assert_array_equal(points[_canonical(points)], shuffled[_canonical(shuffled)])
    assert sorted(_canonical(points)) == list(range(60))


def test_where_fewer_centers_suffice_others_follow():
    points = np.repeat(np.float32([[0, 0], [5, 5]]), 4, axis=0)
    assert len(set(asked(points, [0], 6).indices.tolist())) == 6


@pytest.mark.parametrize("labeled", [[], [2]])
def test_a_collapsed_embedding_is_covered_at_once(labeled):
    query = asked(np.full((9, 2), 3.0), labeled, 4)
    assert len(set(query.indices.tolist()) - set(labeled)) == 4
    assert query.info["robust_radius"] == 0


def test_the_share_of_outliers_is_one_of_what_is_not_excluded():
    rng = np.random.default_rng(3)
    points, excluded = rng.normal(size=(40, 2)), np.arange(0, 40, 2)
    left = np.setdiff1d(np.arange(40), excluded)
    strange = points.copy()
    strange[excluded] = np.nan
    found = asked(strange, [1], 4, excluded, outliers=0.1)
    smaller = asked(points[left], [0], 4, outliers=0.1)
    assert found.indices.tolist() == left[smaller.indices].tolist()
    assert found.info == smaller.info


def test_numpy_comes_in_and_goes_out():
    query = asked(np.random.default_rng(0).normal(size=(20, 2)), [3], 4)
    assert all(isinstance(leaf, np.ndarray | np.float32) for leaf in jax.tree.leaves(query))
    assert make_strategy("coreset_robust").on_host


def test_bad_options_are_named():
    with pytest.raises(UsageError, match="outliers is 1"):
        make_strategy("coreset_robust", outliers=1.5)
    with pytest.raises(UsageError, match="max_nodes is -1"):
        make_strategy("coreset_robust", max_nodes=-1)
