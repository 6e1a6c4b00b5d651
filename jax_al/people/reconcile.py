"""What has become of the items of a project since they were first seen."""

import collections
import hashlib
import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from jax_al.errors import some_of
from jax_al.people.items import Item
from jax_al.pools.arrays import blocks_of
from jax_al.pools.folder import FolderPool
from jax_al.types import Pool

GONE, CHANGED = "gone", "changed"


class Seen(NamedTuple):
    """One content that is there now, and under which names."""

    names: tuple[str, ...]  # the one that the pool knows it by, then its copies
    sha256: tuple[str, ...]  # of each
    pixels: str = ""  # of all of them; empty in a table


class Present(NamedTuple):
    """What is there now."""

    contents: tuple[Seen, ...]  # by row of the pool
    broken: frozenset[str] = frozenset()  # names of files that are there, but are no pictures


class Change(NamedTuple):
    """What has become of the items; of rows of the ledger as it is when `new` is appended."""

    places: tuple[int, ...]  # by row: where it is in the pool now, -1 where it is missing
    paths: tuple[str | None, ...]  # by row: the name it has now
    moved: dict[int, str]  # row -> the name it has now, where that is not its id
    missing: dict[int, str]  # row -> GONE or CHANGED
    back: tuple[int, ...]  # rows that were missing and are not
    new: tuple[Item, ...]  # to be appended
    taken: tuple[str, ...]  # names of contents that are no rows: the id is another one's


def present_in(pool: Pool) -> Present:
    """Returns what a pool holds now: a folder as it was scanned, of others the hash of each row."""
    if isinstance(pool, FolderPool):
        files = pool.files
        groups = [(name, *pool.copies.get(row, ())) for row, name in enumerate(pool.ids)]
        seen = (
            Seen(names, tuple(files[name].sha256 for name in names), files[names[0]].pixels)
            for names in groups
        )
        # A file that cannot be read today may be whole.
        broken = (one.id for one in pool.passed_over if not one.why.startswith("cannot be"))
        return Present(tuple(seen), frozenset(broken))
    reads = blocks_of(len(pool), math.prod(pool.spec.shape) * pool.spec.dtype.itemsize)
    rows = (row for block in reads for row in pool.read(block))
    hashes = (hashlib.sha256(row.tobytes()).hexdigest() for row in rows)
    return Present(tuple(Seen((name,), (one,)) for name, one in zip(pool.ids, hashes, strict=True)))


def reconcile(ledger: Sequence[Item], present: Present, before: Collection[int] = ()) -> Change:
    """Returns what has become of the items of a ledger, and what is new.

    A content is the same where the bytes or the pixels are. One that is found under the item's own
    id is the item; else it has moved, if it is found under another name. Where the item's name
    holds another content, the item has changed, and that content is no row: ids are for ever.

    Args:
      ledger: by row.
      present: what is there now.
      before: rows that were missing when that was last looked at.
    """
    contents = present.contents
    of_name = {name: place for place, one in enumerate(contents) for name in one.names}
    found: dict[int, int] = {}  # row -> place
    for row, item in enumerate(ledger):
        place = of_name.get(item.id, -1)
        if place >= 0 and _is_same(item, contents[place]):
            found[row] = place
    # Bytes first: another version of a decoder may give other pixels.
    _find_moved(found, [(one.sha256,) for one in ledger], [one.sha256 for one in contents])
    _find_moved(found, [(one.pixels,) for one in ledger], [(one.pixels,) for one in contents])
    paths: list[str | None] = [None] * len(ledger)
    moved, missing = {}, {}
    for row, item in enumerate(ledger):
        if row not in found:
            is_there = item.id in of_name or item.id in present.broken
            missing[row] = CHANGED if is_there else GONE
            continue
        names = contents[found[row]].names
        paths[row] = item.id if item.id in names else names[0]
        if paths[row] != item.id:
            moved[row] = names[0]
    new, taken = [], []
    places = [found.get(row, -1) for row in range(len(ledger))]
    ids, used = {item.id for item in ledger}, set(found.values())
    for place, one in enumerate(contents):
        if place in used:
            continue
        name = next((name for name in one.names if name not in ids), None)
        if name is None:
            taken.append(one.names[0])
            continue
        new.append(Item(name, one.sha256[one.names.index(name)], one.pixels))
        places.append(place)
        paths.append(name)
    back = tuple(sorted(row for row in before if row in found))
    return Change(tuple(places), tuple(paths), moved, missing, back, tuple(new), tuple(taken))


def sentences(change: Change, ledger: Sequence[Item]) -> list[str]:
    """Returns what a person is told of a change: a sentence for each kind of it.

    Args:
      change: what `reconcile` returned.
      ledger: as it was then, or longer.
    """
    told = []
    gone, changed = (
        [ledger[row].id for row, why in change.missing.items() if why == kind]
        for kind in (GONE, CHANGED)
    )
    if gone:
        told.append(f"Not there any more, and put aside until they are back: {some_of(gone)}.")
    if changed:
        told.append(
            "Other content than when first seen, and put aside until the old one is back: "
            f"{some_of(changed)}."
        )
    if change.back:
        told.append(f"Back again: {some_of([ledger[row].id for row in change.back])}.")
    if change.moved:
        moved = [f"{ledger[row].id} is now {name}" for row, name in change.moved.items()]
        told.append(f"Moved, with their labels: {some_of(moved)}.")
    if change.taken:
        told.append(
            "Not asked, as their names are those of others that were there before; rename them: "
            f"{some_of(change.taken)}."
        )
    if change.new and ledger[: -len(change.new)]:
        told.append(f"New: {some_of([one.id for one in change.new])}.")
    return told


def _find_moved(
    found: dict[int, int], wanted: Sequence[Sequence[str]], there: Sequence[Sequence[str]]
) -> None:
    """Adds to `found` the rows whose hash is one of a content that is no row's yet.

    Args:
      found: row -> place.
      wanted: the hash of each row, or none.
      there: the hashes of each content.
    """
    used = set(found.values())
    free = collections.defaultdict(list)
    for place in reversed(range(len(there))):  # of several that are equal the first is taken first
        for value in there[place]:
            if value:
                free[value].append(place)
    for row, (value,) in enumerate(wanted):
        places = free.get(value, []) if row not in found else []
        while places and row not in found:
            place = places.pop()
            if place not in used:
                found[row] = place
                used.add(place)


def _is_same(item: Item, seen: Seen) -> bool:
    return item.sha256 in seen.sha256 or bool(item.pixels and item.pixels == seen.pixels)
