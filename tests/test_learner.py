import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_al.drivers.learner import Learner, Options

from jax_al.drivers import learner as module
from jax_al.errors import UsageError
from jax_al.geometry.kcenter import kcenter_greedy
from jax_al.learners.networks import make_model
from jax_al.strategies import make_strategy
from jax_al.types import empty_pool, label_points

N, CLASSES = 30, 3
OPTIONS = Options(
    budget=4,
    capacity=16,
    epochs=2,
    optimizer="adam",
    weight_decay=0.0,
    schedule="step",
    lr=1e-2,
    gamma=0.1,
    lr_step_epochs=1,
    batch_size=5,
    test_batch_size=7,
    num_samples=2,
    augment=False,
)
PROGRAMS = {
    "coreset": {"init", "train_epoch", "evaluate", "signals", "select"},
    "random": {"init", "train_epoch", "evaluate", "select"},
}


@pytest.fixture(scope="module")
def learners():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, 8, 8, 1), np.uint8)
    model = make_model(
        "cnn", (8, 8, 1), CLASSES, widths=(2, 3), embedding_size=4, dropout_rates=(0.25, 0.5)
    )
    return {
        name: Learner(
            model,
            make_strategy(name),
            images,
            images[:9],
            np.arange(9, dtype=np.int32) % CLASSES,
            OPTIONS,
        )
        for name in PROGRAMS
    }


def pool_of(count):
    indices = jnp.arange(count, dtype=jnp.int32) * 7 % N
    return label_points(empty_pool(N, OPTIONS.capacity), indices, indices % CLASSES)


def episode(learner, pool, key=0):
    init_key, train_key, query_key = jax.random.split(jax.random.key(key), 3)
    state, fitted = learner.fit(train_key, learner.init(init_key), pool)
    return state, fitted, learner.evaluate(state), learner.ask(query_key, state, pool).query


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_is_compiled_after_the_constructor_whatever_the_labeled_count(learners, name):
    learner = learners[name]
    assert {program.name for program in learner.programs} == PROGRAMS[name]
    assert learner.compiles == len(PROGRAMS[name])
    compiled = []
    pools = [pool_of(count) for count in (1, 4, 5, 11, OPTIONS.capacity)]
    episode(learner, pools[0])  # the splitting of keys is compiled by its first use
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
    )
    for pool in pools:
        episode(learner, pool)
    assert compiled == []
    jax.jit(lambda x: x + 1)(jnp.arange(N + 1))  # what counts does count
    assert compiled


def test_a_shape_that_changed_is_an_error_and_no_second_compile(learners):
    learner = learners["random"]
    with pytest.raises(TypeError):
        learner.fit(jax.random.key(0), learner.init(jax.random.key(0)), empty_pool(N, 5))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_query_is_distinct_unlabeled_points(learners, name):
    pool = pool_of(9)
    *_, query = episode(learners[name], pool)
    points = query.indices.tolist()
    assert len(set(points)) == len(points) == OPTIONS.budget
    assert not np.asarray(pool.labeled)[points].any()


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_keys_give_the_same_episode_to_the_last_bit(learners, name):
    one, again = (episode(learners[name], pool_of(6)) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, one, again)


def test_other_keys_give_other_networks_and_other_random_queries(learners):
    state, _, _, query = episode(learners["random"], pool_of(6), key=0)
    other, _, _, asked = episode(learners["random"], pool_of(6), key=1)
    assert (state.params["head"]["kernel"] != other.params["head"]["kernel"]).any()
    assert query.indices.tolist() != asked.indices.tolist()


def test_an_embedding_too_large_to_square_is_refused_before_anything_is_chosen(learners):
    learner = learners["coreset"]
    state = learner.init(jax.random.key(0))
    hidden = state.params["hidden"]
    for factor in (1e25, jnp.nan):
        bad = state.params | {"hidden": hidden | {"kernel": hidden["kernel"] * factor}}
        with pytest.raises(UsageError, match=r"image 0 of the pool is not finite or beyond 1e\+15"):
            learner.ask(jax.random.key(1), state._replace(params=bad), pool_of(6))


def test_random_looks_at_nothing(learners):
    assert learners["random"]._signals is None
    assert learners["random"].computed == frozenset()


