import functools
import itertools
import pathlib

import asking
import jax
import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import chisquare

from jax_al.strategies.badge import d2_sample, gradient_factors, sq_distances
from jax_al.types import NOTHING

GOLDEN = pathlib.Path(__file__).parent / "golden" / "badge.npz"


def made(N, C=3, D=4, seed=0):
    rng = np.random.default_rng(seed)
    log_probs = log_softmax(rng.normal(size=(N, C)), axis=1).astype(np.float32)
    return log_probs, np.maximum(rng.normal(size=(N, D)), 0).astype(np.float32)


def dense(log_probs, features):
    """The gradient embeddings, multiplied out in float64."""
    probs, features = np.exp(np.asarray(log_probs, np.float64)), np.asarray(features, np.float64)
    residuals = probs - np.eye(probs.shape[1])[probs.argmax(axis=1)]
    return (residuals[:, :, None] * features[:, None, :]).reshape(len(features), -1)


def labeled(N, *indices):
    return asking.pool_of(N, indices)


def asked(log_probs, features, pool, budget, key=0):
    signals = {"log_probs": log_probs, "head_inputs": features}
    return asking.ask("badge", signals, pool, budget, key=key)


@jax.jit
def factors_and_distances(log_probs, features):
    """As they are compiled for users: rounding is looked at."""
    factors = gradient_factors(log_probs, features)
    return factors, sq_distances(factors, factors)


def test_distances_are_those_of_the_dense_gradients():
    log_probs, features = made(30)
    g = dense(log_probs, features)
    factors, found = factors_and_distances(log_probs, features)
    expected = np.square(g[:, None] - g[None]).sum(axis=2)
    np.testing.assert_allclose(factors.sq_norms, np.square(g).sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * expected.max())
    np.testing.assert_array_equal(np.diag(found), np.zeros(30))


def test_distances_are_those_of_scikit_activeml_but_its_law_counts_the_origin_as_a_center():
    golden = np.load(GOLDEN)
    log_probs = np.log(golden["probs"]).astype(np.float32)
    factors, found = jax.tree.map(
        np.asarray, factors_and_distances(log_probs, golden["features"].astype(np.float32))
    )
    first = golden["first"].item()
    assert int(factors.sq_norms.argmax()) == first
    ours = found[:, first]
    np.testing.assert_allclose(ours, golden["sq_distances"], rtol=1e-5, atol=1e-6)
    with_origin = np.minimum(ours, factors.sq_norms)
    np.testing.assert_allclose(with_origin / with_origin.sum(), golden["law"], rtol=1e-4, atol=1e-6)
    assert np.abs(ours / ours.sum() - golden["law"]).max() > 0.02


@pytest.mark.parametrize(("block", "max_refusals"), [(32, 64), (1, 64), (2, 1)])
def test_sequences_come_up_as_often_as_the_law_of_k_means_says(block, max_refusals):
    """Exactly, whenever the weights are brought up to date."""
    log_probs, features = made(7, seed=3)
    pool = labeled(7, 2)
    g = dense(log_probs, features)
    sq = np.square(g[:, None] - g[None]).sum(axis=2)
    free = [i for i in range(7) if i != 2]
    first = max(free, key=lambda i: np.square(g[i]).sum())
    law = {}
    for path in itertools.permutations([i for i in free if i != first], 3):
        chance, picks = 1.0, [first]
        for point in path:
            near = sq[:, picks].min(axis=1)
            chance *= near[point] / near[free].sum()
            picks.append(point)
        law[tuple(picks)] = chance
    assert sum(law.values()) == pytest.approx(1)
    keys = jax.random.split(jax.random.key(0), 6000)
    factors = jax.jit(gradient_factors)(log_probs, features)
    draw = functools.partial(d2_sample, block=block, max_refusals=max_refusals)
    draws = jax.vmap(lambda key, *given: draw(key, *given, 4), in_axes=(0, None, None, None))
    first = np.where(pool.selectable, factors.sq_norms, -1).argmax().astype(np.int32)
    drawn, reached, counts = asking.quickly(draws)(keys, first, factors, pool)
    assert (counts == 4).all()
    seen = dict.fromkeys(law, 0)
    for row in drawn.tolist():
        seen[tuple(row)] += 1
    expected = np.array(list(law.values())) * len(keys)
    assert (expected > 5).all()
    assert chisquare(list(seen.values()), expected).pvalue > 0.001
    for picks, found in zip(drawn[:50].tolist(), reached, strict=False):
        wanted = [sq[picks[k], picks[:k]].min() for k in range(1, 4)]
        np.testing.assert_allclose(found, [np.square(g[picks[0]]).sum(), *wanted], rtol=1e-4)


def test_the_origin_is_no_center():
    # Point 1 is sure of itself: its gradient is 0, and so as far from the first pick as can be.
    log_probs = np.array([np.log([0.6, 0.4]), [0, -np.inf], *np.log([[0.6, 0.4], [0.5, 0.5]])])
    features = np.array([[2.0], [2.0], [2.0], [0.0]])
    picks = {
        tuple(asked(log_probs, features, labeled(4, 3), 2, key).indices.tolist())
        for key in range(5)
    }
    assert picks <= {(0, 1), (2, 1)}  # points 0 and 2 are alike


def test_what_coincides_with_picks_is_drawn_last_and_once():
    log_probs, features = made(4)
    log_probs, features = np.repeat(log_probs, 3, axis=0), np.repeat(features, 3, axis=0)
    orders = set()
    for key in range(4):
        query = asked(log_probs, features, labeled(12, 0), 13, key)
        picks = query.indices.tolist()
        assert sorted(i // 3 for i in picks[:4]) == [0, 1, 2, 3]
        assert sorted(picks[:11]) == list(range(1, 12))
        assert picks[11:] == [NOTHING] * 2
        assert float(query.info["random_picks"]) == 7
        orders.add(tuple(picks[4:11]))
    assert len(orders) > 1


@pytest.mark.parametrize("saturated", [False, True])
def test_a_collapsed_pool_gives_distinct_points(saturated):
    log_probs = [0.0, -np.inf] if saturated else np.log([0.7, 0.3])
    query = asked(np.tile(log_probs, (50, 1)), np.ones((50, 512)), labeled(50, 7), 40)
    assert len(set(query.indices.tolist()) - {7, NOTHING}) == 40
    assert float(query.info["random_picks"]) == 39


def test_nearly_certain_points_keep_their_gradient():
    log_probs = np.float32([[0.0, -20.0], [0.0, -30.0]])
    factors = jax.jit(gradient_factors)(log_probs, np.ones((2, 1), np.float32))
    np.testing.assert_allclose(
        np.asarray(factors.residuals)[:, 0], -np.exp([-20.0, -30.0]), rtol=1e-5
    )
