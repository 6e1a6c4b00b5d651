"""Reads what runs have left on disk: config.json, metrics.jsonl and picks.csv.

A run may be going on while it is read: a partial last line is not there yet.
"""

import csv
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jax_al.report.errors import ReportError
from jax_al.report.look_files import read_pool

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
    "seeds_at_once",
    "max_episodes",
    "keep_checkpoints",
    "data.data_dir",
    "data.cache_dir",
    "wandb.mode",
    "wandb.project",
)
# Of config.json and of a row of metrics.jsonl, what no report can do without.
TEXTS, COUNTS = ("strategy", "data.name"), ("seed", "num_seeds", "max_episodes")
ROW_COUNTS = ("seed", "episode", "num_labeled")
# What is drawn of a row if it is a number, as are all fields of this prefix.
NUMBERS, SECONDS = ("test_nll", "test_ece", "cover_radius", "near_duplicate_share"), "seconds_"
LARGEST = 1e100  # a number beyond it is no measurement, and overflows in a sum of squares


class Workdir(NamedTuple):
    """The records of one run."""

    path: pathlib.Path
    config: dict[str, Any]  # flat: {"data.name": ...}
    metrics: list[dict[str, Any]]  # by seed and episode
    picks: dict[int, dict[int, list[int]]]  # {seed: {episode: indices in pick order}}
    pool_size: int | None  # N, None where the run has left no looks/
    notes: list[str]  # what was left out, a sentence each

    @property
    def finished(self) -> bool:
        """Whether every seed has had all its episodes, or all the labels there are."""
        newest = {row["seed"]: row for row in self.metrics}
        first = self.config["seed"]
        wanted = range(first, first + self.config["num_seeds"])
        return all(seed in newest and self._is_last(newest[seed]) for seed in wanted)

    def _is_last(self, row: Mapping[str, Any]) -> bool:
        if row["episode"] >= self.config["max_episodes"]:
            return True
        if self.pool_size is not None:
            return row["num_labeled"] >= self.pool_size
        # An episode that bought nothing was the last: a row is written after its picks, and they
        # are read after the rows. Only where N is not known, since the same is to be seen of a
        # run of which more episodes are wanted now, until it has bought for the first of them.
        return row["episode"] not in self.picks.get(row["seed"], {})


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
    config = _read_config(path / "config.json")
    metrics, notes = _read_metrics(path / "metrics.jsonl")
    picks = _read_picks(path / "picks.csv")  # after the rows: see `Workdir.finished`
    return Workdir(path, config, metrics, picks, _pool_size(path), notes)


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


def flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"data.name": ...} for {"data": {"name": ...}}."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        inside = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{name}.") if inside else {prefix + name: value}
    return found


def _read_config(path: pathlib.Path) -> dict[str, Any]:
    try:
        config = flat(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, AttributeError) as error:
        raise ReportError(f"{path} is not the config of a run.") from error
    for name in (*TEXTS, *COUNTS):
        if name not in config:
            raise ReportError(f"{path} has no field {name!r}.")
        fits = isinstance(config[name], str) if name in TEXTS else _is_count(config[name])
        if not fits:
            wanted = "a text" if name in TEXTS else "a count"
            raise ReportError(f"{path} has {config[name]!r} as {name}, which is not {wanted}.")
    return config


def _read_metrics(path: pathlib.Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Returns the rows by seed and episode, and notes on the values that were left out.

    Of two rows of the same episode the later counts: a run whose last episode has become one
    among others writes it again.
    """
    rows, unfit = {}, []
    for number, line in enumerate(_whole_lines(path), start=1):
        try:
            row = json.loads(line)
            missing = [name for name in ROW_COUNTS if not _is_count(row[name])]
            missing += [] if _is_number(row["test_accuracy"]) else ["test_accuracy"]
        except (ValueError, KeyError, TypeError) as error:
            raise ReportError(
                f"Line {number} of {path} cannot be read as an episode; mend or remove it."
            ) from error
        if missing:
            raise ReportError(f"Line {number} of {path} has no number as {missing[0]}.")
        for field in _unfit(row):
            row[field] = None
            unfit.append(f"{field} in line {number}")
        rows[row["seed"], row["episode"]] = row
    more = f" and {len(unfit) - 3} more" if len(unfit) > 3 else ""
    notes = [f"Left out of {path}, not being numbers: {', '.join(unfit[:3])}{more}."]
    return [row for _, row in sorted(rows.items())], notes if unfit else []


def _unfit(row: Mapping[str, Any]) -> list[str]:
    """Returns the fields that a picture needs as numbers and that are something else."""
    numbers = [name for name in row if name in NUMBERS or name.startswith(SECONDS)]
    found = [name for name in numbers if row[name] is not None and not _is_number(row[name])]
    counts = row.get("labeled_class_counts")
    if counts is not None and not (isinstance(counts, list) and all(map(_is_count, counts))):
        found.append("labeled_class_counts")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and abs(value) < LARGEST


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _read_picks(path: pathlib.Path) -> dict[int, dict[int, list[int]]]:
    picks: dict[int, dict[int, list[int]]] = {}
    for number, line in enumerate(_whole_lines(path)[1:], start=2):
        try:
            seed, episode, _, index, _, _ = next(csv.reader([line]))
            if not _is_count(int(index)):
                raise ValueError
            picks.setdefault(int(seed), {}).setdefault(int(episode), []).append(int(index))
        except (ValueError, csv.Error) as error:
            raise ReportError(f"Line {number} of {path} cannot be read as a pick.") from error
    return picks


def _pool_size(path: pathlib.Path) -> int | None:
    try:
        pool = read_pool(path)
    except ReportError:  # it is told where the maps would be
        return None
    return None if pool is None else len(pool.index)


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
