"""The page: one HTML file with everything in it, plotly.js too. It asks no network for anything."""

import datetime
import functools
import html
import json
import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jax_al.report.charts import Chart
from jax_al.report.entrants import Entrant, differing
from jax_al.report.figures import line_figure, seconds_figure
from jax_al.report.looks import Looks
from jax_al.report.styles import FEW, Style
from jax_al.report.tables import Tables, verdict
from jax_al.report.wording import DASH, between, number, p_value, seeds, signed

HERE = pathlib.Path(__file__).parent
# Forbids the page every request. Plotly's WebGL traces compile functions, hence unsafe-eval.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
)
OVER_EPISODES = ("nll", "ece", "cover_radius", "class_balance", "near_duplicates", "overlap")
EVERYBODY = '<button type="button" id="everybody">all or none</button>'
LEGEND = 8  # strategies at most in one
FILE_KINDS = ("csv", "png", "svg")
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
            # With more, the legend would leave no room for the lines; the switches say the same.
            legend=key == "overlap" or (key == "accuracy" and len(entrants) <= LEGEND),
        )
        return _figure(chart, styles, files)

    sections = [
        ("verdict", "In short", _verdict(tables) + _area(tables)),
        ("curves", "Accuracy", figure("accuracy") + figure("difference")),
        ("reach", "Labels needed", _reach(tables)),
        ("penalty", "Who beats whom", _penalties(tables)),
        (
            "episodes",
            "Over the episodes",
            _grid([figure(key) for key in OVER_EPISODES]),
        ),
        ("picks", "What was picked", _picks(looks)),
        ("time", "Time", _grid([_seconds(tables, figures, files), figure("seconds")])),
        ("methods", "Settings and how to repeat", _settings(entrants, files)),
    ]
    sections = [section for section in sections if section[2]]
    data = {
        "figures": figures,
        "looks": looks.data,
        "colors": {name: style.color for name, style in styles.items()},
        "bands": len(entrants) <= FEW,
        "refresh": refresh,
    }
    title = f"{entrants[0].config['data.name']}: " + ", ".join(e.name for e in entrants)
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="color-scheme" content="light dark">\n',
            '<link rel="icon" href="data:,">\n',
            f"<title>{_text(title)}</title>\n<style>\n{_asset('page.css')}</style>\n</head>\n<body>\n",
            '<a class="skip" href="#main">Skip to the results</a>\n',
            _header(entrants, sections),
            _switches(entrants, styles) if len(entrants) > 1 else "",
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


def command(config: Mapping[str, Any]) -> str:
    """Returns the command that repeats a run, every field that is not None spelt out."""
    words = ["python", "launch.py", "--config=configs/default.py"]
    for field, value in config.items():
        if value is not None:
            words.append(f"--config.{field}={tuple(value) if isinstance(value, list) else value}")
    return shlex.join(words)


def _header(entrants: Sequence[Entrant], sections: Sequence[tuple[str, str, str]]) -> str:
    config = entrants[0].config
    numbers = {len(entrant.seeds) for entrant in entrants}
    counts = sorted({row["num_labeled"] for e in entrants for row in e.metrics})
    how_many = " to ".join(map(str, sorted({min(numbers), max(numbers)})))
    names = ", ".join(entrant.name for entrant in entrants)
    facts = {
        "Strategies": f"{len(entrants)}: {names}" if len(entrants) > 1 else names,
        "Seeds": how_many + (" each" if len(entrants) > 1 else ""),
        "Labels": f"{counts[0]:,} to {counts[-1]:,}",
        "Made": datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
    }
    unfinished = [run.config["strategy"] for e in entrants for run in e.runs if not run.finished]
    if unfinished:
        facts["Going on or interrupted"] = ", ".join(dict.fromkeys(unfinished))
    listed = "".join(f"<div><dt>{_text(k)}</dt><dd>{_text(v)}</dd></div>" for k, v in facts.items())
    links = "".join(f'<li><a href="#{key}">{heading}</a></li>' for key, heading, _ in sections)
    return (
        f"<header>\n<h1>Active learning on {_text(config['data.name'])}</h1>\n"
        f'<dl class="facts">{listed}</dl>\n'
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n</header>\n'
    )


