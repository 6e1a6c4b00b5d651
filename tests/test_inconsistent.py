import asking
import jax
import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

import jax_al as al
from jax_al.drivers.engine import Engine, Looking
from jax_al.errors import UsageError
from jax_al.learners import cnn, linear
from jax_al.strategies import make_strategy
from jax_al.types import Benchmark

N, F, C = 60, 8, 3
RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(N, F)).astype(np.float32)
HEAD = (RNG.normal(size=(F + 1, C)) * np.array([[2.0]] * F + [[0.5]])).astype(np.float32)
LABELED, LABELS = [3, 17, 20, 41, 8], [0, 0, 1, 2, 2]


def log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


LOGITS = POINTS.astype(np.float64) @ HEAD[:-1] + HEAD[-1]
GIVEN = {"head_inputs": POINTS, "log_probs": log_softmax(LOGITS), "head": HEAD}
POOL = asking.pool_of(N, LABELED, LABELS)


def mixed_otherwise(mixing):
    """Which points change their class with one anchor or another, by the formula of the paper."""
    points = POINTS.astype(np.float64)
    labels = np.array(LABELS)
    anchors = [points[np.array(LABELED)[labels == c]].mean(axis=0) for c in range(C)]
    probs, guess = np.exp(log_softmax(LOGITS)), LOGITS.argmax(axis=1)
    gradient = (probs - np.eye(C)[guess]) @ HEAD[:-1].T
    changed = np.zeros(N, bool)
    for anchor in anchors:
        apart = anchor - points
        length = np.linalg.norm(apart, axis=1, keepdims=True)
        unit = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):  # of a labeled point that is its class's anchor
            a = mixing / np.sqrt(F) * length * unit / apart
        changed |= ((a * anchor + (1 - a) * points) @ HEAD[:-1] + HEAD[-1]).argmax(1) != guess
    return changed


@pytest.mark.parametrize("mixing", [0.2, 0.6])
def test_alfa_mix_asks_what_mixing_changes_and_the_rest_at_random(mixing):
    changed = mixed_otherwise(mixing)
    changed[LABELED] = False
    count = changed.sum()
    assert 3 < count < 50
    query = asking.ask("alfa_mix", GIVEN, POOL, 50, mixing=mixing)
    assert set(query.indices[:count].tolist()) == set(np.flatnonzero(changed).tolist())
    assert (query.scores[:count] > 0).all()
    assert (query.scores[count:] <= 0).all()
    assert query.info["random_picks"] == 50 - count
    few = asking.ask("alfa_mix", GIVEN, POOL, 3, mixing=mixing)
    assert changed[few.indices].all()


def test_alfa_mix_changes_the_class_of_points_that_are_sure_but_not_far_from_another():
    """The square of a probability of e^-60 is 0 in float32; a step of 100 is longer."""
    points = np.zeros((20, 4))
    points[:, 0] = np.where(np.arange(20) < 10, 30, 300)
    points[0, 0] = -1000  # its class's only labeled point, and so the anchor
    head = np.zeros((5, 2))
    head[0] = [1, -1]
    given = {"head_inputs": points, "log_probs": log_softmax(points @ head[:-1]), "head": head}
    query = asking.ask("alfa_mix", given, asking.pool_of(20, [0]), 12)
    assert set(query.indices[:9].tolist()) == set(range(1, 10))
    assert query.info["random_picks"] == 3


def test_dropquery_asks_what_most_dropouts_change():
    query = asking.ask("dropquery", GIVEN, POOL, 55, key=7, draws=5)
    keys = jax.random.split(jax.random.key(7))  # of random_without_labels, then of its own
    drop_key = jax.random.split(keys[0])[0]
    share = np.zeros(N)
    for row in range(N):
        bits = jax.random.bits(jax.random.fold_in(drop_key, row), (5, F), np.uint8)
        dropped = np.where(np.asarray(bits) >= 192, 4 * POINTS[row].astype(np.float64), 0)
        others = (dropped @ HEAD[:-1] + HEAD[-1]).argmax(axis=1)
        share[row] = (others != LOGITS[row].argmax()).mean()
    np.testing.assert_allclose(query.scores, share[query.indices], rtol=1e-6)
    candidates = set(np.flatnonzero(share > 0.5).tolist()) - set(LABELED)
    assert 3 < len(candidates) < 50
    assert set(query.indices[: len(candidates)].tolist()) == candidates
    assert (np.diff(query.scores[len(candidates) :]) <= 0).all()


