"""The files beside the page: each picture as PNG and SVG (matplotlib), each number as CSV."""

import csv
import io
import math
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from jax_al.report.charts import Chart, seconds
from jax_al.report.entrants import Entrant
from jax_al.report.pictures import replace_file
from jax_al.report.styles import COLORS, FEW, GRAY, Style
from jax_al.report.tables import Tables
from jax_al.report.workdirs import read_map, read_pool

HATCHES = ("", "//", "..", "xx", "\\\\", "++")


def write_files(
    directory: pathlib.Path,
    entrants: Sequence[Entrant],
    charts: Sequence[Chart],
    tables: Tables,
    styles: Mapping[str, Style],
) -> None:
    """Writes all pictures and tables into `directory`, which is made if missing."""
    directory.mkdir(parents=True, exist_ok=True)
    for chart in charts:
        _save(_lines(chart, styles), directory / chart.key)
        _write_csv(directory / f"{chart.key}.csv", _chart_rows(chart))
    if tables.label_range is not None:
        _save(_areas(tables, styles), directory / "areas")
        _write_csv(directory / "areas.csv", _area_rows(tables))
    if tables.penalties is not None:
        _save(_penalties(tables), directory / "penalties")
        names, matrix, means = tables.penalties
        rows = [[name, *row] for name, row in zip(names, matrix.tolist(), strict=True)]
        _write_csv(
            directory / "penalties.csv",
            [["row beats column", *names], *rows, ["column mean", *means.tolist()]],
        )
    if tables.targets:
        _save(_reach(tables, styles), directory / "reach")
        _write_csv(directory / "reach.csv", _reach_rows(tables))
    if any(standing.seconds for standing in tables.standings):
        _save(_phases(tables), directory / "phases")
        _write_csv(directory / "phases.csv", _phase_rows(tables))
    _write_csv(directory / "episodes.csv", _episode_rows(entrants))
    picture = _maps(entrants)
    if picture is not None:
        _save(picture, directory / "map")


def _lines(chart: Chart, styles: Mapping[str, Style]) -> Figure:
    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.subplots()
    if chart.zero:
        axes.axhline(0, color=GRAY, lw=1)
    free = list(styles.values())
    for k, line in enumerate(chart.lines):
        style = styles.get(line.name, free[k % len(free)])
        x = [point.x for point in line.points]
        y = [point.value.estimate for point in line.points]
        axes.plot(
            x, y, color=style.color, linestyle=style.dash[1], marker=style.marker[1], markersize=5,
            label=line.name, markerfacecolor="none" if chart.zero else None,
        )  # fmt: skip
        strong = [point for point in line.points if point.strong]
        axes.plot(
            [p.x for p in strong], [p.value.estimate for p in strong], style.marker[1],
            color=style.color, markersize=5,
        )  # fmt: skip
        if len(chart.lines) <= FEW:
            low = [point.value.low for point in line.points]
            high = [point.value.high for point in line.points]
            axes.fill_between(x, low, high, color=style.color, alpha=0.15, lw=0)
    axes.set(xlabel=chart.xlabel, ylabel=chart.ylabel, title=chart.title)
    if chart.whole:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _areas(tables: Tables, styles: Mapping[str, Style]) -> Figure:
    standings = tables.standings[::-1]
    figure = Figure(figsize=(7, 1.2 + 0.35 * len(standings)), layout="constrained")
    axes = figure.subplots()
    for k, standing in enumerate(standings):
        style = styles[standing.name]
        axes.plot(standing.area.estimate, k, style.marker[1], color=style.color)
        axes.hlines(k, standing.area.low, standing.area.high, color=style.color)
    axes.set_yticks(range(len(standings)), [standing.name for standing in standings])
    low, high = tables.label_range or (0, 0)
    axes.set(xlabel=f"mean accuracy over {low:,} to {high:,} labels, 95% interval")
    axes.grid(alpha=0.3, axis="x")
    return figure


