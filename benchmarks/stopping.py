r"""When would the advice to stop have come, and what would it have cost?

    python benchmarks/stopping.py [--data-dir DIR] [--cache-dir DIR] [--seeds 10] [--keep DIR]

A simulated person labels through an `al.Session`, with an audit of 100 that is held out: CIFAR-10
and Flowers-102 on `lite0`, digits on patches, `linear`, typiclust until there are as many labels as
two a class, then margin. Every model says its classes of the stop set, the audit and the test set;
these are kept (--keep), so that the rules can be read off them again without training.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import numpy as np

import jax_al as al
from benchmarks import setting
from jax_al.oracles.person import Person
from jax_al.people import advice
from jax_al.pools.load import benchmark
from jax_al.pools.subset import subset
from jax_al.types import Benchmark

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


def course(task: Task, data: Benchmark, seed: int) -> Course:
    """Labels by a simulated person; returns what the models said."""
    assert data.truth is not None
    N, C = len(data.pool), len(data.classes)
    held_out = np.random.default_rng((seed, 0)).permutation(N)[:AUDIT]
    rows = np.setdiff1d(np.arange(N), held_out)
    pool, truth = subset(data.pool, rows), data.truth[rows]
    person = Person(truth, data.classes, seed=seed)
    stop = advice.stop_set(len(rows), seed)
    seen = [subset(data.pool, held_out), data.test, subset(pool, stop)]
    session = al.Session(
        pool, classes=data.classes, learner=al.linear(scale=task.scale),
        strategy=f"typiclust:{2 * C},margin", budget=task.budget, seed=seed,
    )  # fmt: skip
    found: list[tuple[Any, ...]] = []
    row_of = {name: row for row, name in enumerate(pool.ids)}
    with session:
        for number in range(task.requests):
            request = session.ask()
            if request is None:
                break
            told = dict(zip(request.ids, map(person.answer, request.rows), strict=True))
            session.tell({name: said for name, (said, _) in told.items()})
            session.train()
            owned = np.array([row_of[name] for name in session.labels])
            audited, tested, stopped = (session.predict(x).argmax(axis=1) for x in seen)
            known = np.isin(stop, owned)
            floor = np.nan
            if number % FLOOR_EVERY == FLOOR_EVERY - 1:
                floor = _floor(session, owned, truth, stop)
            found.append((
                len(owned), np.mean(tested == data.test_labels),
                np.sum(audited == data.truth[held_out]), stopped.astype(np.int16), known, floor,
                person.clock,
            ))  # fmt: skip
    return Course(*map(np.array, zip(*found, strict=True)))


def _floor(session: al.Session, owned: np.ndarray, truth: np.ndarray, stop: np.ndarray) -> float:
    """Returns the noise floor on what of the stop set has no label."""
    free = np.setdiff1d(stop, owned)

    def fit(places: np.ndarray) -> np.ndarray:
        some = owned[places].tolist(), truth[owned[places]].tolist()
        return session.predict_by(*some, free).argmax(axis=1)

    return advice.noise_floor(fit, len(owned), session.record.seed)


def kept(place: Path, task: Task, seeds: int, options: dict[str, Any]) -> list[Course]:
    """Returns the courses of a task, those in `place` from there."""
    place.mkdir(parents=True, exist_ok=True)
    data, courses = None, []
    for seed in range(seeds):
        path = place / f"{task.data}_{seed}.npz"
        if not path.exists():
            data = data or data_of(task, **options)
            start = time.perf_counter()
            np.savez_compressed(path, **course(task, data, seed)._asdict())
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
