"""Pieces of markup: text, tables, rows of cards."""

import html
import math
from collections.abc import Sequence

from jax_al.report.wording import DASH

FILE_KINDS = ("csv", "png", "svg")


class Html(str):
    """Text that is markup already."""


def text(value: str) -> str:
    """Returns `value` safe to stand in markup."""
    return value if isinstance(value, Html) else html.escape(value)


def table(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], kind: str = ""
) -> str:
    """Returns a table that scrolls by itself where the window is narrow."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{text(row[0])}</th>'
        + "".join(f"<td>{text(cell)}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{text(caption)}">'
        f'<table class="{kind}"><caption><span>{text(caption)}</span></caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n"
    )


def shade(share: float) -> Html:
    """Returns a share in [0, 1], or nan, on a ground that is the darker the larger it is."""
    if math.isnan(share):
        return Html(f'<span class="shade zero">{DASH}</span>')
    if share == 0:
        return Html('<span class="shade zero">0</span>')
    return Html(f'<span class="shade" style="--share:{share:.3f}">{share:.2f}</span>')


def links(files: str | None, key: str) -> str:
    """Returns links to the twins of a picture."""
    if files is None:
        return ""
    links = (f'<a href="{text(files)}/{key}.{kind}">{kind.upper()}</a>' for kind in FILE_KINDS)
    return f'<p class="files">{" ".join(links)}</p>\n'


def grid(figures: Sequence[str]) -> str:
    """Returns pictures side by side where there is room; empty ones are left out."""
    shown = [figure for figure in figures if figure]
    return f'<div class="grid">\n{"".join(shown)}</div>\n' if shown else ""
