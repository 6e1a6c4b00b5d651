"""`al.run`: a study from Python, with a benchmark, learners and strategies of any origin."""

import functools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jax_al.drivers import cluster, experiment
from jax_al.drivers.checks import (
    OF_A_RUN,
    check_benchmark,
    check_keep,
    check_least,
    check_maker,
    check_seeds,
    checked_directory,
    guarded,
    python_words,
)
from jax_al.drivers.engine import Looking, MakeLearner
from jax_al.drivers.inputs import check_resident
from jax_al.drivers.part import Schedule, Tell
from jax_al.drivers.study import Study
from jax_al.errors import UsageError
from jax_al.learners.naming import described
from jax_al.oracles import check_oracle, make_oracle
from jax_al.strategies.entries import check_part_names, strategies_named
from jax_al.types import Benchmark, Oracle, Strategy

# `made` is compared part by part.
MAY_CHANGE = ("strategy", "compare", "max_episodes", "num_seeds", "keep_checkpoints", "made")
OWN = "of its own"  # an oracle; once that was all there was on record of it


def run(
    benchmark: Benchmark,
    *,
    learner: MakeLearner,
    strategies: Sequence[str] | Mapping[str, Strategy],
    initial: int = 100,
    budget: int = 100,
    episodes: int = 10,
    seeds: Iterable[int] = (0,),
    directory: str | Path | None = None,
    oracle: Callable[[Benchmark, int], Oracle] | str = "simulated",
    warm_start: bool = False,
    keep_checkpoints: int | None = 1,
    chunk_size: int = 1000,
    num_samples: int = 20,
    resident: str = "auto",
    jobs: int = 1,
    scheduler: str | None = None,
    overwrite: bool = False,
    tell: Tell = lambda event: None,
) -> list[dict[str, Any]]:
    """Runs or continues strategies with the same seeds, each seed as if it ran alone.

    Args:
      benchmark: such as `al.benchmark("cifar10")`.
      learner: a function of (Spec, number of classes), such as `al.cnn(epochs=10)`.
      strategies: names ("typiclust@pixels_pca" looks at another embedding), or names of your own
        with their strategies.
      initial: labels before the first episode; 0: the strategy begins.
      budget: labels bought an episode.
      episodes: how many; the last one buys nothing.
      seeds: consecutive whole numbers.
      directory: where all is kept and continued; None: in memory.
      oracle: who answers: "simulated", "module:function", or a function of (benchmark, seed).
      warm_start: whether an episode goes on from the last one's learner.
      keep_checkpoints: the newest so many of each part; None: all.
      chunk_size: examples looked at together; memory grows with it.
      num_samples: draws, for strategies that go by disagreement.
      resident: whether the pool is kept on the device: "auto", "yes" or "no".
      jobs: processes on this machine, each with its share of the cores; needs a directory. All
        that was given goes to each of them by cloudpickle, a pool mapped from a file as a copy.
      scheduler: the address of a Dask scheduler; needs a directory that its workers see.
      overwrite: whether to remove what an earlier run left in the directory.
      tell: is told what happens.

    Returns:
      A row for each episode of each part, as in metrics.jsonl.

    Raises:
      ValueError: something cannot be meant, or parts failed in a way that can be mended.
      RuntimeError: parts failed otherwise; what they raised has been printed.
    """
    try:
        numbers = tuple(map(operator.index, seeds))
    except TypeError as error:
        raise UsageError(
            f"seeds must be consecutive whole numbers, such as range(5), not {seeds!r}."
        ) from error
    made = _strategies(strategies)
    check_seeds(numbers)
    check_least(
        initial=(initial, 0),
        budget=(budget, 1),
        episodes=(episodes, 1),
        jobs=(jobs, 1),
        chunk_size=(chunk_size, 1),
        num_samples=(num_samples, 1),
    )
    check_keep(keep_checkpoints)
    initial, budget, episodes = int(initial), int(budget), int(episodes)
    num_samples, jobs = int(num_samples), int(jobs)  # NumPy's cannot be written down
    check_resident(resident)
    check_benchmark(benchmark, initial, budget)
    check_maker(learner)
    if not callable(oracle) and not isinstance(oracle, str):
        raise UsageError(
            "oracle must be a name or a function of (benchmark, seed) that makes one, not "
            f"a {type(oracle).__name__}."
        )
    if oracle == "people":
        raise UsageError("People answer when they like, and a run waits for all: use al.Session.")
    if isinstance(oracle, str):
        check_oracle(oracle, benchmark)
    public = {
        "data": {"name": benchmark.name},
        "strategy": next(iter(made)),
        "strategy_args": {},
        "made": _told(strategies),
        "compare": list(made) if len(made) > 1 else [],
        "model": {"name": described(learner)},
        "oracle": oracle if isinstance(oracle, str) else f"{OWN}: {described(oracle)}",
        "initial": "random",
        "initial_size": initial,
        "budget": budget,
        "max_episodes": episodes,
        "seed": numbers[0],
        "num_seeds": len(numbers),
        "warm_start": warm_start,
        "num_samples": num_samples,
        "keep_checkpoints": keep_checkpoints,
    }
    study = Study(
        benchmark,
        learner,
        made,
        numbers,
        Schedule(initial, budget, episodes, "random", warm_start, keep_checkpoints),
        Looking(chunk_size, num_samples, resident),
        functools.partial(_named_oracle, oracle) if isinstance(oracle, str) else oracle,
        public,
    )
    root = checked_directory(directory)
    run_all = None
    if jobs > 1 or scheduler is not None:
        if root is None:
            raise UsageError("Several processes need a directory that all of them can see.")
        make = functools.partial(_same, study)
        run_all = cluster.executor(make, _nobody_listens, jobs=jobs, scheduler=scheduler)
    with python_words(OF_A_RUN):
        records = experiment.run(
            study,
            root,
            tell=guarded(tell),
            overwrite=overwrite,
            check_same=_check_same,
            run_all=run_all,
        )
    return [row for record in records for row in record.rows()]


