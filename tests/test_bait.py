import asking
import numpy as np
import pytest
from scipy.special import log_softmax

from jax_al.errors import UsageError
from jax_al.strategies.bait import bait
from jax_al.types import NOTHING, Signals


def made(N, C=3, D=4, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    log_probs = log_softmax(2 * rng.normal(size=(N, C)), axis=1).astype(np.float32)
    features = np.maximum(scale * rng.normal(size=(N, D)), 0)
    return Signals(log_probs=log_probs, head_inputs=features.astype(np.float32))


def asked(signals, labeled, budget, **how):
    pool = asking.pool_of(len(signals.head_inputs), labeled, capacity=20)
    given = {"log_probs": signals.log_probs, "head_inputs": signals.head_inputs}
    return asking.ask("bait", given, pool, budget, **how)


def information(signals):
    """Dense I(x) [N, C D, C D] in float64."""
    probs = np.exp(np.asarray(signals.log_probs, np.float64))
    features = np.asarray(signals.head_inputs, np.float64)
    kernels = probs[:, :, None] * np.eye(probs.shape[1]) - probs[:, :, None] * probs[:, None, :]
    return np.stack([np.kron(k, np.outer(h, h)) for k, h in zip(kernels, features, strict=True)])


def brute_force(signals, labeled, budget, regularizer):
    info = information(signals)
    left = [i for i in range(len(info)) if i not in labeled]
    target = info[left].mean(axis=0)
    base = regularizer * np.eye(info.shape[1]) + info[list(labeled)].sum(axis=0)
    trace = lambda picks: np.trace(np.linalg.solve(base + info[picks].sum(axis=0), target))  # noqa: E731
    picks, gains = [], {}
    for _ in range(min(2 * budget, len(left))):
        rest = [i for i in left if i not in picks]
        best = min(rest, key=lambda i: trace([*picks, i]))
        gains[best] = trace(picks) - trace([*picks, best])
        picks.append(best)
    while len(picks) > budget:
        worst = min(picks, key=lambda i: trace([j for j in picks if j != i]))
        picks.remove(worst)
    return picks, [gains[i] for i in picks]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("regularizer", "scale"), [(1.0, 1.0), (0.01, 1.0), (1.0, 20.0)])
def test_it_is_the_dense_algorithm(seed, regularizer, scale):
    signals = made(25, seed=seed, scale=scale)
    query = asked(signals, (3, 17), 5, regularizer=regularizer)
    picks, gains = brute_force(signals, (3, 17), 5, regularizer)
    assert query.indices.tolist() == picks
    np.testing.assert_allclose(query.scores, gains, rtol=1e-4)


def from_scratch(signals, labeled, budget):
    """The picks and their tr(M^-1 F), with M^-1 worked out anew in float64 for every pick."""
    probs = np.exp(np.asarray(signals.log_probs, np.float64))
    features = np.asarray(signals.head_inputs, np.float64)
    s = np.sqrt(probs)
    roots = s[:, :, None] * (np.eye(s.shape[1]) - s[:, :, None] * s[:, None, :])
    V = np.einsum("ncd,nh->nchd", roots, features).reshape(len(s), -1, s.shape[1])
    left = [i for i in range(len(V)) if i not in labeled]
    total = lambda rows: np.einsum("nac,nbc->ab", V[rows], V[rows])  # noqa: E731
    target, base = total(left) / len(left), np.eye(V.shape[1]) + total(list(labeled))

    def change(rows, sign):
        inverse = np.linalg.inv(base + total(picks))
        K = np.swapaxes(inverse @ V[rows], 1, 2)
        near, worth = K @ V[rows], K @ target @ np.swapaxes(K, 1, 2)
        solved = np.linalg.solve(np.eye(V.shape[2]) + sign * near, worth)
        return np.trace(solved, axis1=1, axis2=2)

    picks = []
    for _ in range(2 * budget):
        rest = [i for i in left if i not in picks]
        picks.append(rest[change(rest, 1).argmax()])
    while len(picks) > budget:
        del picks[change(picks, -1).argmin()]
    trace = lambda rows: np.trace(np.linalg.solve(base + total(rows), target))  # noqa: E731
    return picks, trace


