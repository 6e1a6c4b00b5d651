r"""When would the advice to stop have come, and what would it have cost?

    python benchmarks/stopping.py [--data-dir DIR] [--cache-dir DIR] [--seeds 10] [--keep DIR]

A simulated person labels, with an audit of 100 that is held out: CIFAR-10 and Flowers-102 on
`lite0`, digits on patches, `linear`, typiclust until there are two labels a class, then margin.
What every model says of the stop set, the audit and the test set is kept (--keep), so that the
rules can be read off again without training.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import jax
import jax.numpy as jnp
import numpy as np

import jax_al as al
from benchmarks import setting
from jax_al.drivers.engine import Engine
from jax_al.oracles.person import Person
from jax_al.people import advice
from jax_al.pools.load import benchmark
from jax_al.strategies.entries import strategies_named
from jax_al.types import NOTHING, Benchmark, empty_pool, label_points

AUDIT = 100
FLOOR_EVERY = 4  # requests between two noise floors, each of which costs two fits


class Task(NamedTuple):
    """What is labeled, and until when."""

    data: str
    splits: tuple[str, ...]
    size: int | None  # of the pool; None: all
    features: str
    options: dict[str, Any]
    scale: str  # of `linear`
    budget: int
    requests: int


TASKS = (
    Task("digits", ("train",), None, "patches", {"patch": 4, "centroids": 100}, "columns", 20, 40),
    Task(
        "oxford_flowers102", ("train", "validation"), None, "lite0", {"pca": 256, "l2norm": True},
        "one", 50, 36,
    ),
    Task("cifar10", ("train",), 10_000, "lite0", {"pca": 256, "l2norm": True}, "one", 100, 50),
)  # fmt: skip


class Course(NamedTuple):
    """What E models of one seed said; R rows of the stop set, A of the audit."""

    labels: np.ndarray  # int [E]
    test: np.ndarray  # float64 [E], accuracy on the test set
    audit: np.ndarray  # int [E], how many of the audit were right
    stop: np.ndarray  # int16 [E, R], classes
    labeled: np.ndarray  # bool [E, R], what each was trained on
    floor: np.ndarray  # float64 [E], the noise floor; nan where it was not asked
    seconds: np.ndarray  # float64 [E], that the person took so far


def data_of(task: Task, data_dir: str | None, cache_dir: str | None) -> Benchmark:
    """Returns the benchmark of a task, read as features."""
    places = {"data_dir": data_dir, "cache_dir": cache_dir}
    data = benchmark(
        task.data, pool_splits=task.splits, pool_size=task.size,
        image_size=64 if "flowers" in task.data else None, **places,
    )  # fmt: skip
    return al.with_features(data, task.features, cache_dir=cache_dir, **task.options)


def course(task: Task, engine: Engine, seed: int) -> Course:
    """Labels by a simulated person who knows the truth; returns what the models said."""
    data, key = engine.benchmark, jax.random.key(seed)
    truth, N = data.truth, len(data.pool)
    assert truth is not None
    (strategy,) = strategies_named([f"typiclust:{2 * len(data.classes)},margin"]).values()
    held_out = np.random.default_rng(seed).permutation(N)[:AUDIT]
    stop = np.setdiff1d(advice.stop_set(N, seed), held_out)
    person = Person(truth, data.classes, seed=seed)
    pool = empty_pool(N, task.budget * task.requests, np.isin(np.arange(N), held_out))
    state, owned = engine.init(key), np.zeros(0, np.int64)
    found: list[tuple[Any, ...]] = []
    for number in range(task.requests):
        count = min(task.budget, N - AUDIT - len(owned))
        if not count:
            break
        asked = engine.ask(
            jax.random.fold_in(key, number), state, strategy, pool, task.budget, count
        )
        rows = asked.chosen.rows
        for row in rows.tolist():
            person.answer(row)
        padded = np.pad(rows, (0, task.budget - count), constant_values=NOTHING)
        pool = label_points(pool, *(jnp.asarray(x, jnp.int32) for x in (padded, truth[padded])))
        pool = pool._replace(num_queries=jnp.int32(number + 1))
        owned = np.append(owned, rows)
        state = _fit(engine, key, owned)
        classes = _classes(engine, state)
        known = np.isin(stop, owned)
        floor = np.nan
        if number % FLOOR_EVERY == FLOOR_EVERY - 1:
            floor = _floor(engine, key, owned, stop[~known], seed)
        found.append((
            len(owned), engine.test(state).accuracy, np.sum(classes[held_out] == truth[held_out]),
            classes[stop].astype(np.int16), known, floor, person.clock,
        ))  # fmt: skip
    return Course(*map(np.array, zip(*found, strict=True)))


def _fit(engine: Engine, key: jax.Array, rows: np.ndarray) -> Any:
    assert engine.benchmark.truth is not None
    room = max(64, 1 << (len(rows) - 1).bit_length())  # as an al.Session has it
    labels = engine.benchmark.truth[rows].tolist()
    return engine.fit(key, engine.init(key), rows.tolist(), labels, room)[0]


def _classes(engine: Engine, state: Any) -> np.ndarray:
    return engine.predict(state, engine.benchmark.pool).argmax(axis=1)


def _floor(engine: Engine, key: jax.Array, owned: np.ndarray, free: np.ndarray, seed: int) -> float:
    """Returns the noise floor on what of the stop set has no label."""

    def fit(places: np.ndarray) -> np.ndarray:
        return _classes(engine, _fit(engine, key, owned[places]))[free]

    return advice.noise_floor(fit, len(owned), seed) if len(free) else np.nan


def kept(place: Path, task: Task, seeds: int, options: dict[str, Any]) -> list[Course]:
    """Returns the courses of a task, those in `place` from there."""
    place.mkdir(parents=True, exist_ok=True)
    engine, courses = None, []
    for seed in range(seeds):
        path = place / f"{task.data}_{seed}.npz"
        if not path.exists():
            engine = engine or Engine(
                data_of(task, **options), al.linear(scale=task.scale), setting.LOOKING
            )
            start = time.perf_counter()
            np.savez_compressed(path, **course(task, engine, seed)._asdict())
            print(f"{path}: {time.perf_counter() - start:.0f} s", flush=True)
        with np.load(path) as file:
            courses.append(Course(**file))
    return courses


def main() -> None:
    """Simulates and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--cache-dir", help="where images and features are kept")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--keep", type=Path, required=True, help="where the courses are kept")
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "stopping.md")
    arguments = parser.parse_args()
    options = {"data_dir": arguments.data_dir, "cache_dir": arguments.cache_dir}
    for task in TASKS:
        kept(arguments.keep, task, arguments.seeds, options)


if __name__ == "__main__":
    main()
