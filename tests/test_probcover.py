import importlib
import pathlib

import asking
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies import make_strategy
from jax_al.types import NOTHING

GOLDEN = pathlib.Path(__file__).with_name("golden") / "probcover.npz"


def asked(points, labeled, budget, **how):
    pool, how = asking.pool_of(len(points), labeled), {"normalize": False} | how
    query = asking.ask("probcover", {"embedding": points}, pool, budget, **how)
    return query.indices.tolist(), query.info


def test_it_picks_what_scikit_activeml_picks():
    golden = np.load(GOLDEN)
    points, labeled = golden["points"], golden["labeled"]
    picks, info = asked(points, labeled, len(golden["picks"]), radius=float(golden["radius"]))
    assert picks == golden["picks"].tolist()
    # Theirs is the largest of a list of radii that are pure enough, ours the largest of all.
    _, info = asked(points, labeled, 1, num_classes=4)
    assert golden["radius"] <= info["radius"] < golden["radius"] + golden["step"]


def check_greedy(points, labeled, query, radius):
    """Each pick covers the most, from the whole matrix in float64; and the share is right."""
    inside = np.linalg.norm(points[:, None].astype(np.float64) - points[None], axis=2) <= radius
    covered, picked = inside[labeled].any(axis=0), [*labeled]
    picks, info = query
    for pick in picks:
        gain = (inside & ~covered).sum(axis=1)
        gain[picked] = -1
        assert pick not in picked
        assert gain[pick] == gain.max()
        picked.append(pick)
        covered |= inside[pick]
    np.testing.assert_allclose(info["coverage"], covered.mean(), rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("radius", [0.0, 0.4, 0.9])
@pytest.mark.parametrize("offset", [0.0, 300.0])
def test_it_is_greedy_coverage(monkeypatch, seed, radius, offset):
    monkeypatch.setattr(importlib.import_module("jax_al.strategies.probcover"), "GROUP", 7)
    points = np.random.default_rng(seed).normal(size=(50, 2)).astype(np.float32) + offset
    check_greedy(points, [4, 9], asked(points, [4, 9], 8, radius=radius), radius)


@pytest.mark.parametrize("radius", [0.0, 1.2])
@pytest.mark.parametrize("normalize", [False, True])
def test_duplicates_cover_each_other(radius, normalize):
    rng = np.random.default_rng(2)
    points = rng.normal(size=(30, 64)) * rng.uniform(0.1, 9, (30, 1))
    if not normalize:
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    points = points[rng.integers(0, 30, 200)].astype(np.float32)
    units = points.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    query = asked(points, [3], 6, radius=radius, normalize=normalize, quick=False)
    check_greedy(units, [3], query, radius + 1e-6)


def test_the_number_of_clusters_follows_from_that_of_the_points():
    points = np.random.default_rng(0).normal(size=(64, 3))
    radii = [asked(points, [], 1, num_classes=k)[1]["radius"] for k in (None, 4, 10)]
    assert radii[0] == radii[1] != radii[2]


def test_with_few_targets_their_cover_counts():
    points = np.random.default_rng(0).normal(size=(90, 2))
    how = {"radius": 0.5, "max_targets": 40}
    answers = {tuple(asked(points, [], 90, key=key, **how)[0][:3]) for key in range(3)}
    assert len(answers) > 1
    picks, info = asked(points, [], 90, **how)
    assert sorted(picks) == list(range(90))
    np.testing.assert_allclose(info["coverage"], 1, rtol=1e-6)


def test_the_share_of_pure_balls_is_the_one_asked_for():
    rng = np.random.default_rng(1)
    points = np.concatenate([rng.normal(size=(60, 2)), rng.normal(size=(40, 2)) + 9])
    other = np.linalg.norm(points[:60, None] - points[None, 60:], axis=2)
    nearest = np.concatenate([other.min(axis=1), other.min(axis=0)])
    for purity in (0.9, 1.0):
        _, info = asked(points, [], 1, num_classes=2, purity=purity)
        assert (nearest > info["radius"]).mean() == purity
        assert (nearest > info["radius"] * 1.0001).mean() < purity


def test_a_pool_sorted_by_class_has_the_radius_of_the_same_pool_shuffled():
    rng = np.random.default_rng(0)
    centers = np.array([[0, 0], [30, 0], [0, 30], [18, 18]])  # the first one is far from the rest
    points = np.repeat(centers, 300, axis=0) + rng.normal(size=(1200, 2))
    pools = [points, rng.permutation(points), rng.permutation(points)]
    how = {"num_classes": 4, "normalize": False}
    radii = [asked(points, [], 1, **how)[1]["radius"] for points in pools]
    assert max(radii) < 1.2 * min(radii)


def test_equal_points_cover_each_other():
    picks, info = asked(np.ones((6, 3)), [], 7)
    assert sorted(picks[:6]) == [0, 1, 2, 3, 4, 5]
    assert picks[6] == NOTHING
    assert info["radius"] == 0
    np.testing.assert_allclose(info["coverage"], 1, rtol=1e-6)


@pytest.mark.parametrize(
    "option", [{"radius": -1.0}, {"purity": 0}, {"num_classes": 0}, {"max_targets": 0}]
)
def test_bad_options_are_named(option):
    with pytest.raises(UsageError, match=next(iter(option))):
        make_strategy("probcover", **option)