def _switches(entrants: Sequence[Entrant], styles: Mapping[str, Style]) -> str:
    buttons = "".join(
        f'<button type="button" class="switch" aria-pressed="true" data-strategy="{_text(e.name)}">'
        f"{_swatch(styles[e.name])}{_text(e.name)}</button>"
        for e in entrants
    )
    pressed = "true" if len(entrants) <= FEW else "false"
    return (
        '<div class="switches" role="group" aria-label="Strategies shown in the pictures">'
        f"{buttons}{EVERYBODY if len(entrants) > FEW else ''}"
        f'<button type="button" class="switch" id="bands" aria-pressed="{pressed}">'
        "intervals</button></div>\n"
    )


def _swatch(style: Style) -> str:
    return (
        f'<svg width="32" height="14" aria-hidden="true" style="color:{style.color}">'
        f'<path d="M0 7h32" stroke="currentColor" stroke-width="2" '
        f'stroke-dasharray="{SVG_DASHES[style.dash[0]]}"/>'
        f'<g fill="currentColor">{LINE_SYMBOLS[style.marker[0]]}</g></svg>'
    )


def _verdict(tables: Tables) -> str:
    first, *rest = verdict(tables)
    return f'<p class="lead">{_text(first)}</p>\n' + "".join(f"<p>{_text(s)}</p>\n" for s in rest)


def _figure(chart: Chart, styles: Mapping[str, Style], files: str | None) -> str:
    ends = "; ".join(
        f"{line.name} ends at {number(line.points[-1].value.estimate)}"
        for line in chart.lines
        if line.points
    )
    alt = f"{chart.title}: {chart.ylabel} against {chart.xlabel}s. {ends}.".replace(
        "labelss", "labels"
    )
    rows = [
        [
            line.name,
            f"{p.x:,}",
            number(p.value.estimate),
            between(p.value.low, p.value.high),
            str(p.value.num_seeds),
        ]
        + ([{True: "yes", False: "no"}[p.strong]] if chart.zero else [])
        for line in chart.lines
        for p in line.points
    ]
    columns = ["strategy", chart.xlabel, chart.ylabel, "95% interval", "seeds"]
    columns += ["differs after correction"] if chart.zero else []
    wide = " wide" if chart.key in ("accuracy", "difference") else ""
    return (
        f'<figure class="card{wide}"><h3>{_text(chart.title)}</h3>\n'
        f'<div class="plot" id="plot-{chart.key}" role="img" aria-label="{_text(alt)}"></div>\n'
        f"<figcaption>{_text(chart.caption)}</figcaption>\n"
        "<details><summary>Numbers</summary>"
        f"{_table(f'{chart.title}, all values', columns, rows)}</details>"
        f"{_links(files, chart.key)}</figure>\n"
    )


def _area(tables: Tables) -> str:
    if tables.label_range is None:
        return ""
    low, high = tables.label_range
    columns = ["strategy", "mean accuracy (area)", "95% interval", "seeds"]
    compared = tables.reference is not None
    if compared:
        columns += [
            f"minus {tables.reference}",
            "95% interval",
            "p (Holm)",
            "better / worse / label counts",
        ]
    columns.append("seconds per seed")
    rows = []
    for s in tables.standings:
        row = [
            s.name,
            number(s.area.estimate),
            between(s.area.low, s.area.high),
            str(s.area.num_seeds),
        ]
        if compared and s.difference is not None:
            interval, _, adjusted = s.difference
            row += [
                signed(interval.estimate),
                between(interval.low, interval.high, sign=True),
                p_value(adjusted),
                f"{s.better} / {s.worse} / {s.compared}",
            ]
        elif compared:
            row += ["reference", "", "", ""]
        rows.append([*row, f"{sum(s.seconds.values()):,.0f}" if s.seconds else DASH])
    caption = (
        f"Area under the accuracy curve from {low:,} to {high:,} labels, over that range: the mean "
        "accuracy over the budget. Best first."
    )
    note = (
        '<p class="note">Intervals of the area: bootstrap over seeds (expanded percentile, 10,000 '
        "resamples; at 3 seeds it is the range of the seeds)."
    )
    if compared:
        note += (
            " Differences: paired by seed, t interval, p-values Holm-corrected over the "
            "strategies. Better / worse: at how many label counts the difference is beyond chance, "
            "Holm-corrected over all label counts and strategies."
        )
    return _table(caption, columns, rows) + note + "</p>\n"


