"""The contract: what every entry of the table must do, whatever its name."""

import collections
import functools
import pathlib
import re

import asking
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jax_al.errors import UsageError
from jax_al.strategies import (
    STRATEGIES,
    by_score,
    make_strategy,
    strategy,
    strategy_table,
    zero_excluded,
)
from jax_al.strategies.choosing import (
    at_random,
    check_number,
    check_whole,
    highest_in_order,
    random_without_labels,
    sample_present,
)
from jax_al.strategies.entries import check_part_names, strategies_named
from jax_al.testing.made_up import alike, duplicates, filled, general, replaced, saturated, take
from jax_al.testing.strategy import check_strategy
from jax_al.types import NOTHING, UNKNOWN, Query, Signals, empty_pool, label_points

N, C = 24, 4
every_strategy = pytest.mark.parametrize("name", STRATEGIES)
# With N points the defaults of these leave nothing to chance.
LITTLE_ROOM = {
    "bait": {"max_candidates": 8},
    "batchbald": {"max_configurations": 3},
    "facility_location": {"max_references": 8},
}
# Where nothing is compiled every step takes long; few are as good as many.
FEW_STEPS = {"discriminative": {"steps": 2}}
TRACES: collections.Counter[str] = collections.Counter()


def needed(name, signals):
    return Signals(**{field: getattr(signals, field) for field in made(name).needs})


@functools.cache
def usual(seed=0):
    return general(seed, N, C)


highest_jitted = jax.jit(highest_in_order, static_argnums=3)
SITUATIONS = [make(0, N, C) for make in (general, alike, saturated, duplicates)]


def pool_of(labeled, labels=None, capacity=N):
    labels = np.array(labeled, int) % 2 if labels is None else labels
    return asking.pool_of(N, labeled, labels, capacity=capacity)


@functools.cache
def made(name):
    return make_strategy(name, **FEW_STEPS.get(name, {}))


@functools.cache
def asked_as_in_a_run(name):
    """One for all tests, which ask for few shapes; for the commonest it is what users run.

    The others are compiled quickly: what is asked, not how fast, is tested here.
    """

    def select(key, signals, pool, budget):
        TRACES[name] += 1
        return made(name).select(key, signals, pool, budget)

    if made(name).on_host:
        return lambda key, *given: made(name).select(
            key, *jax.tree.map(np.asarray, given[:2]), given[2]
        )
    as_for_users = jax.jit(select, static_argnums=3)
    quick = jax.jit(select, static_argnums=3, compiler_options=asking.QUICKLY)

    def ask(key, signals, pool, budget):
        is_usual = (pool.labels.size, pool.order.size, budget) == (N, N, 4)
        return (as_for_users if is_usual else quick)(key, signals, pool, budget)

    ask.lower = quick.lower  # jitted already
    return ask


label = jax.jit(label_points)


def asked(name, pool, signals=None, key=0):
    signals = needed(name, usual() if signals is None else signals)
    query = asked_as_in_a_run(name)(jax.random.key(key), signals, pool, 4)
    return jax.tree.map(np.asarray, query)


@every_strategy
def test_it_keeps_the_contract(name):
    check_strategy(made(name)._replace(select=asked_as_in_a_run(name)), num_classes=C, seeds=(0,))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *LITTLE_ROOM.items(),
        ("facility_location", {"similarity": "euclidean"}),
        ("coreset", {"metric": "cosine"}),
        ("uncertainty_coreset", {"fraction": 0.5}),
    ],
)
def test_a_sample_or_a_share_of_the_pool_keeps_it_too(name, options):
    made = make_strategy(name, **options)
    check_strategy(made._replace(select=asking.program(name, **options)), num_classes=C, seeds=(0,))


@every_strategy
@pytest.mark.parametrize("labeled", [(), (7, 0, 11, 6), tuple(range(2, N))])
def test_numbers_are_of_the_types_of_a_query_and_chance_without_labels_is_told(name, labeled):
    query, bought = asked(name, pool_of(labeled)), min(4, N - len(labeled))
    assert query.indices.dtype == jnp.int32
    for value in query.info.values():
        assert (value.shape, value.dtype) == ((), jnp.float32)
    if query.scores is not None:
        assert query.scores.dtype == jnp.float32
        assert np.isnan(query.scores[bought:]).all()
    if "random_fallback" in query.info:
        is_blind = not labeled
        assert float(query.info["random_fallback"]) == is_blind
        if is_blind:  # nothing is told of a query that was not made
            assert sum(map(float, query.info.values())) == 1
            assert query.scores is None or np.isnan(query.scores).all()
            assert query.pseudo_labels is None or (query.pseudo_labels == UNKNOWN).all()


