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
from jax_al.statistics import mean_interval
from jax_al.strategies.entries import strategies_named
from jax_al.types import NOTHING, Benchmark, empty_pool, label_points

AUDIT = 100
FLOOR_EVERY = 6  # requests between two noise floors, each of which costs two fits


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
        "one", 50, 30,
    ),
    Task("cifar10", ("train",), 10_000, "lite0", {"pca": 256, "l2norm": True}, "one", 100, 30),
    Task("cifar10", ("train",), 10_000, "lite0", {"pca": 256, "l2norm": True}, "one", 20, 100),
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
        path = place / f"{task.data}_{task.budget}_{seed}.npz"
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


def kappas(one: Course) -> list[float]:
    """Returns the agreement of each model with the one before, on what that had no label of."""
    pairs = zip(one.stop, one.stop[1:], one.labeled, strict=False)
    return [
        advice.kappa(before[~known], now[~known]) if (~known).any() else np.nan
        for before, now, known in pairs
    ]


def stopped(one: Course) -> int | None:
    """Returns the model at which the advice to stop comes, None if it never does."""
    agreed = kappas(one)
    return next((k for k in range(len(agreed) + 1) if advice.has_settled(agreed[:k])), None)


class Gains(NamedTuple):
    """How often the interval of the expected gain held what the next batch really brought."""

    held: int
    told: int
    error: float  # mean absolute error of the estimate, in accuracy
    width: float  # median width of the interval


def gains(courses: list[Course], task: Task) -> Gains:
    """Returns how well the expected gain foretells; by the audit, against the test set."""
    found = []
    for one in courses:
        for k in range(advice.LEAST, len(one.labels)):
            gain = advice.expected_gain(
                one.labels[:k].tolist(), one.audit[:k].tolist(), [AUDIT] * k, task.budget
            )
            assert gain is not None
            truth = float(one.test[k] - one.test[k - 1])
            is_held = gain.low <= truth <= gain.high
            found.append((is_held, abs(gain.estimate - truth), gain.high - gain.low))
    held, errors, widths = np.array(found, float).T
    return Gains(int(held.sum()), len(found), float(errors.mean()), float(np.median(widths)))


def report(task: Task, courses: list[Course]) -> list[str]:
    """Returns the lines of one task."""
    stops = [stopped(one) for one in courses]
    came = [(one, stop) for one, stop in zip(courses, stops, strict=True) if stop is not None]
    last = setting.median([float(one.test[-1]) for one in courses])
    labels = [int(one.labels[stop]) for one, stop in came]
    told = gains(courses, task)
    there = "-"
    if came:
        lost = mean_interval([one.test[-1] - one.test[stop] for one, stop in came])
        spared = [(one.seconds[-1] - one.seconds[stop]) / 60 for one, stop in came]
        there = (
            f"{setting.median(labels):,.0f} ({min(labels):,} to {max(labels):,}) | "
            f"{np.mean([one.test[stop] for one, stop in came]):.3f} | {lost.estimate:+.3f} "
            f"({lost.low:+.3f} to {lost.high:+.3f}) | "
            f"{setting.median([one.labels[-1] - one.labels[stop] for one, stop in came]):,.0f} | "
            f"{setting.median(spared):.0f}"
        )
    else:
        there = "never | - | - | - | -"
    return [
        f"| {task.data} | {task.budget} | {len(came)} of {len(courses)} | {there} | "
        f"{courses[0].labels[-1]:,} | {last:.3f} | "
        f"{told.held:,} of {told.told:,}, off by {100 * told.error:.1f}, "
        f"{100 * told.width:.1f} wide |"
    ]


def steps(task: Task, courses: list[Course]) -> list[str]:
    """Returns how agreement, noise floor and accuracy go together, means over the seeds."""
    lines = [
        "",
        f"## {task.data}",
        "",
        "| labels | accuracy | kappa | floor |",
        "|---:|---:|---:|---:|",
    ]
    agreed = np.array([[np.nan, *kappas(one)] for one in courses])
    asked = range(FLOOR_EVERY - 1, len(courses[0].labels), FLOOR_EVERY)
    for k in asked[-1 :: -max(1, len(asked) // 5)][::-1]:
        accuracy = np.mean([one.test[k] for one in courses])
        floor = np.nanmean([one.floor[k] for one in courses])
        kappa = np.nanmean(agreed[:, k])
        lines.append(f"| {courses[0].labels[k]:,} | {accuracy:.3f} | {kappa:.3f} | {floor:.3f} |")
    return lines


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
    everything = [(task, kept(arguments.keep, task, arguments.seeds, options)) for task in TASKS]
    with setting.written(arguments.out) as lines:
        lines += [
            "# When to stop",
            "",
            f"`python benchmarks/stopping.py --keep DIR`: {setting.machine()}, {arguments.seeds} "
            "seeds. `linear`, typiclust until there are two labels a class, then margin; `lite0` "
            "(256 components, rows of length 1), digits on patches. CIFAR-10 and Flowers-102 are "
            "recompressed and shrunk by the mirror they came from; of CIFAR-10 a pool of 10,000. "
            "The advice to stop comes when the mean of the last three kappas is at least "
            f"{advice.THRESHOLD}; what it costs is what going on to the end still brought, with a "
            "95% interval over the seeds. Minutes are a person's at a median of 2 seconds a label.",
            "",
            "| data | batch | it comes | at labels (median, range) | accuracy there | going on "
            "brought | labels spared | minutes spared | labels at the end | accuracy at the end | "
            "expected gain of the next batch by an audit of 100: intervals that held the truth, "
            "points |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for task, courses in everything:
            lines += report(task, courses)
        for task, courses in everything:
            lines += steps(task, courses)


if __name__ == "__main__":
    main()
