"""What the templates are given: tables and pictures as data, without a word of markup."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Table(NamedTuple):
    """One table. It scrolls by itself where the window is narrow."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]  # a float is a share in [0, 1], or nan, drawn as a shade
    kind: str = ""  # classes of its element
    note: str = ""  # below it


class Card(NamedTuple):
    """One picture of the page; page.js draws into it."""

    key: str  # of its element and of its files
    title: str
    alt: str  # what a person hears who does not see it
    caption: str
    numbers: Table
    kind: str = ""  # further classes of the card
    plot: str = ""  # and of the place of the picture


class Section(NamedTuple):
    """One part of the page under a heading; left out where it has no content."""

    key: str
    heading: str
    template: str
    content: Any
