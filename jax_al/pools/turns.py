"""One process at a time makes what is kept in a cache; a dead one holds nothing up."""

import contextlib
import fcntl
import pathlib
import time
from collections.abc import Iterator

from absl import logging

_PATIENCE = 0.2  # seconds between two looks at whether another process has finished


@contextlib.contextmanager
def turn(lock: pathlib.Path, what: str) -> Iterator[None]:
    """Waits until no other process holds the file `lock`, which is made, and holds it.

    Args:
      lock: of a directory that is there.
      what: is made meanwhile, for the warning of who has to wait.

    Raises:
      OSError: the file cannot be made.
    """
    is_told = False
    with open(lock, "wb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not is_told:
                    logging.warning("Waiting for another process, which makes %s.", what)
                is_told = True
                time.sleep(_PATIENCE)
        yield
