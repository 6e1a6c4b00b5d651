import asking
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies.uncertainty_coreset import uncertainty_coreset
from jax_al.types import NOTHING


def made(N, seed=0):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(3), N)
    embedding = rng.normal(size=(N, 4)).astype(np.float32)
    return {"embedding": embedding, "log_probs": np.log(probs).astype(np.float32)}


def asked(signals, pool, budget, **options):
    return asking.ask("uncertainty_coreset", signals, pool, budget, **options)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_core_set_among_the_candidates(seed):
    signals, pool = made(40, seed), asking.pool_of(40, [3, 8])
    points = signals["embedding"].astype(np.float64)
    ordered = np.sort(np.exp(signals["log_probs"]), axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    margins[[3, 8]] = np.inf
    candidates = np.argsort(margins)[:10]
    centers = [3, 8]
    for _ in range(5):
        distances = np.linalg.norm(points[candidates][:, None] - points[centers], axis=2)
        centers.append(int(candidates[distances.min(axis=1).argmax()]))
    query = asked(signals, pool, 5, fraction=0.25)
    assert query.indices.tolist() == centers[2:]
    distances = np.linalg.norm(points[candidates][:, None] - points[centers], axis=2)
    radius = distances.min(axis=1).max()
    np.testing.assert_allclose(query.info["candidate_radius"], radius, rtol=1e-5)


def test_with_all_points_as_candidates_it_is_coreset():
    signals, pool = made(30), asking.pool_of(30, [3, 8])
    expected = asking.ask("coreset", {"embedding": signals["embedding"]}, pool, 33)
    assert asked(signals, pool, 33, fraction=1).indices.tolist() == expected.indices.tolist()


def test_candidates_that_coincide_come_last_and_the_unsure_first():
    top = np.array([0.9, 0.8, 0.7, 0.5, 0.6])
    log_probs = np.log(np.stack([top, 1 - top], axis=1))
    signals = {"embedding": [[0.0], [0.0], [1.0], [0.0], [0.0]], "log_probs": log_probs}
    query = asked(signals, asking.pool_of(5, [0]), 6, score="entropy")
    assert query.indices.tolist() == [2, 3, 4, 1, NOTHING, NOTHING]


@pytest.mark.parametrize(("option", "bad"), [("score", "x"), ("fraction", 0), ("fraction", 1.5)])
def test_bad_options_are_sentences(option, bad):
    with pytest.raises(UsageError, match=rf"^{option}"):
        uncertainty_coreset(**{option: bad})
