"""The page: one HTML file with everything in it, plotly.js too. It asks no network for anything."""

import datetime
import functools
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jax_al.report.charts import Chart
from jax_al.report.entrants import Entrant
from jax_al.report.figures import line_figure
from jax_al.report.looks import Looks
from jax_al.report.markup import grid, text
from jax_al.report.sections import (
    area_table,
    figure_card,
    penalty_table,
    picks_section,
    reach_table,
    seconds_card,
    settings_section,
    verdict_section,
)
from jax_al.report.styles import FEW, LEGEND, Style
from jax_al.report.tables import Tables
from jax_al.report.wording import listed

HERE = pathlib.Path(__file__).parent
# Forbids the page every request. Plotly's WebGL traces compile functions, hence unsafe-eval.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)
OVER_EPISODES = ("nll", "ece", "cover_radius", "class_balance", "near_duplicates", "overlap")
EVERYBODY = '<button type="button" id="everybody">all or none</button>'
LINE_SYMBOLS = {  # the markers of the pictures, for the switches
    "circle": '<circle cx="16" cy="7" r="4"/>',
    "square": '<rect x="12" y="3" width="8" height="8"/>',
    "diamond": '<path d="M16 2l5 5-5 5-5-5z"/>',
    "triangle-up": '<path d="M16 2l5 9H11z"/>',
    "cross": '<path d="M14 2h4v3h3v4h-3v3h-4V9h-3V5h3z"/>',
    "triangle-down": '<path d="M16 12l5-9H11z"/>',
    "star": '<path d="M16 1l2 4 4 .5-3 3 1 4.500-4-2.200-4 2.200 1-4.500-3-3 4-.5z"/>',
    "x": '<path d="M13 2l3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3-3-3z"/>',
}
SVG_DASHES = {"solid": "", "dash": "7 3", "dashdot": "7 2 2 2", "longdash": "11 3", "dot": "2 3"}


def make_page(
    entrants: Sequence[Entrant],
    charts: Sequence[Chart],
    tables: Tables,
    looks: Looks,
    styles: Mapping[str, Style],
    files: str | None,
    refresh: float | None,
) -> str:
    """Returns the page.

    Args:
      entrants: the strategies.
      charts: the pictures of lines.
      tables: the tables.
      looks: maps and thumbnails.
      styles: how each strategy is drawn.
      files: the directory beside the page that holds pictures and CSV, or None if there is none.
      refresh: seconds after which an open page loads itself again, or None.
    """
    by_key = {chart.key: chart for chart in charts}
    figures: dict[str, Any] = {}

    def figure(key: str) -> str:
        chart = by_key.get(key)
        if chart is None:
            return ""
        figures[key] = line_figure(
            chart,
            {**styles, **_pair_styles(chart, styles)},
            legend=key in ("overlap", "accuracy"),
        )
        return figure_card(chart, files)

    sections = [
        ("verdict", "In short", verdict_section(tables, entrants) + area_table(tables)),
        ("curves", "Accuracy", figure("accuracy") + figure("difference")),
        ("reach", "Labels needed", reach_table(tables)),
        ("penalty", "Who beats whom", penalty_table(tables)),
        (
            "episodes",
            "Over the episodes",
            grid([figure(key) for key in OVER_EPISODES]),
        ),
        ("picks", "What was picked", picks_section(looks)),
        ("time", "Time", grid([seconds_card(tables, figures, files), figure("seconds")])),
        ("methods", "Settings and how to repeat", settings_section(entrants, files)),
    ]
    sections = [section for section in sections if section[2]]
    data = {
        "figures": figures,
        "looks": looks.data,
        "colors": {name: style.color for name, style in styles.items()},
        "hidden": tables.others,
        "legend": LEGEND,
        "bands": len(entrants) <= FEW,
        "refresh": refresh,
    }
    title = f"{entrants[0].config['data.name']}: {_named(entrants)}"
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="color-scheme" content="light dark">\n',
            '<link rel="icon" href="data:,">\n',
            f"<title>{text(title)}</title>\n<style>\n{_asset('page.css')}</style>\n</head>\n<body>\n",
            '<a class="skip" href="#main">Skip to the results</a>\n',
            _header(entrants, sections),
            _switches(tables, styles, bands=any(chart.has_intervals for chart in charts))
            if len(entrants) > 1
            else "",
            '<main id="main">\n',
            '<noscript><p class="note">The pictures need JavaScript; the tables do not.</p>'
            "</noscript>\n",
            *(
                f'<section id="{key}" aria-labelledby="{key}-title">\n'
                f'<h2 id="{key}-title">{heading}</h2>\n{body}</section>\n'
                for key, heading, body in sections
            ),
            "</main>\n",
            _footer(),
            f'<script type="application/json" id="data">{_json(data)}</script>\n',
            f"<script>{_plotly()}</script>\n<script>\n{_asset('page.js')}</script>\n</body>\n</html>\n",
        ]
    )


