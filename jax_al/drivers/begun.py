"""What a session begins with, and whether it may go on with it."""

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jax_al.errors import UsageError
from jax_al.session.fold import Record
from jax_al.session.journal import Journal
from jax_al.strategies.entries import strategies_named
from jax_al.types import Benchmark, Strategy


def check_begun(place: Path | None, record: Record, classes: tuple[str, ...], learner: str) -> None:
    """Makes sure that the session on record had these classes and this learner.

    Raises:
      UsageError: it had others.
    """
    if classes not in (record.begun_classes, tuple(record.classes.values())):
        raise UsageError(
            f"{place} was begun with the classes {', '.join(record.begun_classes)}, not "
            f"{', '.join(classes)}."
        )
    begun = record.config.get("learner", learner)
    if begun != learner and not _is_older_name(begun, learner):
        raise UsageError(
            f"{place} was begun with the learner {begun}, not {learner}: name another directory, "
            "or take that learner."
        )


def _is_older_name(begun: str, learner: str) -> bool:
    """Whether a name from before objects were told by their source may be that of `learner`."""
    if begun == "partial, source unknown":
        return " of (" in learner
    cut = begun.find(" at 0x")
    return cut >= 0 and learner.startswith(begun[:cut])


def check_same_pool(place: Path | None, data: Mapping[str, Any], record: Record) -> None:
    """Makes sure that the pool on record is that of a session which began on `data`.

    Learners of two pools, or of features that were fitted to two, are no use to each other.

    Raises:
      UsageError: another process has gone on with more examples, or other features.
    """
    if record.data != data:
        raise UsageError(
            f"Another process has gone on in {place} with {record.data['size']:,} examples where "
            f"there were {data['size']:,}, or with other features: open it again."
        )


def strategy_and_name(strategy: str | Strategy, place: Path | None) -> tuple[str, Strategy]:
    """Returns the strategy and what it is called on the record in `place`."""
    if isinstance(strategy, str):
        ((name, made),) = strategies_named([strategy]).items()
        return name, made
    if not isinstance(strategy, Strategy):
        raise UsageError(
            f"strategy must be a name or a Strategy, as al.strategy makes it, not {strategy!r}."
        )
    own = getattr(inspect.unwrap(strategy.select), "__name__", "strategy")
    # One of ours went by the name of its function once: what began so goes on so.
    if not strategy.name or (place is not None and Journal(place).fold().strategy == own):
        return own, strategy
    return strategy.name.removesuffix("()"), strategy


def at_least_two(classes: Iterable[str]) -> tuple[str, ...]:
    """Returns the names of classes, and of some that are nobody's where there are fewer than two.

    So a learner can be made before people have said what classes there are.
    """
    names = tuple(classes)
    return names + tuple(f"class {number} to come" for number in range(len(names), 2))


def nobody(benchmark: Benchmark, seed: int) -> Any:
    """The people answer by `tell`."""
    from jax_al.oracles.people import people

    del benchmark, seed
    return people()
