"""Files that are on the disk, and not only said to be; a file is replaced whole or not at all."""

import contextlib
import io
import os
import pathlib
import secrets
from collections.abc import Iterator


@contextlib.contextmanager
def durable(path: pathlib.Path) -> Iterator[io.BufferedWriter]:
    """Opens a new file at `path`, which is on the disk when the block has ended."""
    with open(path, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[io.BufferedWriter]:
    """Opens a file that takes the place of the one at `path` when the block has ended well.

    A reader sees the old content or the new one, never a part.
    """
    # Several may write the same at once, on other machines too, each by way of a file of its own.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with durable(temporary) as file:
            yield file
        os.replace(temporary, path)
    except OSError as error:
        # A write says no name, and the one of the temporary file says nothing to anybody.
        if error.errno is None or str(error.filename) not in ("None", str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # as where nothing may be written: that is told already
            temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def write_atomically(path: pathlib.Path, content: str | bytes) -> None:
    """Replaces the file at `path`, as `replacing` does; a text is written as UTF-8."""
    with replacing(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


def make_directory(directory: pathlib.Path) -> None:
    """Makes a directory, and those above it that are missing, and makes their names durable."""
    if directory.is_dir():
        return
    missing = [place for place in (directory, *directory.parents) if not place.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for place in missing:
        with contextlib.suppress(PermissionError):  # one that may be written to and not listed
            sync_directory(place.parent)


def sync_directory(directory: pathlib.Path) -> None:
    """Makes the names in `directory` durable: those of new files, and those changed."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
