"""Small pools, learners and states of a pool, for the tests of the drivers."""

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.drivers.engine import Engine, Looking
from jax_al.learners import cnn, linear
from jax_al.pools.arrays import arrays
from jax_al.types import Benchmark, Fit, Learner, Outputs, empty_pool, label_points

CLASSES = 3
TINY = {"widths": (2, 3), "embedding_size": 4}
QUICK = {"epochs": 2, "batch_size": 5, "lr": 1e-2, "lr_step_epochs": 1}
CNN, LINEAR = cnn(**TINY, **QUICK), linear(penalty=1e-2)


def images(count, seed=0):
    """Returns a pool of random images."""
    rng = np.random.default_rng(seed)
    return arrays(rng.integers(0, 256, (count, 8, 8, 1), np.uint8))


def table(count, seed=0):
    """Returns a pool of random rows of six numbers."""
    return arrays(np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32))


def benchmark_of(pool, num_test=9):
    """Returns `pool` with labels that have nothing to do with the inputs, and a test set."""
    truth = np.arange(len(pool), dtype=np.int32) % CLASSES
    more = (images if pool.spec.is_image else table)(num_test, seed=1)
    names = tuple("abc"[:CLASSES])
    return Benchmark(pool, truth, names, more, np.arange(num_test, dtype=np.int32) % CLASSES)


def engine_of(pool, make=CNN, **looking):
    """Returns an engine that looks at 7 examples together, with 3 draws."""
    return Engine(
        benchmark_of(pool), make, Looking(**{"chunk_size": 7, "num_samples": 3, **looking})
    )


def rows_of(num_points, count):
    """Returns `count` distinct rows and their labels."""
    rows = np.arange(count) * 7 % num_points
    return rows.tolist(), (rows % CLASSES).tolist()


def state_of(num_points, count, capacity=16, excluded=()):
    """Returns the state of a pool in which the rows of `rows_of` are labeled."""
    mask = np.zeros(num_points, bool)
    mask[list(excluded)] = True
    rows, labels = (jnp.asarray(x, jnp.int32) for x in rows_of(num_points, count))
    return label_points(empty_pool(num_points, capacity, mask), rows, labels)


def episode(engine, strategy, count, seed=0, capacity=16, budget=4):
    """Fits, tests and asks once; returns the State, the fit, the test and the answer."""
    N = len(engine.benchmark.pool)
    init_key, train_key, query_key = jax.random.split(jax.random.key(seed), 3)
    state, fit = engine.fit(train_key, engine.init(init_key), *rows_of(N, count), capacity)
    pool = state_of(N, count, capacity)
    asked = engine.ask(query_key, state, strategy, pool, budget, min(budget, N - count))
    return state, fit, engine.test(state), asked


def nearest_mean_on_host(spec, num_classes):
    """Returns a learner in NumPy: the softmax of minus the distances to the means of the classes.

    Its State has a length that depends on what it has seen, as those of host learners may.
    """

    def flat(inputs):
        assert type(inputs) is np.ndarray  # never traced
        return inputs.reshape(len(inputs), -1).astype(np.float32)

    def init(key, context):
        return {
            "classes": np.arange(num_classes, dtype=np.int32),
            "means": np.zeros((num_classes, *context.shape), np.float32),
        }

    def begin(key, state, examples, context):
        return state

    def advance(training, examples, context):
        points, labels = flat(examples.inputs), examples.labels
        assert len(points) == int(examples.count)  # no padding
        classes = np.unique(labels)
        means = np.stack([points[labels == label].mean(axis=0) for label in classes])
        return {"classes": classes, "means": means}

    def predict(state, inputs):
        points = flat(inputs)
        scores = np.full((len(points), num_classes), -1e3, np.float32)
        gaps = points[:, None] - state["means"][None]
        scores[:, state["classes"]] = -np.square(gaps).mean(axis=2)
        scores -= scores.max(axis=1, keepdims=True)
        return Outputs(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)), points, points)

    return Learner(
        prepare=lambda pool: flat(pool.read(slice(0, 1)))[0],
        init=init,
        begin=begin,
        advance=advance,
        steps=1,
        finish=lambda training: (training, Fit(0.5, 1.0)),
        predict=predict,
        on_host=True,
    )
