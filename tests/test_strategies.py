"""The contract: what every entry of the table must do, whatever its name."""

import collections
import contextlib
import functools
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.strategies import STRATEGIES, make_strategy, strategy_table
from jax_al.strategies.choosing import at_random, check_number, check_whole, random_without_labels
from jax_al.types import NOTHING, UNKNOWN, Query, Signals, empty_pool, label_points

N, D, C, T = 24, 5, 4, 6
# The tests of one strategy go to one process, which then traces its programs once.
every_strategy = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in STRATEGIES]
)
# With N points the defaults of these leave nothing to chance.
LITTLE_ROOM = {
    "bait": {"max_candidates": 8},
    "batchbald": {"max_configurations": 3},
    "facility_location": {"max_references": 8},
}
# Where nothing is compiled every step takes long; few are as good as many.
FEW_STEPS = {"discriminative": {"steps": 2}}
TRACES: collections.Counter[str] = collections.Counter()


@contextlib.contextmanager
def optimizations(on):
    jax.config.update("jax_disable_most_optimizations", not on)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", on)


@pytest.fixture(autouse=True, scope="module")
def _quick_compilation():
    """What is asked, not how fast, is tested here; most programs are compiled a third faster so."""
    with optimizations(False):
        yield


def signals_from(embedding, logits, sampled_logits):
    """Everything a network could say: `logits` [N, C] and those of T passes [T, N, C]."""
    log_probs = jax.nn.log_softmax(logits)
    sampled = jax.nn.softmax(sampled_logits)
    votes = jax.nn.one_hot(sampled.argmax(axis=2), logits.shape[1])
    return Signals(
        embedding=embedding,
        head_inputs=jax.nn.relu(embedding),
        log_probs=log_probs,
        mc_probs=sampled.mean(axis=0),
        mc_entropy=-jax.scipy.special.xlogy(sampled, sampled).sum(axis=2).mean(axis=0),
        mc_std=sampled.std(axis=0),
        mc_votes=votes.mean(axis=0),
        sampled_probs=sampled,
        true_labels=jnp.arange(len(logits), dtype=jnp.int32) % logits.shape[1],
    )


def needed(name, signals):
    return Signals(**{field: getattr(signals, field) for field in made(name).needs})


@functools.cache
def general(seed=0):
    """Points in general position: no two alike."""
    keys = jax.random.split(jax.random.key(seed), 4)
    signals = signals_from(
        jax.random.normal(keys[0], (N, D)),
        2 * jax.random.normal(keys[1], (N, C)),
        2 * jax.random.normal(keys[2], (T, N, C)),
    )
    # T votes have only T levels; those of infinitely many passes are all different.
    return signals._replace(mc_votes=jax.nn.softmax(jax.random.normal(keys[3], (N, C))))


def collapsed():
    """A network that says the same of every point."""
    return signals_from(jnp.ones((N, D)), jnp.zeros((N, C)), jnp.zeros((T, N, C)))


def saturated():
    """A network sure of everything, so sure that the other classes have probability zero."""
    logits = 1e4 * jax.nn.one_hot(jnp.arange(N) % C, C)
    embedding = jax.random.normal(jax.random.key(0), (N, D))
    return signals_from(embedding, logits, jnp.broadcast_to(logits, (T, N, C)))