def _header(entrants: Sequence[Entrant], sections: Sequence[tuple[str, str, str]]) -> str:
    config = entrants[0].config
    numbers = {len(entrant.seeds) for entrant in entrants}
    counts = sorted({row["num_labeled"] for e in entrants for row in e.metrics})
    how_many = " to ".join(map(str, sorted({min(numbers), max(numbers)})))
    several = 1 < len(entrants) <= LEGEND
    facts = {
        "Strategies": f"{len(entrants)}: {_named(entrants)}" if several else _named(entrants),
        "Seeds": how_many + (" each" if len(entrants) > 1 else ""),
        "Labels": f"{counts[0]:,} to {counts[-1]:,}",
        "Made": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
    }
    unfinished = [e.name for e in entrants if not all(run.finished for run in e.runs)]
    if unfinished:
        facts["Going on or interrupted"] = listed(unfinished, LEGEND)
    shown = "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in facts.items())
    links = "".join(f'<li><a href="#{key}">{heading}</a></li>' for key, heading, _ in sections)
    return (
        f"<header>\n<h1>Active learning on {text(config['data.name'])}</h1>\n"
        f'<dl class="facts">{shown}</dl>\n'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n</header>\n'
    )


def _named(entrants: Sequence[Entrant]) -> str:
    """Returns the names, or how many there are if no line has room for them."""
    if len(entrants) > LEGEND:
        return f"{len(entrants)} strategies"
    return ", ".join(entrant.name for entrant in entrants)


def _switches(tables: Tables, styles: Mapping[str, Style], *, bands: bool) -> str:
    """Returns a button per strategy, and one for the intervals if there are any."""
    buttons = "".join(
        f'<button type="button" class="switch" aria-pressed="{_pressed(name not in tables.others)}"'
        f' data-strategy="{text(name)}">{_swatch(style)}{text(name)}</button>'
        for name, style in styles.items()
    )
    of_all = EVERYBODY if len(styles) > FEW else ""
    if bands:
        of_all += (
            '<button type="button" class="switch" id="bands" aria-pressed="'
            f'{_pressed(len(styles) <= FEW)}">intervals</button>'
        )
    first = len(styles) - len(tables.others)
    which = "with the highest mean accuracy over the budget"
    if tables.label_range is None:
        which = "that come first"
    note = (
        f'<p class="note">The pictures begin with {first} of the {len(styles)} strategies: '
        f"{text(tables.reference or '')} and the {first - 1} {which}. Each button adds a strategy "
        "or takes it out; the tables show all.</p>\n"
        if tables.others
        else ""
    )
    # Of many, some have to be scrolled to; not so what concerns them all.
    many, inside = (" many-switches", of_all + buttons) if tables.others else ("", buttons + of_all)
    return (
        f'{note}<div class="switches{many}" role="group" '
        f'aria-label="Strategies shown in the pictures">{inside}</div>\n'
    )


def _pressed(on: bool) -> str:
    return "true" if on else "false"


def _swatch(style: Style) -> str:
    return (
        f'<svg width="32" height="14" aria-hidden="true" style="color:{style.color}">'
        f'<path d="M0 7h32" stroke="currentColor" stroke-width="2" '
        f'stroke-dasharray="{SVG_DASHES[style.dash[0]]}"/>'
        f'<g fill="currentColor">{LINE_SYMBOLS[style.marker[0]]}</g></svg>'
    )


def _footer() -> str:
    return (
        "<footer><p>Made by jax_al; <code>python -m jax_al.report RUNS...</code> makes one of any "
        "runs. The formulas and their sources are in <code>jax_al/statistics.py</code>. Drawn with "
        "plotly.js (MIT).</p></footer>\n"
    )


def _pair_styles(chart: Chart, styles: Mapping[str, Style]) -> dict[str, Style]:
    """Returns looks for the lines that are pairs of strategies."""
    free = list(styles.values())
    return {
        line.name: free[k % len(free)]
        for k, line in enumerate(line for line in chart.lines if line.name not in styles)
    }


def _json(value: Any) -> str:
    def plain(other: Any) -> Any:
        return other.item() if isinstance(other, np.generic) else str(other)

    # `</` would end the script element, whatever stands around it.
    return json.dumps(value, default=plain, allow_nan=False).replace("<", "\\u003c")


@functools.cache
def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


@functools.cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs().replace("</script", "<\\/script")
