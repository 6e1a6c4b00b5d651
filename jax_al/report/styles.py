"""One look per strategy, told apart without color: color, dash and marker all change.

Colors are those of Okabe and Ito 2008 ("Color Universal Design"), which people with any kind of
color vision tell apart, without black and yellow, which vanish on a dark or a light page. The
reference is gray. On a dark ground each has a brighter one of its hue. Pairs of strategies have
colors of their own, so that no pair looks like a strategy.
"""

from collections.abc import Sequence
from typing import NamedTuple

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
GRAY = "#808080"
PAIR_COLORS = ("#5E3C99", "#8C510A", "#00706B", "#A50F3C", "#5B6B00", "#2F4B9B")
DARK = {  # the color of the same line on a dark ground
    "#0072B2": "#3D9BEB",
    "#D55E00": "#FF7F3A",
    "#009E73": "#1FCB98",
    "#CC79A7": "#F09CCB",
    "#E69F00": "#FFC03D",
    "#56B4E9": "#9ADCFF",
    GRAY: "#BCC3CB",
    "#5E3C99": "#B99AF0",
    "#8C510A": "#D9A05B",
    "#00706B": "#45C9C1",
    "#A50F3C": "#FF7D9E",
    "#5B6B00": "#C0D14A",
    "#2F4B9B": "#8DA6FF",
}
LEGEND = 8  # strategies at most in a legend, in a list of names or with names across a table
FIRST = len(COLORS)  # the best so many are shown at first where a legend has no room for all
FEW = 5  # strategies whose intervals can be told apart in one picture
# (plotly, matplotlib); 6 colors and 7 markers first repeat together at the 43rd strategy.
DASHES = (("solid", "-"), ("dash", "--"), ("dashdot", "-."), ("longdash", (0, (8, 3))))
DOTS = ("dot", ":")
MARKERS = (
    ("circle", "o"),
    ("square", "s"),
    ("diamond", "D"),
    ("triangle-up", "^"),
    ("cross", "P"),
    ("triangle-down", "v"),
    ("star", "*"),
)
PLAIN = ("x", "X")


class Style(NamedTuple):
    """How a line is drawn; dash and marker as (plotly's name, matplotlib's)."""

    color: str
    dash: tuple[str, object]
    marker: tuple[str, str]


def make_styles(names: Sequence[str], reference: str | None) -> dict[str, Style]:
    """Returns {name: Style}; the same names in the same order always look the same."""
    styles, k = {}, 0
    for name in names:
        if name == reference:
            styles[name] = Style(GRAY, DOTS, PLAIN)
            continue
        styles[name] = Style(
            COLORS[k % len(COLORS)], DASHES[k % len(DASHES)], MARKERS[k % len(MARKERS)]
        )
        k += 1
    return styles


def pair_styles(names: Sequence[str]) -> dict[str, Style]:
    """Returns {name: Style} for lines that are pairs of strategies."""
    return {
        name: Style(
            PAIR_COLORS[k % len(PAIR_COLORS)], DASHES[k % len(DASHES)], MARKERS[k % len(MARKERS)]
        )
        for k, name in enumerate(names)
    }
