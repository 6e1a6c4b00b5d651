"""Pictures sorted into a folder for each class: TARGET/CLASS/ and their paths in the pool.

The bytes are copied unchanged. All is written into a directory beside TARGET, which gets that name
when it is whole; what was interrupted goes on where it stopped. `export.csv` in TARGET says of each
file what it is called in the pool.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from jax_al.durable import durable, sync_directory, write_atomically
from jax_al.errors import UsageError, composed
from jax_al.people.predictions import Final, shown
from jax_al.pools.progress import tracked
from jax_al.pools.turns import turn
from jax_al.session.records import csv_text

TABLE = "export.csv"
_LONGEST = 255  # bytes of a name on common file systems
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # by Windows


class Placed(NamedTuple):
    """Where the copy of an example goes."""

    path: str  # from TARGET on
    final: Final


def check_target(target: Path, root: Path) -> Path:
    """Returns where `target` is, made absolute, once it can be written.

    Args:
      target: a directory to be made; an empty one is there already, at most.
      root: of the pool.

    Raises:
      UsageError: it is in the pool, or the pool in it; it is not empty; its parent is not there.
    """
    place, pool = target.expanduser().resolve(), root.resolve()
    if place == pool or pool in place.parents:
        raise UsageError(f"{target} lies in {root}, where nothing is written: name another folder.")
    if place in pool.parents:
        raise UsageError(f"{target} holds {root}, the pictures themselves: name another folder.")
    if place.exists() and not (place.is_dir() and not any(place.iterdir())):
        what = "is not empty" if place.is_dir() else "is a file"
        raise UsageError(f"{target} {what}: name another folder, or remove it.")
    if not place.parent.is_dir():
        raise UsageError(f"{place.parent} is not a directory to write {place.name} to.")
    return place


def placed(finals: Iterable[Final]) -> list[Placed]:
    """Returns where each goes that has a class; no two paths are equal if case is ignored.

    Some file systems ignore it, and some the way in which an accent is written. A name that would
    collide gets a number: a.jpg, A-2.jpg.
    """
    wanted = [(one, one.label) for one in finals if one.label is not None]
    taken = {_folded(TABLE)}
    directories = {
        label: _free("", _directory(label), "", taken)
        for label in dict.fromkeys(label for _, label in wanted)
    }
    paths = [PurePosixPath(directories[label], one.id) for one, label in wanted]
    # A file must not be called as a directory that another one needs.
    taken |= {_folded(str(parent)) for path in paths for parent in path.parents}
    return [
        Placed(_free(f"{path.parent}/", path.stem, path.suffix, taken), one)
        for path, (one, _) in zip(paths, wanted, strict=True)
    ]


def copy_all(target: Path, files: Sequence[Placed], content: Callable[[str], bytes]) -> None:
    """Makes `target` of copies, whole or not at all.

    Args:
      target: from `check_target`.
      files: from `placed`.
      content: returns the bytes of an example by its id.

    Raises:
      UsageError: of `content`; or the target was made meanwhile.
      OSError: it cannot be written; what is there already stays for the next time.
    """
    part = target.with_name(f".{target.name}.part")
    plan, lock = (part.with_name(f"{part.name}.{kind}") for kind in ("plan", "lock"))
    text = _table(files)
    with turn(lock, target.name):
        _begin(part, plan, text)
        for place in tracked(range(len(files)), f"Copying to {target.name}"):
            _copy(part / files[place].path, content(files[place].final.id))
        write_atomically(part / TABLE, text)
        for directory, _, _ in os.walk(part):
            sync_directory(Path(directory))
        try:
            os.rename(part, target)  # over an empty directory at most
        except OSError as error:
            raise UsageError(
                f"{part} cannot be renamed to {target} ({error.strerror}): name another folder."
            ) from error
        sync_directory(target.parent)
        plan.unlink()
        lock.unlink(missing_ok=True)  # whoever has opened it finds what was made


def _table(files: Sequence[Placed]) -> str:
    rows: list[Sequence[str]] = [("file", "id", "class", "by", "probability")]
    for path, one in files:
        rows.append((path, one.id, one.label or "", one.by, shown(one.probability)))
    return csv_text(rows)


def _begin(part: Path, plan: Path, text: str) -> None:
    """Makes the directory; one that was begun for other copies goes.

    Args:
      part: the directory.
      plan: the file that says for which copies it was begun.
      text: says which are wanted.
    """
    if part.exists() and not (plan.is_file() and plan.read_bytes() == text.encode()):
        shutil.rmtree(part)
    write_atomically(plan, text)
    part.mkdir(exist_ok=True)


def _copy(path: Path, content: bytes) -> None:
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable(path) as file:
        file.write(content)


def _directory(name: str) -> str:
    """Returns the name of a class as that of a directory, on any system."""
    safe = _UNSAFE.sub("_", name).lstrip(" ").rstrip(" .")
    safe = re.sub(r"^\.", "_", safe)  # what begins with a dot is hidden
    return f"_{safe}" if not safe or _RESERVED.fullmatch(safe) else safe


def _free(place: str, stem: str, suffix: str, taken: set[str]) -> str:
    """Returns PLACE STEM SUFFIX, with a number behind the stem if it is taken, and takes it."""
    number = 1
    while True:
        end = suffix if number == 1 else f"-{number}{suffix}"
        path = f"{place}{_cut(stem, _LONGEST - len(end.encode()))}{end}"
        if _folded(path) not in taken:
            taken.add(_folded(path))
            return path
        number += 1


def _cut(text: str, most: int) -> str:
    """Returns as many of the first letters as `most` bytes hold."""
    return text.encode()[: max(0, most)].decode(errors="ignore")


def _folded(path: str) -> str:
    """Returns what paths have in common that some file system takes for one."""
    return composed(composed(path).casefold())