def answers(select, signals, pool):
    """The distinct answers to four keys, the first of them asked for twice."""
    queries = [select(jax.random.key(key), signals, pool, 4) for key in (0, 0, 1, 2, 3)]
    indices = [tuple(query.indices.tolist()) for query in queries]
    assert indices[0] == indices[1]
    return set(indices)


@every_strategy
def test_one_key_gives_one_query_and_other_keys_others_just_where_chance_plays(name):
    pool = pool_of((2, 9))
    ask = asked_as_in_a_run(name)
    # Between equals chance decides whatever the strategy; in general position there are none.
    situations = SITUATIONS if made(name).seeded else SITUATIONS[:1]
    met = [answers(ask, needed(name, situation), pool) for situation in situations]
    if name in LITTLE_ROOM:
        select = asking.program(name, **LITTLE_ROOM[name])
        met.append(answers(select, needed(name, usual()), pool))
    assert any(len(different) > 1 for different in met) == made(name).seeded


@pytest.mark.parametrize("name", [name for name in STRATEGIES if not made(name).on_host])
def test_no_key_is_used_twice(name):
    signals, pool = needed(name, usual()), pool_of((7, 11))
    with jax.debug_key_reuse(True):  # which looks while a function is traced
        jax.jit(made(name).select, static_argnums=3).trace(jax.random.key(5), signals, pool, 4)


def test_a_key_that_is_used_twice_is_noticed():
    def select(key, signals, pool, budget):
        return jax.random.normal(key, (budget,)) + jax.random.uniform(key, (budget,))

    with jax.debug_key_reuse(True), pytest.raises(jax.errors.KeyReuseError):
        jax.jit(select, static_argnums=3).trace(jax.random.key(5), Signals(), None, 4)


# Each step is a program of its own then, which takes long: one of each kind stands for all.
@pytest.mark.parametrize(
    "name", ["active_transfer", "badge", "bald", "coreset", "kmeans", "probcover"]
)
def test_compiling_changes_nothing(name):
    # With 2 and 9 labeled, two points cover only each other: a tie that rounding would decide.
    # Uncompiled code wants arrays of jax.
    signals, pool = jax.tree.map(jnp.asarray, (needed(name, usual()), pool_of((7, 11))))
    compiled = asked_as_in_a_run(name)(jax.random.key(5), signals, pool, 4)
    with jax.disable_jit():
        plain = made(name).select(jax.random.key(5), signals, pool, 4)
    np.testing.assert_array_equal(plain.indices, compiled.indices)
    assert plain.info.keys() == compiled.info.keys()
    for field, value in plain.info.items():
        np.testing.assert_allclose(value, compiled.info[field], rtol=1e-5)


@every_strategy
def test_later_episodes_run_the_program_of_the_first(name):
    """Whatever the number of labels and the signals, on what the episode before returned."""
    pool, traces = pool_of((2,)), []
    for episode in range(4):
        query = asked(name, pool, usual(episode), episode)
        pool = label(pool, query.indices, query.indices % 2)
        traces.append(TRACES[name])
    assert traces == traces[:1] * 4
    assert int(pool.num_labeled) == 17


@every_strategy
def test_a_batch_of_seeds_equals_one_after_the_other_and_the_room_for_labels_is_no_matter(name):
    if made(name).on_host:
        return  # never traced
    keys = jax.random.split(jax.random.key(0), 3)
    labeled = ((1, 4), (0,), (5, 6, 2))
    signals = [needed(name, usual(seed)) for seed in range(3)]
    narrow = [pool_of(indices, capacity=3) for indices in labeled]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *zip(signals, narrow, strict=True))
    together = asking.quickly(jax.vmap(lambda *one: made(name).select(*one, 4)))(keys, *stacked)
    for i in range(3):
        alone = asked_as_in_a_run(name)(keys[i], signals[i], pool_of(labeled[i]), 4)
        np.testing.assert_array_equal(together.indices[i], alone.indices)
        for field, value in alone.info.items():
            np.testing.assert_allclose(together.info[field][i], value, rtol=1e-5)


