"""A run's directory: who may write to it, and whether its config is still the same."""

import contextlib
import fcntl
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from jax_al.errors import UsageError
from jax_al.session.records import read_json, write_json

# All that a run writes, so that overwriting never touches a file of somebody else.
CONTENTS = (
    "checkpoints",
    "config.json",
    "curve.png",
    "looks",
    "metrics.jsonl",
    "pending",
    "pseudo_labels",
    "picks.csv",
    "picks.png",
    "report.html",
    "wandb",
    "wandb_id.txt",
)

# Fields that may change between two starts: none of them changes a number already recorded.
MAY_CHANGE = (
    "data.cache_dir",
    "data.data_dir",
    "keep_checkpoints",
    "max_episodes",
    "num_seeds",
    "seeds_at_once",
    "wandb.mode",
    "wandb.project",
)


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[None]:
    """Holds `workdir` (made if missing) for this process; the system lets go if it is killed.

    Raises:
      UsageError: another process holds it, or it cannot be made.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        file = open(workdir / ".lock", "a")  # noqa: SIM115 (closed below, with the lock)
    except OSError as error:
        reason = "it is a file" if workdir.is_file() else error.strerror
        raise UsageError(f"The workdir {workdir} cannot be used: {reason}.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"Another process is running in {workdir}; "
                "wait for it, or name another directory with --workdir."
            ) from error
        yield


def clear(workdir: pathlib.Path) -> None:
    """Removes what a run has written, and nothing else."""
    for name in CONTENTS:
        path = workdir / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def check_config(workdir: pathlib.Path, config: Mapping[str, Any]) -> None:
    """Makes sure that `config` can go on with the results in `workdir`, if there are any.

    Args:
      workdir: the directory of the run.
      config: nested, of what JSON can hold.

    Raises:
      UsageError: fields differ that may not, or there are results without a config.
    """
    results = [name for name in ("metrics.jsonl", "picks.csv") if (workdir / name).exists()]
    if not results:
        return
    old = read_json(workdir / "config.json")
    if old is None:
        raise UsageError(
            f"{workdir} holds {results[0]} but no config.json, so it cannot be continued; "
            "name another --workdir, or start anew with --overwrite."
        )
    before, now = flat(old), flat(config)
    differing = [
        f"{name} (was {before.get(name, 'absent')!r}, now {now.get(name, 'absent')!r})"
        for name in sorted(before.keys() | now.keys())
        if before.get(name, "absent") != now.get(name, "absent") and name not in MAY_CHANGE
    ]
    if differing:
        raise UsageError(
            f"{workdir} holds a run with another config: {'; '.join(differing)}. "
            "Name another --workdir, or start anew with --overwrite."
        )


def write_config(workdir: pathlib.Path, config: Mapping[str, Any]) -> None:
    """Writes config.json, unless it says the same already."""
    try:
        is_same = read_json(workdir / "config.json") == config
    except UsageError:  # half of one, and no results that it belongs to
        is_same = False
    if not is_same:
        write_json(workdir / "config.json", config)


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"data.name": ...} for {"data": {"name": ...}}."""
    fields: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            fields |= flat(value, f"{prefix}{name}.")
        else:
            fields[prefix + name] = value
    return fields
