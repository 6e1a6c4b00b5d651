"""The journal: the append-only record of a part, from which everything else is derived."""

import contextlib
import errno
import fcntl
import os
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from jax_al.durable import make_directory, sync_directory
from jax_al.errors import UsageError
from jax_al.session import locks
from jax_al.session.drafts import Drafts, grown
from jax_al.session.events import Event, decode, encode
from jax_al.session.fold import Record


class _Line(NamedTuple):
    event: Event
    end: int  # where it ends in the file


class Journal:
    """The events of one part, in a file or in memory.

    Each is one whole line in one write, synced before `append` returns. Several processes and
    threads may append: each holds a lock for the milliseconds that it takes, and first reads what
    the others have added. A partial last line, which a kill leaves, is not there; the next writer
    cuts it off.

    Args:
      directory: where `journal.jsonl` is or shall be, made when something is appended; None: in
        memory.
    """

    def __init__(self, directory: pathlib.Path | None):
        self.path = None if directory is None else directory / "journal.jsonl"
        # What was read. An event and where it ends go in at once, so that a Ctrl-C at any moment
        # leaves a list that can be gone on with.
        self._lines: list[_Line] = []
        self._drafts: Drafts | None = None
        self._record: Record | None = None
        self._guard = threading.RLock()
        self._is_writing = False

    def append(self, event: Event) -> int:
        """Adds `event`, and `at` where it has none; returns its number when it is durable.

        Raises:
          OSError: the disk is full or fails; nothing of the event stays.
          UsageError: it is not an event, or what is on record cannot be read.
        """
        with self.writing():
            number = len(self._lines)
            line = encode({**event, "at": event.get("at", time.time())}, number)
            if self.path is not None:
                _append(self.path, line)
            self._take(line)
            return number

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Keeps all other writers out during the block, having read what they appended.

        So what was checked against the record still holds when it is appended. May be nested.

        Raises:
          OSError: the directory cannot be written to.
          UsageError: what is on record cannot be read, or there are no locks.
        """
        with self._guard:
            if self.path is None or self._is_writing:
                yield
                return
            self._check_there()
            make_directory(self.path.parent)
            with locks.held(self._lock, fcntl.LOCK_EX):
                if self._read():
                    os.truncate(self.path, self._end)
                try:
                    self._is_writing = True
                    yield
                finally:
                    self._is_writing = False

    def events(self) -> list[Event]:
        """Returns all events; only what is new is read.

        Raises:
          UsageError: a line is not an event, or of a newer format.
        """
        with self._guard:
            if self.path is not None and not self._is_writing:
                # A writer whose disk fails takes its line back, so nobody reads meanwhile.
                with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as stack:
                    if self._lock.exists():
                        stack.enter_context(locks.held(self._lock, fcntl.LOCK_SH))
                    self._read()
            return [line.event for line in self._lines]

    def fold(self) -> Record:
        """Returns what all events come to.

        Raises:
          UsageError: as `events` does.
        """
        with self._guard:
            events = self.events()
            if self._record is None or self._record.num_events < len(events):
                # Put back only when whole: after a Ctrl-C in the middle it is begun anew.
                drafts, self._drafts = self._drafts, None
                try:
                    drafts = grown(drafts, events)
                except (LookupError, TypeError, ValueError) as error:
                    raise UsageError(
                        f"The lines of {self.path} do not belong together ({error!r}): one is "
                        "missing or was changed; restore it, or start anew with --overwrite."
                    ) from error
                self._record = drafts.record()
                self._drafts = drafts
            return self._record

    def _check_there(self) -> None:
        """Raises where what was read is gone: a new file would hold the next event alone."""
        assert self.path is not None
        if self._lines and not self.path.exists():
            raise UsageError(f"{self.path} is gone; restore it, and open it anew.")

    @property
    def _lock(self) -> pathlib.Path:
        assert self.path is not None
        return self.path.with_name(".journal.lock")

    @property
    def _end(self) -> int:
        return self._lines[-1].end if self._lines else 0

    def _read(self) -> bytes:
        """Takes in the whole lines that are new; returns what of a line comes after them."""
        assert self.path is not None
        try:
            file = open(self.path, "rb")  # noqa: SIM115 (closed below)
        except FileNotFoundError:
            self._check_there()
            return b""
        with file:
            if file.seek(0, os.SEEK_END) < self._end:
                raise UsageError(
                    f"{self.path} is shorter than it was when it was read; restore it, and open "
                    "it anew."
                )
            file.seek(self._end)
            whole, newline, partial = file.read().rpartition(b"\n")
        self._take(whole + newline)
        return partial

    def _take(self, lines: bytes) -> None:
        end, number, place = self._end, len(self._lines), self.path or "the journal"
        taken: list[_Line] = []
        for line in lines.split(b"\n")[:-1]:
            end += len(line) + 1
            taken.append(_Line(decode(line, number + len(taken), place), end))
        self._lines += taken


def _append(path: pathlib.Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            os.fsync(descriptor)
            if size == 0:
                sync_directory(path.parent)
        except OSError:
            with contextlib.suppress(OSError):  # then the next writer cuts it off
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)
