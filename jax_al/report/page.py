"""The page: one HTML file with everything in it, plotly.js too. It asks no network for anything."""

import base64
import functools
import gzip
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from jax_al.report import sections
from jax_al.report.charts import Chart
from jax_al.report.compared import Compared
from jax_al.report.content import Card, Section
from jax_al.report.figures import line_figure, palette, seconds_figure
from jax_al.report.header import facts, named, switches
from jax_al.report.looks import Looks
from jax_al.report.paper import KINDS
from jax_al.report.styles import FEW, LEGEND
from jax_al.report.wording import DASH

HERE = pathlib.Path(__file__).parent
CURVES = ("accuracy", "difference")
OVER_EPISODES = ("nll", "ece", "cover_radius", "class_balance", "near_duplicates", "overlap")
WITH_LEGEND = ("accuracy", "overlap")


def make_page(
    compared: Compared,
    charts: Sequence[Chart],
    looks: Looks,
    files: str | None,
    refresh: float | None,
) -> str:
    """Returns the page.

    Args:
      compared: the strategies and what they come to.
      charts: the pictures of lines.
      looks: maps and thumbnails.
      files: the directory beside the page that holds pictures and CSV, or None if there is none.
      refresh: seconds after which an open page loads itself again, or None.
    """
    entrants, tables = compared.entrants, compared.tables
    figures: dict[str, Any] = {
        chart.key: line_figure(chart, compared.styles, legend=chart.key in WITH_LEGEND)
        for chart in charts
    }
    timed = [standing for standing in tables.standings if standing.seconds]
    if timed:
        figures["phases"] = seconds_figure(timed)
    data = {
        "figures": figures,
        "looks": looks.data,
        "names": list(compared.styles),
        "dark": palette(),
        "hidden": tables.others,
        "legend": LEGEND,
        "bands": len(entrants) <= FEW,
        "refresh": refresh,
    }
    name = entrants[0].config["data.name"]
    return _environment().get_template("page.html").render(
        title=f"{name}: {named(entrants)}",
        name=name,
        facts=facts(entrants),
        switches=switches(compared, bands=any(chart.has_intervals for chart in charts)),
        sections=_sections(compared, charts, looks),
        files=files,
        kinds=(*KINDS, "csv"),
        dash=DASH,
        css=_asset("page.css"),
        scripts=[_asset("picks.js"), _asset("page.js")],
        data=_json(data),
        plotly=_plotly(),
        plotly_notice=_plotly_notice(),
    )  # fmt: skip


def _sections(compared: Compared, charts: Sequence[Chart], looks: Looks) -> list[Section]:
    """Returns the parts of the page that have something to show, in order."""
    tables, entrants = compared.tables, compared.entrants
    cards = {chart.key: sections.figure_card(chart) for chart in charts}

    def found(keys: Sequence[str]) -> list[Card]:
        return [cards[key] for key in keys if key in cards]

    time = [*sections.seconds_cards(tables), *found(["seconds"])]
    all_of_them = [
        Section("verdict", "In short", "verdict.html", sections.verdict_content(tables, entrants)),
        Section("curves", "Accuracy", "cards.html", found(CURVES)),
        Section("reach", "Labels needed", "table.html", sections.reach_table(tables)),
        Section("penalty", "Who beats whom", "table.html", sections.penalty_table(tables)),
        Section("episodes", "Over the episodes", "grid.html", found(OVER_EPISODES)),
        Section("picks", "What was picked", "picks.html", sections.picks_content(looks)),
        Section("time", "Time", "grid.html", time),
        Section(
            "methods", "Settings and how to repeat", "methods.html",
            sections.settings_content(entrants),
        ),
    ]  # fmt: skip
    return [section for section in all_of_them if section.content]


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _json(value: Any) -> Markup:
    def plain(other: Any) -> Any:
        return other.item() if isinstance(other, np.generic) else str(other)

    # `</` would end the script element, whatever stands around it.
    return Markup(json.dumps(value, default=plain, allow_nan=False).replace("<", "\\u003c"))


@functools.cache
def _asset(name: str) -> Markup:
    return Markup((HERE / name).read_text(encoding="utf-8"))


@functools.cache
def _plotly() -> str:
    """Returns plotly.js as base64 of gzip, 2 MB instead of 5; page.js unpacks it."""
    # At level 9 it would take twice as long for 3 kB less.
    packed = gzip.compress(get_plotlyjs().encode(), compresslevel=6, mtime=0)
    return base64.b64encode(packed).decode()


@functools.cache
def _plotly_notice() -> str:
    """Returns the lines in which plotly.js says whose it is, and under which license."""
    return get_plotlyjs().partition("*/")[0].partition("/**")[2].strip()
