import asking
import numpy as np
import pytest
from sklearn.cluster import KMeans

from jax_al.errors import UsageError
from jax_al.strategies import make_strategy


def asked(points, labeled, budget, **how):
    pool = asking.pool_of(len(points), labeled)
    return asking.ask("kmeans", {"embedding": points}, pool, budget, **how).indices


def test_on_separate_blobs_it_picks_what_scikit_learn_has_nearest_to_its_centers():
    rng = np.random.default_rng(0)
    blob = rng.integers(0, 5, 120)
    points = np.float32(rng.normal(size=(5, 3))[blob] * 20 + rng.normal(size=(120, 3)))
    ours = asked(points, range(10), 5, key=3, iterations=20)
    theirs = KMeans(5, n_init=10, random_state=0).fit(points[10:])
    nearest = 10 + theirs.transform(points[10:]).argmin(axis=0)
    assert sorted(ours.tolist()) == sorted(nearest.tolist())
    sizes = np.bincount(blob[10:])[blob[ours]]
    assert (np.diff(sizes) <= 0).all()


def test_duplicates_fill_the_budget_in_turns():
    points = np.repeat([[0.0, 1.0], [50.0, 0.0]], [3, 4], axis=0)
    picks = asked(points, [4], 5)
    # Two clusters of three points each: by turns, in each by chance.
    heap = [int(pick > 2) for pick in picks]
    assert sorted(heap[:2]) == sorted(heap[2:4]) == [0, 1]
    assert len({*picks.tolist()} - {4}) == 5


def test_iterations_cannot_be_negative():
    with pytest.raises(UsageError, match="iterations is -1"):
        make_strategy("kmeans", iterations=-1)
