"""A study: what its parts have in common, and one part of it run from its record to its end."""

import contextlib
import importlib.metadata
import os
import platform
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jax_al import __version__
from jax_al.drivers.best_of import BestOf
from jax_al.drivers.engine import Engine, Looking, MakeLearner
from jax_al.drivers.identity import (
    examples_of,
    feature_files_of,
    fingerprints,
    kind_of,
    sample_of,
    sources,
    test_of,
)
from jax_al.drivers.part import STEP_COST, Driver, Part, Schedule, Tell
from jax_al.drivers.states import InMemory, States, opened
from jax_al.errors import UsageError
from jax_al.features.pool import FeaturePool
from jax_al.oracles.people import people
from jax_al.session.checkpoint import digest_of
from jax_al.session.fold import Draw, Record, Request
from jax_al.session.journal import Journal
from jax_al.session.locks import computing
from jax_al.session.opening import begin
from jax_al.session.progress import Progress
from jax_al.session.work import Course
from jax_al.types import Benchmark, Oracle, Pool, Strategy

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")


class Study(NamedTuple):
    """Everything that decides the numbers of a run, for all of its parts."""

    benchmark: Benchmark
    learner: MakeLearner
    strategies: Mapping[str, Strategy]  # by the name of their parts
    seeds: tuple[int, ...]
    schedule: Schedule
    looking: Looking
    oracle: Callable[[Benchmark, int], Oracle]  # (benchmark, seed)
    public: Mapping[str, Any]  # the config as it is written down

    def parts(self, directory: Path | None) -> list[Part]:
        """Returns all parts, strategy by strategy."""
        return [
            Part(name, seed, strategy, directory and part_directory(directory, name, seed))
            for name, strategy in self.strategies.items()
            for seed in self.seeds
        ]


def part_directory(root: Path, name: str, seed: int) -> Path:
    """Returns where a part of the run in `root` is kept."""
    return root / "parts" / name / f"seed_{seed}"


def course_of(study: Study) -> Course:
    """Returns what decides how far a part goes."""
    schedule = study.schedule
    return Course(
        num_points=len(study.benchmark.pool),
        initial_size=schedule.initial_size,
        budget=schedule.budget,
        max_episodes=schedule.max_episodes,
    )


def open_progress(
    study: Study,
    part: Part,
    tell: Tell,
    *,
    may_grow: bool = False,
    check_new: Callable[[], None] = lambda: None,
) -> tuple[Journal, Progress]:
    """Returns the record of a part, begun if it is new; a change of versions is told.

    Args:
      study: what it is a part of.
      part: to be opened.
      tell: is told what has changed.
      may_grow: whether the pool may have more rows than it had, all that were asked at their place.
      check_new: raises where one that is new cannot be begun; nothing is on record then.

    Raises:
      UsageError: what is on record is of other data, or cannot be read.
    """
    journal = Journal(part.directory)
    prints = fingerprints(part.strategy)
    _check_embedding(journal, part, prints)
    _check_made(journal, study, part)
    if not journal.fold().num_events:
        check_new()
    if may_grow:  # before it is written down that there is more
        check_data(study, journal.fold())
        _check_sample(study.benchmark.pool, journal.fold())
    changed = begin(
        journal,
        strategy=part.name,
        seed=part.seed,
        data={
            "name": study.benchmark.name,
            "version": study.benchmark.version,
            "size": len(study.benchmark.pool),
            **_what(study.benchmark, may_grow=may_grow),
        },
        classes=study.benchmark.classes,
        config=study.public,
        versions=versions() | prints | sources(study.learner, study.public.get("oracle", "")),
        may_grow=may_grow,
    )
    if changed:
        news = ", ".join(changed)
        text = f"Since this part was last worked on, {news}: last bits may differ, or more."
        tell({"event": "say", "text": f"{part.name}, seed {part.seed}: {text}"})
    progress = Progress(journal, course_of(study))
    begun, names = progress.record.begun_classes, tuple(study.benchmark.classes)
    if not may_grow and begun != names:
        raise UsageError(
            f"The classes of the data were {', '.join(begun)} when the run began, and are "
            f"{', '.join(names)} now: restore them, or start anew with --overwrite."
        )
    check_data(study, progress.record)
    return journal, progress


def _what(benchmark: Benchmark, *, may_grow: bool) -> dict[str, Any]:
    """What else says whether it is the same data; a pool that may grow is known by its features."""
    pool, files = benchmark.pool, feature_files_of(benchmark.pool, benchmark.test)
    if not may_grow:
        told = {"features": files} if files else {}
        return {"examples": examples_of(pool), **test_of(benchmark), **told}
    sample = {"sample": sample_of(pool, len(pool))}
    if isinstance(pool, FeaturePool):  # how many numbers they are may hang on how many rows
        return {"features": f"{_fit_of(pool)} {files}".strip(), **sample}
    return {"features": "", "examples": kind_of(pool), **sample}


def _check_sample(pool: Pool, record: Record) -> None:
    """Makes sure that the first examples are those that there were, as far as can be seen."""
    before, size = record.data.get("sample"), record.data.get("size", 0)  # of older ones None
    is_whole = len(pool) >= size and record.data.get("examples", kind_of(pool)) == kind_of(pool)
    # What is too few, or of another kind, has a sentence of its own.
    if before is not None and is_whole and sample_of(pool, size) != before:
        raise UsageError(
            "The examples are not those that the session began with, or stand in another order: "
            "restore them, or name another directory."
        )