def _strategies(given: Sequence[str] | Mapping[str, Strategy]) -> dict[str, Strategy]:
    if isinstance(given, Mapping) and given:
        check_part_names(given)
        for name, made in given.items():
            if not isinstance(made, Strategy):
                raise UsageError(
                    f"strategies[{name!r}] must be a Strategy, as al.strategy and al.make_strategy "
                    f"make them, not {made!r}."
                )
        return dict(given)
    if not isinstance(given, str | None):
        given = list(given)
    if isinstance(given, str) or not given:
        raise UsageError(f"strategies must be a list of one or more names, not {given!r}.")
    if not all(isinstance(entry, str) for entry in given):
        raise UsageError("Strategies of your own need names: strategies={'mine': strategy}.")
    return strategies_named(given)


def _told(given: Sequence[str] | Mapping[str, Strategy]) -> dict[str, str]:
    """Returns what the strategies that were given as such were made of, by their names."""
    if not isinstance(given, Mapping):
        return {}
    return {name: made.name for name, made in given.items()}


def _check_same(root: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    apart = [
        f"{name} (was {old.get(name)!r}, now {new.get(name)!r})"
        for name in sorted(old.keys() | new.keys())
        if name not in MAY_CHANGE and not _is_same(old.get(name), new.get(name))
    ]
    if apart:
        raise UsageError(
            f"{root} holds a run with other settings: {'; '.join(apart)}. Name another directory, "
            "or start anew with overwrite=True."
        )


def _is_same(before: Any, now: Any) -> bool:
    return before == now or (before == OWN and str(now).startswith(f"{OWN}: "))


def _named_oracle(name: str, benchmark: Benchmark, seed: int) -> Oracle:
    return make_oracle(name, benchmark, **({"seed": seed} if name == "simulated" else {}))


def _same(study: Study) -> Study:
    return study


def _nobody_listens(study: Study) -> Tell:
    del study
    return lambda event: None