def test_a_fit_is_its_epochs_and_calls_back_after_each(learners):
    learner, calls = learners["random"], []
    state = learner.init(jax.random.key(0))
    state, score = learner.fit(jax.random.key(1), state, pool_of(6), lambda: calls.append(1))
    assert len(calls) == OPTIONS.epochs
    assert int(state.opt_state.count) == OPTIONS.epochs * -(-6 // OPTIONS.batch_size)
    assert np.isfinite(score.loss)
    assert 0 <= float(score.accuracy) <= 1


def test_training_learns_what_can_be_learned():
    """Two classes that differ in brightness; the loss must fall by a lot."""
    labels = np.arange(N, dtype=np.int32) % 2
    images = np.random.default_rng(0).integers(0, 60, (N, 8, 8, 1), np.uint8)
    images += (160 * labels).astype(np.uint8)[:, None, None, None]
    model = make_model(
        "cnn", (8, 8, 1), 2, widths=(2, 3), embedding_size=4, dropout_rates=(0.0, 0.0)
    )
    options = OPTIONS._replace(epochs=40, gamma=1.0, capacity=20)
    learner = Learner(model, make_strategy("random"), images, images, labels, options)
    rows = jnp.arange(20, dtype=jnp.int32)
    pool = label_points(empty_pool(N, 20), rows, jnp.asarray(labels[:20]))
    state = learner.init(jax.random.key(0))
    before = learner.evaluate(state)
    state, _ = learner.fit(jax.random.key(1), state, pool)
    after = learner.evaluate(state)
    assert float(after.loss) < 0.2 * float(before.loss)
    assert float(after.accuracy) == 1.0


def test_the_example_of_the_docstring_works(learners):
    init_key, train_key, query_key = jax.random.split(jax.random.key(0), 3)
    names = {
        "learner": learners["coreset"],
        "label_points": label_points,
        "pool": pool_of(5),
        "labels": jnp.zeros(OPTIONS.budget, jnp.int32),
        "init_key": init_key,
        "train_key": train_key,
        "query_key": query_key,
    }
    exec(textwrap.dedent(module.__doc__.partition("::\n")[2]), names)
    assert int(names["pool"].num_labeled) == 5 + OPTIONS.budget


def learner_of(strategy, **given):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, 8, 8, 1), np.uint8)
    model = make_model(
        "cnn", (8, 8, 1), CLASSES, widths=(2, 3), embedding_size=4, dropout_rates=(0.25, 0.5)
    )
    return Learner(
        model, strategy, images, images[:9], np.arange(9, dtype=np.int32) % 3, OPTIONS, **given
    )


def test_the_truth_is_for_simulations_only():
    with pytest.raises(UsageError, match="in a simulation only"):
        learner_of(make_strategy("oracle_uncertainty"))
    learner = learner_of(
        make_strategy("class_balanced"), true_labels=np.arange(N, dtype=np.int32) % CLASSES
    )
    assert learner.computed == frozenset()
    pool = label_points(empty_pool(N, 16), jnp.array([0, 3]), jnp.array([0, 0]))
    query = learner.ask(jax.random.key(0), learner.init(jax.random.key(0)), pool).query
    assert sorted((query.indices % CLASSES).tolist()) == [1, 1, 2, 2]


@pytest.mark.parametrize("source", ["random_net", "pixels_pca"])
def test_a_fixed_embedding_is_the_same_whatever_the_network(source):
    given = {"embedding": np.random.default_rng(1).normal(size=(N, 3)).astype(np.float32)}
    learner = learner_of(
        make_strategy("coreset", embedding=source), **(given if source == "pixels_pca" else {})
    )
    assert learner.computed == frozenset()
    pool = pool_of(3)
    queries = [
        learner.ask(jax.random.key(0), learner.init(jax.random.key(seed)), pool).query.indices
        for seed in range(2)
    ]
    np.testing.assert_array_equal(*queries)
    if source == "pixels_pca":
        expected = kcenter_greedy(given["embedding"], 4, np.arange(3) * 7 % N).indices
        np.testing.assert_array_equal(queries[0], expected)
        with pytest.raises(UsageError, match="wants the embedding 'pixels_pca'"):
            learner_of(make_strategy("coreset", embedding=source))
