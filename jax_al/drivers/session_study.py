"""What a session is of: a study of one part, which people answer."""

from collections.abc import Sequence
from pathlib import Path

from jax_al.drivers.begun import at_least_two, nobody, strategy_and_name
from jax_al.drivers.engine import Looking, MakeLearner
from jax_al.drivers.part import Part, Schedule
from jax_al.drivers.study import Study
from jax_al.features.pool import FeaturePool
from jax_al.learners.naming import described
from jax_al.types import Benchmark, Pool, Strategy


def session_study(
    pool: Pool,
    classes: Sequence[str],
    learner: MakeLearner,
    strategy: str | Strategy,
    budget: int,
    seed: int,
    looking: Looking,
    place: Path | None,
) -> tuple[Study, Part]:
    """Returns the study and its only part; the arguments are those of `Session`, checked.

    Raises:
      UsageError: there is no such strategy.
    """
    name, made = strategy_and_name(strategy, place)
    kind = pool.name if isinstance(pool, FeaturePool) else type(pool).__name__
    benchmark = Benchmark(pool, None, at_least_two(classes), name=kind)
    schedule = Schedule(initial_size=0, budget=budget, max_episodes=None, keep_checkpoints=2)
    # A name says all; a Strategy is told apart by what it was made of.
    told = {} if isinstance(strategy, str) else {"made": {name: made.name}}
    public = {"strategy": name, "learner": described(learner), **told}
    study = Study(benchmark, learner, {name: made}, (seed,), schedule, looking, nobody, public)
    return study, Part(name, seed, made, place)
