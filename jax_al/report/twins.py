"""The files beside the page: each picture as PDF, SVG and PNG, each number as CSV."""

import contextlib
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from jax_al.durable import write_atomically
from jax_al.errors import UsageError
from jax_al.report.charts import Chart, seconds
from jax_al.report.compared import Compared
from jax_al.report.configs import flat
from jax_al.report.entrants import Entrant
from jax_al.report.look_files import Pool, read_map, read_pool
from jax_al.report.paper import COLUMN, PAGE, paper, save
from jax_al.report.pictures import faint, legend, line_picture, whole_ticks
from jax_al.report.styles import COLORS, GRAY, LEGEND, Style
from jax_al.report.tables import Tables
from jax_al.report.wording import DASH
from jax_al.session.records import csv_text

HATCHES = ("", "//", "..", "xx", "\\\\", "++")


def write_files(directory: pathlib.Path, compared: Compared, charts: Sequence[Chart]) -> None:
    """Writes all pictures and tables into `directory`, which is made if missing.

    Where there are too many strategies for one picture, those that the page does not show at first
    are thin gray lines without a name.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with paper():
        _write_pictures(directory, compared, charts)
    _write_numbers(directory, compared, charts)


def _write_pictures(directory: pathlib.Path, compared: Compared, charts: Sequence[Chart]) -> None:
    entrants, tables, styles = compared
    for chart in charts:
        save(line_picture(chart, styles, tables.others), directory / chart.key)
    if tables.label_range is not None:
        save(_areas(tables, styles), directory / "areas")
    if tables.penalties is not None:
        save(_penalties(tables), directory / "penalties")
    if tables.targets:
        save(_reach(tables, styles), directory / "reach")
    if any(standing.seconds for standing in tables.standings):
        save(_phases(tables), directory / "phases")
    picture = _maps([entrant for entrant in entrants if entrant.name not in tables.others])
    if picture is not None:
        save(picture, directory / "map")


def _write_numbers(directory: pathlib.Path, compared: Compared, charts: Sequence[Chart]) -> None:
    entrants, tables, _ = compared
    for chart in charts:
        _write_csv(directory / f"{chart.key}.csv", _chart_rows(chart))
    if tables.label_range is not None:
        _write_csv(directory / "areas.csv", _area_rows(tables))
    if tables.penalties is not None:
        names, matrix, means = tables.penalties
        rows = [[name, *row] for name, row in zip(names, matrix.tolist(), strict=True)]
        _write_csv(
            directory / "penalties.csv",
            [["row beats column", *names], *rows, ["column mean", *means.tolist()]],
        )
    if tables.targets:
        _write_csv(directory / "reach.csv", _reach_rows(tables))
    if any(standing.seconds for standing in tables.standings):
        _write_csv(directory / "phases.csv", _phase_rows(tables))
    _write_csv(directory / "episodes.csv", _episode_rows(entrants))


def _areas(tables: Tables, styles: Mapping[str, Style]) -> Figure:
    standings = tables.standings[::-1]
    figure = Figure(figsize=(COLUMN, 0.6 + 0.19 * len(standings)), layout="constrained")
    axes = figure.subplots()
    for k, standing in enumerate(standings):
        style = styles[standing.name]
        axes.plot(standing.area.estimate, k, style.marker[1], color=style.color)
        axes.hlines(k, standing.area.low, standing.area.high, color=style.color)
    axes.set_yticks(range(len(standings)), [standing.name for standing in standings])
    low, high = tables.label_range or (0, 0)
    several = any(not math.isnan(standing.area.low) for standing in standings)
    interval = ", 95% interval" if several else ""
    axes.set(xlabel=f"mean accuracy over {low:,} to {high:,} labels{interval}")
    axes.set_ylim(-0.5, len(standings) - 0.5)  # marks of the first and the last within the frame
    axes.grid(alpha=0.3, axis="x")
    return figure


def _penalties(tables: Tables) -> Figure:
    assert tables.penalties is not None
    names, matrix, _ = tables.penalties
    side = COLUMN if len(names) <= LEGEND else PAGE
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    size = min(7.0, 28 * side / (len(names) + 4))  # points; a number takes two thirds of its cell
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1.5)
    for (i, j), share in np.ndenumerate(matrix):
        if i != j:
            written = DASH if math.isnan(share) else f"{share:.2f}"
            axes.text(j, i, written, ha="center", va="center", fontsize=size)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_title("share of label counts at which row beats column")
    return figure


def _reach(tables: Tables, styles: Mapping[str, Style]) -> Figure:
    figure = Figure(figsize=(COLUMN, 2.7), layout="constrained")
    axes = figure.subplots()
    targets = sorted((value, k) for k, (_, value) in enumerate(tables.targets))
    for reach in tables.reach:
        style = styles[reach.name]
        points = [(value, reach.labels[k][0]) for value, k in targets]
        shown = [(value, labels) for value, labels in points if labels is not None]
        x, y = [value for value, _ in shown], [labels for _, labels in shown]
        if reach.name in tables.others:
            faint(axes, x, y)
            continue
        axes.plot(
            x, y, color=style.color, linestyle=style.dash[1], marker=style.marker[1],
            label=reach.name,
        )  # fmt: skip
    axes.set(xlabel="test accuracy to reach", ylabel="labels needed (median over seeds)")
    axes.grid(alpha=0.3)
    legend(axes, len(tables.others))
    return figure


def _phases(tables: Tables) -> Figure:
    standings = [standing for standing in tables.standings[::-1] if standing.seconds]
    figure = Figure(figsize=(COLUMN, 0.9 + 0.19 * len(standings)), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(standings))
    for k, phase in enumerate(dict.fromkeys(p for s in standings for p in s.seconds)):
        width = np.array([standing.seconds.get(phase, 0.0) for standing in standings])
        axes.barh(
            [standing.name for standing in standings], width, left=left, label=phase,
            color=COLORS[k % len(COLORS)], hatch=HATCHES[k % len(HATCHES)], edgecolor="white",
        )  # fmt: skip
        left += width
    axes.set(xlabel="seconds per seed, all episodes")
    legend(axes, 0)
    return figure


def _maps(entrants: Sequence[Entrant]) -> Figure | None:
    """Draws the first seed's map of each strategy, all its picks darker the later."""
    shown = []
    for entrant in entrants:
        seed = entrant.seeds[0]
        run = entrant.run(seed)
        with contextlib.suppress(UsageError):  # the page tells what is damaged
            pool = read_pool(run.path)
            found = None if pool is None else read_map(run.looks(seed), pool)
            if pool is not None and found is not None:
                shown.append((entrant, seed, found[0], pool))
    if not shown:
        return None
    columns = min(2, len(shown))
    lines = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(COLUMN, COLUMN / columns * lines + 0.5), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    bought = [picked_rows(pool, entrant.picks.get(seed, {})) for entrant, seed, _, pool in shown]
    last = max((int(episodes.max()) for _, episodes in bought if len(episodes)), default=0)
    colors = ScalarMappable(Normalize(0, max(1, last)), "viridis_r")
    for axes, (entrant, seed, points, _), (rows, episodes) in zip(
        grid, shown, bought, strict=False
    ):
        # 50,000 points as vectors would make an SVG of 10 MB.
        axes.scatter(*points.T, s=2, color=GRAY, alpha=0.4, lw=0, rasterized=True)
        axes.scatter(
            *points[rows].T, s=5, c=episodes, norm=colors.norm, cmap=colors.cmap,
            edgecolors="black", linewidths=0.2, rasterized=True,
        )  # fmt: skip
        axes.set_title(f"{entrant.name}, seed {seed}")
    figure.colorbar(
        colors, ax=grid, location="bottom", shrink=0.6, aspect=30, label="episode of the pick",
        ticks=whole_ticks(),
    )  # fmt: skip
    return figure


