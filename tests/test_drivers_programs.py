"""Programs: each compiled once and ahead, for every strategy; and for accelerators, too."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_up_benchmarks import (
    CNN,
    LINEAR,
    QUICK,
    TINY,
    engine_of,
    episode,
    images,
    rows_of,
    state_of,
    table,
)

from jax_al.drivers.programs import Programs
from jax_al.learners import cnn, resnet18, vgg16
from jax_al.pools.arrays import arrays
from jax_al.strategies import STRATEGIES, make_strategy

N, CAPACITY, Q = 30, 16, 4
# Where every step counts, few are as good as many.
OPTIONS = {"discriminative": {"steps": 2}}
PLATFORMS = ("cuda", "tpu")
pytestmark = pytest.mark.usefixtures("compiled_plainly")
# init, begin, advance, finish, score, a look at the test set; then select, a look and the cover
PROGRAMS = {"random": 7, "coreset": 8, "kmeans": 9}


@functools.cache
def made(name):
    return make_strategy(name, **OPTIONS.get(name, {}))


@functools.cache
def engine(name="cnn"):
    make, of = {"cnn": (CNN, images), "linear": (LINEAR, table)}[name]
    return engine_of(of(N), make)


def test_a_program_is_compiled_once_for_its_shapes_and_takes_no_others():
    programs = Programs()
    traced = []

    def double(x):
        traced.append(x.shape)
        return x + x

    with programs.counted() as used:
        run = programs.get("double", None, double, jax.ShapeDtypeStruct((3,), np.float32))
        assert programs.get("double", None, double, jnp.ones(3)) is run
        assert len(used) == programs.compiles == 1
    programs.get("double", "another", double, jnp.ones(3))
    assert len(used) == 1
    assert programs.compiles == 2
    assert programs.seconds > 0
    assert run(jnp.ones(3)).tolist() == [2.0] * 3
    assert "jit_double" in run.as_text()
    with pytest.raises(TypeError):
        run(jnp.ones(4))
    assert traced == [(3,)] * 2


def kind(name):
    """What decides which programs an engine wants beside that of the strategy itself."""
    of = made(name)
    return of.needs, of.on_host, of.reads_files, of.pseudo_labels, of.embedding


KINDS = {*{kind(name): name for name in STRATEGIES}.values(), *PROGRAMS}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_all_that_an_episode_uses_is_compiled_ahead_and_nothing_else(name):
    """One engine for all strategies, so what they share is compiled by the first of them.

    One strategy of each kind; the programs of all of them are traced for accelerators below.
    """
    programs = engine().programs
    number = engine().compile_ahead(made(name), CAPACITY, Q)
    count = programs.compiles
    with programs.counted() as used:
        *_, asked = episode(engine(), made(name), 6)
    assert programs.compiles == count
    assert len(used) == number == PROGRAMS.get(name, number)
    assert np.isfinite(list(asked.chosen.info.values())).all()
    assert len(asked.chosen.rows) == Q


def test_what_is_excluded_costs_one_program_more_and_that_once():
    found = engine_of(table(N), LINEAR)
    found.compile_ahead(made("coreset"), CAPACITY, Q)
    count, state = found.programs.compiles, found.init(jax.random.key(0))
    for excluded in ((), (1, 2), (1, 2, 3)):
        pool = state_of(N, 6, excluded=excluded)
        found.ask(jax.random.key(1), state, made("coreset"), pool, Q, Q)
        assert found.programs.compiles == count + bool(excluded)


@pytest.mark.parametrize("name", ["cnn", "linear"])
def test_nothing_at_all_is_compiled_after_an_episode_whatever_the_labeled_count(name):
    for strategy in ("coreset", "random"):
        engine(name).compile_ahead(made(strategy), CAPACITY, Q)
        episode(
            engine(name), made(strategy), 1
        )  # the splitting of keys is compiled by its first use
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
    )
    states = {count: state_of(N, count) for count in (1, 4, 5, 11, CAPACITY)}
    compiled.clear()
    for count, pool in states.items():
        for strategy in ("coreset", "random"):
            state, _ = engine(name).fit(
                jax.random.key(0),
                engine(name).init(jax.random.key(1)),
                *rows_of(N, count),
                CAPACITY,
            )
            engine(name).test(state)
            engine(name).ask(jax.random.key(2), state, made(strategy), pool, Q, Q)
    assert compiled == []
    jax.jit(lambda x: x + 1)(jnp.arange(N + 1))  # what counts does count
    assert compiled


class Exported(Programs):
    """Exports for CUDA and TPU, by shapes alone, what it is asked to compile."""

    def get(self, name, variant, function, *arguments, donated=None):
        key = name, variant
        if key not in self._known:
            shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), arguments)
            found = jax.export.export(jax.jit(function), platforms=PLATFORMS)(*shapes)
            assert found.platforms == PLATFORMS
            self._known[key] = found
        return self._known[key]


@functools.cache
def exporting(name):
    make, pool = {
        "cnn": (CNN, images(N)),
        "cnn_augmented": (cnn(**TINY, **QUICK, augment=True), images(N)),
        "cnn_bfloat16": (cnn(**TINY, **QUICK, compute_dtype="bfloat16"), images(N)),
        "linear": (LINEAR, table(N)),
        "vgg16": (vgg16(width=1, embedding_size=4, epochs=1), large_images()),
        "resnet18": (resnet18(width=1, epochs=1), images(N)),
    }[name]
    found = engine_of(pool, make)
    found.programs = Exported()
    return found


def large_images():
    """Returns images that can be halved five times."""
    return arrays(np.random.default_rng(0).integers(0, 256, (N, 32, 32, 3), np.uint8))


@pytest.mark.parametrize(
    "name", ["cnn", "cnn_augmented", "cnn_bfloat16", "linear", "vgg16", "resnet18"]
)
def test_every_program_of_every_learner_is_exported_for_accelerators(name):
    """What `compile_ahead` would compile is all there is: a test above holds it to that.

    To export is to lower for a platform that need not be there, and to refuse what only this
    process could run, such as calls back to Python. What is left is XLA's, which takes what it is
    given or is wrong.
    """
    found = exporting(name)
    if name == "vgg16":
        benchmark = found.benchmark
        found.benchmark = benchmark._replace(test=benchmark.pool, test_labels=benchmark.truth)
    found.compile_ahead(made("kmeans"), CAPACITY, Q)
    names = sorted(key[0] for key in found.programs._known)
    looks = ["look"] * (len(names) - 7)
    assert names == sorted(
        ["init", "begin", "advance", "finish", *looks, "score", "select", "cover"]
    )
    assert looks


@pytest.mark.parametrize("name", [name for name in STRATEGIES if not made(name).on_host])
def test_every_strategy_that_is_traced_is_exported_for_accelerators(name):
    exporting("cnn").compile_ahead(made(name), CAPACITY, Q)
    assert ("select", (made(name), Q)) in exporting("cnn").programs._known


def test_what_could_not_be_exported_would_be_told():
    def calls_back(x):
        return jax.pure_callback(lambda y: y, x, x)

    with pytest.raises(NotImplementedError, match="callback"):
        Exported().get("calls_back", None, calls_back, jnp.ones(3)).serialize()
