"""A pool whose rows are the items of a project, whatever has become of the files."""

from collections.abc import Callable, Collection, Sequence

import numpy as np

from jax_al.errors import UsageError
from jax_al.people.items import Item, Items
from jax_al.people.reconcile import GONE, Change, present_in, reconcile
from jax_al.pools.folder import FolderPool
from jax_al.pools.pictures import decode
from jax_al.pools.rows import RowPool
from jax_al.types import Pool

GRAY = 128  # of pictures whose pixels are not known any more; rows of numbers are 0


class LedgerPool(RowPool):
    """The items of a project as a pool: row r is item r.

    A row that is missing is read as it was last known, where the cache still has it, and else as
    gray: it must be excluded, which whoever holds the journal does by `missing`.

    Attributes:
      change: what has become of the items since they were first seen.
      paths: by row: the name it has now; None: it is missing.
      copies: other names of the same content, by row; none of most rows. They have no rows of
        their own: what is said of the row holds for them.
      missing: why a row is not there, by row: "gone" or "changed".
      sha256: by row: of the bytes that are there under its path; as first seen where it is missing.
      source: the pool that was read: a folder, or a table.
      fit: how pictures became squares, see `folder`; None of a table.
    """

    def __init__(self, ledger: Sequence[Item], pool: Pool, change: Change) -> None:
        """Makes the pool of `ledger`, which holds `change.new`, too; see `take_in`."""
        self.change, self.source = change, pool
        self.fit: str | None = getattr(pool, "fit", None)
        self.paths, self.missing = change.paths, change.missing
        self._places = np.array(change.places, np.int64)
        self.copies: dict[int, tuple[str, ...]] = {}
        if isinstance(pool, FolderPool):
            self.sha256 = tuple(
                item.sha256 if path is None else pool.files[path].sha256
                for item, path in zip(ledger, change.paths, strict=True)
            )
            for row, (place, path) in enumerate(zip(change.places, change.paths, strict=True)):
                if place in pool.copies:  # never of -1
                    names = (pool.ids[place], *pool.copies[place])
                    self.copies[row] = tuple(name for name in names if name != path)
            squares, slots = pool.squares, _slots(ledger, pool, change)
            super().__init__(
                len(ledger),
                pool.spec,
                lambda rows: _filled(slots[rows], lambda some: squares[some], GRAY),
                ids=[one.id for one in ledger],
                show=lambda row: decode(self.content(row)),
            )
            return
        self.sha256 = tuple(item.sha256 for item in ledger)
        super().__init__(
            len(ledger),
            pool.spec,
            lambda rows: _filled(self._places[rows], pool.read, GRAY if pool.spec.is_image else 0),
            ids=[one.id for one in ledger],
            show=lambda row: pool.show(self._place(row)),
        )

    def content(self, row: int) -> bytes:
        """Returns the bytes of the file of `row`, which are those that were read.

        Raises:
          UsageError: the file has gone, or is another one; or the rows are no files.
        """
        if not isinstance(self.source, FolderPool):
            raise UsageError(f"{self.ids[row]} is no file: only pictures of a folder are.")
        self._place(row)
        path = self.paths[row]
        assert path is not None
        return self.source.content(path)

    def _place(self, row: int) -> int:
        """Returns the row of the source.

        Raises:
          UsageError: it is missing.
        """
        if row in self.missing:
            why = "is not there any more"
            if self.missing[row] != GONE:
                why = "holds another content than when it was first seen"
            raise UsageError(f"{self.ids[row]} {why}: it is put aside until it is back.")
        return int(self._places[row])


def take_in(
    items: Items, pool: Pool, before: Collection[int] = (), least: float = 0.0
) -> LedgerPool:
    """Appends to the ledger what is new in a pool, durably; returns the pool of all items.

    Args:
      items: of the project.
      pool: the folder as it was scanned just now, or a table.
      before: rows that were missing when that was last looked at.
      least: the share of the items that must be there, from 0 to 1; one of them in any case.

    Raises:
      UsageError: too few of the items are there, so that it must be another pool; or the ledger
        cannot be read or written.
    """
    present = present_in(pool)
    with items.alone():
        ledger = items.all()
        change = reconcile(ledger, present, before)
        there = len(ledger) - len(change.missing)
        if ledger and there < max(1, least * len(ledger)):
            lost = ledger[min(change.missing)].id
            raise UsageError(
                f"Of the {len(ledger):,} that {items.path.parent} knows {there:,} are there, and "
                f"{lost} for one is not: name the folder or the table that it was begun with, or "
                "another workdir."
            )
        items.append(change.new)
        ledger = items.all()
    return LedgerPool(ledger, pool, change)


def _slots(ledger: Sequence[Item], pool: FolderPool, change: Change) -> np.ndarray:
    """Returns where the square of each row lies, int64 [N]; -1 where it is not known any more."""
    return np.array(
        [
            pool.slot(item.sha256, item.pixels) if path is None else pool.files[path].slot
            for item, path in zip(ledger, change.paths, strict=True)
        ],
        np.int64,
    )


def _filled(places: np.ndarray, read: Callable[[np.ndarray], np.ndarray], fill: int) -> np.ndarray:
    """Returns what `read` gives for `places`, and `fill` for those below 0."""
    found = read(np.maximum(places, 0))
    found[places < 0] = fill
    return found