def test_picks_are_spread():
    """Two heaps of inconsistent points: one pick of each."""
    rng = np.random.default_rng(3)
    side = np.repeat([1, -1], [40, 20])
    points = np.stack([0.01 * rng.normal(size=60), 5 * side + 0.01 * rng.normal(size=60)], axis=1)
    head = np.array([[4.0, -4], [0, 0], [0, 0]])
    given = {"head_inputs": points, "log_probs": log_softmax(points @ head[:-1]), "head": head}
    for key in range(4):
        picks = asking.ask("alfa_mix", given, asking.pool_of(60, [0]), 2, key=key).indices
        assert sorted(side[picks]) == [-1, 1]


@pytest.mark.parametrize("make", [linear(penalty=0.1), cnn(epochs=1, embedding_size=8)])
def test_the_last_layer_that_a_learner_tells_gives_its_log_probabilities(make):
    images = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 1)).astype(np.uint8)
    pool = al.arrays(images)
    learner = make(pool.spec, C)
    state = learner.init(jax.random.key(0), learner.prepare(pool))
    out, head = learner.predict(state, images), np.asarray(learner.head(state), np.float64)
    found = log_softmax(np.asarray(out.head_inputs, np.float64) @ head[:-1] + head[-1])
    np.testing.assert_allclose(found, out.log_probs, rtol=1e-4, atol=1e-5)


def test_a_run_gives_them_the_last_layer_and_a_learner_without_one_is_refused():
    points, truth = al.arrays(POINTS), np.arange(N, dtype=np.int32) % C
    pool = Benchmark(points, truth, ("a", "b", "c"))
    engine, made = Engine(pool, linear(penalty=0.1), Looking()), make_strategy("alfa_mix")
    state, _ = engine.fit(
        jax.random.key(0), engine.init(jax.random.key(0)), LABELED, LABELS, capacity=9
    )
    engine.compile_ahead(made, 9, 4)
    asked = engine.ask(jax.random.key(0), state, made, asking.pool_of(N, LABELED, LABELS), 4, 4)
    head = asked.signals.head
    np.testing.assert_array_equal(head[:-1], state.head.kernel)
    np.testing.assert_array_equal(head[-1], state.head.bias)
    with pytest.raises(UsageError, match="and this learner tells none: choose another strategy"):
        Engine(pool, al.host_learner(GaussianNB()), Looking()).check(made)


def test_the_last_layer_may_be_given_by_hand():
    single = {name: asking.single(values) for name, values in GIVEN.items()}
    picked = al.select("alfa_mix", budget=5, labeled=LABELED, labels=LABELS, **single)
    assert len(picked.rows) == 5
    with pytest.raises(UsageError, match="all must be for the same"):
        al.select("dropquery", budget=5, labeled=LABELED, **single | {"head": HEAD[:, :2]})
    with pytest.raises(UsageError, match="for 8 numbers and head, but for its last row"):
        al.select("dropquery", budget=5, labeled=LABELED, **single | {"head": HEAD[:-1]})
    with pytest.raises(UsageError, match="head holds NaN"):
        al.select("dropquery", budget=5, labeled=LABELED, **single | {"head": np.nan * HEAD})


def test_bad_options_are_named():
    with pytest.raises(UsageError, match="rate is 1; it must be a number, above 0 and below 1"):
        make_strategy("dropquery", rate=1)
    with pytest.raises(UsageError, match="mixing is 0"):
        make_strategy("alfa_mix", mixing=0)