def picked_rows(pool: Pool, picks: Mapping[int, Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of the pool for all picks that are in it, and their episodes; both [P]."""
    by_episode = {episode: pool.rows(indices) for episode, indices in picks.items()}
    counts = [len(rows) for rows in by_episode.values()]
    rows = np.concatenate([np.array([], np.int64), *by_episode.values()])
    return rows, np.repeat(np.array(list(by_episode), np.int64), counts)


def _chart_rows(chart: Chart) -> Iterable[Sequence[Any]]:
    strong = ["differs_after_correction"] if chart.zero else []
    yield ["strategy", chart.xlabel, "mean", "low_95", "high_95", "seeds", *strong]
    for line in chart.lines:
        for x, value, differs in line.points:
            known = "" if differs is None else int(differs)
            yield [line.name, x, *value, *([known] if chart.zero else [])]


def _area_rows(tables: Tables) -> Iterable[Sequence[Any]]:
    yield [
        "strategy", "area", "low_95", "high_95", "seeds", "difference", "difference_low_95",
        "difference_high_95", "difference_seeds", "p", "p_holm", "label_counts_better",
        "label_counts_worse", "label_counts_compared", "reference", "from_labels", "to_labels",
    ]  # fmt: skip
    for s in tables.standings:
        difference: list[Any] = [""] * 6
        if s.difference is not None:
            difference = [*s.difference.interval, s.difference.p, s.difference.adjusted_p]
        yield [
            s.name, *s.area, *difference, s.better, s.worse, s.compared, tables.reference or "",
            *(tables.label_range or ("", "")),
        ]  # fmt: skip


def _reach_rows(tables: Tables) -> Iterable[Sequence[Any]]:
    yield ["strategy", "accuracy", "median_labels", "seeds_that_reached_it", "seeds"]
    for reach in tables.reach:
        for (_, value), (median, hits) in zip(tables.targets, reach.labels, strict=True):
            yield [reach.name, value, "" if median is None else median, hits, reach.num_seeds]


def _phase_rows(tables: Tables) -> Iterable[Sequence[Any]]:
    yield ["strategy", "phase", "seconds_per_seed"]
    for standing in tables.standings:
        for phase, value in standing.seconds.items():
            yield [standing.name, phase, value]


def _episode_rows(entrants: Sequence[Entrant]) -> Iterable[Sequence[Any]]:
    """The records themselves, all runs in one table, without lists; query_info.NAME is a column."""
    rows = [(entrant.name, flat(row)) for entrant in entrants for row in entrant.metrics]
    fields = list(
        dict.fromkeys(
            field
            for _, row in rows
            for field, value in row.items()
            if field != "strategy" and not isinstance(value, list)
        )
    )
    yield ["strategy", *fields, "seconds"]
    for name, row in rows:
        yield [name, *(row.get(field, "") for field in fields), sum(seconds(row).values())]


def _write_csv(path: pathlib.Path, rows: Iterable[Sequence[Any]]) -> None:
    known = (["" if isinstance(v, float) and math.isnan(v) else v for v in row] for row in rows)
    write_atomically(path, csv_text(known).encode())
