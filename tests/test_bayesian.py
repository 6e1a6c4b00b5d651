import functools
import itertools
import pathlib

import asking
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare, rankdata

from jax_al.errors import UsageError
from jax_al.strategies import make_strategy
from jax_al.strategies.bayesian import bald_score
from jax_al.types import Signals

GOLDEN = pathlib.Path(__file__).parent / "golden" / "uncertainty.npz"
DRAWS = 6000
# What a point of BALD score s and rank r is drawn in proportion to.
LAWS = {
    "power_bald": lambda s, r, beta: s**beta,
    "softmax_bald": lambda s, r, beta: np.exp(beta * s),
    "softrank_bald": lambda s, r, beta: r**-beta,
}


def signals_of(passes):
    """The statistics of passes [T, N, C], worked out in float64."""
    passes = np.asarray(passes, np.float64)
    terms = passes * np.log(np.where(passes > 0, passes, 1.0))
    votes = np.eye(passes.shape[2])[passes.argmax(axis=2)]
    found = {
        "mc_probs": passes.mean(axis=0),
        "mc_mean_entropy": -terms.sum(axis=2).mean(axis=0),
        "mc_std": passes.std(axis=0),
        "mc_votes": votes.mean(axis=0),
    }
    return Signals(**{name: value.astype(np.float32) for name, value in found.items()})


def asked(name, signals, budget, labeled=0, **options):
    pool, needs = asking.pool_of(len(signals.mc_probs), [labeled]), make_strategy(name).needs
    given = {need: getattr(signals, need) for need in needs}
    return asking.ask(name, given, pool, budget, **options)


def drawn(name, signals, budget, labeled, **options):
    """As many queries as DRAWS, of as many keys: tuples of indices."""
    pool, made = asking.pool_of(len(signals.mc_probs), [labeled]), make_strategy(name, **options)
    keys = jax.random.split(jax.random.key(0), DRAWS)
    ask = asking.quickly(
        jax.vmap(lambda key, *given: made.select(key, *given, budget).indices, (0, None, None))
    )
    return [tuple(row) for row in ask(keys, signals, pool).tolist()]


def assert_law(seen, law):
    """That the outcomes `seen` come up as often as `law`, outcome -> probability, says."""
    assert sum(law.values()) == pytest.approx(1)
    counts = dict.fromkeys(law, 0)
    for outcome in seen:
        counts[outcome] += 1
    expected = np.array(list(law.values())) * len(seen)
    assert (expected > 5).all()
    assert chisquare(list(counts.values()), expected).pvalue > 0.001


# Point 0 is labeled. Point 1: sure passes that disagree; 2: two that lean; 3: none knows anything.
PASSES = np.array(
    [
        [[0.5, 0.5], [1.0, 0.0], [0.75, 0.25], [0.5, 0.5]],
        [[0.5, 0.5], [0.0, 1.0], [0.25, 0.75], [0.5, 0.5]],
    ]
)
LEAN = np.log(2) + 0.75 * np.log(0.75) + 0.25 * np.log(0.25)  # ln 2 - H(0.75, 0.25)


@jax.jit
def statistics_of(passes):
    return Signals(
        mc_probs=passes.mean(axis=0),
        mc_mean_entropy=-jax.scipy.special.xlogy(passes, passes).sum(axis=2).mean(axis=0),
    )


score = jax.jit(bald_score)


@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("variation_ratios", [0.5, 0.5, 0.0]),  # where none knows, the first class is the vote
        ("mean_std", [0.5, 0.25, 0.0]),
        ("bald", [np.log(2), LEAN, 0.0]),
    ],
)
def test_points_come_in_the_order_of_the_definition_with_their_scores(name, scores):
    query = asked(name, signals_of(PASSES), 3)
    assert sorted(query.indices.tolist()) == [1, 2, 3]
    np.testing.assert_allclose(query.scores, scores, rtol=1e-5, atol=1e-6)  # falling
    np.testing.assert_allclose(np.array(scores)[query.indices - 1], scores)


