"""A pool of the pictures in a folder, as people have them."""

import collections
import concurrent.futures
import hashlib
import math
import os
import shutil
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.cache import cache_root
from jax_al.pools.catalog import Catalog, Entry
from jax_al.pools.pictures import FITS, UnreadableError, decode, square
from jax_al.pools.progress import say, tracked
from jax_al.pools.rows import RowPool
from jax_al.pools.turns import turn
from jax_al.pools.walk import Found, walk
from jax_al.pools.within import content_within
from jax_al.types import Spec

VERSION = 2  # of what is cached; raise it when the decoding changes
MOST_BYTES = 1 << 30  # of a file; a larger one is no photo
_TOGETHER = 128  # files read before they are kept, at most
_SQUARES = 1 << 26  # bytes of their squares, at most
_CANNOT_BE_READ = "cannot be read"
_MANY = 2000  # files from which on it is told beforehand how long they will take
_TRIED = 16  # files whose reading tells that


class PassedOver(NamedTuple):
    """A file that is not in the pool."""

    id: str  # its path from the folder on
    why: str  # the end of a sentence


class FolderPool(RowPool):
    """The pictures of a folder as squares; a row is one picture, however many files hold it.

    Attributes:
      root: the folder.
      copies: the other files that hold the same picture, by row; none of most rows.
      passed_over: files that are no pictures, and why.
      sha256: of the bytes of the file that a row is named by, by row.
      fit: how pictures became squares.
    """

    def __init__(
        self,
        root: Path,
        rows: Sequence[Entry],
        copies: dict[int, tuple[str, ...]],
        passed_over: tuple[PassedOver, ...],
        squares: np.ndarray,
        fit: str,
    ) -> None:
        """Makes the pool of `rows`, whose squares are at their slots."""
        slots = np.array([one.slot for one in rows], np.int64)
        super().__init__(
            len(rows),
            Spec(tuple(squares.shape[1:]), np.dtype(np.uint8)),
            lambda chosen: squares[slots[chosen]],
            ids=[one.id for one in rows],
            show=self._picture,
        )
        self.root, self.copies, self.passed_over = root, copies, passed_over
        self.fit = fit
        self.sha256 = tuple(one.sha256 for one in rows)

    def _picture(self, row: int) -> np.ndarray:
        """Returns the whole picture, as it is on disk now.

        Raises:
          UsageError: the file has gone, or is another one.
        """
        name = self.ids[row]
        try:
            content = _content(self.root, name)
        except OSError as error:
            raise UsageError(f"{name} cannot be read any more: {error.strerror}.") from error
        if hashlib.sha256(content).hexdigest() != self.sha256[row]:
            raise UsageError(f"{name} has changed since the folder was read: open it again.")
        return decode(content)


def folder(
    path: str | Path, *, size: int = 96, fit: str = "crop", cache_dir: str | None = None
) -> FolderPool:
    """Returns the pool of the pictures in a folder and its subfolders; nothing is written there.

    The content of a file decides what it is, not its name: JPEG, PNG, WebP, BMP, GIF (the first
    frame) and TIFF are read, upright as EXIF says (see `pictures.decode`). Hidden and system files
    are passed over in silence, whatever else is no picture is listed in `passed_over`. Links are
    followed within the folder. Files with the same bytes or the same pixels are one row.

    Each file is read once and kept as a square; the next time only files whose size or time has
    changed are read again. A scan that was interrupted goes on where it stopped.

    Args:
      path: of the folder.
      size: every picture becomes uint8 [size, size, 3] for learners and features.
      fit: "crop": the middle square; "pad": the whole picture on white.
      cache_dir: where the squares are kept, 3 size^2 bytes each; None: with decoded images (see
        `benchmark`).

    Returns:
      The pool. Ids are paths from the folder on, exactly as they are on disk, with "/": a folder
      that has moved has the same ones. Rows are in the order of the ids, directory by directory.

    Raises:
      UsageError: there is no such folder, or no picture in it; an option is out of its range; the
        cache cannot be written or has no room, which is seen before it begins.
    """
    root = _root(path, size, fit)
    found = list(walk(root))
    name = hashlib.sha256(repr((os.fspath(root), size, fit, VERSION)).encode()).hexdigest()[:32]
    cache = cache_root(cache_dir) / "folders" / name
    if _is_shown(root, cache):
        raise UsageError(
            f"The cache {cache_root(cache_dir)} lies in the folder of pictures, where nothing is "
            "written: name another cache_dir."
        )
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with turn(cache / "lock", f"the squares of {root}"):
            catalog = Catalog(cache, size)
            new = [one for one in found if _is_new(one, catalog)]
            _read_all(root, new, catalog, size, fit, cache)
    except OSError as error:
        raise UsageError(
            f"The squares of {root} cannot be kept in {cache} ({error.strerror}): make room, or "
            "name another cache_dir."
        ) from error
    return _pool(root, found, catalog, fit)


