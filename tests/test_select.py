"""Strategies asked on plain arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies import by_score, make_strategy, select, strategy
from jax_al.strategies.plain_arrays import check_values
from jax_al.testing.made_up import general, pool_of
from jax_al.types import NOTHING, Query, Signals

N, C = 24, 4
SIGNALS = general(0, N, C)
LOG_PROBS, EMBEDDING = np.asarray(SIGNALS.log_probs), np.asarray(SIGNALS.embedding)
SAMPLED = np.asarray(SIGNALS.sampled_probs)
LABELED, LABELS = [7, 0, 11, 6], [1, 0, 3, 0]


@pytest.mark.parametrize(
    "name", ["margin", "coreset", "active_transfer", "coreset_robust", "random"]
)
def test_it_answers_as_the_strategy_does_in_a_run(name):
    made, out = make_strategy(name), np.array([2, 9])
    pool = pool_of(N, np.array(LABELED), np.array(LABELS), out, capacity=N)
    needed = {need: getattr(SIGNALS, need) for need in made.needs}
    ask = made.select if made.on_host else jax.jit(made.select, static_argnums=3)
    query = ask(jax.random.key(3), Signals(**needed), pool, 5)
    found = select(
        name, budget=5, labeled=LABELED, labels=LABELS, exclude=out, seed=3, num_points=N, **needed
    )
    assert found.rows.dtype == np.int64
    assert found.rows.tolist() == query.indices.tolist()
    assert found.info == {key: float(value) for key, value in query.info.items()}
    if query.scores is None:
        assert found.scores is None
    else:
        np.testing.assert_array_equal(found.scores, query.scores)


def test_masks_name_the_same_rows_as_numbers():
    labeled, exclude = np.zeros(N, bool), np.zeros(N, bool)
    labeled[LABELED], exclude[[2, 9]] = True, True
    rows, masks = (
        select("margin", budget=5, labeled=a, exclude=b, log_probs=LOG_PROBS).rows.tolist()
        for a, b in ((LABELED, [2, 9]), (labeled, exclude))
    )
    assert rows == masks
    assert not set(rows) & {*LABELED, 2, 9}
    assert select("random", budget=3, exclude=exclude).rows.size == 3  # a mask tells N, too


def test_a_budget_beyond_what_is_left_takes_what_is_left():
    found = select(
        "margin", budget=10**9, labeled=LABELED, exclude=[1], log_probs=LOG_PROBS.astype(np.float64)
    )
    assert sorted(found.rows.tolist()) == sorted(set(range(N)) - {*LABELED, 1})
    assert found.scores is not None
    assert np.isfinite(found.scores).all()
    assert select("random", budget=3, labeled=range(N), num_points=N).rows.size == 0


def test_an_excluded_row_may_hold_anything():
    broken = EMBEDDING.copy()
    broken[[2, 9]] = [[np.nan], [np.inf]]
    for name in ("coreset", "typiclust", "facility_location"):
        found = [
            select(name, budget=5, labeled=LABELED, exclude=[2, 9], embedding=x).rows.tolist()
            for x in (EMBEDDING, broken)
        ]
        assert found[0] == found[1]
    assert np.isnan(broken[2]).all()  # what was given is left as it was


@pytest.mark.parametrize(
    ("name", "given"),
    [("mc_entropy", "mc_probs"), ("mean_std", "mc_std"), ("variation_ratios", "mc_votes")],
)
def test_draws_do_for_their_statistics(name, given):
    statistics = {
        "mc_probs": SAMPLED.mean(axis=0),
        "mc_std": SAMPLED.std(axis=0),
        "mc_votes": np.eye(C)[SAMPLED.argmax(axis=2)].mean(axis=0),
    }
    of_draws = select(name, budget=5, labeled=LABELED, sampled_probs=SAMPLED)
    of_them = select(name, budget=5, labeled=LABELED, **{given: statistics[given]})
    np.testing.assert_allclose(of_draws.scores, of_them.scores, rtol=1e-5, atol=1e-6)


def test_of_draws_bald_is_the_mutual_information():
    found = select("bald", budget=5, labeled=LABELED, sampled_probs=SAMPLED)
    mean = SAMPLED.mean(axis=0)
    expected = -(mean * np.log(mean)).sum(1) + (SAMPLED * np.log(SAMPLED)).sum(2).mean(0)
    np.testing.assert_allclose(found.scores, expected[found.rows], rtol=1e-4)


def test_the_seed_is_the_chance():
    picks = [
        select("random", budget=5, num_points=N, seed=seed).rows.tolist() for seed in (0, 0, 1)
    ]
    assert picks[0] == picks[1] != picks[2]


def test_a_strategy_of_ones_own_and_options():
    def least_sure(key, signals, pool, budget):
        return by_score(key, -signals.log_probs.max(axis=1), pool, budget)

    mine = strategy(least_sure, needs={"log_probs"}, seeded=False)
    found = select(mine, budget=5, labeled=LABELED, log_probs=jnp.asarray(LOG_PROBS))
    theirs = select("least_confidence", budget=5, labeled=LABELED, log_probs=LOG_PROBS)
    assert found.rows.tolist() == theirs.rows.tolist()
    farthest = {"score": "entropy", "fraction": 1.0}
    given = {"embedding": EMBEDDING, "log_probs": LOG_PROBS}
    picks = [
        select(name, budget=5, labeled=LABELED, options=options, **given).rows.tolist()
        for name, options in (("uncertainty_coreset", farthest), ("coreset", None))
    ]
    assert picks[0] == picks[1]
    with pytest.raises(UsageError, match="options are for a strategy that is named"):
        select(mine, budget=5, log_probs=LOG_PROBS, options={"score": "entropy"})


def test_a_program_is_compiled_once_for_labels_that_grow_a_little():
    traces = []

    def traced(key, signals, pool, budget):
        traces.append(pool.order.size)
        return Query(by_score(key, signals.mc_mean_entropy, pool, budget).indices, {})

    mine = strategy(traced, needs={"mc_mean_entropy"})
    for count in (0, 1, 5, 7, 8):
        select(mine, budget=2, labeled=range(count), mc_mean_entropy=SIGNALS.mc_mean_entropy)
    assert traces == [1, 8]


NAN = np.where(np.arange(N)[:, None] == 3, np.nan, LOG_PROBS)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "'margin' needs log_probs: float32 [N, C], logarithms of class probabilities."),
        ({"log_prob": LOG_PROBS}, "'log_prob' is no argument of select: did you mean 'log_probs'?"),
        ({"budgets": 3}, "'budgets' is no argument of select: did you mean 'budget'?"),
        ({"log_probs": LOG_PROBS[:, 0]}, "log_probs has shape [24]; it must be float32 [N, C]"),
        ({"log_probs": LOG_PROBS[:, :1]}, "log_probs has 1 class; there must be 2 or more."),
        ({"log_probs": [["a"]]}, "log_probs holds <U1; it must be float32 [N, C]"),
        ({"log_probs": NAN}, "log_probs holds NaN or infinity in row 3."),
        ({"log_probs": np.exp(LOG_PROBS)}, "above 0, so no logarithm of a probability,"),
        ({"log_probs": LOG_PROBS - 1}, "log_probs holds what does not add up to a prob"),
        ({"mc_probs": 2 * np.exp(LOG_PROBS)}, "mc_probs holds what does not add up to 1 in rows"),
        ({"sampled_probs": -SAMPLED}, "sampled_probs holds a negative number in rows 0, 1"),
        ({"embedding": np.ma.masked_less(EMBEDDING, 0)}, "values of embedding hold masked values"),
        ({"embedding": 1e20 * EMBEDDING}, "embedding holds NaN, infinity or a number beyond 1e+15"),
        ({"embedding": EMBEDDING[:3]}, "log_probs is for 24 points and embedding for 3"),
        ({"num_points": 3}, "log_probs is for 24 points and num_points for 3"),
        ({"labeled": np.ones(3, bool)}, "log_probs is for 24 points and labeled for 3"),
        ({"mc_probs": np.full((N, 2), 0.5)}, "log_probs is for 4 classes and mc_probs for 2"),
        ({"true_labels": np.full(N, 0.5)}, "true_labels holds float64; it must be int32 [N]"),
        ({"labeled": [1, 1]}, "labeled repeats row 1"),
        ({"labeled": [1, 24]}, "labeled names row 24"),
        ({"exclude": [-1]}, "exclude names row -1"),
        ({"labeled": [1.5]}, "labeled must be"),
        ({"labeled": [1, 4], "exclude": [4]}, "labeled and exclude both name row 4"),
        ({"labeled": [1], "labels": [0, 1]}, "labels has shape [2]; it must be [1]"),
        ({"labeled": [1], "labels": [4]}, "labels holds 4; classes are numbered from 0 to 3."),
        ({"labeled": [1], "labels": [-1]}, "labels holds -1; classes are numbered from 0"),
        ({"labeled": [1], "labels": [0.5]}, "labels holds float64; it must be whole numbers."),
        ({"budget": 0}, "budget is 0; it must be from 1 to"),
        ({"budget": 2.5}, "budget is 2.5; it must be a whole number."),
        ({"budget": True}, "budget is True; it must be a whole number."),
        ({"seed": -1}, "seed is -1; it must be from 0 to"),
        ({"strategy": "margn"}, "There is no strategy 'margn': did you mean 'margin'?"),
        ({"strategy": 3}, "strategy is 3; it must be a name or a Strategy."),
        ({"options": {"beta": 1}}, "The strategy 'margin' has no option 'beta': it takes none."),
        ({"strategy": "random", "log_probs": None}, "Nothing tells how many points there are"),
        ({"strategy": "bald"}, "'bald' needs mc_mean_entropy: float32 [N], mean entropy of the "
                               "draws in nats, or sampled_probs instead."),
        ({"strategy": "atlas", "head_inputs": EMBEDDING, "labeled": LABELED},
         "'atlas' needs labels: int [4], the class of each labeled row."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(given, sentence):
    asked = {"strategy": "margin", "budget": 3}
    if given and not {"log_prob"} & given.keys():
        asked["log_probs"] = LOG_PROBS
    with pytest.raises(UsageError) as refused:
        select(**(asked | given))
    assert sentence in str(refused.value)


def not_one(values, row):
    """The probabilities of a row doubled: of the third draw alone, where there are draws."""
    values[(2, row) if values.ndim == 3 else row] *= 2


def negative(values, row):
    """Two probabilities of a row that add up to what they did."""
    place = (2, row) if values.ndim == 3 else (row,)
    values[(*place, 0)] -= 2
    values[(*place, 1)] += 2


def no_number(values, row):
    values[(slice(None), row) if values.ndim == 3 else row] = np.nan


@pytest.mark.parametrize(
    ("name", "spoil", "words"),
    [
        *(
            (name, no_number, "NaN")
            for name in Signals._fields
            if name not in ("true_labels", "head")
        ),
        *((name, not_one, "add up to 1") for name in ("mc_probs", "mc_votes", "sampled_probs")),
        *((name, negative, "a negative number") for name in ("mc_probs", "sampled_probs")),
    ],
)
def test_what_no_signal_may_hold_is_told_with_its_rows_unless_they_are_excluded(name, spoil, words):
    values = np.array(getattr(SIGNALS, name))
    excluded = np.arange(N) == 9
    check_values(name, values, excluded)
    for row in (5, 9, 20):
        spoil(values, row)
    with pytest.raises(UsageError, match=f"^{name} holds.* {words}.* in rows 5, 20[.]$"):
        check_values(name, values, excluded)


def test_true_labels_are_classes_that_there_are():
    def asked(*labels, **more):
        given = {"log_probs": LOG_PROBS[:3], "true_labels": np.array(labels), "labeled": []}
        return select("oracle_uncertainty", budget=2, **(given | more)).rows.tolist()

    assert sorted(asked(0, 5, C - 1, exclude=[1])) == [0, 2]  # of an excluded row they are anything
    with pytest.raises(UsageError, match="no class from 0 to 3 in row 1"):
        asked(0, C, 1)


@pytest.mark.parametrize("name", ["mc_least_confidence", "mc_margin", "mc_entropy", "mean_std"])
def test_a_probability_a_hair_below_0_is_one_of_0(name):
    sure = np.array([[1 + 1.2e-7, -1.2e-7], [0.6, 0.4], [0.7, 0.3], [0.9, 0.1]], np.float32)
    for signals in ({"mc_probs": sure}, {"sampled_probs": sure[None]}):
        if name == "mean_std" and "mc_probs" in signals:
            continue
        found = select(name, budget=4, **signals)
        held = {signal: np.clip(values, 0, 1) for signal, values in signals.items()}
        expected = select(name, budget=4, **held)
        np.testing.assert_array_equal(found.rows, expected.rows)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)


def test_probabilities_of_half_precision_are_taken():
    off = {"mc_probs": 0.049, "mc_votes": -0.049}
    for name, by in off.items():
        values = np.array(getattr(SIGNALS, name)) * (1 + by)
        check_values(name, values, np.zeros(N, bool))
        with pytest.raises(UsageError, match="does not add up to 1"):
            check_values(name, values * (1 + by), np.zeros(N, bool))
    rounded = np.array(SIGNALS.mc_probs)
    rounded[3] = np.eye(C)[1] - 1e-6
    check_values("mc_probs", rounded, np.zeros(N, bool))
    check_values("log_probs", LOG_PROBS + 0.04, np.zeros(N, bool))


def test_what_refits_learners_is_refused_before_any_signal_is_asked_for():
    with pytest.raises(UsageError, match="only a run with a simulated oracle can ask it"):
        select("best_of", budget=5, log_probs=LOG_PROBS)


@pytest.mark.parametrize("on_host", [False, True])
@pytest.mark.parametrize(
    "indices",
    [(5, 5, 6), (1, 2, N), (1, 2, -5), (1, 2, NOTHING), (1, 2, LABELED[0]), (1, 2, 9)],
)
def test_rows_of_a_strategy_of_ones_own_are_such_as_it_may_pick(indices, on_host):
    def wrong(key, signals, pool, budget):
        if on_host:
            pool.excluded[:] = False  # its own affair
        return Query(jnp.array(indices, jnp.int32), {})

    mine = strategy(wrong, needs={"log_probs"}, on_host=on_host)
    given = {"labeled": LABELED, "exclude": [9], "log_probs": LOG_PROBS}
    with pytest.raises(UsageError, match="3 distinct selectable rows were wanted"):
        select(mine, budget=3, **given)
