"""The files of a run that people read: metrics.jsonl, picks.csv, config.json.

Whole files are replaced by rename, so `kill -9` or a full disk leaves the old one. Those of an
earlier layout were appended to: a partial last line is passed over.
"""

import csv
import io
import json
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from jax_al.durable import write_atomically
from jax_al.errors import UsageError

Row = dict[str, Any]


class Pick(NamedTuple):
    """One line of picks.csv: one label bought."""

    seed: int
    episode: int  # at whose end it was bought; 0 for the initial labels
    order: int  # from 0, over the whole run of the seed
    index: int  # type: ignore[assignment]  # in the whole pool; hides tuple.index
    id: str  # the data set's own name for the image, empty if it has none
    label: int
    strategy: str = ""  # of a run of many parts; empty where the file has no such column


OLD_COLUMNS = Pick._fields[:-1]  # of a run that has one strategy


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes `value` atomically."""
    write_atomically(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_array(path: pathlib.Path, array: np.ndarray) -> None:
    """Writes `array` atomically as a .npy file, in a directory made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    write_atomically(path, content.getvalue())


def read_json(path: pathlib.Path) -> Any | None:
    """Returns what `write_json` wrote, or None if there is no such file.

    Raises:
      UsageError: the file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise UsageError(f"{path} cannot be read as JSON ({error}); mend or remove it.") from error


def read_metrics(path: pathlib.Path) -> list[Row]:
    """Returns the rows of metrics.jsonl; a partial last line is not there yet.

    A later row of the same strategy, seed and episode stands in place of the earlier: a last
    episode gets a new one when more episodes follow.

    Raises:
      UsageError: a whole line is not JSON, or not a row.
    """
    return list({key_of(row): row for _, row in metrics_lines(path)}.values())


def metrics_lines(path: pathlib.Path) -> Iterator[tuple[int, Row]]:
    """Yields the number (from 1) and the row of each whole line of metrics.jsonl.

    Raises:
      UsageError: a whole line is not JSON, or not a row.
    """
    for number, line in enumerate(whole_lines(path), start=1):
        try:
            row = json.loads(line)
            hash(key_of(row))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UsageError(
                f"Line {number} of {path} is not a row of metrics; mend or remove it."
            ) from error
        yield number, row


def key_of(row: Row) -> tuple[str, int, int]:
    """Returns what one row of metrics.jsonl is about: strategy (empty if not told), seed, episode.

    Raises:
      KeyError: it has no seed or no episode.
    """
    return row.get("strategy", ""), row["seed"], row["episode"]


def read_picks(path: pathlib.Path) -> list[Pick]:
    """Returns the lines of picks.csv; a partial last line is not there yet.

    Raises:
      UsageError: a whole line has other columns.
    """
    picks: list[Pick] = []
    columns: tuple[str, ...] = OLD_COLUMNS
    lines = csv.reader(line + "\n" for line in whole_lines(path))
    try:
        if next(lines, None) == list(Pick._fields):
            columns = Pick._fields
        for seed, episode, order, index, name, label, *strategy in lines:
            if len(strategy) != len(columns) - len(OLD_COLUMNS) or not 0 <= int(index) < 2**63:
                raise ValueError
            numbers = int(seed), int(episode), int(order), int(index)
            picks.append(Pick(*numbers, name, int(label), *strategy))
    except (ValueError, csv.Error) as error:
        named = ",".join(columns)
        raise UsageError(f"Line {lines.line_num} of {path} is not {named}; mend it.") from error
    return picks


def replace_if_other(path: pathlib.Path, text: str) -> None:
    """Writes `text` atomically, unless the file says the same already or both are empty."""
    old = path.read_bytes() if path.exists() else b""
    if old != text.encode():
        write_atomically(path, text)


def part_directories(root: pathlib.Path) -> dict[tuple[str, int], pathlib.Path]:
    """Returns {(strategy, seed): ROOT/parts/STRATEGY/seed_SEED} of the parts that have begun."""
    found = {}
    for path in root.glob("parts/*/seed_*"):
        number = path.name.removeprefix("seed_")
        if number.isdecimal():
            found[path.parent.name, int(number)] = path
    return dict(sorted(found.items()))


def whole_lines(path: pathlib.Path) -> list[str]:
    """Returns the lines of a file of ours, without a partial last one; none if it is not there.

    Raises:
      UsageError: it is not UTF-8 text.
    """
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    try:
        return whole.decode("utf-8").split("\n") if whole else []
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text ({error.reason}); mend it.") from error


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    """Returns rows as the text of a CSV file, whose lines end in a newline."""
    lines = _Lines()
    # Told that lines end in a newline alone, it would not quote a "\r" in a name.
    csv.writer(lines).writerows(rows)
    return "".join(line.removesuffix("\r\n") + "\n" for line in lines)


class _Lines(list[str]):
    """What a writer of CSV writes to: it hands over one line at a time."""

    def write(self, line: str) -> None:
        self.append(line)
