"""An engine fits, tests and asks: with any learner and strategy, from memory, blocks or files."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_up_benchmarks import (
    CLASSES,
    CNN,
    LINEAR,
    benchmark_of,
    engine_of,
    episode,
    images,
    nearest_mean_on_host,
    rows_of,
    state_of,
    table,
)

from jax_al.drivers import inputs as reading
from jax_al.drivers import look as looking
from jax_al.drivers.engine import Engine, Looking
from jax_al.errors import UsageError
from jax_al.geometry.kcenter import kcenter_greedy
from jax_al.strategies import make_strategy

N, CAPACITY, Q = 30, 16, 4
pytestmark = pytest.mark.usefixtures("compiled_plainly")


@functools.cache
def made(name):
    return make_strategy(name)


@functools.cache
def engine(name="cnn"):
    make, of = {
        "cnn": (CNN, images),
        "linear": (LINEAR, table),
        "host": (nearest_mean_on_host, table),
    }[name]
    return engine_of(of(N), make)


# --- Episodes


@pytest.mark.parametrize("strategy", ["coreset", "random", "batchbald"])
def test_the_same_keys_give_the_same_episode_to_the_last_bit(strategy):
    one, again = (episode(engine(), made(strategy), 6)[:3] for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, one, again)
    asked = [episode(engine(), made(strategy), 6)[3] for _ in range(2)]
    jax.tree.map(np.testing.assert_array_equal, *((x.chosen, x.signals) for x in asked))


def test_other_keys_give_other_random_queries():
    found = [episode(engine(), made("random"), 6, seed=seed)[3].chosen.rows for seed in range(2)]
    assert found[0].tolist() != found[1].tolist()


def test_random_looks_at_nothing():
    assert engine().computed(made("random")) == frozenset()
    state = engine().init(jax.random.key(0))
    with engine().programs.counted() as used:
        engine().ask(jax.random.key(0), state, made("random"), state_of(N, 6), Q, Q)
    assert [key[0] for key in used] == ["select"]


def test_no_more_draws_are_made_than_a_learner_has_members():
    members = engine_of(images(N), lambda *given: CNN(*given)._replace(draws=2))
    state = members.init(jax.random.key(0))
    asked = members.ask(jax.random.key(0), state, made("batchbald"), state_of(N, 6), Q, Q)
    assert asked.signals.sampled_probs.shape == (2, N, CLASSES)


def test_what_a_strategy_sees_is_what_the_learner_says():
    state = engine().init(jax.random.key(0))
    asked = engine().ask(jax.random.key(0), state, made("badge"), state_of(N, 6), Q, Q)
    expected = engine().learner.predict(state, engine().benchmark.pool.read(slice(None)))
    for name in ("log_probs", "head_inputs"):
        found = getattr(asked.signals, name)
        if found is not None:
            np.testing.assert_allclose(found, getattr(expected, name), rtol=1e-4, atol=1e-5)
    assert {name for name, x in asked.signals._asdict().items() if x is not None} == made(
        "badge"
    ).needs


@pytest.mark.parametrize("name", ["cnn", "host"])
def test_any_pool_can_be_predicted(name):
    state, *_ = episode(engine(name), made("random"), 6)
    more = (images if name == "cnn" else table)(23, seed=4)
    found = engine(name).predict(state, more)
    assert found.shape == (23, CLASSES)
    expected = engine(name).learner.predict(state, more.read(slice(None))).log_probs
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def linear_fit():
    """What a fit of the linear learner is asked with."""
    untrained = engine("linear").init(jax.random.key(0))
    return jax.random.key(1), untrained, *rows_of(N, 6), CAPACITY


@pytest.mark.parametrize("chunk_size", [1, 4, 9, 100])
@pytest.mark.parametrize("resident", ["yes", "no"])
def test_testing_is_the_plain_mean_over_all_examples_whatever_the_chunk(chunk_size, resident):
    testing = engine_of(table(N), LINEAR, chunk_size=chunk_size, resident=resident)
    state, _ = engine("linear").fit(*linear_fit())
    tested, benchmark = testing.test(state), testing.benchmark
    inputs, labels = benchmark.test.read(slice(None)), benchmark.test_labels
    log_probs = np.asarray(testing.learner.predict(state, inputs).log_probs, np.float64)
    expected = -log_probs[np.arange(len(labels)), labels].mean()
    np.testing.assert_allclose(tested.nll, expected, rtol=1e-5)
    np.testing.assert_allclose(tested.accuracy, (log_probs.argmax(1) == labels).mean(), rtol=1e-6)


@pytest.mark.parametrize("lacking", ["test", "test_labels"])
def test_without_a_test_set_nothing_is_said_of_it(lacking):
    benchmark = benchmark_of(table(N))._replace(**{lacking: None})
    bare = Engine(benchmark, LINEAR, Looking(chunk_size=7))
    bare.compile_ahead(made("random"), CAPACITY, Q)
    assert set(bare.test(bare.init(jax.random.key(0)))) == {None}


def test_labels_of_the_test_set_of_any_integer_dtype_are_compiled_for_once():
    benchmark = benchmark_of(table(N))
    wide = benchmark._replace(test_labels=benchmark.test_labels.astype(np.int64))
    found = Engine(wide, LINEAR, Looking(chunk_size=7))
    found.compile_ahead(made("random"), CAPACITY, Q)
    count = found.programs.compiles
    *_, tested, _ = episode(found, made("random"), 6)
    assert found.programs.compiles == count
    assert 0 <= tested.accuracy <= 1


# --- Refusals


@pytest.mark.parametrize("factor", [1e25, jnp.nan])
def test_an_embedding_too_large_to_square_is_refused_before_anything_is_chosen(factor):
    state = engine().init(jax.random.key(0))
    hidden = state.params["hidden"]
    bad = state.params | {"hidden": hidden | {"kernel": hidden["kernel"] * factor}}
    ask = functools.partial(engine().ask, jax.random.key(1), state._replace(params=bad))
    with pytest.raises(
        UsageError, match=r"example 0 \(row 0 of the pool\) is not finite or beyond"
    ):
        ask(made("coreset"), state_of(N, 6), Q, Q)
    # What is excluded is as if it were absent, and may be as it likes.
    but_one = [row for row in range(N) if row != 28]
    with pytest.raises(UsageError, match=r"\(row 28 of the pool\)"):
        ask(made("coreset"), state_of(N, 0, excluded=but_one), 1, 1)


@pytest.mark.parametrize("name", ["linear", "host"])
@pytest.mark.parametrize("strategy", ["bald", "batchbald", "mc_entropy", "power_bald", "mean_std"])
def test_a_bayesian_strategy_is_refused_by_a_learner_that_cannot_disagree(name, strategy):
    with pytest.raises(UsageError, match="this learner has one opinion only: ") as refused:
        engine(name).compile_ahead(made(strategy), CAPACITY, Q)
    text = str(refused.value)
    assert all(need in text for need in made(strategy).needs)
    assert text.endswith(".")
    assert ". " not in text
    with pytest.raises(UsageError, match="one opinion only"):
        engine(name).ask(jax.random.key(0), None, made(strategy), state_of(N, 6), Q, Q)


def test_the_truth_is_for_simulations_only():
    blind = Engine(benchmark_of(table(N))._replace(truth=None), LINEAR, Looking(chunk_size=7))
    with pytest.raises(UsageError, match="in a simulation only"):
        blind.compile_ahead(made("oracle_uncertainty"), CAPACITY, Q)
    assert engine("linear").computed(made("class_balanced")) == frozenset()
    pool, state = state_of(N, 1), engine("linear").init(jax.random.key(0))
    asked = engine("linear").ask(jax.random.key(0), state, made("class_balanced"), pool, Q, Q)
    owned = [0, *asked.chosen.rows % CLASSES]  # row 0 has a label, and is of class 0
    assert sorted(np.bincount(owned).tolist()) == [1, 2, 2]


# --- Embeddings that no training changes


@pytest.mark.parametrize("source", ["random_net", "pixels_pca", "file"])
def test_a_fixed_embedding_is_the_same_whatever_the_network(source, tmp_path):
    given = np.random.default_rng(1).normal(size=(N, 3)).astype(np.float32)
    if source == "file":
        source = str(tmp_path / "features.npy")
        np.save(source, given)
    of = make_strategy("coreset", embedding=source)
    engine().compile_ahead(of, CAPACITY, Q)
    assert engine().computed(of) == frozenset()
    pool, count = state_of(N, 3), engine().programs.compiles
    found = [
        engine().ask(jax.random.key(0), engine().init(jax.random.key(seed)), of, pool, Q, Q)
        for seed in range(2)
    ]
    assert engine().programs.compiles == count
    assert found[0].signals.embedding is found[1].signals.embedding
    np.testing.assert_array_equal(*(asked.chosen.rows for asked in found))
    expected = kcenter_greedy(np.asarray(found[0].signals.embedding), Q, rows_of(N, 3)[0]).indices
    np.testing.assert_array_equal(found[0].chosen.rows, expected)
    if source.endswith(".npy"):
        np.testing.assert_array_equal(found[0].signals.embedding, given)


# --- A learner on the host


@pytest.mark.parametrize("strategy", ["coreset", "margin", "random", "coreset_robust"])
def test_a_learner_on_the_host_goes_all_the_way(strategy):
    engine("host").compile_ahead(made(strategy), CAPACITY, Q)
    state, fit, tested, asked = episode(engine("host"), made(strategy), 6)
    assert fit.accuracy == 1.0
    assert 0 <= tested.accuracy <= 1
    assert len(asked.chosen.rows) == Q
    count = engine("host").programs.compiles
    for labels in (7, 11):  # its State grows, and no program knows it
        episode(engine("host"), made(strategy), labels)
    assert engine("host").programs.compiles == count
    log_probs = engine("host").learner.predict(state, table(N).read(slice(None))).log_probs
    if strategy == "margin":
        best = np.sort(np.exp(log_probs), axis=1)
        margins = np.where(state_of(N, 6).selectable, best[:, -1] - best[:, -2], np.inf)
        assert asked.chosen.rows.tolist() == np.argsort(margins, kind="stable")[:Q].tolist()


# --- Pools beyond memory


@pytest.fixture
def little_memory(monkeypatch):
    """The embedding [30, 6] of the linear learner is large then, its log-probabilities are not."""
    monkeypatch.setattr(reading, "HOST_BYTES", 700)  # of 720
    monkeypatch.setattr(looking, "HOST_BYTES", 4 * 700)


@pytest.mark.parametrize("strategy", ["coreset", "margin"])
def test_what_is_in_a_file_is_chosen_from_as_if_it_were_in_memory(
    little_memory, tmp_path, strategy
):
    engines = [
        engine_of(table(N), LINEAR, chunk_size=1, resident=resident) for resident in ("yes", "auto")
    ]
    assert not engines[1].inputs.is_resident
    for one in engines:
        one.compile_ahead(made(strategy), CAPACITY, Q)
    for count in (0, 6):
        found = []
        for one in engines:
            compiles = one.programs.compiles
            state, pool = one.init(jax.random.key(0)), state_of(N, count)
            if count:
                state, _ = one.fit(jax.random.key(0), state, *rows_of(N, count), CAPACITY)
            found.append(one.ask(jax.random.key(1), state, made(strategy), pool, Q, Q, tmp_path))
            assert one.programs.compiles == compiles
        assert isinstance(found[1].signals.embedding, np.memmap) == (strategy == "coreset")
        np.testing.assert_array_equal(*(asked.chosen.rows for asked in found))
        np.testing.assert_allclose(*(asked.chosen.scores for asked in found), rtol=1e-6)
        assert found[0].chosen.info.keys() == found[1].chosen.info.keys()
        assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_from_a_file_is_refused_before_anything_is_bought(little_memory):
    blocks = engine_of(table(N), LINEAR, chunk_size=1)
    with pytest.raises(UsageError, match=r"hold embedding of the whole pool in memory, 720 bytes"):
        blocks.compile_ahead(made("kmeans"), CAPACITY, Q)
    state = blocks.init(jax.random.key(0))
    with pytest.raises(UsageError, match=r"hold embedding of the whole pool in memory, 720 bytes"):
        blocks.ask(jax.random.key(1), state, made("kmeans"), state_of(N, 6), Q, Q)


def test_an_untrained_network_too_large_for_memory_stays_in_its_file(little_memory):
    blocks = engine_of(table(N), LINEAR, chunk_size=1)
    of = make_strategy("coreset", embedding="random_net")
    blocks.compile_ahead(of, CAPACITY, Q)
    state = blocks.init(jax.random.key(0))
    asked = blocks.ask(jax.random.key(1), state, of, state_of(N, 6), Q, Q)
    assert isinstance(asked.signals.embedding, np.memmap)
    points = np.array(asked.signals.embedding)
    assert (
        asked.chosen.rows.tolist() == kcenter_greedy(points, Q, rows_of(N, 6)[0]).indices.tolist()
    )


def test_all_draws_of_a_pool_too_large_for_memory_are_refused_too(monkeypatch):
    monkeypatch.setattr(looking, "HOST_BYTES", 4 * 900)  # 30 x 3 x 3 x 4 = 1,080
    blocks = engine_of(images(N), chunk_size=1, resident="no")
    with pytest.raises(UsageError, match="hold sampled_probs of the whole pool in memory, 1,080 b"):
        blocks.compile_ahead(made("batchbald"), CAPACITY, Q)
    blocks.compile_ahead(made("bald"), CAPACITY, Q)
    state = blocks.init(jax.random.key(0))
    with pytest.raises(UsageError, match="sampled_probs"):
        blocks.ask(jax.random.key(1), state, made("batchbald"), state_of(N, 6), Q, Q)