def duplicates():
    """Every point four times, exactly."""
    return jax.tree.map(
        lambda a: (
            jnp.repeat(a[:, : N // 4], 4, axis=1)
            if a.shape[0] == T
            else jnp.repeat(a[: N // 4], 4, axis=0)
        ),
        general(),
    )


def two_classes():
    keys = jax.random.split(jax.random.key(5), 3)
    return signals_from(
        jax.random.normal(keys[0], (N, D)),
        jax.random.normal(keys[1], (N, 2)),
        jax.random.normal(keys[2], (T, N, 2)),
    )


SITUATIONS = (general, collapsed, saturated, duplicates)


def pool_of(labeled, labels=None, capacity=N):
    indices = jnp.array(labeled, jnp.int32)
    labels = indices % 2 if labels is None else jnp.array(labels, jnp.int32)
    return label_points(empty_pool(N, capacity), indices, labels)


@functools.cache
def made(name):
    return make_strategy(name, **FEW_STEPS.get(name, {}))


@functools.cache
def jitted(name):
    """One for all tests, which ask for few shapes; for the commonest it is what users run."""

    def select(key, signals, pool, budget):
        TRACES[name] += 1
        return made(name).select(key, signals, pool, budget)

    select = jax.jit(select, static_argnums=3)
    with optimizations(True):
        select(jax.random.key(5), needed(name, general()), pool_of((2, 9)), 4)
    return select


label = jax.jit(label_points)


def asked(name, pool, budget, signals=None, key=0):
    signals = needed(name, general() if signals is None else signals)
    return jitted(name)(jax.random.key(key), signals, pool, budget)


def assert_fits(query, pool, budget):
    """Distinct unlabeled points, as many as there are to have, then NOTHING."""
    assert (query.indices.shape, query.indices.dtype) == ((budget,), jnp.int32)
    unlabeled = set(np.flatnonzero(~np.asarray(pool.labeled)).tolist())
    bought = min(budget, len(unlabeled))
    points = query.indices[:bought].tolist()
    assert len(set(points)) == bought
    assert set(points) <= unlabeled
    assert query.indices[bought:].tolist() == [NOTHING] * (budget - bought)
    for value in query.info.values():
        assert (value.shape, value.dtype) == ((), jnp.float32)
        assert jnp.isfinite(value)
    if query.scores is not None:
        assert (query.scores.shape, query.scores.dtype) == ((budget,), jnp.float32)
        assert jnp.isnan(query.scores[bought:]).all()
    if "random_fallback" in query.info:
        is_blind = not pool.labeled.any()
        assert float(query.info["random_fallback"]) == is_blind
        if is_blind:  # nothing is told of a query that was not made
            assert sum(map(float, query.info.values())) == 1
            assert query.scores is None or jnp.isnan(query.scores).all()
            assert query.pseudo_labels is None or (query.pseudo_labels == UNKNOWN).all()


@every_strategy
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s.__name__)
@pytest.mark.parametrize(
    "labeled",
    [(), (3,), (7, 0, 11, 6), tuple(range(1, N))],
    ids=["no_label", "one_label", "some_labels", "one_left"],
)
def test_a_query_is_distinct_unlabeled_points(name, situation, labeled):
    pool = pool_of(labeled)
    assert_fits(asked(name, pool, 4, situation()), pool, 4)


@every_strategy
@pytest.mark.parametrize("labeled", [(), (3, 5), tuple(range(N))], ids=["none", "two", "all"])
def test_a_budget_larger_than_the_pool_takes_what_is_left_and_two_classes_are_enough(name, labeled):
    pool = pool_of(labeled)
    assert_fits(asked(name, pool, N + 3, two_classes()), pool, N + 3)


@every_strategy
def test_labels_of_one_class_are_enough(name):
    pool = pool_of((2, 9, 20, 13), labels=(1, 1, 1, 1))
    assert_fits(asked(name, pool, 4), pool, 4)


def answers(select, signals, pool):
    """The distinct answers to four keys, the first of them asked for twice."""
    queries = [select(jax.random.key(key), signals, pool, 4) for key in (0, 0, 1, 2, 3)]
    indices = [tuple(query.indices.tolist()) for query in queries]
    assert indices[0] == indices[1]
    return set(indices)


@every_strategy
def test_one_key_gives_one_query_and_other_keys_others_just_where_chance_plays(name):
    pool = pool_of((2, 9))
    met = [answers(jitted(name), needed(name, situation()), pool) for situation in SITUATIONS]
    if name in LITTLE_ROOM:
        select = jax.jit(make_strategy(name, **LITTLE_ROOM[name]).select, static_argnums=3)
        met.append(answers(select, needed(name, general()), pool))
    assert any(len(different) > 1 for different in met) == made(name).seeded


@every_strategy
def test_compiling_changes_nothing_and_no_key_is_used_twice(name):
    # With 2 and 9 labeled, two points cover only each other: a tie that rounding would decide.
    signals, pool = needed(name, general()), pool_of((7, 11))
    compiled = jitted(name)(jax.random.key(5), signals, pool, 4)
    with jax.disable_jit(), jax.debug_key_reuse(True):
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
        signals = needed(name, general(episode))
        query = jitted(name)(jax.random.key(episode), signals, pool, 4)
        pool = label(pool, query.indices, query.indices % 2)
        traces.append(TRACES[name])
    assert traces == traces[:1] * 4
    assert int(pool.num_labeled) == 17


@every_strategy
def test_a_batch_of_seeds_equals_one_after_the_other_and_the_room_for_labels_is_no_matter(name):
    keys = jax.random.split(jax.random.key(0), 3)
    labeled = ((1, 4), (0,), (5, 6, 2))
    signals = [needed(name, general(seed)) for seed in range(3)]
    narrow = [pool_of(indices, capacity=3) for indices in labeled]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *zip(signals, narrow, strict=True))
    together = jax.jit(jax.vmap(lambda *one: made(name).select(*one, 4)))(keys, *stacked)
    for i in range(3):
        alone = jitted(name)(keys[i], signals[i], pool_of(labeled[i]), 4)
        np.testing.assert_array_equal(together.indices[i], alone.indices)
        for field, value in alone.info.items():
            np.testing.assert_allclose(together.info[field][i], value, rtol=1e-5)


@every_strategy
def test_permuting_the_pool_permutes_the_answer_unless_chance_plays(name):
    if len(answers(jitted(name), needed(name, general()), pool_of((2, 9, 20)))) > 1:
        pytest.skip("its chance belongs to places in the pool")
    order = np.random.default_rng(0).permutation(N)  # new place -> old place
    place = np.argsort(order)
    moved = jax.tree.map(
        lambda a: a[:, order] if a.shape[0] == T else a[order], needed(name, general())
    )
    labeled = np.array([2, 9, 20])
    straight = asked(name, pool_of(labeled), 4).indices
    labels = labeled % 2
    crooked = asked(name, pool_of(place[labeled], labels), 4, general()._replace(**{
        field: value for field, value in moved._asdict().items() if value is not None
    })).indices  # fmt: skip
    assert order[crooked].tolist() == straight.tolist()


@every_strategy
def test_pseudo_labels_come_from_those_who_say_so_and_never_replace_a_bought_one(name):
    pool, select = pool_of((2, 9, 20)), jitted(name)
    if made(name).pseudo_labels:  # with a threshold that half of the points stay below
        select = jax.jit(make_strategy(name, threshold=1.0).select, static_argnums=3)
    query = select(jax.random.key(0), needed(name, general()), pool, 4)
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
    with pytest.raises(UsageError, match=r"strategy_args.beta is -1; it must be a number, 0 or m"):
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


def test_the_readme_shows_the_table_as_it_is():
    readme = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shown = readme.split("<!-- strategies -->\n")[1].split("\n<!-- /strategies -->")[0]
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
    assert str(refused.value) == f"config.strategy_args.x is {bad!r}; {sentence}"
    check_number("x", 0.5, **bounds)


@pytest.mark.parametrize("bad", [0, 11, 2.0, True, float("nan"), None])
def test_a_whole_number_out_of_bounds_is_a_sentence(bad):
    with pytest.raises(UsageError) as refused:
        check_whole("x", bad, 1, 10)
    wanted = "it must be a whole number, 1 or more and at most 10."
    assert str(refused.value) == f"config.strategy_args.x is {bad!r}; {wanted}"
    check_whole("x", 1, 1)