def _fit_of(pool: Pool) -> str:
    """Returns a hash of what features have learned of the pool, empty if they have not."""
    states = [one.state for one in pool.fitted] if isinstance(pool, FeaturePool) else []
    return digest_of(states)[:16] if jax.tree.leaves(states) else ""


def _check_embedding(journal: Journal, part: Part, prints: Mapping[str, str]) -> None:
    before, now = journal.fold().versions.get("embedding"), prints.get("embedding")
    if None not in (before, now) and before != now:
        raise UsageError(
            f"{part.strategy.embedding} is not the file that {part.name}, seed {part.seed} began "
            f"with (sha256 {now}..., was {before}...): restore it, or start anew with --overwrite."
        )


def _check_made(journal: Journal, study: Study, part: Part) -> None:
    """Holds a Strategy that was given as such to what it was made of when the part began."""
    both = [config.get("made", {}) for config in (journal.fold().config, study.public)]
    before, now = (made.get(part.name) for made in both)
    if None not in (before, now) and before != now:
        raise UsageError(
            f"{part.name}, seed {part.seed} began with the strategy {before or 'of your own'}, "
            f"which is {now or 'one of your own'} now: name another directory, or take that "
            "strategy."
        )


def check_data(study: Study, record: Record) -> None:
    """Makes sure that what was bought is still in the pool under the same id, with its label.

    Raises:
      UsageError: it is not.
    """
    ids, truth = study.benchmark.pool.ids, study.benchmark.truth
    asked: list[Request | Draw] = [*record.requests, *record.draws]
    for one in asked:
        for row, name in zip(one.rows, one.ids, strict=True):
            if row >= len(ids) or ids[row] != name:
                raise UsageError(
                    f"The record names the example {name!r} as row {row}, and the data do not: "
                    "they have changed since the run began; restore them, or start anew with "
                    "--overwrite."
                )
    if truth is not None and study.public.get("oracle", "simulated") == "simulated":
        for row, label in zip(record.order, record.labels, strict=True):
            if truth[row] != label:
                raise UsageError(
                    f"The record and the data disagree about the label of {ids[row]!r}: the data "
                    "have changed since the run began; restore them, or start anew with "
                    "--overwrite."
                )


def run_part(engine: Engine, study: Study, part: Part, tell: Tell) -> Progress:
    """Runs a part to its end, from wherever its record stands; returns the record.

    Raises:
      UsageError: it cannot go on, in a way that the user can mend.
    """
    with contextlib.ExitStack() as held:
        if part.directory is not None:
            held.enter_context(computing(part.directory))
        journal, progress = open_progress(study, part, tell)
        tell({"event": "opened", "part": part, "progress": progress})
        if progress.plan() is None:
            return progress
        states = held.enter_context(opened(part.directory, study.schedule.kept()))
        driver = _driver(engine, study, part, journal, progress, states, tell)
        driver.compile_ahead()
        if study.public.get("oracle") == "people":
            driver.run(people(lambda count: tell({"event": "say", "text": _waits(part, count)})))
        else:
            driver.run(_oracle(study, part.seed))
    return progress


def rehearse(engine: Engine, study: Study) -> None:
    """Does all that comes before the first label of each strategy, and keeps nothing of it.

    Raises:
      UsageError: a part of the study would be refused.
    """
    _ = engine.context
    for part in study.parts(None)[:: len(study.seeds)]:
        journal = Journal(None)
        progress, tell = Progress(journal, course_of(study)), lambda event: None
        _driver(engine, study, part, journal, progress, InMemory(), tell).compile_ahead()
    if study.public.get("oracle") != "people":
        _oracle(study, study.seeds[0])


def _driver(
    engine: Engine,
    study: Study,
    part: Part,
    journal: Journal,
    progress: Progress,
    states: States,
    tell: Tell,
) -> Driver:
    make = BestOf if part.strategy.lookahead else Driver
    return make(engine, part, study.schedule, journal, progress, states, tell)


def _oracle(study: Study, seed: int) -> Oracle:
    oracle = study.oracle(study.benchmark, seed)
    if not (hasattr(oracle, "ask") and hasattr(oracle, "collect")):
        raise UsageError(
            f"oracle made a {type(oracle).__name__}, which has no ask and collect: return an "
            "oracle."
        )
    return oracle


def _waits(part: Part, count: int) -> str:
    """Says what a part waits for, and how people answer."""
    there = f"--workdir={shlex.quote(str(part.directory))}"
    return (
        f"{part.name}, seed {part.seed} waits for {count:,} answers by people: jax-al ask "
        f"--out batch.csv {there} writes them down, jax-al tell batch.csv {there} takes what was "
        "filled in; Ctrl-C leaves everything as it is."
    )


def work_left(study: Study, engine: Engine, part: Part, record: Record | None) -> float:
    """Returns what is left to do of a part, in looks at an example; for the progress bar alone."""
    schedule, N = study.schedule, len(study.benchmark.pool)
    test = study.benchmark.test
    looks = (len(test) if test else 0) + N * bool(engine.computed(part.strategy))
    total = 0.0
    for episode in range(len(record.trained) if record else 0, schedule.max_episodes or 0):
        owned = min(N, schedule.initial_size + schedule.budget * episode)
        total += owned * STEP_COST * engine.learner.steps + looks
        if owned == N:
            break
    return total


def versions() -> dict[str, Any]:
    """Returns what else may decide the last bits of a run."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return found | {
        "python": platform.python_version(),
        "jax_al": __version__,
        "device": jax.devices()[0].device_kind,
        "cores": _cores(),
    }


def _cores() -> int | None:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
