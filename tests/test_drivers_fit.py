"""A fit through the engine: what it sees, that it repeats, and that spare room does not matter."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_up_benchmarks import (
    CLASSES,
    CNN,
    LINEAR,
    QUICK,
    TINY,
    benchmark_of,
    engine_of,
    images,
    nearest_mean_on_host,
    rows_of,
    table,
)

from jax_al.drivers.engine import Engine, Looking
from jax_al.drivers.fit import gather
from jax_al.drivers.look import look_at
from jax_al.learners import cnn
from jax_al.pools.arrays import arrays
from jax_al.types import NOTHING, UNKNOWN

N = 30


@functools.cache
def engine(name):
    make, of = {"cnn": (CNN, images), "linear": (LINEAR, table)}[name]
    return engine_of(of(N), make)


def fitted(name, count=6, seed=0, capacity=16, on_step=lambda: None):
    init_key, train_key = jax.random.split(jax.random.key(seed))
    state = engine(name).init(init_key)
    return engine(name).fit(train_key, state, *rows_of(N, count), capacity, on_step)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_examples_stand_in_their_order_and_the_padding_says_that_it_is_none(count):
    pool = images(N)
    rows, labels = [9, 4, 17, 1, 12][:count], [2, 0, 1, 1, 0][:count]
    found = gather(pool, rows, labels, 5)
    assert found.inputs.shape == (5, 8, 8, 1)
    assert found.inputs.dtype == np.uint8
    np.testing.assert_array_equal(found.inputs[:count], pool.read(slice(None))[rows])
    assert not found.inputs[count:].any()
    assert found.rows.tolist() == rows + [NOTHING] * (5 - count)
    assert found.labels.tolist() == labels + [UNKNOWN] * (5 - count)
    assert found.weights.tolist() == [1.0] * count + [0.0] * (5 - count)
    assert found.count == count
    dtypes = [leaf.dtype for leaf in found[1:]]
    assert dtypes == [np.int32, np.float32, np.int32, np.int32]


@pytest.mark.parametrize("name", ["cnn", "linear"])
def test_a_fit_is_its_steps_and_calls_back_after_each(name):
    calls = []
    _, fit = fitted(name, on_step=lambda: calls.append(1))
    assert len(calls) == engine(name).learner.steps
    assert np.isfinite(fit.loss)
    assert 0 <= float(fit.accuracy) <= 1


@pytest.mark.as_for_users
@pytest.mark.parametrize("name", ["cnn", "linear"])
def test_the_room_for_labels_changes_no_bit_of_a_fit(name):
    found = [fitted(name, capacity=capacity) for capacity in (6, 16, 200)]
    for other in found[1:]:
        jax.tree.map(np.testing.assert_array_equal, found[0], other)


@pytest.mark.as_for_users
def test_the_same_keys_give_the_same_fit_to_the_last_bit_and_other_keys_another():
    one, again, other = fitted("cnn"), fitted("cnn"), fitted("cnn", seed=1)
    jax.tree.map(np.testing.assert_array_equal, one, again)
    ours, theirs = (state.params["head"]["kernel"] for state, _ in (one, other))
    assert (ours != theirs).any()


@pytest.mark.as_for_users
@pytest.mark.parametrize("name", ["cnn", "linear"])
def test_what_a_fit_starts_from_is_still_there_afterwards(name):
    """`advance` writes over its Training: nothing of the State or the Context may be in there."""
    key, given = jax.random.key(0), (*rows_of(N, 6), 16)
    state = engine(name).init(key)
    before = jax.tree.map(np.array, (state, engine(name).context))
    one = engine(name).fit(key, state, *given)
    again = engine(name).fit(key, state, *given)
    jax.tree.map(np.testing.assert_array_equal, before, (state, engine(name).context))
    jax.tree.map(np.testing.assert_array_equal, one, again)


@pytest.mark.as_for_users
def test_a_warm_start_from_numpy_is_the_one_from_the_device():
    """Checkpoints come back as NumPy arrays."""
    state, _ = fitted("cnn")
    given = jax.random.key(5), *rows_of(N, 9), 16
    warm = engine("cnn").fit(given[0], state, *given[1:])
    count = engine("cnn").programs.compiles
    resumed = engine("cnn").fit(given[0], jax.tree.map(np.asarray, state), *given[1:])
    jax.tree.map(np.testing.assert_array_equal, warm, resumed)
    assert engine("cnn").programs.compiles == count


def test_training_learns_what_can_be_learned():
    """Two classes that differ in brightness; the loss must fall by a lot."""
    labels = np.arange(N, dtype=np.int32) % 2
    pictures = np.random.default_rng(0).integers(0, 60, (N, 8, 8, 1), np.uint8)
    pictures += (160 * labels).astype(np.uint8)[:, None, None, None]
    pool = arrays(pictures)
    benchmark = benchmark_of(pool)._replace(
        truth=labels, classes=("dark", "bright"), test=pool, test_labels=labels
    )
    make = cnn(**TINY, **QUICK | {"epochs": 40, "gamma": 1.0}, dropout_rates=(0.0, 0.0))
    learning = Engine(benchmark, make, Looking(chunk_size=7))
    state = learning.init(jax.random.key(0))
    before = learning.test(state)
    state, _ = learning.fit(jax.random.key(1), state, range(20), labels[:20], 20)
    after = learning.test(state)
    assert after.nll < 0.2 * before.nll
    assert after.accuracy == 1.0


def test_a_learner_on_the_host_sees_numpy_arrays_without_padding():
    calls = []
    hosted = engine_of(table(N), nearest_mean_on_host)
    state = hosted.init(jax.random.key(0))
    rows, labels = rows_of(N, 6)
    state, fit = hosted.fit(jax.random.key(1), state, rows, labels, 16, lambda: calls.append(1))
    assert len(calls) == 1
    assert fit.accuracy == 1.0
    points = hosted.benchmark.pool.read(rows)
    expected = [points[np.array(labels) == label].mean(axis=0) for label in range(CLASSES)]
    np.testing.assert_array_equal(state["means"], np.stack(expected))


def test_equal_work_of_two_seeds_stacks_in_one_call():
    """The types allow it: keys, States, Trainings and Examples take an axis in front."""
    learner, context, capacity = engine("cnn").learner, engine("cnn").context, 16
    work = [rows_of(N, 6), rows_of(N, 8)]
    keys = jax.vmap(jax.random.key)(jnp.arange(2))
    examples = [gather(engine("cnn").benchmark.pool, *given, capacity) for given in work]
    examples = jax.tree.map(lambda *leaves: jnp.stack(leaves), *examples)
    inputs = jnp.asarray(engine("cnn").benchmark.pool.read(slice(None)))
    look = look_at(learner, frozenset({"log_probs", "embedding"}), 7, 3)

    state = jax.jit(jax.vmap(learner.init, (0, None)))(keys, context)
    training = jax.jit(jax.vmap(learner.begin, (0, 0, 0, None)))(keys, state, examples, context)
    advance = jax.jit(jax.vmap(learner.advance, (0, 0, None)))
    for _ in range(learner.steps):
        training = advance(training, examples, context)
    state, fit = jax.vmap(learner.finish)(training)
    together = fit, jax.jit(jax.vmap(look, (0, 0, None)))(keys, state, inputs)

    look = jax.jit(look)
    for seed in range(2):
        key = keys[seed]
        state = engine("cnn").init(key)
        state, fit = engine("cnn").fit(key, state, *work[seed], capacity)
        jax.tree.map(
            lambda a, b, seed=seed: np.testing.assert_allclose(a[seed], b, rtol=1e-3, atol=1e-4),
            together,
            (fit, look(key, state, inputs)),
        )
