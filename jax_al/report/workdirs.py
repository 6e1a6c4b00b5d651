"""Reads what runs have left on disk: config.json, metrics.jsonl and picks.csv.

Two layouts are read. A workdir of the old one has a single strategy; the root of a new one has all
parts of a run, each a strategy and a seed. A run may be going on while it is read: a part that has
not been merged to the root yet is read from its own files.
"""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from jax_al.errors import UsageError
from jax_al.report.configs import DATA_FIELDS, alone, is_count, read_config
from jax_al.report.look_files import read_pool
from jax_al.session.records import (
    Pick,
    Row,
    key_of,
    metrics_lines,
    part_directories,
    read_picks,
)

# Of a row of metrics.jsonl, what no report can do without.
ROW_COUNTS = ("seed", "episode", "num_labeled")
# What is drawn of a row if it is a number, as are all fields of this prefix.
NUMBERS, SECONDS = ("test_nll", "test_ece", "cover_radius", "near_duplicate_share"), "seconds_"
LARGEST = 1e100  # a number beyond it is no measurement, and overflows in a sum of squares


class Line(NamedTuple):
    """A row of metrics.jsonl and where it stands."""

    path: pathlib.Path
    number: int  # from 1
    row: Row


class Workdir(NamedTuple):
    """The records of one strategy in one directory."""

    path: pathlib.Path
    name: str | None  # of its parts; None in the old layout
    config: dict[str, Any]  # flat: {"data.name": ...}, as if the strategy had run alone
    metrics: list[Row]  # by seed and episode
    picks: dict[int, dict[int, list[int]]]  # {seed: {episode: indices in pick order}}
    pool_size: int | None  # N, None where the run has left no looks/
    notes: list[str]  # what was left out, a sentence each

    @property
    def title(self) -> str:
        """What it is called where it stands alone."""
        return self.name or self.config["strategy"]

    def looks(self, seed: int) -> pathlib.Path:
        """Returns the directory of what there is to see of a seed."""
        if self.name is None:
            return self.path / "looks" / f"seed_{seed}"
        return self.path / "parts" / self.name / f"seed_{seed}" / "looks"

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
      UsageError: a path does not exist, or is neither a workdir nor holds one.
    """
    found: list[pathlib.Path] = []
    for path in paths:
        if not path.is_dir():
            raise UsageError(f"{path} is not a directory.")
        inside = sorted(config.parent for config in path.glob("*/config.json"))
        if (path / "config.json").is_file() and ((path / "metrics.jsonl").exists() or not inside):
            inside = [path]
        if not inside:
            raise UsageError(f"{path} holds no run: there is no config.json in it or below it.")
        found += [each for each in inside if each not in found]
    return found


def read(path: pathlib.Path) -> list[Workdir]:
    """Reads one workdir, by strategy; `metrics` is empty where no episode has ended yet.

    Raises:
      UsageError: a file cannot be read, or a line of it is not what it should be.
    """
    try:
        config = read_config(path / "config.json")
        is_new = "layout" in config
        places = [path, *(part_directories(path).values() if is_new else ())]
        lines = _lines_by_part(places)
        picks = _picks_by_part(places)  # after the rows: see `Workdir.finished`
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}.") from error
    pool_size = _pool_size(path)
    found = list(dict.fromkeys(strategy for strategy, _ in [*lines, *picks]))
    runs = []
    for name, own in alone(config, found).items() if is_new else [("", config)]:
        rows, notes = _checked(
            [line for (strategy, _), some in lines.items() if strategy == name for line in some]
        )
        bought = {
            seed: _by_episode(some) for (strategy, seed), some in picks.items() if strategy == name
        }
        runs.append(Workdir(path, name if is_new else None, own, rows, bought, pool_size, notes))
    return runs


def check_same_data(runs: Sequence[Workdir]) -> None:
    """Checks that the runs can stand in one picture.

    Raises:
      UsageError: they are on different data.
    """
    first = runs[0]
    for run in runs[1:]:
        for name in DATA_FIELDS:
            mine, theirs = run.config.get(name), first.config.get(name)
            if mine != theirs:
                raise UsageError(
                    f"These runs are on different data and cannot be compared: {name} is "
                    f"{theirs!r} in {first.path}, {mine!r} in {run.path}."
                )


def _lines_by_part(places: Sequence[pathlib.Path]) -> dict[tuple[str, int], list[Line]]:
    """Returns {(strategy, seed): a line per episode}, from the first of `places` that has most.

    Of two rows of the same episode the later counts: a run whose last episode has become one
    among others writes it again.
    """
    found: dict[tuple[str, int], list[Line]] = {}
    for place in places:
        path = place / "metrics.jsonl"
        here: dict[tuple[str, int], dict[int, Line]] = {}
        for number, row in metrics_lines(path):
            strategy, seed, episode = key_of(row)
            here.setdefault((strategy, seed), {})[episode] = Line(path, number, row)
        _keep_longer(found, {part: list(lines.values()) for part, lines in here.items()})
    return found


def _picks_by_part(places: Sequence[pathlib.Path]) -> dict[tuple[str, int], list[Pick]]:
    """Returns {(strategy, seed): picks in order}, from the first of `places` that has most."""
    found: dict[tuple[str, int], list[Pick]] = {}
    for place in places:
        here: dict[tuple[str, int], list[Pick]] = {}
        for pick in read_picks(place / "picks.csv"):
            here.setdefault((pick.strategy, pick.seed), []).append(pick)
        _keep_longer(found, here)
    return found


def _by_episode(picks: Iterable[Pick]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for pick in picks:
        found.setdefault(pick.episode, []).append(pick.index)
    return found


def _keep_longer(found: dict[Any, list[Any]], here: Mapping[Any, list[Any]]) -> None:
    for part, some in here.items():
        if len(some) > len(found.get(part, ())):
            found[part] = some


def _checked(lines: Iterable[Line]) -> tuple[list[Row], list[str]]:
    """Returns the rows by seed and episode, and notes on the values that were left out.

    Raises:
      UsageError: a row lacks what no report can do without.
    """
    rows: list[Row] = []
    unfit: dict[pathlib.Path, list[str]] = {}
    for path, number, row in lines:
        missing = [name for name in ROW_COUNTS if not is_count(row.get(name))]
        accuracy = row.get("test_accuracy", "absent")  # null: there is no test set
        missing += [] if accuracy is None or _is_number(accuracy) else ["test_accuracy"]
        if missing:
            raise UsageError(f"Line {number} of {path} has no number as {missing[0]}.")
        for field in _unfit(row):
            row[field] = None
            unfit.setdefault(path, []).append(f"{field} in line {number}")
        rows.append(row)
    notes = []
    for path, fields in unfit.items():
        more = f" and {len(fields) - 3} more" if len(fields) > 3 else ""
        notes.append(f"Left out of {path}, not being numbers: {', '.join(fields[:3])}{more}.")
    return sorted(rows, key=lambda row: (row["seed"], row["episode"])), notes


def _unfit(row: Mapping[str, Any]) -> list[str]:
    """Returns the fields that a picture needs as numbers and that are something else."""
    numbers = [name for name in row if name in NUMBERS or name.startswith(SECONDS)]
    found = [name for name in numbers if row[name] is not None and not _is_number(row[name])]
    counts = row.get("labeled_class_counts")
    if counts is not None and not (isinstance(counts, list) and all(map(is_count, counts))):
        found.append("labeled_class_counts")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and abs(value) < LARGEST


def _pool_size(path: pathlib.Path) -> int | None:
    try:
        pool = read_pool(path)
    except UsageError:  # it is told where the maps would be
        return None
    return None if pool is None else len(pool.index)
