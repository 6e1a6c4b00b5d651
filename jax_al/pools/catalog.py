"""What is known of the files of a folder, and their squares, kept so that each is read once.

A directory of its own in the cache: `catalog.jsonl` has a line for each file, `squares.u8` the
pictures as they come from `square`, one after another, only ever appended to. Both grow while a
folder is scanned, the squares first, so a scan that was killed goes on behind the last whole line.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jax_al.durable import write_atomically

CATALOG, SQUARES = "catalog.jsonl", "squares.u8"


class Entry(NamedTuple):
    """One file as it was when it was read."""

    id: str
    size: int  # bytes
    mtime: int  # nanoseconds since 1970
    sha256: str = ""  # of its bytes; empty where it was not read whole
    pixels: str = ""  # SHA-256 of the upright picture and its shape
    slot: int = -1  # place of its square; -1: it is no picture
    fault: str = ""  # why it is none


class Catalog:
    """The catalog in a directory, open for appending.

    Attributes:
      entries: the last one of each file, by id.
      known: one of each picture that is kept, of files too that have changed since, by the hash of
        their bytes.

    Args:
      directory: is made if missing.
      size: side of a square.
    """

    def __init__(self, directory: Path, size: int) -> None:
        self._directory, self._bytes = directory, size * size * 3
        self._shape = (size, size, 3)
        directory.mkdir(parents=True, exist_ok=True)
        entries, length = _read(directory / CATALOG)
        has = (directory / SQUARES).stat().st_size if (directory / SQUARES).exists() else 0
        whole = [entry for entry in entries if (entry.slot + 1) * self._bytes <= has]
        self.entries = {entry.id: entry for entry in whole}  # of two lines the later counts
        self.known = {entry.sha256: entry for entry in whole if entry.slot >= 0}
        self._slots = 1 + max((entry.slot for entry in whole), default=-1)
        with open(directory / CATALOG, "ab") as file:
            file.truncate(length)  # what a kill has left of a line
        if len(whole) < len(entries):  # squares were lost: the lines of these go
            self._rewrite(whole)
        with open(directory / SQUARES, "ab") as file:
            file.truncate(self._slots * self._bytes)

    @property
    def slots(self) -> int:
        """How many squares there are."""
        return self._slots

    def append(self, entries: Iterable[Entry], squares: Sequence[np.ndarray]) -> None:
        """Keeps some files, durably.

        Args:
          entries: those with a picture say at which slot it is.
          squares: uint8 [size, size, 3] each, of the slots from `slots` on.
        """
        told = list(entries)
        self._grow(SQUARES, b"".join(one.tobytes() for one in squares))
        self._grow(CATALOG, b"".join(map(_line, told)))
        self._slots += len(squares)
        self.entries |= {one.id: one for one in told}
        self.known |= {one.sha256: one for one in told if one.slot >= 0}

    def _rewrite(self, entries: Iterable[Entry]) -> None:
        """Writes the catalog anew."""
        content = b"".join(map(_line, entries))
        write_atomically(self._directory / CATALOG, content)

    def squares(self) -> np.ndarray:
        """Returns all squares by slot, uint8 [slots, size, size, 3], mapped."""
        if not self._slots:
            return np.empty((0, *self._shape), np.uint8)
        shape = (self._slots, *self._shape)
        return np.memmap(self._directory / SQUARES, np.uint8, "r", shape=shape).view(np.ndarray)

    def _grow(self, name: str, content: bytes) -> None:
        with open(self._directory / name, "ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _line(entry: Entry) -> bytes:
    return json.dumps(entry).encode() + b"\n"


def _read(path: Path) -> tuple[list[Entry], int]:
    """Returns the entries of a catalog up to the first line that is none, and their bytes."""
    entries: list[Entry] = []
    length = 0
    if path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                entry = Entry(*json.loads(line))
            except (ValueError, TypeError):
                break
            if not line.endswith(b"\n") or not _is_entry(entry):
                break
            entries.append(entry)
            length += len(line)
    return entries, length


def _is_entry(entry: Entry) -> bool:
    like = Entry("", 0, 0)
    return list(map(type, entry)) == list(map(type, like)) and entry.slot >= -1