def _root(path: str | Path, size: int, fit: str) -> Path:
    root = Path(path).expanduser()
    if not root.is_dir():
        raise UsageError(
            f"{root} is {'a file' if root.exists() else 'not there'}, and must be a folder."
        )
    if type(size) is not int or not 1 <= size <= 4096:
        raise UsageError(f"size is {size!r}, but must be a whole number from 1 to 4096.")
    if fit not in FITS:
        raise UsageError(f"fit is {fit!r}, but must be one of {', '.join(FITS)}.")
    return root.resolve()


def _is_shown(root: Path, cache: Path) -> bool:
    """Whether `cache` lies where `walk` would find it."""
    cache = cache.expanduser().resolve()
    if root not in cache.parents:
        return False
    return not any(part.startswith(".") for part in cache.relative_to(root).parts)


def _is_new(one: Found, catalog: Catalog) -> bool:
    """Whether a file has to be read: it is not known, has changed, or could not be opened."""
    known = catalog.entries.get(one.id)
    if one.fault or known is None:
        return not one.fault
    is_same = (known.size, known.mtime) == (one.size, one.mtime)
    return not is_same or known.fault.startswith(_CANNOT_BE_READ)


def _read_all(
    root: Path, new: Sequence[Found], catalog: Catalog, size: int, fit: str, cache: Path
) -> None:
    """Reads the files `new` and puts them into the catalog, a block at a time."""
    if not new:
        return
    by_content = {one.sha256: one for one in catalog.entries.values() if one.sha256}

    def read(one: Found) -> tuple[Entry, np.ndarray | None]:
        return _read(root, one, size, fit, by_content)

    # A picture that is too large is told as such, and by us alone.
    with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")
        _say_what_it_takes(root, new, read, 3 * size**2, cache)
        together = max(1, min(_TOGETHER, _SQUARES // (3 * size**2)))
        for start in tracked(range(0, len(new), together), f"Reading {root.name}"):
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


def _read(
    root: Path, one: Found, size: int, fit: str, by_content: Mapping[str, Entry]
) -> tuple[Entry, np.ndarray | None]:
    """Returns what is known of a file, and its square where it is a picture not known yet."""
    entry = Entry(one.id, one.size, one.mtime)
    try:
        if one.size > MOST_BYTES:
            raise UnreadableError(f"has {one.size:,} bytes, which is too much")
        content = _content(root, one.id)
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


def _content(root: Path, name: str) -> bytes:
    return content_within(root, name, MOST_BYTES)


def _say_what_it_takes(
    root: Path, new: Sequence[Found], read: Callable[[Found], Any], row_bytes: int, cache: Path
) -> None:
    """Says how long a long scan will take; makes sure that there is room.

    Raises:
      UsageError: there is none.
    """
    needed, free = len(new) * row_bytes, shutil.disk_usage(cache).free
    if needed > free:
        raise UsageError(
            f"The squares of {len(new):,} files need {needed:,} bytes in {cache}, where "
            f"{free:,} are free: make room, choose a smaller size, or name another cache_dir."
        )
    if len(new) < _MANY:
        return
    some = [new[place] for place in np.linspace(0, len(new) - 1, _TRIED).astype(int).tolist()]
    start = time.perf_counter()
    for one in some:
        read(one)
    seconds = (time.perf_counter() - start) / _TRIED * len(new) / (os.cpu_count() or 1)
    say(
        f"Reading the {len(new):,} files of {root}, once: about {math.ceil(seconds / 60):,} "
        f"minutes, and {needed / 2**30:.1f} GiB in {cache}."
    )


def _pool(root: Path, found: Sequence[Found], catalog: Catalog, fit: str) -> FolderPool:
    """Returns the pool of what was found: a row for each picture that is like no earlier one."""
    rows: dict[str, Entry] = {}
    copies: dict[str, list[str]] = collections.defaultdict(list)
    passed_over = []
    for one in found:
        entry = catalog.entries.get(one.id)
        if one.fault or entry is None or entry.slot < 0:
            why = one.fault or (entry.fault if entry else "has gone")
            passed_over.append(PassedOver(one.id, why))
        elif entry.pixels in rows:
            copies[entry.pixels].append(entry.id)
        else:
            rows[entry.pixels] = entry
    if not rows:
        first = f", {passed_over[0].id} as it {passed_over[0].why}" if passed_over else ""
        raise UsageError(
            f"There is no picture in {root}: {len(passed_over):,} files were passed over{first}."
        )
    of_row = {row: tuple(copies[key]) for row, key in enumerate(rows) if key in copies}
    squares = catalog.squares()
    return FolderPool(root, tuple(rows.values()), of_row, tuple(passed_over), squares, fit)