def _reach(tables: Tables) -> str:
    if not tables.targets:
        return ""
    columns = ["strategy", *(name for name, _ in tables.targets)]
    rows = [
        [
            reach.name,
            *(
                ("not reached" if median is None else f"{median:,.0f}")
                + (f" ({hits} of {reach.num_seeds})" if hits < reach.num_seeds and hits else "")
                for median, hits in reach.labels
            ),
        ]
        for reach in tables.reach
    ]
    caption = (
        "Labels until a test accuracy is first reached: median over seeds, interpolated. In "
        "brackets how many seeds reached it, where not all did."
    )
    return _table(caption, columns, rows)


def _penalties(tables: Tables) -> str:
    if tables.penalties is None:
        return ""
    names, matrix, means = tables.penalties
    rows = [
        [row_name, *("" if i == j else _shade(matrix[i, j]) for j in range(len(names)))]
        for i, row_name in enumerate(names)
    ]
    rows.append(["mean of the column", *(_shade(value) for value in means)])
    caption = (
        "Share of label counts at which the strategy of the row beats that of the column (paired "
        "t-test over seeds, p < 0.05, not corrected). A low mean of a column: seldom beaten."
    )
    note = (
        '<p class="note">The pairwise penalty matrix of the BADGE paper (Ash et al. 2020, arXiv '
        "1906.03671, section 4), for this one data set; the shared start does not count.</p>\n"
    )
    return (
        _table(
            caption,
            ["row beats column", *names],
            rows,
            kind="matrix many" if len(names) > LEGEND else "matrix",
        )
        + note
    )


class _Html(str):
    """Text that is markup already."""


def _shade(share: float) -> _Html:
    if share == 0:
        return _Html('<span class="shade zero">0</span>')
    return _Html(f'<span class="shade" style="--share:{share:.3f}">{share:.2f}</span>')


def _seconds(tables: Tables, figures: dict[str, Any], files: str | None) -> str:
    standings = [s for s in tables.standings if s.seconds]
    if not standings:
        return ""
    figures["phases"] = seconds_figure(standings)
    phases = list(dict.fromkeys(phase for s in standings for phase in s.seconds))
    rows = [[s.name, *(f"{s.seconds.get(phase, 0):,.1f}" for phase in phases)] for s in standings]
    alt = "Seconds by phase: " + "; ".join(
        f"{s.name} {sum(s.seconds.values()):,.0f} seconds a seed" for s in standings
    )
    return (
        '<figure class="card"><h3>Seconds by phase</h3>\n'
        f'<div class="plot auto" id="plot-phases" role="img" aria-label="{_text(alt)}"></div>\n'
        "<figcaption>Sum over the episodes, mean over the seeds.</figcaption>\n"
        "<details><summary>Numbers</summary>"
        f"{_table('Seconds by phase, per seed', ['strategy', *phases], rows)}</details>"
        f"{_links(files, 'phases')}</figure>\n"
    )


