"""What a comparison is, whoever draws it: the reference, the tables, and how each line looks.

The page, the files beside it and curve.png all take it from here, so that a strategy has the same
color in all of them, and the same strategies are thin gray lines.
"""

from collections.abc import Sequence
from typing import NamedTuple

from jax_al.errors import UsageError
from jax_al.report.entrants import Entrant
from jax_al.report.styles import Style, make_styles
from jax_al.report.tables import Tables, make_tables

BASELINE = "random"


class Compared(NamedTuple):
    """Strategies and what they come to."""

    entrants: Sequence[Entrant]
    tables: Tables
    styles: dict[str, Style]

    @property
    def reference(self) -> str | None:
        """The strategy that the others are compared to; None where there is but one."""
        return self.tables.reference


def compare(entrants: Sequence[Entrant], reference: str | None = None) -> Compared:
    """Compares strategies.

    Args:
      entrants: the strategies.
      reference: the one the others are compared to; None: random, else the first.

    Raises:
      UsageError: there is no such reference.
    """
    tables = make_tables(entrants, _reference(entrants, reference))
    names = [entrant.name for entrant in entrants]
    # Those that are shown at first come first, so that their colors are all different.
    names.sort(key=lambda name: name in tables.others)
    return Compared(entrants, tables, make_styles(names, tables.reference))


def _reference(entrants: Sequence[Entrant], wanted: str | None) -> str | None:
    names = [entrant.name for entrant in entrants]
    if wanted is not None and wanted not in names:
        raise UsageError(f"There is no strategy {wanted!r} to compare to, only {', '.join(names)}.")
    if len(names) == 1:
        return None
    baselines = [entrant.name for entrant in entrants if entrant.config["strategy"] == BASELINE]
    return wanted or (baselines or names)[0]
