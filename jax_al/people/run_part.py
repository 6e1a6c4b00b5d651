"""A part of an experiment that people answer: of its pool only what is asked is known here."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jax_al.errors import UsageError
from jax_al.people.items import Item
from jax_al.people.ledger_pool import LedgerPool
from jax_al.people.project import Project
from jax_al.people.settings import Settings
from jax_al.session.teller import Teller

if TYPE_CHECKING:
    from jax_al.drivers.session import Session


class AskedItems:
    """Stands for the items of a project: rows that were never asked have a name nobody can type."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    def all(self) -> tuple[Item, ...]:
        """Returns an item for each row; hashes are not known."""
        names = {row: name for name, row in self._teller.rows().items()}
        size = self._teller.record().data["size"]
        return tuple(Item(names.get(row, f"\0{row}"), "") for row in range(size))


class RunPart(Project):
    """A part of a run with `oracle=people`, to ask and tell; who runs it computes.

    Args:
      place: the directory of the part, which holds its journal.
    """

    def __init__(self, place: Path) -> None:
        super().__init__(place, Settings(str(place / "pool")))  # which is nowhere
        self.items = AskedItems(self.teller)  # type: ignore[assignment]

    def session(self, budget: int | None = None) -> "Session":
        """Refuses: the run itself asks when it has trained."""
        del budget
        raise self.refusal("trains and asks")

    def refusal(self, does: str) -> UsageError:
        """Returns the sentence that says what only the run does."""
        return UsageError(
            f"{self.place} is a part of a run, which alone {does}: let it go on until it waits, "
            "then jax-al ask and tell."
        )

    @property
    def pool(self) -> LedgerPool:
        """Refuses: nothing but the names of what was asked is known here."""
        raise self.refusal("has its examples")

    def names(self, rows: Sequence[int]) -> list[str]:
        """Returns the names that rows were asked by."""
        items = self.items.all()
        return [items[row].id for row in rows]

    def are_there(self, rows: Sequence[int]) -> bool:
        """Whether what was asked is still there, as far as anybody knows here."""
        del rows
        return True

    def hashes(self, ids: Sequence[str]) -> dict[str, str]:
        """Returns nothing: a run keeps no hash of its examples."""
        del ids
        return {}
