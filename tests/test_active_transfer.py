import asking
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from jax_al.errors import UsageError
from jax_al.strategies.active_transfer import (
    active_transfer,
    fit_logistic,
    project,
    standard,
)
from jax_al.strategies.atlas import atlas
from jax_al.strategies.choosing import highest_in_order, tie_order
from jax_al.strategies.parts import highest_in_parts, parts
from jax_al.types import Signals, empty_pool


def asked(name, features, p_true, labeled, budget, **options):
    """`p_true`: of class 0, the label of every labeled point."""
    pool = asking.pool_of(len(features), labeled, capacity=60)
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.float32(np.stack([p_true, 1 - p_true], axis=1)))
    signals = {"head_inputs": features, "log_probs": log_probs}
    return asking.ask(name, signals, pool, budget, **options)


fit = asking.quickly(fit_logistic, static_argnums=(3, 4))


@pytest.mark.parametrize("penalty", [0.1, 10.0])
def test_the_second_model_is_scikit_learns(penalty):
    rng = np.random.default_rng(0)
    points, target = rng.normal(size=(40, 5)), rng.random(40)
    counts = (rng.random(40) < 0.7).astype(float)
    peer = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=1000)
    # A soft target is a point that is half wrong and half right.
    twice = np.concatenate([points, points]), np.repeat([1, 0], 40)
    peer.fit(*twice, sample_weight=np.concatenate([counts * target, counts * (1 - target)]))
    arrays = [a.astype(np.float32) for a in (points, target, counts)]
    found = fit(*arrays, penalty, 12, np.zeros(6, np.float32))
    np.testing.assert_allclose(found[0], peer.intercept_[0], atol=1e-4)
    np.testing.assert_allclose(found[1:], peer.coef_[0], atol=1e-4)


def test_newton_does_not_run_away():
    points = np.linspace(-1, 1, 20, dtype=np.float32)[:, None] * 1000
    target = (points[:, 0] > 0).astype(np.float32)
    found = fit(points, target, np.ones(20, np.float32), 1e-3, 30, np.float32([-13.8, 0.0]))
    assert np.isfinite(found).all()
    assert ((points[:, 0] * found[1] + found[0] > 0) == (target == 1)).all()


def test_a_constant_feature_says_nothing():
    features = np.float32([[0.1, 3.0], [0.1, 5.0], [0.1, 1.0]])
    mean, scale = jax.tree.map(np.asarray, jax.jit(standard)(features, np.zeros(3, bool)))
    np.testing.assert_allclose(scale, [0.0, np.sqrt(3 / 8)], rtol=1e-6)
    found = jax.jit(project)(features, mean, np.float32([7.0, 1.0]) * scale)
    np.testing.assert_allclose(found, [0.0, np.sqrt(1.5), -np.sqrt(1.5)], atol=1e-6)


def test_no_copy_of_the_features_is_made():
    """At N = 10^6, from the compiler alone: 2 GB are given, next to nothing is asked for more."""
    N, C, D = 1_000_000, 10, 512
    signals = Signals(
        head_inputs=jax.ShapeDtypeStruct((N, D), jnp.float32),
        log_probs=jax.ShapeDtypeStruct((N, C), jnp.float32),
    )
    pool = jax.eval_shape(lambda: empty_pool(N, 1000))
    select = jax.jit(atlas().select, static_argnums=3)
    compiled = select.lower(jax.random.key(0), signals, pool, 1000).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 100e6


@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_the_picks_lie_where_the_network_is_wrong(scale):
    """The other way round is what ATLAS does in published code; also if it is hardly ever wrong."""
    features = np.linspace(-1, 1, 50, dtype=np.float32)[:, None]
    p_true = 1 - np.float32(scale) * expit(4 * features[:, 0]) / 2
    query = asked("active_transfer", features, p_true, range(0, 50, 5), 3)
    assert query.indices.tolist() == [49, 48, 47]
    mean = float((1 - p_true[::5]).mean())
    assert float(query.info["target"]) == pytest.approx(mean, rel=1e-2)


def test_later_rounds_of_atlas_move_elsewhere():
    # Wrong far along the first axis, and a little less along the second.
    along = np.linspace(0, 1, 25)
    zero = np.zeros(25)
    features = np.concatenate([np.stack([along, zero], 1), np.stack([zero, along], 1)])
    p_true = np.concatenate([1 - 0.9 * along, 1 - 0.8 * along])
    labeled = range(0, 50, 4)
    once, again = (
        asked(name, features, p_true, labeled, 10, penalty=0.1, **options).indices.tolist()
        for name, options in (("active_transfer", {}), ("atlas", {"rounds": 10}))
    )
    assert again[0] == once[0] == 23
    assert sum(i < 25 for i in again[:4]) == 2
    assert again[1] > 25
    assert all(i < 25 for i in once[:3])


