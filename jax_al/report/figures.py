"""The interactive pictures: plotly figures as JSON. Colors of the page come from page.js.

Those of the lines are for a light ground; `palette` says which they become on a dark one.

Every trace says in `meta` which strategy it belongs to and whether it is an interval, so that the
page can switch strategies and intervals on and off in all pictures at once.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.utils import PlotlyJSONEncoder

from jax_al.report.charts import Chart, Line
from jax_al.report.styles import COLORS, DARK, Style, pair_styles
from jax_al.report.tables import Standing
from jax_al.report.wording import between, number, seeds

MARGIN = {"l": 58, "r": 14, "t": 12, "b": 46}
VERDICTS = {True: "differs after correction", False: "may be chance", None: "not tested"}


def line_figure(chart: Chart, styles: Mapping[str, Style], *, legend: bool) -> dict[str, Any]:
    """Returns the figure of a chart: a band and a line per strategy."""
    figure = go.Figure()
    if chart.pairs:
        styles = pair_styles([line.name for line in chart.lines])
    for line in chart.lines:
        style = styles[line.name]
        with_interval = [p for p in line.points if not math.isnan(p.value.low)]
        if len(with_interval) > 1:
            figure.add_scatter(
                x=[p.x for p in with_interval] + [p.x for p in reversed(with_interval)],
                y=[p.value.low for p in with_interval]
                + [p.value.high for p in reversed(with_interval)],
                fill="toself",
                fillcolor=_transparent(style.color),
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
                showlegend=False,
                meta={"strategy": line.name, "band": True},
            )
    for line in chart.lines:
        style = styles[line.name]
        filled = [p.strong or not chart.zero for p in line.points]
        figure.add_scatter(
            x=[p.x for p in line.points],
            y=[p.value.estimate for p in line.points],
            mode="lines+markers",
            name=_plain(line.name),
            showlegend=legend,
            line={"color": style.color, "dash": style.dash[0], "width": 2},
            marker={
                "symbol": [style.marker[0] + ("" if full else "-open") for full in filled],
                "size": 8,
                "color": style.color,
                "line": {"width": 1.5, "color": style.color},
            },
            text=_hover(chart, line),
            hovertemplate="%{text}<extra></extra>",
            cliponaxis=not chart.share,  # else a marker at 0 or 1 is but half a marker
            meta={"strategy": line.name, "band": False},
        )
    figure.update_layout(
        margin=MARGIN,
        xaxis={"title": {"text": chart.xlabel}, "automargin": True, "tickformat": ","}
        | _whole_ticks(chart),
        yaxis={
            "title": {"text": _plain(chart.ylabel)},
            "automargin": True,
            "rangemode": "tozero" if chart.whole or chart.zero else "normal",
            "zeroline": chart.zero,
        }
        | ({"range": [0, 1]} if chart.share else {})
        | ({"autorangeoptions": {"minallowed": 0}} if chart.whole else {}),
        hovermode="closest",
        legend={"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom"},
    )
    return _as_json(figure)


def seconds_figure(standings: Sequence[Standing]) -> dict[str, Any]:
    """Returns where the time goes: a bar per strategy, a part per phase."""
    figure = go.Figure()
    patterns = ("", "/", ".", "x", "\\", "+")
    phases = dict.fromkeys(phase for s in standings for phase in s.seconds)
    for k, phase in enumerate(phases):
        figure.add_bar(
            y=[_plain(s.name) for s in standings],
            x=[s.seconds.get(phase, 0.0) for s in standings],
            orientation="h",
            name=_plain(phase),
            marker={
                "color": COLORS[k % len(COLORS)],
                "pattern": {
                    "shape": patterns[k % len(patterns)],
                    "size": 6,
                    "solidity": 0.25,
                    "fillmode": "overlay",
                    "fgcolor": "rgba(0,0,0,0.55)",
                },
            },
            hovertemplate=f"%{{y}}, {_plain(phase)}: %{{x:,.1f}} s<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        margin=MARGIN,
        height=130 + 30 * len(standings),
        xaxis={"title": {"text": "seconds per seed"}, "automargin": True},
        yaxis={"automargin": True, "autorange": "reversed"},
        legend={"orientation": "h", "y": 1.02, "x": 0, "yanchor": "bottom", "traceorder": "normal"},
    )
    return _as_json(figure)


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


def _as_json(figure: go.Figure) -> dict[str, Any]:
    found = json.loads(json.dumps(figure.to_plotly_json(), cls=PlotlyJSONEncoder))
    found["layout"].pop("template", None)  # 6 kB of defaults that the page sets itself
    return found
