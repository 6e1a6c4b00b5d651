"""The ledger of a project: what each of its rows stands for, whatever becomes of the files.

`items.jsonl` has a line for each row: its id, which is the path or the id under which it was first
seen, and hashes of its content. Lines are only ever appended, so that a row never moves.
"""

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jax_al.durable import make_directory, sync_directory
from jax_al.errors import UsageError
from jax_al.session import locks

ITEMS = "items.jsonl"


class Item(NamedTuple):
    """What a row of a project stands for."""

    id: str  # where it was first seen: a path from the folder on, or the id of a table
    sha256: str  # of the bytes of its file, or of its row
    pixels: str = ""  # of the upright picture, see `Entry`; empty in a table


class Items:
    """The items of a project; several processes and threads may append.

    A line that a kill has cut off is not there, and the next one who appends takes it away.

    Args:
      directory: the workdir, made when something is appended.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / ITEMS
        self._items: list[Item] = []
        self._end = 0  # of the whole lines that were read, in bytes
        self._guard = threading.RLock()

    def all(self) -> tuple[Item, ...]:
        """Returns all items by row; only what is new is read.

        Raises:
          UsageError: a line is none, or the file has become shorter.
        """
        with self._guard:
            self._read()
            return tuple(self._items)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps out all others who append, so that what was compared with the items still holds.

        Raises:
          UsageError: there are no locks here, or the directory cannot be written to.
        """
        with self._guard:
            try:
                make_directory(self.path.parent)
                lock = locks.held(self.path.with_name(".items.lock"), fcntl.LOCK_EX)
                with contextlib.ExitStack() as stack:
                    stack.enter_context(lock)
                    yield
            except OSError as error:
                raise UsageError(f"{self.path} cannot be written: {error.strerror}.") from error

    def append(self, items: Sequence[Item]) -> None:
        """Adds items as the next rows, durably; to be called within `alone`.

        Raises:
          OSError: the disk is full or fails; whole lines may stay, which is no harm.
          UsageError: an id is there already, or stands there twice.
        """
        with self._guard:
            self._read()
            known = {one.id for one in self._items}
            for one in items:
                if one.id in known:
                    raise UsageError(f"There is an item {one.id!r} already: ids are for ever.")
                known.add(one.id)
            if not items:
                return
            is_first = not self.path.exists()
            first = len(self._items)
            lines = b"".join(_line(row, one) for row, one in enumerate(items, first))
            with open(self.path, "ab") as file:
                file.truncate(self._end)
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            if is_first:
                sync_directory(self.path.parent)
            self._items += items
            self._end += len(lines)

    def _read(self) -> None:
        """Takes in the whole lines that are new."""
        try:
            with open(self.path, "rb") as file:
                if file.seek(0, os.SEEK_END) < self._end:
                    raise UsageError(f"{self.path} is shorter than it was: restore it.")
                file.seek(self._end)
                lines, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return
        if not newline:
            return
        first = len(self._items)
        found = [self._item(line, row) for row, line in enumerate(lines.split(b"\n"), first)]
        self._items += found
        self._end += len(lines) + 1

    def _item(self, line: bytes, row: int) -> Item:
        try:
            read: Any = json.loads(line)
            if read["row"] == row:
                item = Item(read["id"], read["sha256"], read["pixels"])
                if all(isinstance(value, str) for value in item):
                    return item
        except (ValueError, TypeError, LookupError):
            pass
        raise UsageError(
            f"Line {row + 1} of {self.path} is not that of row {row}: one is missing or was "
            "changed; restore it."
        )


def _line(row: int, item: Item) -> bytes:
    return json.dumps({"row": row, **item._asdict()}).encode() + b"\n"
