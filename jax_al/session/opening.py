"""The beginning of a part, and of each process that goes on with it."""

from collections.abc import Mapping, Sequence
from typing import Any

from jax_al.errors import UsageError
from jax_al.session.events import FORMAT
from jax_al.session.journal import Journal


def check_seed_limit(name: str, first: int, count: int = 1) -> None:
    """Makes sure that `count` parts can have the seeds from `first` on, each of them another.

    Raises:
      UsageError: they cannot; it is called `name`.
    """
    if first + count > 2**32:
        raise UsageError(f"{name} and all that follow it must be below 2**32, JAX's limit.")


def begin(
    journal: Journal,
    *,
    strategy: str,
    seed: int,
    data: Mapping[str, Any],
    classes: Sequence[str],
    config: Mapping[str, Any],
    versions: Mapping[str, Any],
    may_grow: bool = False,
) -> list[str]:
    """Writes the first event of an empty journal, and `versions` if they are not the last known.

    Args:
      journal: of the part.
      strategy: the entry of the comparison.
      seed: of the part.
      data: name, version and size of the pool.
      classes: C names; only those of an empty journal count, as classes change by events.
      config: of what JSON can hold; whether another may go on is for the caller to say.
      versions: of whatever may change a number.
      may_grow: whether the pool may have more rows than it had, behind those, or other features.

    Returns:
      What has another version than when the part was last worked on, as "jax 0.10.1 -> 0.10.2".

    Raises:
      UsageError: the journal is of another strategy, seed or pool.
      OSError: it cannot be written.
    """
    with journal.writing():
        record = journal.fold()
        if not record.num_events:
            begun = {"strategy": strategy, "seed": seed, "data": dict(data)}
            more = {"classes": list(classes), "config": dict(config)}
            journal.append({"event": "begun", "format": FORMAT, **begun, **more})
        elif (record.strategy, record.seed) != (strategy, seed):
            raise UsageError(
                f"{journal.path} is of {record.strategy}, seed {record.seed}, and not of "
                f"{strategy}, seed {seed}; name another directory."
            )
        elif may_grow and _goes_on(record.data, data):
            journal.append({"event": "pool_changed", "data": dict(data)})
        elif {**data, **record.data} != data:
            raise UsageError(
                f"{journal.path} began on the data {record.data}, which are {dict(data)} now: the "
                "data set has changed since the run began; restore it, or start anew with "
                "--overwrite."
            )
        if record.versions == versions:
            return []
        journal.append({"event": "versions", **versions})
    if not record.versions:
        return []
    return [
        f"{name} {record.versions.get(name, 'absent')} -> {versions.get(name, 'absent')}"
        for name in sorted(record.versions.keys() | versions.keys())
        if record.versions.get(name, "absent") != versions.get(name, "absent")
    ]


def _goes_on(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a pool is what may become of another: no smaller, or with other features."""
    untold = ("features", "examples", "sample")  # by older journals
    known = {**{name: now[name] for name in untold if name in now}, **before}
    same = all(known.get(name) == now.get(name) for name in ("name", "version", "examples"))
    return same and now["size"] >= known["size"] and known != now
