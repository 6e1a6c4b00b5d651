"""The contract: what every entry of the table must do, whatever its name."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.base import NOTHING, UNKNOWN, Signals, UsageError, empty_pool, label_points
from jax_al.strategies import STRATEGIES, make_strategy, strategy_table

N, D, C, T = 24, 5, 4, 6
# The tests of one strategy go to one process, which then traces its programs once.
every_strategy = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in STRATEGIES]
)


@pytest.fixture(autouse=True, scope="module")
def _quick_compilation():
    """What is asked, not how fast, is tested here; compiling takes a third less time so."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def signals_from(embedding, logits, sampled_logits):
    """Everything a network could say: `logits` [N, C] and those of T passes [T, N, C]."""
    log_probs = jax.nn.log_softmax(logits)
    sampled = jax.nn.softmax(sampled_logits)
    votes = jax.nn.one_hot(sampled.argmax(axis=2), logits.shape[1])
    return Signals(
        embedding=embedding,
        features=jax.nn.relu(embedding),
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


SITUATIONS = (general, collapsed, saturated, duplicates, two_classes)


def pool_of(labeled, labels=None, capacity=N):
    indices = jnp.array(labeled, jnp.int32)
    labels = indices % 2 if labels is None else jnp.array(labels, jnp.int32)
    return label_points(empty_pool(N, capacity), indices, labels)


@functools.cache
def made(name):
    return make_strategy(name)


@functools.cache
def jitted(name):
    return jax.jit(made(name).select, static_argnums=3)


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
def test_a_budget_larger_than_the_pool_takes_what_is_left(name, labeled):
    pool = pool_of(labeled)
    assert_fits(asked(name, pool, N + 3), pool, N + 3)


@every_strategy
def test_labels_of_one_class_are_enough(name):
    pool = pool_of((2, 9, 20, 13), labels=(1, 1, 1, 1))
    assert_fits(asked(name, pool, 4), pool, 4)


@every_strategy
def test_the_room_for_labels_is_of_no_influence(name):
    one = asked(name, pool_of((2, 9), capacity=2), 4)
    other = asked(name, pool_of((2, 9)), 4)
    np.testing.assert_array_equal(one.indices, other.indices)


@every_strategy
def test_one_key_gives_one_query_and_so_does_any_other_unless_chance_plays(name):
    pool = pool_of((2, 9))
    queries = [asked(name, pool, 4, key=key).indices.tolist() for key in (0, 0, 1, 2)]
    assert queries[0] == queries[1]
    if not made(name).seeded:
        assert queries[2] == queries[3] == queries[0]


@every_strategy
def test_compiling_changes_nothing(name):
    arguments = (jax.random.key(5), needed(name, general()), pool_of((2, 9)), 4)
    plain, compiled = made(name).select(*arguments), jitted(name)(*arguments)
    np.testing.assert_array_equal(plain.indices, compiled.indices)
    assert plain.info.keys() == compiled.info.keys()
    for field, value in plain.info.items():
        np.testing.assert_allclose(value, compiled.info[field], rtol=1e-5)


@every_strategy
def test_the_second_call_compiles_nothing(name):
    traces = []

    def select(key, signals, pool):
        traces.append(name)
        return made(name).select(key, signals, pool, 4)

    compiled = jax.jit(select)
    for key, labeled in ((0, (1,)), (1, (4, 5, 6)), (2, ())):
        compiled(jax.random.key(key), needed(name, general(key)), pool_of(labeled))
    assert len(traces) == 1


@every_strategy
def test_a_batch_of_seeds_equals_one_after_the_other(name):
    keys = jax.random.split(jax.random.key(0), 3)
    pools = [pool_of(labeled) for labeled in ((1, 4), (0,), (5, 6, 2))]
    signals = [needed(name, general(seed)) for seed in range(3)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *zip(signals, pools, strict=True))
    together = jax.vmap(made(name).select, (0, 0, 0, None))(keys, *stacked, 4)
    for i in range(3):
        alone = jitted(name)(keys[i], signals[i], pools[i], 4)
        np.testing.assert_array_equal(together.indices[i], alone.indices)
        for field, value in alone.info.items():
            np.testing.assert_allclose(together.info[field][i], value, rtol=1e-5)


@every_strategy
def test_permuting_the_pool_permutes_the_answer_unless_chance_plays(name):
    if made(name).seeded:
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
    pool = pool_of((2, 9, 20))
    query = asked(name, pool, 4)
    assert (query.pseudo_labels is not None) == made(name).pseudo_labels
    if query.pseudo_labels is not None:
        assert (query.pseudo_labels.shape, query.pseudo_labels.dtype) == ((N,), jnp.int32)
        given = np.flatnonzero(query.pseudo_labels != UNKNOWN)
        assert not set(given.tolist()) & {2, 9, 20, *query.indices.tolist()}
        assert set(query.pseudo_labels[given].tolist()) <= set(range(C))


@every_strategy
def test_the_docstring_says_what_it_picks_in_one_line_and_what_it_needs(name):
    first, rest = STRATEGIES[name].__doc__.split("\n", 1)
    assert first.endswith(".")
    for need in made(name).needs - {"true_labels"}:
        assert f"`{need}`" in rest or "mbedding" in rest


def test_unknown_names_and_options_are_sentences():
    with pytest.raises(UsageError, match="did you mean 'coreset'"):
        make_strategy("corset")
    with pytest.raises(UsageError, match="no option 'temperature': it takes none"):
        make_strategy("random", temperature=2)
    with pytest.raises(UsageError, match=r"strategy_args.beta is -1, but must be"):
        make_strategy("power_bald", beta=-1)
    with pytest.raises(UsageError, match=r"beta is 'x', but must be of type float"):
        make_strategy("power_bald", beta="x")


def test_the_readme_shows_the_table_as_it_is():
    readme = (pathlib.Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shown = readme.split("<!-- strategies -->\n")[1].split("\n<!-- /strategies -->")[0]
    assert shown == strategy_table(), "run: python -m jax_al.strategies"
