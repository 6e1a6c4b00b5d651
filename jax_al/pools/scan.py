"""The files of a folder are read, each once, and kept as squares."""

import concurrent.futures
import hashlib
import os
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.catalog import Catalog, Entry
from jax_al.pools.pictures import UnreadableError, decode, square
from jax_al.pools.progress import in_words, say, tracked
from jax_al.pools.walk import Found
from jax_al.pools.within import content_within

MOST_BYTES = 1 << 30  # of a file; a larger one is no photo
_TOGETHER = 128  # files read before they are kept, at most
_SQUARES = 1 << 26  # bytes of their squares, at most
_CANNOT_BE_READ = "cannot be read"
_MANY = 2000  # files from which on it is told beforehand how long they will take
_TRIED = 32  # files whose reading tells that
_OPENING = 1 << 14  # bytes that are read in the time that a file costs however small it is


def read_new(
    root: Path,
    found: Sequence[Found],
    catalog: Catalog,
    size: int,
    fit: str,
    cache: Path,
    foretell: Callable[[int], None],
) -> None:
    """Reads what is new or has changed of the files `found` into the catalog, a block at a time.

    Args:
      root: the folder, resolved.
      found: all its files.
      catalog: what is known of them.
      size: side of a square.
      fit: see `square`.
      cache: the directory of the catalog.
      foretell: is called with the number of files that are read, if they are many, beforehand.

    Raises:
      UsageError: there is no room for the squares.
    """
    new = [one for one in found if _is_new(one, catalog)]
    if not new:
        return
    by_content = dict(catalog.known)

    def read(one: Found) -> tuple[Entry, np.ndarray | None]:
        return _read(root, one, size, fit, by_content)

    # A picture that is too large is told as such, and by us alone.
    with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")
        _check_room(len(new), 3 * size**2, cache)
        if is_long := len(new) >= _MANY:
            seconds = seconds_of(new, read, pool)
            say(
                f"Reading the {len(new):,} files of {root}, once: about {in_words(seconds)}, "
                f"and {len(new) * 3 * size**2 / 2**30:.1f} GiB in {cache}."
            )
            foretell(len(new))
        together = max(1, min(_TOGETHER, _SQUARES // (3 * size**2)))
        steps = range(0, len(new), together)
        for start in tracked(steps, f"Reading {root.name}", is_foretold=is_long):
            entries: list[Entry] = []
            squares: list[np.ndarray] = []
            for entry, image in pool.map(read, new[start : start + together]):
                twin = by_content.get(entry.sha256)  # known before, or since a moment ago
                if twin is not None:
                    entry = twin._replace(id=entry.id, size=entry.size, mtime=entry.mtime)
                elif image is not None:
                    entry = entry._replace(slot=catalog.slots + len(squares))
                    squares.append(image)
                    by_content[entry.sha256] = entry
                entries.append(entry)
            catalog.append(entries, squares)


def seconds_of(
    new: Sequence[Found], read: Callable[[Found], Any], pool: concurrent.futures.ThreadPoolExecutor
) -> float:
    """Returns about how many seconds it takes to read the files `new` in the threads of `pool`.

    Some are read, at regular steps through all bytes, smaller files first: large ones take most of
    the time, and are drawn as often as they are large. What each took stands for its step.
    """
    by_size = sorted(new, key=lambda one: one.size)
    ends = np.cumsum([one.size + _OPENING for one in by_size])
    steps = (np.arange(_TRIED) + 0.5) / _TRIED * ends[-1]
    some = [by_size[place] for place in np.searchsorted(ends, steps).tolist()]

    def timed(one: Found) -> float:
        start = time.perf_counter()
        read(one)
        return time.perf_counter() - start

    timed(some[0])  # what is loaded the first time is no part of it
    took = pool.map(timed, some)
    each = ends[-1] / _TRIED
    seconds = sum(t / (one.size + _OPENING) * each for t, one in zip(took, some, strict=True))
    return float(seconds) / (os.cpu_count() or 1)


def content_of(root: Path, name: str) -> bytes:
    """Returns the bytes of the file `name` under `root`; see `content_within`."""
    return content_within(root, name, MOST_BYTES)


def _is_new(one: Found, catalog: Catalog) -> bool:
    """Whether a file has to be read: it is not known, has changed, or could not be opened."""
    known = catalog.entries.get(one.id)
    if one.fault or known is None:
        return not one.fault
    is_same = (known.size, known.mtime) == (one.size, one.mtime)
    return not is_same or known.fault.startswith(_CANNOT_BE_READ)


def _read(
    root: Path, one: Found, size: int, fit: str, by_content: Mapping[str, Entry]
) -> tuple[Entry, np.ndarray | None]:
    """Returns what is known of a file, and its square where it is a picture not known yet."""
    entry = Entry(one.id, one.size, one.mtime)
    try:
        if one.size > MOST_BYTES:
            raise UnreadableError(f"has {one.size:,} bytes, which is too much")
        content = content_of(root, one.id)
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 in by_content:
            return entry._replace(sha256=sha256), None
        picture = decode(content)
    except OSError as error:
        return entry._replace(fault=f"{_CANNOT_BE_READ} ({error.strerror})"), None
    except UnreadableError as error:
        return entry._replace(fault=str(error)), None
    shape = repr(picture.shape).encode()
    pixels = hashlib.sha256(shape + np.ascontiguousarray(picture).tobytes()).hexdigest()
    return entry._replace(sha256=sha256, pixels=pixels), square(picture, size, fit)


def _check_room(count: int, row_bytes: int, cache: Path) -> None:
    needed, free = count * row_bytes, shutil.disk_usage(cache).free
    if needed > free:
        raise UsageError(
            f"The squares of {count:,} files need {needed:,} bytes in {cache}, where "
            f"{free:,} are free: make room, choose a smaller size, or name another cache_dir."
        )
