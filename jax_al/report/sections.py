"""What each section of the page says, from the numbers it shows; templates/ has the markup."""

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
from jax_al.report.content import Card, Table
from jax_al.report.entrants import Entrant, differing
from jax_al.report.looks import Looks
from jax_al.report.styles import LEGEND
from jax_al.report.tables import Standing, Tables, verdict
from jax_al.report.wording import DASH, between, number, p_value, seeds, signed
from jax_al.report.workdirs import Workdir

DIFFERS = {True: "yes", False: "no", None: "not tested"}
NOT_REPEATED = ("layout", "part", "scheduler", "seed_axis", "seeds_at_once")
SPLITS = "data.pool_splits"  # in every config of the command line: al.run is given its data
FROM_PYTHON = "None: this was al.run in Python, whose arguments the config tells."
AGAIN = pathlib.PurePath("runs", "again")  # where the commands on the page repeat runs


def verdict_content(tables: Tables, entrants: Sequence[Entrant]) -> dict[str, Any]:
    """Returns the sentences at the top, what was left out, and the ranking."""
    return {
        "sentences": verdict(tables),
        "warnings": [note for entrant in entrants for note in entrant.notes],
        "areas": area_table(tables),
    }


def figure_card(chart: Chart) -> Card:
    """Returns a picture of lines with its caption and its numbers."""
    ends = "; ".join(
        f"{line.name} ends at {number(line.points[-1].value.estimate)}"
        for line in chart.lines
        if line.points
    )
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
    columns = ["pair" if chart.pairs else "strategy", chart.xlabel, chart.ylabel]
    columns += ["95% interval"] if chart.has_intervals else []
    columns += ["seeds", *(["differs after correction"] if chart.zero else [])]
    return Card(
        chart.key,
        chart.title,
        f"{chart.title}: {chart.ylabel} by {chart.xlabel}. {ends}.",
        chart.caption,
        Table(f"{chart.title}, all values", columns, rows),
        kind="wide" if chart.key in ("accuracy", "difference") else "",
    )


def area_table(tables: Tables) -> Table | None:
    """Returns the ranking over the whole budget.

    What it is about comes first, to be seen on a phone too: the mean and the difference.
    """
    if tables.label_range is None:
        return None
    low, high = tables.label_range
    several = any(not math.isnan(s.area.low) for s in tables.standings)
    differences = [s.difference for s in tables.standings if s.difference is not None]
    tested = any(not math.isnan(difference.p) for difference in differences)
    columns = ["strategy", "mean accuracy (area)"]
    if differences:
        columns.append(f"minus {tables.reference}")
    if tested:
        columns += ["its 95% interval", "p (Holm)", "better / worse / label counts"]
    columns += ["95% interval of the mean"] if several else []
    columns += ["seeds", "seconds per seed"]
    rows = []
    for s in tables.standings:
        row = [s.name, number(s.area.estimate)]
        if differences:
            row.append("reference" if s.difference is None else signed(s.difference.interval[0]))
        if tested:
            row += _test(s)
        if several:
            row.append(between(s.area.low, s.area.high))
        row += [str(s.area.num_seeds), f"{sum(s.seconds.values()):,.0f}" if s.seconds else DASH]
        rows.append(row)
    caption = (
        f"Area under the accuracy curve from {low:,} to {high:,} labels, over that range: the mean "
        "accuracy over the budget. Best first."
    )
    notes = []
    if several:
        notes.append("Intervals of the mean: Student's t over seeds.")
    if tested:
        notes.append(
            "Differences: paired by seed, t interval, p-values Holm-corrected over the strategies. "
            "Better / worse: at how many label counts the difference is beyond chance, "
            "Holm-corrected over all label counts and strategies; out of how many with a test."
        )
    elif differences:
        notes.append("Differences: paired by seed; too few common seeds for a test.")
    return Table(caption, columns, rows, note=" ".join(notes))


def _test(standing: Standing) -> list[str]:
    if standing.difference is None:  # the reference
        return ["", "", ""]
    interval, _, adjusted = standing.difference
    return [
        between(interval.low, interval.high, sign=True),
        p_value(adjusted),
        f"{standing.better} / {standing.worse} / {standing.compared}",
    ]