def _penalties(tables: Tables) -> Figure:
    assert tables.penalties is not None
    names, matrix, _ = tables.penalties
    side = 2.5 + 0.5 * len(names)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1.5)
    for (i, j), share in np.ndenumerate(matrix):
        if i != j:
            axes.text(j, i, f"{share:.2f}", ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_title("share of label counts at which row beats column", fontsize=9)
    return figure


def _reach(tables: Tables, styles: Mapping[str, Style]) -> Figure:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    targets = sorted((value, k) for k, (_, value) in enumerate(tables.targets))
    for reach in tables.reach:
        style = styles[reach.name]
        points = [(value, reach.labels[k][0]) for value, k in targets]
        shown = [(value, labels) for value, labels in points if labels is not None]
        axes.plot(
            [value for value, _ in shown], [labels for _, labels in shown], color=style.color,
            linestyle=style.dash[1], marker=style.marker[1], label=reach.name,
        )  # fmt: skip
    axes.set(xlabel="test accuracy to reach", ylabel="labels needed (median over seeds)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _phases(tables: Tables) -> Figure:
    standings = [standing for standing in tables.standings[::-1] if standing.seconds]
    figure = Figure(figsize=(7, 1.4 + 0.35 * len(standings)), layout="constrained")
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
    axes.legend(fontsize=8, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figure


def _maps(entrants: Sequence[Entrant]) -> Figure | None:
    """Draws the first seed's map of each strategy, all its picks darker the later."""
    shown = []
    for entrant in entrants:
        seed = entrant.seeds[0]
        found, pool = read_map(entrant.path(seed), seed), read_pool(entrant.path(seed))
        if found is not None and pool is not None:
            shown.append((entrant, seed, found[0], pool.index))
    if not shown:
        return None
    columns = min(3, len(shown))
    lines = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(4.5 * columns, 4.7 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, (entrant, seed, points, index) in zip(grid, shown, strict=False):
        # 50,000 points as vectors would make an SVG of 10 MB.
        axes.scatter(*points.T, s=3, color=GRAY, alpha=0.25, lw=0, rasterized=True)
        picks = [(e, i) for e, some in entrant.picks.get(seed, {}).items() for i in some]
        rows = np.searchsorted(index, [i for _, i in picks])
        keep = rows < len(index)
        marks = axes.scatter(
            *points[rows[keep]].T, s=14, c=np.array([e for e, _ in picks])[keep], cmap="viridis_r",
            edgecolors="black", linewidths=0.3, rasterized=True,
        )  # fmt: skip
        axes.set_title(f"{entrant.name}, seed {seed}")
        figure.colorbar(marks, ax=axes, shrink=0.6, label="episode of the pick")
    return figure


def _chart_rows(chart: Chart) -> Iterable[Sequence[Any]]:
    strong = ["differs_after_correction"] if chart.zero else []
    yield ["strategy", chart.xlabel, "mean", "low_95", "high_95", "seeds", *strong]
    for line in chart.lines:
        for x, value, differs in line.points:
            yield [line.name, x, *value, *([int(differs)] if chart.zero else [])]


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
    """The records themselves, all runs in one table, without lists."""
    rows = [(entrant.name, row) for entrant in entrants for row in entrant.metrics]
    fields = list(
        dict.fromkeys(
            field for _, row in rows for field, value in row.items() if not isinstance(value, list)
        )
    )
    yield ["strategy", *fields, "seconds"]
    for name, row in rows:
        yield [name, *(row.get(field, "") for field in fields), sum(seconds(row).values())]


def _write_csv(path: pathlib.Path, rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in row])
    replace_file(path, text.getvalue().encode())


def _save(figure: Figure, path: pathlib.Path) -> None:
    # Fixed ids and no date: the same numbers give the same file.
    with matplotlib.rc_context({"svg.hashsalt": "jax_al"}):
        for kind, metadata in (("png", None), ("svg", {"Date": None})):
            content = io.BytesIO()
            figure.savefig(content, format=kind, dpi=130, metadata=metadata)
            replace_file(path.with_suffix(f".{kind}"), content.getvalue())
