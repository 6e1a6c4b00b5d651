"""Reads what runs have left on disk: config.json, metrics.jsonl, picks.csv and, if there, looks/.

A run may be going on while it is read: a partial last line is not there yet.
"""

import csv
import json
import pathlib
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Row = Mapping[str, Any]

# What makes two runs runs on the same data; where it lies does not matter.
DATA_FIELDS = (
    "data.name",
    "data.pool_splits",
    "data.pool_size",
    "data.test_split",
    "data.test_size",
    "data.image_size",
)
# What may differ between runs of one strategy without making it another.
INCIDENTAL = (
    "seed",
    "num_seeds",
    "max_episodes",
    "keep_checkpoints",
    "data.data_dir",
    "data.cache_dir",
    "wandb.mode",
    "wandb.project",
)
NEEDED = ("seed", "episode", "num_labeled", "test_accuracy")


class ReportError(ValueError):
    """The input cannot be reported on; the message is one sentence for the user."""


class Workdir(NamedTuple):
    """The records of one run."""

    path: pathlib.Path
    config: dict[str, Any]  # flat: {"data.name": ...}
    metrics: list[dict[str, Any]]  # by seed and episode
    picks: dict[int, dict[int, list[int]]]  # {seed: {episode: indices in pick order}}

    @property
    def finished(self) -> bool:
        """Whether every seed has had all its episodes; a used-up pool ends a run earlier."""
        done = {(row["seed"], row["episode"]) for row in self.metrics}
        first, last = self.config["seed"], self.config["max_episodes"]
        return all((first + k, last) in done for k in range(self.config["num_seeds"]))


class Pool(NamedTuple):
    """What looks/pool.npz holds, the same for all seeds."""

    labels: np.ndarray  # int32 [N]
    index: np.ndarray  # type: ignore[assignment]  # int64 [N], in the whole pool, rising
    class_names: list[str]  # [C]


class Look(NamedTuple):
    """What looks/seed_S/episode_EEE.npz holds: why an episode picked what it did."""

    rows: np.ndarray  # int64 [Q], in the pool, in pick order
    score: np.ndarray  # float32 [Q], nan if there is none
    predicted: np.ndarray  # int32 [Q], -1 if unknown
    images: np.ndarray  # uint8 [K, H, W, channels], of the first K picks


def find(paths: Sequence[pathlib.Path]) -> list[pathlib.Path]:
    """Returns the workdirs among `paths` and the directories in them, one level down.

    Raises:
      ReportError: a path does not exist, or is neither a workdir nor holds one.
    """
    found: list[pathlib.Path] = []
    for path in paths:
        if not path.is_dir():
            raise ReportError(f"{path} is not a directory.")
        inside = sorted(config.parent for config in path.glob("*/config.json"))
        if (path / "config.json").is_file() and ((path / "metrics.jsonl").exists() or not inside):
            inside = [path]
        if not inside:
            raise ReportError(f"{path} holds no run: there is no config.json in it or below it.")
        found += [each for each in inside if each not in found]
    return found


def read(path: pathlib.Path) -> Workdir:
    """Reads one workdir; `metrics` is empty if no episode has ended yet.

    Raises:
      ReportError: a file cannot be read, or a line of it is not what it should be.
    """
    try:
        config = flat(json.loads((path / "config.json").read_text(encoding="utf-8")))
        for name in ("strategy", "data.name", "seed", "num_seeds", "max_episodes"):
            config[name]
    except OSError as error:
        raise ReportError(f"{path / 'config.json'} cannot be read: {error.strerror}.") from error
    except KeyError as error:
        raise ReportError(f"{path / 'config.json'} has no field {error.args[0]!r}.") from error
    except (ValueError, AttributeError) as error:
        raise ReportError(f"{path / 'config.json'} is not the config of a run.") from error
    metrics = _read_metrics(path / "metrics.jsonl")
    return Workdir(path, config, metrics, _read_picks(path / "picks.csv"))


def check_same_data(runs: Sequence[Workdir]) -> None:
    """Checks that the runs can stand in one picture.

    Raises:
      ReportError: they are on different data.
    """
    first = runs[0]
    for run in runs[1:]:
        for name in DATA_FIELDS:
            mine, theirs = run.config.get(name), first.config.get(name)
            if mine != theirs:
                raise ReportError(
                    f"These runs are on different data and cannot be compared: {name} is "
                    f"{theirs!r} in {first.path}, {mine!r} in {run.path}."
                )


def read_pool(path: pathlib.Path) -> Pool | None:
    """Returns looks/pool.npz of a workdir, or None if there is none."""
    arrays = _read_npz(path / "looks" / "pool.npz", ("labels", "index", "class_names"))
    if arrays is None:
        return None
    labels, index, names = arrays
    return Pool(labels, index, [str(name) for name in names])


def read_map(path: pathlib.Path, seed: int) -> tuple[np.ndarray, str] | None:
    """Returns the 2-D map [N, 2] of a seed and the name of its embedding, or None."""
    arrays = _read_npz(path / "looks" / f"seed_{seed}" / "map.npz", ("map", "embedding"))
    return None if arrays is None else (arrays[0], str(arrays[1]))


def read_looks(path: pathlib.Path, seed: int) -> dict[int, Look]:
    """Returns what there is to see of each episode of a seed."""
    looks = {}
    for file in sorted((path / "looks" / f"seed_{seed}").glob("episode_*.npz")):
        number = file.stem.removeprefix("episode_")
        arrays = _read_npz(file, Look._fields)
        if number.isdigit() and arrays is not None:
            looks[int(number)] = Look(*arrays)
    return looks


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"data.name": ...} for {"data": {"name": ...}}."""
    fields: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            fields |= flat(value, f"{prefix}{name}.")
        else:
            fields[prefix + name] = value
    return fields


def _read_metrics(path: pathlib.Path) -> list[dict[str, Any]]:
    rows = {}
    for number, line in enumerate(_whole_lines(path), start=1):
        try:
            row = json.loads(line)
            missing = [name for name in NEEDED if not isinstance(row[name], int | float)]
        except (ValueError, KeyError, TypeError) as error:
            raise ReportError(
                f"Line {number} of {path} cannot be read as an episode; mend or remove it."
            ) from error
        if missing:
            raise ReportError(f"Line {number} of {path} has no number as {missing[0]}.")
        rows[row["seed"], row["episode"]] = row
    return [row for _, row in sorted(rows.items())]


def _read_picks(path: pathlib.Path) -> dict[int, dict[int, list[int]]]:
    picks: dict[int, dict[int, list[int]]] = {}
    for number, row in enumerate(csv.reader(_whole_lines(path)), start=1):
        if number == 1:
            continue
        try:
            seed, episode, _, index, _, _ = row
            picks.setdefault(int(seed), {}).setdefault(int(episode), []).append(int(index))
        except ValueError as error:
            raise ReportError(f"Line {number} of {path} cannot be read as a pick.") from error
    return picks


def _read_npz(path: pathlib.Path, names: Sequence[str]) -> list[np.ndarray] | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return [file[name] for name in names]
    except FileNotFoundError:
        return None
    except KeyError as error:
        raise ReportError(f"{path} lacks an array: {error.args[0]}.") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ReportError(f"{path} is not a readable .npz file.") from error


def _whole_lines(path: pathlib.Path) -> list[str]:
    try:
        whole, _, _ = path.read_bytes().rpartition(b"\n")
        return whole.decode("utf-8").split("\n") if whole else []
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ReportError(f"{path} is not UTF-8 text.") from error
