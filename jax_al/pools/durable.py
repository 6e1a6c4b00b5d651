"""Files that are on the disk, and not only said to be, before they get their name."""

import contextlib
import io
import os
import pathlib
from collections.abc import Iterator


@contextlib.contextmanager
def durable(path: pathlib.Path) -> Iterator[io.BufferedWriter]:
    """Opens a new file at `path`, which is on the disk when the block has ended."""
    with open(path, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def sync(directory: pathlib.Path) -> None:
    """Brings the names of the files in `directory` to the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
