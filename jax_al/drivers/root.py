"""A run's root: whose it is, whether a config can go on with it, and what may be cleared there."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jax_al.errors import UsageError, some_of
from jax_al.session.journal import Journal
from jax_al.session.records import read_json, write_json

LAYOUT = 2  # parts with journals; before it there was one directory a strategy, without
# All that a run writes, of this layout and the one before, so that overwriting never touches a
# file of somebody else. By config.json a root is known as a run's, so it is removed last.
CONTENTS = (
    "checkpoints",
    "curve.png",
    "looks",
    "metrics.jsonl",
    "parts",
    "pending",
    "pseudo_labels",
    "picks.csv",
    "picks.png",
    "report.html",
    "report_files",
    "wandb",
    "wandb_id.txt",
    "config.json",
)
FIELDS = {"strategy", "budget", "max_episodes"}  # of every config of the layout before, too

RESULTS = ("metrics.jsonl", "picks.csv", "parts")

CheckSame = Callable[[Path, Mapping[str, Any], Mapping[str, Any]], None]  # (root, old, new)


def check_ours(root: Path) -> None:
    """Makes sure that what a run would replace or overwrite in `root` was written by one.

    Raises:
      UsageError: it was not.
    """
    there = [name for name in CONTENTS if os.path.lexists(root / name)]
    begun = any((root / "parts").glob("*/seed_*/journal.jsonl"))
    if there and not (begun or _config_in(root) is not None or _older_parts(root)):
        raise UsageError(
            f"{root} holds {some_of(there)}, but no config.json of a run of jax_al: a run would "
            "replace what may be of another tool; name another --workdir, or move that away."
        )


def check_root(
    root: Path, public: Mapping[str, Any], check_same: CheckSame, *, is_alone: bool
) -> None:
    """Makes sure that a run with the config `public` can begin or go on in `root`.

    One of another config that was refused before it had asked for anything is removed, unless
    others may be at work there, who have not asked for anything yet.

    Args:
      root: maybe not there yet.
      public: the config as it is written down.
      check_same: raises where a config on record differs in what may not.
      is_alone: whether no other process can be at work there.

    Raises:
      UsageError: it cannot.
    """
    if not _has_results(root):
        if _older_parts(root):
            raise UsageError(_is_older(root))
        return  # a config without results binds nobody
    old = read_json(root / "config.json")
    if old is None:
        raise UsageError(
            f"{root} holds results but no config.json, so it cannot be continued; name "
            "another --workdir, or start anew with --overwrite."
        )
    if not isinstance(old, dict):
        raise UsageError(
            f"{root / 'config.json'} is not the config of a run; restore it, name another "
            "--workdir, or start anew with --overwrite."
        )
    if old.get("layout") != LAYOUT:
        raise UsageError(_is_older(root))
    try:
        check_same(root, {name: value for name, value in old.items() if name != "layout"}, public)
    except UsageError:
        if not (is_alone and _is_refused(root)):
            raise
        clear(root)


def holds_a_run(root: Path) -> bool:
    """Whether there is something to be lost."""
    return _has_results(root) or bool(_older_parts(root))


def _has_results(root: Path) -> bool:
    return any((root / name).exists() for name in RESULTS)


def _is_refused(root: Path) -> bool:
    """Whether all that is on record is that parts were begun: a run that was refused binds nobody.

    Raises:
      UsageError: a record cannot be read.
    """
    if any((root / name).exists() for name in RESULTS if name != "parts"):
        return False
    journals = sorted((root / "parts").glob("*/seed_*/journal.jsonl"))
    return not any(Journal(path.parent).fold().requests for path in journals)


def write_config(root: Path, public: Mapping[str, Any]) -> None:
    """Writes config.json, unless it says the same already."""
    wanted = {"layout": LAYOUT, **public}
    if read_json(root / "config.json") != wanted:
        write_json(root / "config.json", wanted)


def clear(root: Path) -> None:
    """Removes what runs have written in `root`, which must hold one, and nothing else."""
    older = _older_parts(root)
    for name in CONTENTS:
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for part in older:
        clear(part)
        (part / ".lock").unlink(missing_ok=True)
        if not any(part.iterdir()):
            part.rmdir()


def _older_parts(root: Path) -> list[Path]:
    """Returns the directories of the strategies of a comparison of the layout before."""
    if not root.is_dir():
        return []
    return [
        path
        for path in sorted(root.iterdir())
        if path.is_dir()
        and any((path / name).exists() for name in ("metrics.jsonl", "picks.csv", ".lock"))
        and (config := _config_in(path)) is not None
        and "layout" not in config
    ]


def _config_in(directory: Path) -> Mapping[str, Any] | None:
    """Returns the config that a run has written there, of whatever layout; None: none has."""
    path = directory / "config.json"
    try:
        config = read_json(path) if path.is_file() else None
    except UsageError:  # no JSON: ours is whole or not there
        return None
    is_ours = isinstance(config, dict) and (
        isinstance(config.get("layout"), int) or config.keys() >= FIELDS
    )
    return config if is_ours else None


def _is_older(root: Path) -> str:
    return (
        f"{root} holds a run of an earlier version of jax_al, which this one can show (python -m "
        "jax_al.report) but not go on with; name another --workdir, or start anew with --overwrite."
    )
