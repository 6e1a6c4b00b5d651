import asking
import jax
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies import make_strategy
from jax_al.types import Signals


def plain_greedy(far, labeled, budget):
    """In float64."""
    least, picks, distances = far[labeled].min(axis=0), [], []
    for _ in range(budget):
        picks.append(int(least.argmax()))
        distances.append(least.max())
        least = np.minimum(least, far[picks[-1]])
    return picks, distances, least.max()


@pytest.mark.parametrize("from_file", [False, True])
def test_cosine_is_plain_greedy_on_angles(from_file, tmp_path):
    points = np.random.default_rng(0).normal(size=(80, 5)).astype(np.float32)
    units = points.astype(np.float64) / np.linalg.norm(points, axis=1, keepdims=True)
    picks, distances, radius = plain_greedy(1 - units @ units.T, [3, 17], 9)
    pool = asking.pool_of(80, [3, 17])
    if from_file:
        mapped = np.memmap(tmp_path / "points", np.float32, "w+", shape=points.shape)
        mapped[:] = points
        made = make_strategy("coreset", metric="cosine")
        query = made.select(jax.random.key(0), Signals(embedding=mapped), pool, 9)
    else:
        query = asking.ask("coreset", {"embedding": points}, pool, 9, metric="cosine")
    assert query.indices.tolist() == picks
    np.testing.assert_allclose(query.scores, distances, rtol=1e-4)
    np.testing.assert_allclose(query.info["cosine_radius"], radius, rtol=1e-4)


def test_lengths_play_no_role_in_angles():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(40, 3)).astype(np.float32)
    pool = asking.pool_of(40, [5])
    longer = points * 2.0 ** rng.integers(-9, 9, (40, 1))
    found = [
        asking.ask("coreset", {"embedding": rows}, pool, 6, metric="cosine").indices.tolist()
        for rows in (points, longer)
    ]
    assert found[0] == found[1]
    assert asking.ask("coreset", {"embedding": longer}, pool, 6).indices.tolist() != found[0]


def test_an_unknown_metric_is_named():
    with pytest.raises(UsageError, match="metric is 'dot'; it must be 'euclidean' or 'cosine'"):
        make_strategy("coreset", metric="dot")
