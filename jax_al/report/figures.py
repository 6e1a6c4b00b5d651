"""The interactive pictures: plotly figures as JSON. Colors of the page come from page.js.

Those of the lines are for a light ground; `palette` says which they become on a dark one.

Every trace says in `meta` which strategy it belongs to and whether it is an interval, so that the
page can switch strategies and intervals on and off in all pictures at once.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jax_al.report.charts import Chart, Line, Point
from jax_al.report.styles import COLORS, DARK, Style, pair_styles
from jax_al.report.tables import Standing
from jax_al.report.wording import between, number, seeds

MARGIN = {"l": 58, "r": 14, "t": 12, "b": 46}
LEGEND = {"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom"}
VERDICTS = {True: "differs after correction", False: "may be chance", None: "not tested"}


def line_figure(chart: Chart, styles: Mapping[str, Style], *, legend: bool) -> dict[str, Any]:
    """Returns the figure of a chart: a band and a line per strategy."""
    if chart.pairs:
        styles = pair_styles([line.name for line in chart.lines])
    bands = [_band(line, styles[line.name]) for line in chart.lines if len(_intervals(line)) > 1]
    lines = [_line(chart, line, styles[line.name], legend=legend) for line in chart.lines]
    x_axis = {"title": {"text": chart.xlabel}, "automargin": True, "tickformat": ","}
    y_axis = {
        "title": {"text": _plain(chart.ylabel)},
        "automargin": True,
        "rangemode": "tozero" if chart.whole or chart.zero else "normal",
        "zeroline": chart.zero,
    }
    if chart.share:
        y_axis["range"] = [0, 1]
    if chart.whole:
        y_axis["autorangeoptions"] = {"minallowed": 0}
    layout = {
        "margin": MARGIN,
        "xaxis": x_axis | _whole_ticks(chart),
        "yaxis": y_axis,
        "hovermode": "closest",
        "legend": LEGEND,
    }
    return {"data": [*bands, *lines], "layout": layout}


def _intervals(line: Line) -> list[Point]:
    return [point for point in line.points if not math.isnan(point.value.low)]


def _band(line: Line, style: Style) -> dict[str, Any]:
    points = _intervals(line)
    return {
        "type": "scatter",
        "x": [p.x for p in points] + [p.x for p in reversed(points)],
        "y": [p.value.low for p in points] + [p.value.high for p in reversed(points)],
        "fill": "toself",
        "fillcolor": _transparent(style.color),
        "line": {"width": 0},
        "mode": "lines",
        "hoverinfo": "skip",
        "showlegend": False,
        "meta": {"strategy": line.name, "band": True},
    }


def _line(chart: Chart, line: Line, style: Style, *, legend: bool) -> dict[str, Any]:
    filled = [point.strong or not chart.zero for point in line.points]
    return {
        "type": "scatter",
        "x": [point.x for point in line.points],
        "y": [point.value.estimate for point in line.points],
        "mode": "lines+markers",
        "name": _plain(line.name),
        "showlegend": legend,
        "line": {"color": style.color, "dash": style.dash[0], "width": 2},
        "marker": {
            "symbol": [style.marker[0] + ("" if full else "-open") for full in filled],
            "size": 8,
            "color": style.color,
            "line": {"width": 1.5, "color": style.color},
        },
        "text": _hover(chart, line),
        "hovertemplate": "%{text}<extra></extra>",
        "cliponaxis": not chart.share,  # else a marker at 0 or 1 is but half a marker
        "meta": {"strategy": line.name, "band": False},
    }


def seconds_figure(standings: Sequence[Standing]) -> dict[str, Any]:
    """Returns where the time goes: a bar per strategy, a part per phase."""
    patterns = ("", "/", ".", "x", "\\", "+")
    phases = dict.fromkeys(phase for s in standings for phase in s.seconds)
    bars = [
        {
            "type": "bar",
            "y": [_plain(s.name) for s in standings],
            "x": [s.seconds.get(phase, 0.0) for s in standings],
            "orientation": "h",
            "name": _plain(phase),
            "marker": {
                "color": COLORS[k % len(COLORS)],
                "pattern": {
                    "shape": patterns[k % len(patterns)],
                    "size": 6,
                    "solidity": 0.25,
                    "fillmode": "overlay",
                    "fgcolor": "rgba(0,0,0,0.55)",
                },
            },
            "hovertemplate": f"%{{y}}, {_plain(phase)}: %{{x:,.1f}} s<extra></extra>",
        }
        for k, phase in enumerate(phases)
    ]
    layout = {
        "barmode": "stack",
        "margin": MARGIN,
        "height": 130 + 30 * len(standings),
        "xaxis": {"title": {"text": "seconds per seed"}, "automargin": True},
        "yaxis": {"automargin": True, "autorange": "reversed"},
        "legend": LEGEND | {"traceorder": "normal"},
    }
    return {"data": bars, "layout": layout}


def palette() -> dict[str, str]:
    """Returns {color in a figure: color on a dark ground}, of lines and of bands."""
    bands = {_transparent(light): _transparent(dark) for light, dark in DARK.items()}
    return DARK | bands


def _hover(chart: Chart, line: Line) -> list[str]:
    texts = []
    for point in line.points:
        value = point.value
        text = f"{_plain(line.name)}<br>{point.x:,} {chart.xlabel}: {number(value.estimate)}"
        if not math.isnan(value.low):
            text += f"<br>95%: {between(value.low, value.high)}"
        text += f"<br>{seeds(value.num_seeds)}"
        if chart.zero:
            text += f"<br>{VERDICTS[point.strong]}"
        texts.append(text)
    return texts


def _plain(text: str) -> str:
    """Returns `text` such that plotly shows it as it is, and takes no part for markup."""
    return re.sub("[&<>%]", lambda sign: f"&#{ord(sign[0])};", text)


def _whole_ticks(chart: Chart) -> dict[str, Any]:
    """Returns what keeps the ticks of labels and episodes whole.

    Plotly chooses at most ten ticks, so a step below 1 is possible only on a short axis.
    """
    x = [point.x for line in chart.lines for point in line.points]
    return {"dtick": 1} if max(x) - min(x) < 10 else {}


def _transparent(color: str) -> str:
    red, green, blue = (int(color[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"