@every_strategy
def test_permuting_the_pool_permutes_the_answer_unless_chance_plays(name):
    ask = asked_as_in_a_run(name)
    if len(answers(ask, needed(name, usual()), pool_of((2, 9, 20)))) > 1:
        return  # its chance belongs to places in the pool
    order = np.random.default_rng(0).permutation(N)  # new place -> old place
    place = np.argsort(order)
    labeled = np.array([2, 9, 20])
    straight = asked(name, pool_of(labeled)).indices
    crooked = asked(name, pool_of(place[labeled], labeled % 2), take(usual(), order)).indices
    assert order[crooked].tolist() == straight.tolist()


@every_strategy
def test_pseudo_labels_come_from_those_who_say_so_and_never_replace_a_bought_one(name):
    pool, select = pool_of((2, 9, 20)), asked_as_in_a_run(name)
    if made(name).pseudo_labels:  # with a threshold that half of the points stay below
        select = asking.program(name, threshold=1.0)
    query = jax.tree.map(np.asarray, select(jax.random.key(0), needed(name, usual()), pool, 4))
    assert (query.pseudo_labels is not None) == made(name).pseudo_labels
    if query.pseudo_labels is not None:
        assert (query.pseudo_labels.shape, query.pseudo_labels.dtype) == ((N,), jnp.int32)
        given = np.flatnonzero(query.pseudo_labels != UNKNOWN)
        assert len(given) > 4
        assert not set(given.tolist()) & {2, 9, 20, *query.indices.tolist()}
        assert set(query.pseudo_labels[given].tolist()) <= set(range(C))


@every_strategy
def test_the_docstring_says_what_it_picks_in_one_line_what_it_needs_and_costs_and_its_source(name):
    first, rest = STRATEGIES[name].__doc__.split("\n", 1)
    assert first.endswith(".")
    for need in made(name).needs:
        assert f"`{need}`" in rest
    assert "O(" in rest  # the cost
    assert re.search(r"\b(19|20)\d\d\b", rest)  # the source


def test_unknown_names_and_options_are_sentences():
    with pytest.raises(UsageError, match="did you mean 'coreset'"):
        make_strategy("corset")
    with pytest.raises(UsageError, match="no option 'temperature': it takes none"):
        make_strategy("random", temperature=2)
    with pytest.raises(UsageError, match=r"^beta is -1; it must be a number, 0 or more"):
        make_strategy("power_bald", beta=-1)
    with pytest.raises(UsageError, match="0 or more and at most 2147483647"):
        make_strategy("kmeans", iterations=10**10)
    with pytest.raises(UsageError, match="tolerance is nan; it must be a number, 0 or more"):
        make_strategy("coreset_robust", tolerance=float("nan"))
    with pytest.raises(UsageError, match=r"radius is 1e\+200; .* 0 or more and at most 1e\+15"):
        make_strategy("probcover", radius=1e200)
    with pytest.raises(UsageError, match=r"decay is 1e\+300; .* 0 or more and at most 1e\+15"):
        make_strategy("ceal", decay=1e300)
    with pytest.raises(UsageError, match=r"beta is 'x', but must be of type float"):
        make_strategy("power_bald", beta="x")


def test_the_page_of_the_strategies_shows_the_table_as_it_is():
    page = (pathlib.Path(__file__).parents[1] / "docs/strategies.md").read_text(encoding="utf-8")
    shown = page.split("<!-- strategies -->\n")[1].split("\n<!-- /strategies -->")[0]
    assert shown == strategy_table(), "run: python -m jax_al.strategies"