def _picks(looks: Looks) -> str:
    notes = "".join(f'<p class="note">{_text(note)}</p>\n' for note in looks.notes)
    if looks.data is None:
        return notes
    options = "".join(
        f'<option value="{_text(name)}">{_text(name)}</option>' for name in looks.data["strategies"]
    )
    classes = "".join(
        f'<option value="{k}">{_text(name)}</option>'
        for k, name in enumerate(looks.data["classes"])
    )
    return (
        '<div class="controls">'
        f'<label>Strategy <select id="map-strategy">{options}</select></label>'
        '<label>Seed <select id="map-seed"></select></label>'
        f'<label>Highlight class <select id="map-class"><option value="">none</option>{classes}'
        "</select></label></div>\n"
        '<div class="controls"><button type="button" id="map-back" aria-label="Previous episode">'
        '◀</button><label class="slider">Episode <input type="range" id="map-episode" min="0" '
        'max="0" value="0" step="1"></label><button type="button" id="map-on" '
        'aria-label="Next episode">▶</button><button type="button" id="map-play" '
        'aria-pressed="false">Play</button>'
        '<output id="map-now" for="map-episode" aria-live="polite"></output></div>\n'
        '<div class="split"><figure class="card" id="map-card"><h3>Map of the pool</h3>\n'
        '<div class="plot map" id="plot-map" role="img" aria-label="2-D map of the pool"></div>\n'
        '<figcaption id="map-caption"></figcaption></figure>\n'
        '<div class="card" id="gallery-card"><h3>Picks of the episode</h3>'
        '<p class="note" id="gallery-caption"></p>'
        f'<ul class="gallery" id="gallery"></ul></div></div>\n{notes}'
    )


def _settings(entrants: Sequence[Entrant], files: str | None) -> str:
    parts = []
    apart = differing(entrants)
    if apart:
        rows = [[field, *map(str, values)] for field, values in apart.items()]
        parts.append(
            '<p class="warning">These runs differ in more than the strategy, so a difference may '
            "come from a setting.</p>"
            + _table("Settings that differ", ["field", *(e.name for e in entrants)], rows)
        )
    for entrant in entrants:
        where = ", ".join(str(run.path) for run in entrant.runs)
        commands = "\n".join(command(run.config) for run in entrant.runs)
        fields = json.dumps(entrant.config, indent=2)
        parts.append(
            f"<details><summary>{_text(entrant.name)}: {seeds(len(entrant.seeds))}, "
            f"{_text(where)}</summary>\n<h3>Command</h3>"
            f'<pre tabindex="0">{_text(commands)}</pre>\n'
            f'<h3>Config</h3><pre tabindex="0">{_text(fields)}</pre></details>\n'
        )
    if files:
        parts.append(
            f'<p class="note">Every picture as PNG and SVG and every number as CSV: '
            f'<a href="{_text(files)}/">{_text(files)}/</a>, beside this page.</p>\n'
        )
    return "".join(parts)


def _footer() -> str:
    return (
        "<footer><p>Made by <code>python -m jax_al.report</code>. The formulas and their sources "
        "are in <code>jax_al/statistics.py</code>. Drawn with plotly.js (MIT).</p></footer>\n"
    )


def _table(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], kind: str = ""
) -> str:
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{_text(row[0])}</th>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:])
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{_text(caption)}">'
        f'<table class="{kind}"><caption><span>{_text(caption)}</span></caption>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n"
    )


def _grid(figures: Sequence[str]) -> str:
    shown = [figure for figure in figures if figure]
    return f'<div class="grid">\n{"".join(shown)}</div>\n' if shown else ""


def _links(files: str | None, key: str) -> str:
    """Returns links to the twins of a picture."""
    if files is None:
        return ""
    links = (f'<a href="{_text(files)}/{key}.{kind}">{kind.upper()}</a>' for kind in FILE_KINDS)
    return f'<p class="files">{" ".join(links)}</p>\n'


def _pair_styles(chart: Chart, styles: Mapping[str, Style]) -> dict[str, Style]:
    """Returns looks for the lines that are pairs of strategies."""
    free = list(styles.values())
    return {
        line.name: free[k % len(free)]
        for k, line in enumerate(line for line in chart.lines if line.name not in styles)
    }


def _text(value: str) -> str:
    return value if isinstance(value, _Html) else html.escape(value)


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