# Mean |h|^2 of 500, 4,500, and of 5 and 4,500 million.
@pytest.mark.parametrize("scale", [10.0, 30.0, 1e3, 3e4])
def test_many_updates_do_not_drift(scale):
    signals, budget = made(230, D=10, scale=scale), 100
    expected, trace = from_scratch(signals, (3, 17), budget)
    picks = asked(signals, (3, 17), budget, quick=False).indices.tolist()
    assert len(set(picks)) == budget
    np.testing.assert_allclose(trace(picks), trace(expected), rtol=1e-6)


def test_averaged_weighs_as_the_published_code():
    """F over all points; the n labels weigh n / (n + Q) together, a pick Q / (n + Q)."""
    signals, labeled, budget = made(25), (3, 17, 20), 4
    info, n = information(signals), 3
    left = [i for i in range(25) if i not in labeled]
    target = info.mean(axis=0)
    base = np.eye(info.shape[1]) + n / (n + budget) * info[list(labeled)].mean(axis=0)
    trace = lambda picks: np.trace(  # noqa: E731
        np.linalg.solve(base + budget / (n + budget) * info[picks].sum(axis=0), target)
    )
    picks = []
    for _ in range(2 * budget):
        picks.append(min((i for i in left if i not in picks), key=lambda i: trace([*picks, i])))
    while len(picks) > budget:
        picks.remove(min(picks, key=lambda i: trace([j for j in picks if j != i])))
    assert asked(signals, labeled, budget, averaged=True).indices.tolist() == picks


def test_near_the_end_of_the_pool():
    signals = made(9, C=2)
    for budget in (5, 7):
        expected, _ = brute_force(signals, (3, 8), budget, 1.0)
        assert asked(signals, (3, 8), budget).indices.tolist() == expected
    query = asked(signals, (3, 8), 10)
    assert sorted(query.indices[:7].tolist()) == [0, 1, 2, 4, 5, 6, 7]
    assert query.indices[7:].tolist() == [NOTHING] * 3


def test_a_cap_leaves_a_random_part_of_the_candidates():
    signals = made(25)
    queries = [asked(signals, (0,), 1, key=key, max_candidates=12) for key in range(4)]
    assert len({tuple(query.indices.tolist()) for query in queries}) > 1
    assert float(queries[0].info["num_candidates"]) == 12
    # Of 2 Q candidates the forward pass would take all: there are 10 Q.
    assert float(asked(signals, (0,), 2, max_candidates=4).info["num_candidates"]) == 20
    whole = {
        tuple(asked(signals, (0,), 5, key=key, regularizer=1.0).indices.tolist()) for key in (0, 1)
    }
    assert len(whole) == 1


@pytest.mark.parametrize("saturated", [False, True])
def test_collapsed_pools(saturated):
    log_probs = [0.0, -np.inf] if saturated else np.log([0.7, 0.3])
    signals = Signals(log_probs=np.tile(log_probs, (12, 1)), head_inputs=np.ones((12, 3)))
    query = asked(signals, (0,), 4)
    assert len(set(query.indices.tolist()) - {0, NOTHING}) == 4


def test_too_many_weights_are_refused_in_a_sentence():
    with pytest.raises(UsageError, match=r"^max_parameters is 11, and .* C D is 12"):
        asked(made(5), (0,), 2, max_parameters=11)


@pytest.mark.parametrize(
    ("option", "bad"), [("regularizer", 0), ("max_candidates", 0), ("max_parameters", 1.5)]
)
def test_bad_options_are_sentences(option, bad):
    with pytest.raises(UsageError, match=rf"^{option}"):
        bait(**{option: bad})