def test_variation_ratios_count_votes_and_not_probabilities():
    """Half of the code that uses the name takes the mean probability, which picks point 2 here."""
    passes = np.array([[[1, 0], [0.9, 0.1], [0.6, 0.4]], [[1, 0], [0.1, 0.9], [0.6, 0.4]],
                       [[1, 0], [0.99, 0.01], [0.6, 0.4]]])  # fmt: skip
    signals = signals_of(passes)
    query = asked("variation_ratios", signals, 1)
    assert query.indices.tolist() == [1]
    np.testing.assert_allclose(query.scores, [1 / 3], rtol=1e-6)
    assert asked("mc_least_confidence", signals, 1).indices.tolist() == [2]


def test_scores_are_those_of_baal_and_scikit_activeml():
    golden = np.load(GOLDEN)
    signals = signals_of(golden["passes"])
    found = score(signals)
    np.testing.assert_allclose(found, golden["baal_bald"], rtol=1e-5, atol=1e-6)
    # The divergence from consensus of query by committee is the same number, but for p below
    # 1e-7, which scikit-activeml cuts off there: the last point has some.
    np.testing.assert_allclose(found, golden["skactiveml_kl_divergence"], rtol=1e-5, atol=2e-6)
    query = asked("variation_ratios", signals, 11, labeled=10)
    expected = golden["skactiveml_variation_ratios"]
    np.testing.assert_allclose(query.scores, expected[query.indices], rtol=1e-6, atol=1e-6)


def test_baal_sorts_by_the_variance_where_the_paper_takes_the_deviation():
    """Its `Variance` averages squares over the classes, so a class that varies a lot counts more.

    Ours averages standard deviations, as Gal et al. 2017 do in "Mean STD"; orders differ.
    """
    golden = np.load(GOLDEN)
    signals = signals_of(golden["passes"])
    variance = np.square(np.asarray(signals.mc_std)).mean(axis=1)
    np.testing.assert_allclose(variance, golden["baal_variance"], rtol=1e-5, atol=1e-6)
    query = asked("mean_std", signals, 11, labeled=10)
    deviation = golden["passes"].std(axis=0).mean(axis=1)
    np.testing.assert_allclose(query.scores, deviation[query.indices], rtol=1e-5)
    assert query.indices.tolist() == np.argsort(-deviation)[:11].tolist()
    assert query.indices.tolist() != np.argsort(-golden["baal_variance"])[:11].tolist()


def test_passes_that_agree_tie_where_baal_sorts_rounding_errors():
    golden = np.load(GOLDEN)
    noise = golden["baal_bald_agreeing"]
    assert len(set(noise.tolist())) > 1
    assert np.abs(noise).max() < 1e-6
    signals = statistics_of(np.moveaxis(golden["agreeing"], 2, 0))
    assert score(signals).tolist() == [0.0] * 12
    first = {int(asked("bald", signals, 4, key=key).indices[0]) for key in range(40)}
    assert first == set(range(1, 12))


@functools.partial(jax.jit, static_argnums=1)
def scores_of_equal_passes(logits, T):
    """In float32 throughout, compiled as for users: what rounding leaves is the question."""
    log_probs = jnp.broadcast_to(jax.nn.log_softmax(logits)[None], (T, *logits.shape))
    probs = jnp.exp(log_probs)
    nats = -(probs * log_probs).sum(axis=2).mean(axis=0)
    return bald_score(Signals(mc_probs=probs.mean(axis=0), mc_mean_entropy=nats))


@pytest.mark.parametrize("scale", [1.0, 5.0])
@pytest.mark.parametrize(("C", "T"), [(2, 20), (10, 20), (100, 100), (1000, 20)])
def test_what_rounding_leaves_of_passes_that_agree_is_nothing(C, T, scale):
    logits = scale * np.random.default_rng(C).normal(size=(200, C)).astype(np.float32)
    assert scores_of_equal_passes(np.float32(logits), T).tolist() == [0.0] * 200