def reach_table(tables: Tables) -> Table | None:
    """Returns how many labels each accuracy takes."""
    if not tables.targets:
        return None
    rows = [
        [
            reach.name,
            *(_needed(median, hits, reach.num_seeds) for median, hits in reach.labels),
        ]
        for reach in tables.reach
    ]
    notes = []
    if any(median is None for reach in tables.reach for median, _ in reach.labels):
        notes.append(
            "No number: with all the labels it bought, half of its seeds or more stayed below "
            "that accuracy, so it has no median; with more labels it may still come there."
        )
    found = [
        hits < reach.num_seeds
        for reach in tables.reach
        for median, hits in reach.labels
        if median is not None
    ]
    if any(found):
        notes.append("In brackets: how many seeds reached it, where not all did.")
    return Table(
        "Labels until a test accuracy is first reached: median over seeds, interpolated. The "
        "accuracies go up to the highest that any strategy reached.",
        ["strategy", *(name for name, _ in tables.targets)],
        rows,
        note=" ".join(notes),
    )


def _needed(median: float | None, hits: int, num_seeds: int) -> str:
    if median is None:
        return f"only {hits} of {seeds(num_seeds)} reached it" if hits else "not reached"
    return f"{median:,.0f}" + (f" ({hits} of {seeds(num_seeds)})" if hits < num_seeds else "")


def penalty_table(tables: Tables) -> Table | None:
    """Returns the penalty matrix, shaded."""
    if tables.penalties is None:
        return None
    names, matrix, means = tables.penalties
    rows: list[list[str | float]] = [
        [row_name, *("" if i == j else float(matrix[i, j]) for j in range(len(names)))]
        for i, row_name in enumerate(names)
    ]
    rows.append(["mean of the column", *map(float, means)])
    missing = bool(np.isnan(matrix[~np.eye(len(names), dtype=bool)]).any())
    return Table(
        "Share of label counts at which the strategy of the row beats that of the column (paired "
        "t-test over seeds, p < 0.05, not corrected). A low mean of a column: seldom beaten.",
        ["row beats column", *names],
        rows,
        kind="matrix many" if len(names) > LEGEND else "matrix",
        note="The pairwise penalty matrix of the BADGE paper (Ash et al. 2020, arXiv 1906.03671, "
        "section 4), for this one data set; the shared start does not count."
        + (f" {DASH}: no label count with two common seeds, so not compared." if missing else ""),
    )


def seconds_cards(tables: Tables) -> list[Card]:
    """Returns the picture of seconds by phase, if any are on record."""
    standings = [s for s in tables.standings if s.seconds]
    if not standings:
        return []
    phases = list(dict.fromkeys(phase for s in standings for phase in s.seconds))
    rows = [[s.name, *(f"{s.seconds.get(phase, 0):,.1f}" for phase in phases)] for s in standings]
    alt = "Seconds by phase: " + "; ".join(
        f"{s.name} {sum(s.seconds.values()):,.0f} seconds a seed" for s in standings
    )
    return [
        Card(
            "phases",
            "Seconds by phase",
            alt,
            "Sum over the episodes, mean over the seeds.",
            Table("Seconds by phase, per seed", ["strategy", *phases], rows),
            plot="auto",
        )
    ]


def picks_content(looks: Looks) -> dict[str, Any] | None:
    """Returns what the controls of the map and the gallery offer; page.js fills the rest."""
    if looks.data is None:
        return {"strategies": [], "notes": looks.notes} if looks.notes else None
    strategies = looks.data["strategies"]
    with_map = [name for name in strategies if any("x" in e for e in strategies[name].values())]
    return {
        "strategies": list(strategies),
        "chosen": with_map[0] if with_map else None,
        "classes": looks.data["classes"],
        "notes": looks.notes,
    }


def settings_content(entrants: Sequence[Entrant]) -> dict[str, Any]:
    """Returns configs, commands and a table where more than the strategy differs."""
    apart, differing_table = differing(entrants), None
    if apart:
        rows = [[field, *map(str, values)] for field, values in apart.items()]
        columns = ["field", *(entrant.name for entrant in entrants)]
        differing_table = Table("Settings that differ", columns, rows)
    runs = [run for entrant in entrants for run in entrant.runs]
    places = places_again([_place(run, runs) for run in runs])
    return {
        "differing": differing_table,
        "entrants": [
            {
                "name": entrant.name,
                "seeds": seeds(len(entrant.seeds)),
                "where": ", ".join(str(run.path) for run in entrant.runs),
                "commands": "\n".join(
                    command(run.config, str(places[_place(run, runs)])) for run in entrant.runs
                ),
                "config": json.dumps(entrant.config, indent=2),
            }
            for entrant in entrants
        ],
    }


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

    Without those that are of one machine or one start, or that only old runs had. A run from
    Python, of objects that no flag can name, has none.
    """
    if SPLITS not in config:
        return FROM_PYTHON
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
