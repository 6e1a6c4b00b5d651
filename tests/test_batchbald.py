import itertools
import pathlib

import asking
import jax
import numpy as np
import pytest
from scipy.special import softmax

from jax_al.errors import UsageError
from jax_al.strategies.batchbald import add_pick, batchbald, conditional_entropy, no_picks
from jax_al.types import NOTHING

GOLDEN = pathlib.Path(__file__).parent / "golden" / "batchbald.npz"


def passes(N, T, C, seed=0, scale=2.0):
    logits = scale * np.random.default_rng(seed).normal(size=(T, N, C))
    return softmax(logits.astype(np.float32), axis=2)


def entropy(probs):
    return -np.sum(probs * np.log(np.where(probs > 0, probs, 1.0)), axis=-1)


def joint_entropy(probs, picks):
    """By enumeration of all label configurations, in float64."""
    probs = np.asarray(probs, np.float64)[:, list(picks)]
    joint = [
        np.mean(np.prod([probs[:, i, y] for i, y in enumerate(labels)], axis=0))
        for labels in itertools.product(range(probs.shape[2]), repeat=len(picks))
    ]
    return entropy(np.array(joint))


def information(probs, picks):
    mean_entropy = entropy(np.asarray(probs, np.float64)).mean(axis=0)
    return joint_entropy(probs, picks) - mean_entropy[list(picks)].sum()


def asked(probs, budget, *, key=0, labeled=(), **options):
    # A first point that is labeled and not looked at: no label would mean random sampling.
    probs = np.concatenate([probs[:, :1], probs], axis=1)
    pool = asking.pool_of(probs.shape[1], [0, *(i + 1 for i in labeled)])
    query = asking.ask("batchbald", {"sampled_probs": probs}, pool, budget, key=key, **options)
    return [i - 1 if i != NOTHING else i for i in query.indices.tolist()], query.info


def test_it_picks_what_batchbald_redux_picks():
    golden = np.load(GOLDEN)
    probs = golden["probs"]
    picks, _ = asked(probs, 6)
    assert picks == golden["indices"].tolist()
    for q in range(1, 7):
        assert information(probs, picks[:q]) == pytest.approx(golden["scores"][q - 1], abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_greedy_on_the_information_of_the_whole_batch(seed):
    probs = passes(8, 5, 3, seed)
    picks, info = asked(probs, 4, labeled=(5,))
    expected = []
    for _ in range(4):
        left = [i for i in range(8) if i not in (*expected, 5)]
        expected.append(max(left, key=lambda i: information(probs, [*expected, i])))
    assert picks == expected
    assert float(info["informative_picks"]) == 4


@pytest.mark.parametrize("cap", [1, 7, 30, 81])
def test_drawn_configurations_give_the_conditional_entropy_on_average(cap):
    probs, picks = passes(6, 4, 3, seed=1), (2, 0, 5, 1)
    expected = joint_entropy(probs, (*picks, 3)) - joint_entropy(probs, picks)

    def estimate(key, probs):
        state = no_picks(4, cap)
        for q, draw_key in zip(picks, jax.random.split(key, 4), strict=True):
            state = add_pick(draw_key, state, probs[:, q], cap)
        return conditional_entropy(state, probs[:, 3:4])[0]

    found = asking.quickly(jax.vmap(estimate, in_axes=(0, None)))(
        jax.random.split(jax.random.key(0), 2000), probs
    )
    error = found.std() / np.sqrt(2000) + 1e-6
    assert abs(found.mean() - expected) < 4 * error
    if cap == 30:  # strata beat independent draws: 0.082 with one, so 0.015 with 30 of them
        assert found.std() < 0.012
    if cap == 81:
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_many_drawn_configurations_are_nearly_as_good_as_all():
    probs = passes(40, 10, 4, seed=2, scale=1.0)
    exact, _ = asked(probs, 5, max_configurations=4**5)
    drawn, _ = asked(probs, 5, max_configurations=200, key=3)
    assert information(probs, drawn) > 0.97 * information(probs, exact)


def test_a_copy_of_a_pick_is_worth_less_than_something_else():
    strong = passes(1, 6, 3, seed=4, scale=4.0)
    other = passes(1, 6, 3, seed=5, scale=2.0)
    probs = np.concatenate([strong, strong, other], axis=1)
    assert information(probs, [0]) > information(probs, [2])
    assert asked(probs, 2)[0] in ([0, 2], [1, 2])


@pytest.mark.parametrize("cap", [4, 10_000])
def test_certain_passes_and_used_up_information(cap):
    # Two passes, certain and opposed on points 0 to 2: after one of them nothing is left to know.
    certain = np.array([[[1.0, 0.0]] * 3, [[0.0, 1.0]] * 3])
    same = np.full((2, 2, 2), 0.5)
    picks, info = asked(np.concatenate([same, certain], axis=1), 6, max_configurations=cap)
    assert (sorted(picks[:3]), sorted(picks[3:5]), picks[5]) == ([2, 3, 4], [0, 1], NOTHING)
    assert float(info["informative_picks"]) == 1


def test_passes_that_agree_tie_and_rounding_errors_decide_nothing():
    probs = np.broadcast_to(passes(30, 1, 10), (20, 30, 10))
    found = [asked(probs, 5, quick=False, key=key) for key in range(60)]
    assert {pick for picks, _ in found for pick in picks} == set(range(30))
    assert all(float(info["informative_picks"]) == 0 for _, info in found)


@pytest.mark.parametrize("bad", [0, -3, 1.5, True, "many", 10**7 + 1])
def test_bad_options_are_sentences(bad):
    with pytest.raises(UsageError, match=r"^max_configurations"):
        batchbald(max_configurations=bad)