@pytest.mark.parametrize(
    ("name", "beta"),
    [("power_bald", 1.0), ("power_bald", 0.5), ("softmax_bald", 6.0), ("softrank_bald", 1.0)],
)
def test_sequences_come_up_as_often_as_drawing_one_by_one(name, beta):
    """The highest of log weight + Gumbel noise, against draws without replacement."""
    signals = signals_of(np.load(GOLDEN)["passes"][:, [11, 8, 2, 5, 9]])
    scores = np.asarray(score(signals), np.float64)
    free = [0, 2, 3, 4]
    ranks = np.zeros(5)
    ranks[free] = rankdata(-scores[free])
    ranks[1] = np.nan  # point 1 is labeled
    weights = LAWS[name](scores, ranks, beta)
    law = {}
    for path in itertools.permutations(free, 2):
        first, second = weights[list(path)]
        total = weights[free].sum()
        law[path] = first / total * second / (total - first)
    assert_law(drawn(name, signals, 2, labeled=1, beta=beta), law)


@pytest.mark.parametrize(
    ("name", "peer", "beta"),
    [
        ("power_bald", "baal_power", 2.0),
        ("softmax_bald", "baal_softmax", 4.0),
        ("softrank_bald", "baal_softrank", 1.0),
    ],
)
def test_the_laws_are_those_of_baal(name, peer, beta):
    golden = np.load(GOLDEN)
    scores = golden["baal_bald"]
    weights = LAWS[name](scores, rankdata(-scores), beta)
    np.testing.assert_allclose(golden[peer], weights / weights.sum(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("beta", [0.01, 1.0, 60.0])
def test_power_draws_score_zero_last_and_at_random(beta):
    # Point 0 is labeled; 1, 3 and 5 have no score but rounding; 2 has all there is, 4 hardly any.
    passes = np.tile(np.array([0.7, 0.3]), (2, 6, 1))
    passes[:, 2] = [[1, 0], [0, 1]]
    passes[:, 4] = [[0.71, 0.29], [0.69, 0.31]]
    signals = signals_of(passes)
    scores = np.asarray(score(signals))
    assert (scores > 0).tolist() == [False, False, True, False, True, False]
    seen = drawn("power_bald", signals, 5, labeled=0, beta=beta)
    assert {frozenset(row[:2]) for row in seen} == {frozenset({2, 4})}
    law = dict.fromkeys(itertools.permutations((1, 3, 5)), 1 / 6)
    assert_law([row[2:] for row in seen], law)


def test_baal_draws_uniformly_where_few_have_a_score():
    """Two of six points have a score above 0; for a batch of three it gives all the same chance."""
    golden = np.load(GOLDEN)
    np.testing.assert_allclose(golden["baal_power_of_few"], 1 / 6)
    signals = signals_of(np.moveaxis(golden["few"], 2, 0))
    seen = drawn("power_bald", signals, 3, labeled=5)
    assert {frozenset(row[:2]) for row in seen} == {frozenset({0, 1})}


@pytest.mark.parametrize("name", LAWS)
def test_with_beta_zero_all_are_alike_whatever_their_score(name):
    signals = signals_of(PASSES)
    law = dict.fromkeys(itertools.permutations((1, 2, 3), 2), 1 / 6)
    assert_law(drawn(name, signals, 2, labeled=0, beta=0), law)


@pytest.mark.parametrize("name", LAWS)
def test_with_a_large_beta_they_are_bald_and_say_its_scores(name):
    signals = signals_of(PASSES)
    query = asked(name, signals, 3, beta=1e30)
    assert query.indices.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(query.scores, np.asarray(score(signals))[[1, 2, 3]])


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), 1e31, True, "much"])
def test_bad_betas_are_sentences(name, bad):
    with pytest.raises(UsageError, match=r"^beta is "):
        make_strategy(name, beta=bad)


def test_vote_entropy_sees_whether_the_outvoted_agree():
    votes = np.array([[0.6, 0.4, 0], [0.6, 0.2, 0.2], [1, 0, 0], [0, 0.4, 0.6], [0, 1, 0]])
    pool = asking.pool_of(5, [4])
    query = asking.ask("committee_vote_entropy", {"mc_votes": votes}, pool, 4)
    expected = [-sum(v * np.log(v) for v in row if v > 0) for row in votes[:4]]
    np.testing.assert_allclose(query.scores, np.sort(expected)[::-1], rtol=1e-4, atol=1e-7)
    assert query.indices[0] == 1
    assert sorted(query.indices[1:3].tolist()) == [0, 3]
