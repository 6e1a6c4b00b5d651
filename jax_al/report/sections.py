"""The sections of the page, each from the numbers it shows."""

import ast
import itertools
import json
import math
import pathlib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jax_al.report.charts import Chart
from jax_al.report.entrants import Entrant, differing
from jax_al.report.figures import seconds_figure
from jax_al.report.looks import Looks
from jax_al.report.markup import links, shade, table, text
from jax_al.report.styles import LEGEND
from jax_al.report.tables import Standing, Tables, verdict
from jax_al.report.wording import DASH, between, number, p_value, seeds, signed
from jax_al.report.workdirs import Workdir

DIFFERS = {True: "yes", False: "no", None: "not tested"}
NOT_REPEATED = ("layout", "part", "scheduler", "seed_axis", "seeds_at_once")
AGAIN = pathlib.PurePath("runs", "again")  # where the commands on the page repeat runs


def verdict_section(tables: Tables, entrants: Sequence[Entrant]) -> str:
    """Returns the sentences at the top, the first one large, and what was left out."""
    first, *rest = verdict(tables)
    notes = [note for entrant in entrants for note in entrant.notes]
    return "".join(
        [
            f'<p class="lead">{text(first)}</p>\n',
            *(f"<p>{text(sentence)}</p>\n" for sentence in rest),
            *(f'<p class="warning">{text(note)}</p>\n' for note in notes),
        ]
    )


def figure_card(chart: Chart, files: str | None) -> str:
    """Returns a picture of lines with its caption, its numbers as a table and its files."""
    ends = "; ".join(
        f"{line.name} ends at {number(line.points[-1].value.estimate)}"
        for line in chart.lines
        if line.points
    )
    alt = f"{chart.title}: {chart.ylabel} by {chart.xlabel}. {ends}."
    rows = [
        [
            line.name,
            f"{p.x:,}",
            number(p.value.estimate),
            *([between(p.value.low, p.value.high)] if chart.has_intervals else []),
            str(p.value.num_seeds),
            *([DIFFERS[p.strong]] if chart.zero else []),
        ]
        for line in chart.lines
        for p in line.points
    ]
    columns = ["strategy", chart.xlabel, chart.ylabel]
    columns += ["95% interval"] if chart.has_intervals else []
    columns += ["seeds", *(["differs after correction"] if chart.zero else [])]
    wide = " wide" if chart.key in ("accuracy", "difference") else ""
    return (
        f'<figure class="card{wide}"><h3>{text(chart.title)}</h3>\n'
        f'<div class="plot" id="plot-{chart.key}" role="img" aria-label="{text(alt)}"></div>\n'
        f"<figcaption>{text(chart.caption)}</figcaption>\n"
        "<details><summary>Numbers</summary>"
        f"{table(f'{chart.title}, all values', columns, rows)}</details>"
        f"{links(files, chart.key)}</figure>\n"
    )


def area_table(tables: Tables) -> str:
    """Returns the ranking over the whole budget."""
    if tables.label_range is None:
        return ""
    low, high = tables.label_range
    several = any(not math.isnan(s.area.low) for s in tables.standings)
    differences = [s.difference for s in tables.standings if s.difference is not None]
    tested = any(not math.isnan(difference.p) for difference in differences)
    columns = ["strategy", "mean accuracy (area)", *(["95% interval"] if several else []), "seeds"]
    if differences:
        columns.append(f"minus {tables.reference}")
    if tested:
        columns += ["95% interval", "p (Holm)", "better / worse / label counts"]
    columns.append("seconds per seed")
    rows = []
    for s in tables.standings:
        row = [s.name, number(s.area.estimate)]
        if several:
            row.append(between(s.area.low, s.area.high))
        row.append(str(s.area.num_seeds))
        if differences:
            row.append("reference" if s.difference is None else signed(s.difference.interval[0]))
        if tested:
            row += _test(s)
        rows.append([*row, f"{sum(s.seconds.values()):,.0f}" if s.seconds else DASH])
    caption = (
        f"Area under the accuracy curve from {low:,} to {high:,} labels, over that range: the mean "
        "accuracy over the budget. Best first."
    )
    notes = []
    if several:
        notes.append("Intervals of the area: Student's t over seeds.")
    if tested:
        notes.append(
            "Differences: paired by seed, t interval, p-values Holm-corrected over the strategies. "
            "Better / worse: at how many label counts the difference is beyond chance, "
            "Holm-corrected over all label counts and strategies; out of how many with a test."
        )
    elif differences:
        notes.append("Differences: paired by seed; too few common seeds for a test.")
    note = f'<p class="note">{" ".join(notes)}</p>\n' if notes else ""
    return table(caption, columns, rows) + note


def _test(standing: Standing) -> list[str]:
    if standing.difference is None:  # the reference
        return ["", "", ""]
    interval, _, adjusted = standing.difference
    return [
        between(interval.low, interval.high, sign=True),
        p_value(adjusted),
        f"{standing.better} / {standing.worse} / {standing.compared}",
    ]


def reach_table(tables: Tables) -> str:
    """Returns how many labels each accuracy takes."""
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
    return table(caption, columns, rows)


