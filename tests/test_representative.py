import asking
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies import make_strategy


def asked(name, points, labeled, budget, **options):
    pool = asking.pool_of(len(points), labeled)
    return asking.ask(name, {"embedding": points}, pool, budget, **options).indices.tolist()


def scores(points, labeled):
    points = points.astype(np.float64)
    rest = np.setdiff1d(np.arange(len(points)), labeled)
    middles = [points[rest].mean(axis=0), points[labeled].mean(axis=0)]
    cosines = [points @ m / np.linalg.norm(points, axis=1) / np.linalg.norm(m) for m in middles]
    score = cosines[0] - cosines[1]
    score[labeled] = -np.inf
    return score


def test_it_ranks_by_the_difference_of_two_cosines():
    points = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32) + 0.5
    expected = np.argsort(-scores(points, [2, 7, 30]))[:6]
    assert asked("representative", points, [2, 7, 30], 6) == expected.tolist()


def test_adaptive_counts_each_pick_as_labeled():
    points = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32) + 0.5
    expected = []
    for _ in range(8):
        expected.append(int(scores(points, [2, 7, *expected]).argmax()))
    assert asked("adaptive_representative", points, [2, 7], 8) == expected
    assert asked("representative", points, [2, 7], 8) != expected


def test_with_few_updates_it_goes_by_parts():
    points = np.random.default_rng(2).normal(size=(30, 3)).astype(np.float32)
    expected = []
    for part in (3, 2, 2):
        expected += np.argsort(-scores(points, [0, *expected]))[:part].tolist()
    assert asked("adaptive_representative", points, [0], 7, updates=3) == expected


def test_a_zero_vector_is_like_nothing():
    points = np.array([[1.0, 0], [0, 0], [0, 1], [1, 0.1]])
    assert asked("representative", points, [0], 3) == [2, 1, 3]


def test_there_are_as_many_parts_as_asked_for_though_they_do_not_divide_the_budget():
    """Of 7 in 5 parts all but two are of one point: rounded up, parts of two would be only four."""
    points = np.random.default_rng(5).normal(size=(30, 3)).astype(np.float32)
    expected = []
    for part in (2, 2, 1, 1, 1):
        expected += np.argsort(-scores(points, [0, *expected]))[:part].tolist()
    assert asked("adaptive_representative", points, [0], 7, updates=5) == expected


def test_updates_must_be_positive():
    with pytest.raises(UsageError, match="updates is 0"):
        make_strategy("adaptive_representative", updates=0)