def test_parts_differ_by_one_at_most():
    assert parts(11, 10) == [2] + [1] * 9
    assert parts(12, 5) == [3, 3, 2, 2, 2]
    assert parts(3, 10) == [1, 1, 1]
    assert parts(0, 4) == [0]


def test_scores_are_asked_anew_for_each_part():
    pool = asking.pool_of(20, [19])

    def score(part, parts_before, pool, picks):
        # Each part wants what lies close to the end of the one before, or to 0.
        seen = pool.labeled.sum() - 1
        last = jnp.where(seen > 0, picks[seen - 1], 0).astype(jnp.float32)
        scores = -jnp.abs(jnp.arange(20.0) - last - 4)
        return jnp.where(parts_before == part, scores, 0.0), parts_before + 1

    key = jax.random.key(0)
    in_parts = asking.quickly(lambda pool: highest_in_parts(key, score, jnp.int32(0), pool, 11, 4))
    ties = tie_order(key, 20)
    ask_highest = asking.quickly(lambda *given: highest_in_order(ties, *given), static_argnums=2)
    picks, theirs = in_parts(pool)
    picks = picks.tolist()
    expected, expected_scores, labeled, last = [], [], [19], 0
    for size in (3, 3, 3, 2):
        rest = pool._replace(labeled=np.isin(np.arange(20), labeled))
        scores = -np.abs(np.arange(20, dtype=np.float32) - last - 4)
        new = ask_highest(scores, rest, size).tolist()
        expected, labeled, last = expected + new, labeled + new, new[-1]
        expected_scores += scores[new].tolist()
    assert picks == expected
    assert theirs.tolist() == expected_scores


def test_one_round_of_atlas_is_active_transfer():
    rng = np.random.default_rng(0)
    features, p_true = rng.normal(size=(30, 4)), rng.uniform(0.1, 0.9, 30)
    found = [
        asked(name, features, p_true, (2, 5, 9), 30, **options)
        for name, options in (("active_transfer", {}), ("atlas", {"rounds": 1}))
    ]
    assert found[0].indices.tolist() == found[1].indices.tolist()


def test_a_network_sure_of_all_its_labels_and_one_always_wrong():
    features = np.random.default_rng(0).normal(size=(12, 2))
    for p_true in (np.ones(12), np.zeros(12)):
        for name, options in (("active_transfer", {}), ("atlas", {"rounds": 3})):
            query = asked(name, features, p_true, (0, 4), 5, **options)
            assert len(set(query.indices.tolist()) - {0, 4, -1}) == 5


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), "big", True])
def test_bad_penalties_are_sentences(bad):
    with pytest.raises(UsageError, match=r"^penalty"):
        active_transfer(penalty=bad)


@pytest.mark.parametrize("bad", [0, 2.5, True])
def test_bad_rounds_are_sentences(bad):
    with pytest.raises(UsageError, match=r"^rounds"):
        atlas(rounds=bad)


def test_atlas_fits_each_part_as_scikit_learn_does():
    """Few Newton steps after the first part would leave the ranking of the later ones inexact."""
    rng = np.random.default_rng(1)
    features = np.maximum(rng.normal(size=(200, 20)), 0).astype(np.float32)
    p_true = rng.uniform(0.2, 0.95, 200).astype(np.float32)
    labeled, per_part = list(range(0, 200, 5)), 6
    found = asked("atlas", features, p_true, labeled, 24, rounds=4)
    points = (features - features.mean(0)) / features.std(0)
    owned, target, picks = labeled.copy(), list(1 - p_true[labeled]), []
    for _ in range(4):
        peer = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000)
        soft = np.array(target)
        twice = np.concatenate([points[owned]] * 2), np.repeat([1, 0], len(owned))
        peer.fit(*twice, sample_weight=np.concatenate([soft, 1 - soft]))
        scores = peer.decision_function(points)
        scores[owned] = -np.inf
        part = np.argsort(-scores)[:per_part].tolist()
        picks, owned, target = picks + part, owned + part, target + [0.0] * per_part
    assert found.indices.tolist() == picks