def test_without_labels_the_query_that_would_be_discarded_is_not_worked_out():
    worked_out = []

    @random_without_labels
    def select(query_key, signals, pool, budget):
        jax.debug.callback(lambda: worked_out.append(1))
        return Query(at_random(query_key, empty_pool(N, N), budget), {"some": jnp.float32(3)})

    ask = jax.jit(select, static_argnums=3)
    blind = ask(jax.random.key(0), Signals(), empty_pool(N, N), N)
    jax.effects_barrier()
    assert worked_out == []
    informed = ask(jax.random.key(0), Signals(), pool_of((3,)), N)
    jax.effects_barrier()
    assert worked_out == [1]
    assert {name: float(value) for name, value in blind.info.items()} == {
        "some": 0,
        "random_fallback": 1,
    }
    assert float(informed.info["some"]) == 3
    # Chance in the strategy and in the fallback is not the same chance.
    assert sorted(blind.indices.tolist()) == sorted(informed.indices.tolist()) == list(range(N))
    assert blind.indices.tolist() != informed.indices.tolist()


@pytest.mark.parametrize(
    ("bounds", "bad", "sentence"),
    [
        ({"least": 0}, -1, "it must be a number, 0 or more."),
        ({"above": 0, "most": 1}, 0, "it must be a number, above 0 and at most 1."),
        ({"above": 0, "most": 1}, 1.5, "it must be a number, above 0 and at most 1."),
        ({"least": 0, "below": 1}, 1, "it must be a number, 0 or more and below 1."),
        ({}, float("nan"), "it must be a number."),
        ({"least": 0}, float("inf"), "it must be a number, 0 or more."),
        ({}, float("-inf"), "it must be a number."),
        ({}, True, "it must be a number."),
        ({}, "1", "it must be a number."),
    ],
)
def test_a_number_out_of_bounds_is_a_sentence(bounds, bad, sentence):
    with pytest.raises(UsageError) as refused:
        check_number("x", bad, **bounds)
    assert str(refused.value) == f"x is {bad!r}; {sentence}"
    check_number("x", 0.5, **bounds)


@pytest.mark.parametrize("bad", [0, 11, 2.0, True, float("nan"), None])
def test_a_whole_number_out_of_bounds_is_a_sentence(bad):
    with pytest.raises(UsageError) as refused:
        check_whole("x", bad, 1, 10)
    wanted = "it must be a whole number, 1 or more and at most 10."
    assert str(refused.value) == f"x is {bad!r}; {wanted}"
    check_whole("x", 1, 1)


ANY_SCORE = st.sampled_from([np.nan, -np.inf, np.inf, 0.0, -0.5, 1.0, 3e38])


@given(
    st.lists(ANY_SCORE, min_size=N, max_size=N),
    st.lists(st.booleans(), min_size=N, max_size=N),
    st.permutations(range(N)),
    st.sampled_from([3, N + 2]),
)
def test_the_highest_are_those_of_a_sort_whatever_the_scores(scores, labeled, order, budget):
    largest = np.finfo(np.float32).max
    known = np.nan_to_num(np.float32(scores), nan=-largest, posinf=largest, neginf=-largest)
    best = sorted(order, key=lambda row: -known[row])  # stable: of equals the first in `order`
    expected = [row for row in best if not labeled[row]][:budget]
    pool = pool_of(())._replace(labeled=np.array(labeled))
    found = highest_jitted(np.int32(order), np.float32(scores), pool, budget)
    assert found.tolist() == expected + [NOTHING] * (budget - len(expected))


def test_a_sample_of_those_that_are_there_is_drawn_without_favour():
    excluded = jnp.arange(N) % 6 == 1
    pool = pool_of((4, 7))._replace(excluded=excluded)
    everybody = sample_present(jax.random.key(0), pool, N).tolist()
    there = np.flatnonzero(~excluded)
    assert everybody == [*there, *np.flatnonzero(excluded)]
    draw = jax.jit(jax.vmap(lambda key: sample_present(key, pool, 5)))
    drawn = np.asarray(draw(jax.random.split(jax.random.key(1), 2_000)))
    assert (np.diff(np.sort(drawn)) > 0).all()
    for place in (0, 4):  # any of them may come at any place
        counts = np.bincount(drawn[:, place], minlength=N)
        assert stats.chisquare(counts[there]).pvalue > 1e-3
        assert counts[there].sum() == 2_000
    more = sample_present(jax.random.key(2), pool, 22).tolist()
    assert set(more[:20]) == set(there.tolist())
    assert not set(more[20:]) & set(there.tolist())


LIMITS = st.none() | st.sampled_from([-1, 0, 0.5, 1, 3])
VALUES = st.sampled_from(
    [-1e16, -1e15, -1, 0, 0.5, 1, 2, 3, 1e15, np.nextafter(1e15, np.inf), 1e16]
)


