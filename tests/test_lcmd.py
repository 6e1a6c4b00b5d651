import asking
import numpy as np
import pytest


def plain(points, labeled, budget):
    """In float64, one pick after the other."""
    points = points.astype(np.float64)
    sq = np.square(points[:, None] - points[None]).sum(axis=2)
    centers, picks, scores = list(labeled), [], []
    for _ in range(budget):
        if centers:
            near, which = sq[centers].min(axis=0), sq[centers].argmin(axis=0)
            sizes = np.bincount(which, near, minlength=len(centers))
            near = np.where(which == sizes.argmax(), near, -1)
        else:
            near = np.square(points).sum(axis=1)
        picks.append(int(near.argmax()))
        scores.append(np.sqrt(near.max()) if centers else np.nan)
        centers.append(picks[-1])
    return picks, scores


@pytest.mark.parametrize("labeled", [[], [3], [3, 17, 40, 41, 42]])
def test_it_is_what_one_pick_after_the_other_gives(labeled):
    rng = np.random.default_rng(0)
    # More points than are compared together, in heaps of different sizes, far from the origin.
    heap = rng.integers(0, 8, 300) * rng.integers(0, 2, 300)
    points = (7 + 4 * rng.normal(size=(8, 5))[heap] + rng.normal(size=(300, 5))).astype(np.float32)
    query = asking.ask("lcmd", {"embedding": points}, asking.pool_of(300, labeled), 40)
    picks, scores = plain(points, labeled, 40)
    assert query.indices.tolist() == picks
    np.testing.assert_allclose(query.scores, scores, rtol=1e-4)


def test_it_goes_where_the_points_are_and_not_where_one_is_far():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(101, 2)).astype(np.float32)
    points[100] = [15, 0]  # alone; the others around two labeled points, 9 of 10 around the first
    points[:90, 1] += 30
    pool, given = asking.pool_of(101, [0, 95]), {"embedding": points}
    assert asking.ask("coreset", given, pool, 1).indices.tolist() == [100]
    heavy = points.copy()
    heavy[90:100] *= 0.01
    heavy[:90] = (heavy[:90] - [0, 30]) * 3 + [0, 30]
    assert asking.ask("lcmd", {"embedding": heavy}, pool, 1).indices[0] < 90
