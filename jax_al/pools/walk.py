"""The files of a folder, found without leaving it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# What systems leave in folders of pictures; names that begin with a dot are passed over too.
SYSTEM = frozenset(
    {"thumbs.db", "desktop.ini", "ehthumbs.db", "__macosx", "$recycle.bin"}
    | {"system volume information", "lost+found", "@eadir"}
)


class Found(NamedTuple):
    """A regular file, or something in its place that cannot be read."""

    id: str  # its path from the root on, with "/", exactly as it is on disk
    size: int  # bytes
    mtime: int  # nanoseconds since 1970
    fault: str = ""  # why it is passed over, as the end of a sentence


def walk(root: Path) -> Iterator[Found]:
    """Yields the files under `root`, directories in the order of their names, links at their place.

    Hidden and system files are passed over in silence. A link is followed where it leads to
    something within the root; a directory that is reached by links is walked once only, so that
    none leads round in a circle. A root that cannot be opened is one file named ".".

    Args:
      root: a directory, resolved.
    """
    seen: set[tuple[int, int]] = set()  # directories reached through links
    # Not by a function that calls itself: folders may lie within each other a thousand times.
    inside = [_inside(root, root, "", seen)]
    while inside:
        one = next(inside[-1], None)
        if one is None:
            inside.pop()
        elif isinstance(one, Found):
            yield one
        else:
            inside.append(_inside(root, *one, seen))


def _inside(
    root: Path, directory: Path, prefix: str, seen: set[tuple[int, int]]
) -> Iterator[Found | tuple[Path, str]]:
    """Yields what is in one directory: files, and directories with the beginning of their ids."""
    try:
        with os.scandir(directory) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        yield Found(prefix.rstrip("/") or ".", 0, 0, f"cannot be opened ({error.strerror})")
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in SYSTEM:
            continue
        name = prefix + entry.name
        if fault := _fault(root, entry, name, seen):
            yield Found(name, 0, 0, fault)
            continue
        try:
            status = entry.stat()
        except OSError as error:
            yield Found(name, 0, 0, f"cannot be read ({error.strerror})")
            continue
        if stat.S_ISDIR(status.st_mode):
            yield Path(entry.path), f"{name}/"
        elif stat.S_ISREG(status.st_mode):
            yield Found(name, status.st_size, status.st_mtime_ns)
        else:
            yield Found(name, 0, 0, "is no regular file")


def _fault(root: Path, entry: os.DirEntry[str], name: str, seen: set[tuple[int, int]]) -> str:
    """Returns why `entry` is not followed, empty if it is."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    if not entry.is_symlink():
        return ""
    target = Path(os.path.realpath(entry.path))
    if root not in (target, *target.parents):
        return "is a link that leads out of the folder"
    if any(part.startswith(".") for part in target.relative_to(root).parts):
        return "is a link to something hidden"
    if not target.exists():
        return "is a link that leads nowhere"
    if target.is_dir():
        status = target.stat()
        place = status.st_dev, status.st_ino
        if place in seen or target in Path(entry.path).parents:
            return "is a link to a directory that is there already"
        seen.add(place)
    return ""