@given(VALUES, LIMITS, LIMITS, st.sampled_from([1, 2, 1e15, 1e16]), LIMITS)
def test_a_number_is_taken_if_it_is_within_all_bounds_that_are_given(
    value, least, above, most, below
):
    is_within = (
        abs(value) <= (1e16 if most == 1e16 else 1e15)
        and value <= most
        and all(value >= limit for limit in [least] if limit is not None)
        and all(value > limit for limit in [above] if limit is not None)
        and all(value < limit for limit in [below] if limit is not None)
    )
    given = {"least": least, "above": above, "most": most, "below": below}
    if is_within:
        check_number("x", value, **given)
        return
    with pytest.raises(UsageError) as refused:
        check_number("x", value, **given)
    # The largest that no program can reckon with is told to those who are beyond it, and no others.
    is_told = "at most" in str(refused.value)
    assert is_told == (value > most or most < 1e15)


@given(st.integers(-3, 2**32) | st.sampled_from([2**31 - 1, 2**31]), st.sampled_from([0, 1, 5]))
def test_a_whole_number_is_taken_if_a_program_can_hold_it(value, least):
    if least <= value < 2**31:
        check_whole("x", value, least)
        return
    with pytest.raises(UsageError) as refused:
        check_whole("x", value, least)
    assert ("at most" in str(refused.value)) == (value >= 2**31)


def by_hand(key, signals, pool, budget):
    return by_score(key, -signals.log_probs.max(axis=1), pool, budget)


def test_a_strategy_of_ones_own_is_a_function_and_what_it_needs():
    mine = strategy(by_hand, needs={"log_probs"}, seeded=False)
    check_strategy(mine)
    signals, pool = Signals(log_probs=usual().log_probs), pool_of((7, 0, 11))
    theirs = asked("least_confidence", pool).indices
    found = mine.select(jax.random.key(0), signals, pool, 4).indices
    assert found.tolist() == theirs.tolist()


def test_a_strategy_of_ones_own_may_ask_for_a_label_first_on_the_host_too():
    def select(key, signals, pool, budget):
        assert isinstance(signals.log_probs, np.ndarray)
        assert pool.labeled.any()
        return Query(np.flatnonzero(pool.selectable)[:budget].astype(np.int32), {})

    mine = strategy(
        select, needs={"log_probs"}, on_host=True, needs_label=True, seeded=False
    ).select
    rest = Signals(log_probs=np.asarray(usual().log_probs))
    blind, informed = (
        mine(jax.random.key(3), rest, jax.tree.map(np.asarray, pool_of(rows)), 4)
        for rows in ((), (0,))
    )
    assert blind.info == {"random_fallback": 1}
    assert len(set(blind.indices.tolist())) == 4
    assert informed.info == {"random_fallback": 0}
    assert informed.indices.tolist() == [1, 2, 3, 4]


def test_what_is_no_signal_is_a_sentence():
    with pytest.raises(UsageError, match="'log_prob': did you mean 'log_probs'"):
        strategy(by_hand, needs={"log_prob"})
    with pytest.raises(UsageError, match="needs is 'log_probs'; it must be a set"):
        strategy(by_hand, needs="log_probs")


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
def test_excluded_points_say_nothing(kind):
    signals = jax.tree.map(kind, usual())
    broken = replaced(usual(), np.array([5]), filled(usual(), np.nan))
    excluded = kind(np.arange(N) == 5)
    found = zero_excluded(jax.tree.map(kind, broken), excluded)
    np.testing.assert_array_equal(found.head, signals.head)  # no row of it is a point's
    points = zip(found._replace(head=None), signals._replace(head=None), strict=True)
    for values, before in points:
        if values is None:
            continue
        axis = values.ndim - 2 if values.ndim == 3 else 0
        assert (type(values), values.dtype) == (type(before), before.dtype)
        values, before = np.asarray(values), np.asarray(before)
        assert not np.take(values, 5, axis).any()
        rest = np.delete(np.arange(N), 5)
        np.testing.assert_array_equal(np.take(values, rest, axis), np.take(before, rest, axis))


