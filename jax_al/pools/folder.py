"""A pool of the pictures in a folder, as people have them."""

import collections
import functools
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.cache_root import cache_root
from jax_al.pools.catalog import Catalog, Entry
from jax_al.pools.pictures import FITS, decode
from jax_al.pools.rows import RowPool
from jax_al.pools.scan import content_of, read_new
from jax_al.pools.turns import turn
from jax_al.pools.walk import Found, walk
from jax_al.types import Spec

VERSION = 4  # of what is cached; raise it when the decoding changes
LARGEST = 4096  # side of a square


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
      files: what is known of each file that holds a picture, copies too, by id.
      sha256: of the bytes of the file that a row is named by, by row.
      squares: uint8 [slots, size, size, 3], mapped: all pictures that the folder holds or, as far
        as the cache still knows, once held.
      fit: how pictures became squares, see `folder`.
    """

    def __init__(
        self,
        root: Path,
        rows: Sequence[Entry],
        copies: dict[int, tuple[str, ...]],
        passed_over: tuple[PassedOver, ...],
        catalog: Catalog,
        fit: str,
    ) -> None:
        """Makes the pool of `rows`, whose squares are at their slots."""
        squares = catalog.squares()
        slots = np.array([one.slot for one in rows], np.int64)
        super().__init__(
            len(rows),
            Spec(tuple(squares.shape[1:]), np.dtype(np.uint8)),
            lambda chosen: squares[slots[chosen]],
            ids=[one.id for one in rows],
            show=lambda row: decode(self.content(self.ids[row])),
        )
        self.root, self.copies, self.passed_over = root, copies, passed_over
        self.squares, self.fit = squares, fit
        self.sha256 = tuple(one.sha256 for one in rows)
        same = [name for names in copies.values() for name in names]
        self.files: Mapping[str, Entry] = {
            name: catalog.entries[name] for name in (*self.ids, *same)
        }
        self._known = catalog.known

    def content(self, name: str) -> bytes:
        """Returns the bytes of a file, which are those that were read when it was scanned.

        Args:
          name: an id, or that of a copy.

        Raises:
          UsageError: there is no such file, it has gone, or is another one.
        """
        if name not in self.files:
            raise UsageError(f"There is no picture {name!r} in {self.root}.")
        try:
            content = content_of(self.root, name)
        except OSError as error:
            raise UsageError(f"{name} cannot be read any more: {error.strerror}.") from error
        if hashlib.sha256(content).hexdigest() != self.files[name].sha256:
            raise UsageError(f"{name} has changed since the folder was read: open it again.")
        return content

    def slot(self, sha256: str, pixels: str) -> int:
        """Returns where in `squares` a picture lies, by the hash of its file or its pixels; or -1.

        Args:
          sha256: of a file that holds it.
          pixels: see `Entry`.
        """
        entry = self._known.get(sha256) or self._by_pixels.get(pixels)
        return -1 if entry is None else entry.slot

    @functools.cached_property
    def _by_pixels(self) -> dict[str, Entry]:
        return {one.pixels: one for one in self._known.values()}


def folder(
    path: str | Path,
    *,
    size: int = 96,
    fit: str = "crop",
    cache_dir: str | None = None,
    foretell: Callable[[int], None] = lambda count: None,
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
      foretell: is called with the number of files that have to be read, where they are thousands,
        before they are: to say what else they will take.

    Returns:
      The pool. Ids are paths from the folder on, exactly as they are on disk, with "/": a folder
      that has moved has the same ones. Rows are in the order of the ids, directory by directory.

    Raises:
      UsageError: there is no such folder, or no picture in it; an option is out of its range; the
        cache cannot be written or has no room, which is seen before it begins.
    """
    root = _root(path, size, fit)
    found = list(walk(root))
    if found and found[0].id == ".":
        raise UsageError(f"{root} {found[0].fault}: see to it that it can be read.")
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
            read_new(root, found, catalog, size, fit, cache, foretell)
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
    check_square(size, fit)
    return root.resolve()


def check_square(size: int, fit: str) -> None:
    """Sees to it that a picture can become what these say.

    Raises:
      UsageError: it cannot.
    """
    if type(size) is not int or not 1 <= size <= LARGEST:
        raise UsageError(f"size is {size!r}, but must be a whole number from 1 to {LARGEST}.")
    if fit not in FITS:
        raise UsageError(f"fit is {fit!r}, but must be one of {', '.join(FITS)}.")


def _is_shown(root: Path, cache: Path) -> bool:
    """Whether `cache` lies where `walk` would find it."""
    cache = cache.expanduser().resolve()
    if root not in cache.parents:
        return False
    return not any(part.startswith(".") for part in cache.relative_to(root).parts)


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
        count = len(passed_over)
        passed = "1 file was" if count == 1 else f"{count:,} files were"
        raise UsageError(f"There is no picture in {root}: {passed} passed over{first}.")
    of_row = {row: tuple(copies[key]) for row, key in enumerate(rows) if key in copies}
    return FolderPool(root, tuple(rows.values()), of_row, tuple(passed_over), catalog, fit)
