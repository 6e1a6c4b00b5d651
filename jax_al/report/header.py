"""The head of the page: what was run, and a switch for each strategy."""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

from jax_al.report.compared import Compared
from jax_al.report.entrants import Entrant
from jax_al.report.styles import DARK, FEW, LEGEND, Style
from jax_al.report.wording import listed

MARKERS = {  # those of the pictures, as SVG paths around (16, 7), for the switches
    "circle": "M12 7a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "square": "M12 3h8v8h-8z",
    "diamond": "M16 2l5 5-5 5-5-5z",
    "triangle-up": "M16 2l5 9H11z",
    "cross": "M14 2h4v3h3v4h-3v3h-4V9h-3V5h3z",
    "triangle-down": "M16 12l5-9H11z",
    "star": "M16 1l2 4 4 .5-3 3 1 4.5-4-2.2-4 2.2 1-4.5-3-3 4-.5z",
    "x": "M13 2l3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3-3-3z",
}
DASHES = {"solid": "", "dash": "7 3", "dashdot": "7 2 2 2", "longdash": "11 3", "dot": "2 3"}


class Switch(NamedTuple):
    """A button that shows or hides a strategy in all pictures."""

    name: str
    on: bool
    color: str
    dark: str  # the color on a dark ground
    dash: str
    marker: str  # an SVG path


class Switches(NamedTuple):
    """All of them."""

    strategies: list[Switch]
    everybody: bool  # whether one button switches all
    bands: bool | None  # whether intervals are shown at first; None: there are none
    note: str  # why some are off, or nothing

    @property
    def many(self) -> bool:
        """Whether some have to be scrolled to."""
        return bool(self.note)


def named(entrants: Sequence[Entrant]) -> str:
    """Returns the names, or how many there are if no line has room for them."""
    if len(entrants) > LEGEND:
        return f"{len(entrants)} strategies"
    return ", ".join(entrant.name for entrant in entrants)


def facts(entrants: Sequence[Entrant]) -> dict[str, str]:
    """Returns what was run, in a few words each."""
    numbers = {len(entrant.seeds) for entrant in entrants}
    counts = sorted({row["num_labeled"] for e in entrants for row in e.metrics})
    how_many = " to ".join(map(str, sorted({min(numbers), max(numbers)})))
    several = 1 < len(entrants) <= LEGEND
    found = {
        "Strategies": f"{len(entrants)}: {named(entrants)}" if several else named(entrants),
        "Seeds": how_many + (" each" if len(entrants) > 1 else ""),
        "Labels": f"{counts[0]:,} to {counts[-1]:,}",
        "Made": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
    }
    unfinished = [e.name for e in entrants if not all(run.finished for run in e.runs)]
    if unfinished:
        found["Going on or interrupted"] = listed(unfinished, LEGEND)
    return found


def switches(compared: Compared, *, bands: bool) -> Switches | None:
    """Returns a switch per strategy; None where there is but one.

    Args:
      compared: the strategies.
      bands: whether any picture has intervals.
    """
    tables, styles = compared.tables, compared.styles
    if len(styles) < 2:
        return None
    first = len(styles) - len(tables.others)
    which = "with the highest mean accuracy over the budget"
    if tables.label_range is None:
        which = "that come first"
    note = (
        f"The pictures begin with {first} of the {len(styles)} strategies: {tables.reference} and "
        f"the {first - 1} {which}. Each button adds a strategy or takes it out; the tables show "
        "all."
    )
    return Switches(
        [_switch(name, style, name not in tables.others) for name, style in styles.items()],
        len(styles) > FEW,
        len(styles) <= FEW if bands else None,
        note if tables.others else "",
    )


def _switch(name: str, style: Style, on: bool) -> Switch:
    how: dict[str, Any] = {"dash": DASHES[style.dash[0]], "marker": MARKERS[style.marker[0]]}
    return Switch(name, on, style.color, DARK[style.color], **how)