def test_the_score_decides_and_between_equals_chance():
    pool = pool_of((4,))._replace(excluded=jnp.arange(N) == 6)
    scores = jnp.zeros(N).at[jnp.array([9, 4, 6, 2])].set(jnp.array([3.0, 9.0, 9.0, jnp.nan]))
    ask = jax.jit(by_score, static_argnums=3)
    found = [ask(jax.random.key(key), scores, pool, 4) for key in range(80)]
    for query in found:
        assert query.indices[0] == 9
        assert query.scores.tolist() == [3, 0, 0, 0]
    others = set(range(N)) - {9, 4, 6, 2}
    assert {int(row) for query in found for row in query.indices[1:]} == others
    everybody = ask(jax.random.key(0), scores, pool, N)
    assert everybody.indices.tolist()[N - 3 :] == [2, NOTHING, NOTHING]


OUTSIDE = """
from jax_al.strategies import by_score, strategy

def least_sure(power: float = 1.0):
    def select(key, signals, pool, budget):
        return by_score(key, -signals.log_probs.max(axis=1) ** power, pool, budget)
    return strategy(select, needs={"log_probs"}, seeded=False)

def nothing():
    return 7

wanted = 3
made = least_sure()
"""


def test_a_strategy_from_outside_is_named_by_module_and_function(tmp_path, monkeypatch):
    (tmp_path / "my_strategies.py").write_text(OUTSIDE)
    (tmp_path / "my_broken.py").write_text("import jax_al.no_such_part")
    monkeypatch.syspath_prepend(tmp_path)
    mine = make_strategy("my_strategies:least_sure", power=1)
    assert mine.needs == {"log_probs"}
    assert make_strategy("my_strategies:made").needs == {"log_probs"}
    for name, options, sentence in (
        ("my_strategies:least", {}, "has no function 'least': did you mean 'least_sure'"),
        ("my_strategies:wanted", {}, "has no function 'wanted'"),
        ("my_strategies:mad", {}, "has no function 'mad': did you mean 'made'"),
        ("my_strategies:made", {"power": 2}, "is a strategy already, so it takes no options"),
        ("my_strategies:nothing", {}, "returns int, but must return a strategy"),
        ("my_strategies:least_sure", {"powers": 2}, "no option 'powers': did you mean 'power'"),
        ("my_strategies:least_sure", {"power": "x"}, "power is 'x', but must be of type float"),
        ("my_other:f", {}, "there is no module 'my_other'; is its folder on PYTHONPATH"),
        ("my_broken:f", {}, "importing 'my_broken' failed: No module named 'jax_al.no_such_part'"),
        (":f", {}, "'' is no name of a module"),
        ("my_strategy", {}, "One of your own is named module:function"),
    ):
        with pytest.raises(UsageError, match=sentence):
            make_strategy(name, **options)


def test_entries_are_strategies_by_the_names_of_their_parts():
    made_of = strategies_named(
        ("coreset", "coreset@pixels_pca", "typiclust@/tmp/some where/dino.npy"),
        lambda name, **options: (name, options),
        normalize=True,
    )
    assert made_of == {
        "coreset": ("coreset", {"normalize": True}),
        "coreset@pixels_pca": ("coreset", {"normalize": True, "embedding": "pixels_pca"}),
        "typiclust@dino": (
            "typiclust",
            {"normalize": True, "embedding": "/tmp/some where/dino.npy"},
        ),
    }
    assert list(strategies_named(["margin", "random"])) == ["margin", "random"]
    for entries, sentence in (
        (["margin", "random", "margin"], "Two of the strategies are called 'margin'"),
        (["coreset@a/x.npy", "coreset@b/x.npy"], "Two of the strategies are called 'coreset@x'"),
        (["margin,random"], "There is no strategy 'margin,random': a strategy is one name"),
        (["margn"], "did you mean 'margin'"),
        (["coreset@../up"], r"A part cannot be called 'coreset@\.\./up'"),
    ):
        with pytest.raises(UsageError, match=sentence):
            strategies_named(entries)


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "a\\b", "a\n", "-x", "@x", "a*"])
def test_what_is_no_name_of_a_directory_names_no_part(name):
    check_part_names(["margin", "margin@a-b.c+d: e_1", "größe"])
    with pytest.raises(UsageError, match="no name of a directory"):
        check_part_names(["margin", name])