def penalty_table(tables: Tables) -> str:
    """Returns the penalty matrix, shaded."""
    if tables.penalties is None:
        return ""
    names, matrix, means = tables.penalties
    rows = [
        [row_name, *("" if i == j else shade(matrix[i, j]) for j in range(len(names)))]
        for i, row_name in enumerate(names)
    ]
    rows.append(["mean of the column", *(shade(value) for value in means)])
    missing = bool(np.isnan(matrix[~np.eye(len(names), dtype=bool)]).any())
    caption = (
        "Share of label counts at which the strategy of the row beats that of the column (paired "
        "t-test over seeds, p < 0.05, not corrected). A low mean of a column: seldom beaten."
    )
    note = (
        '<p class="note">The pairwise penalty matrix of the BADGE paper (Ash et al. 2020, arXiv '
        "1906.03671, section 4), for this one data set; the shared start does not count."
        + (f" {DASH}: no label count with two common seeds, so not compared." if missing else "")
        + "</p>\n"
    )
    return (
        table(
            caption,
            ["row beats column", *names],
            rows,
            kind="matrix many" if len(names) > LEGEND else "matrix",
        )
        + note
    )


def seconds_card(tables: Tables, figures: dict[str, Any], files: str | None) -> str:
    """Returns the picture of seconds by phase, and puts the figure into `figures`."""
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
        f'<div class="plot auto" id="plot-phases" role="img" aria-label="{text(alt)}"></div>\n'
        "<figcaption>Sum over the episodes, mean over the seeds.</figcaption>\n"
        "<details><summary>Numbers</summary>"
        f"{table('Seconds by phase, per seed', ['strategy', *phases], rows)}</details>"
        f"{links(files, 'phases')}</figure>\n"
    )


def picks_section(looks: Looks) -> str:
    """Returns the controls, the map and the gallery; page.js fills them."""
    notes = "".join(f'<p class="note">{text(note)}</p>\n' for note in looks.notes)
    if looks.data is None:
        return notes
    strategies = looks.data["strategies"]
    with_map = [name for name in strategies if any("x" in e for e in strategies[name].values())]
    options = "".join(
        f'<option value="{text(name)}"{" selected" if name in with_map[:1] else ""}>{text(name)}'
        "</option>"
        for name in strategies
    )
    classes = "".join(
        f'<option value="{k}">{text(name)}</option>' for k, name in enumerate(looks.data["classes"])
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


def settings_section(entrants: Sequence[Entrant], files: str | None) -> str:
    """Returns configs, commands and a warning where more than the strategy differs."""
    parts = []
    apart = differing(entrants)
    if apart:
        rows = [[field, *map(str, values)] for field, values in apart.items()]
        parts.append(
            '<p class="warning">These runs differ in more than the strategy, so a difference may '
            "come from a setting.</p>"
            + table("Settings that differ", ["field", *(e.name for e in entrants)], rows)
        )
    runs = [run for entrant in entrants for run in entrant.runs]
    places = places_again([_place(run, runs) for run in runs])
    for entrant in entrants:
        where = ", ".join(str(run.path) for run in entrant.runs)
        commands = "\n".join(
            command(run.config, str(places[_place(run, runs)])) for run in entrant.runs
        )
        fields = json.dumps(entrant.config, indent=2)
        parts.append(
            f"<details><summary>{text(entrant.name)}: {seeds(len(entrant.seeds))}, "
            f"{text(where)}</summary>\n<h3>Command</h3>"
            f'<pre tabindex="0">{text(commands)}</pre>\n'
            f'<h3>Config</h3><pre tabindex="0">{text(fields)}</pre></details>\n'
        )
    if files:
        parts.append(
            f'<p class="note">Every picture as PNG and SVG and every number as CSV: '
            f'<a href="{text(files)}/">{text(files)}/</a>, beside this page.</p>\n'
        )
    return "".join(parts)


def _place(run: Workdir, runs: Sequence[Workdir]) -> pathlib.Path:
    """Returns a path of its own for the run: strategies of one directory are repeated alone."""
    shared = sum(other.path == run.path for other in runs) > 1
    return run.path / run.title if shared else run.path


def places_again(paths: Sequence[pathlib.Path]) -> dict[pathlib.Path, pathlib.PurePath]:
    """Returns a workdir to repeat each run in, by as few of its last names as tell them apart."""
    parts = {path: path.resolve().relative_to(path.resolve().anchor).parts for path in paths}
    for depth in itertools.count(1):
        places = {path: AGAIN.joinpath(*names[-depth:]) for path, names in parts.items()}
        if len(set(places.values())) == len(set(parts.values())):
            break
    return places


def command(config: Mapping[str, Any], workdir: str) -> str:
    """Returns the command that repeats a run in `workdir`, with every field that is not None.

    Without those that are of one machine or one start, or that only old runs had.
    """
    words = ["jax-al", "run", "default", f"--workdir={workdir}"]
    for field, value in config.items():
        is_option = field.startswith("strategy_args.")  # whose default may be other than None
        if field not in NOT_REPEATED and (value is not None or is_option):
            words.append(f"--config.{field}={_written(value, is_option)}")
    return shlex.join(words)


def _written(value: Any, is_option: bool) -> str:
    """Returns a value as the command line reads it, an option as a Python literal if it is one."""
    if isinstance(value, list):
        return str(tuple(value))
    if not (is_option and isinstance(value, str)):
        return str(value)
    try:
        ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
    return repr(value)  # a text that looks like a number, say
