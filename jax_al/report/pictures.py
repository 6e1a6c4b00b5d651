"""Pictures by matplotlib: lines of a chart, and the two that every run has at its root.

curve.png is the chart of accuracies that the page shows too; picks.png a contact sheet.
"""

import io
import math
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jax_al.durable import write_atomically
from jax_al.report.charts import Chart, accuracy_chart
from jax_al.report.compared import BASELINE, compare
from jax_al.report.entrants import curve_of, gather
from jax_al.report.fonts import families
from jax_al.report.look_files import Pool, read_pool
from jax_al.report.paper import COLUMN
from jax_al.report.styles import FEW, GRAY, Style, make_styles, pair_styles
from jax_al.report.wording import seeds
from jax_al.report.workdirs import Workdir, read
from jax_al.session.records import Pick, Row, read_picks
from jax_al.statistics import Curve

PICTURED = 12  # images in a line of the contact sheet
SCREEN: Any = {"legend.fontsize": 8, "legend.title_fontsize": 8, "lines.markersize": 5}


class Sheet(NamedTuple):
    """One line of the contact sheet: some of the images an episode bought."""

    title: str
    images: list[np.ndarray]  # uint8 [H, W, channels] each, K of them
    class_names: list[str]  # [K]


def draw(
    root: pathlib.Path, show: Callable[[int], np.ndarray | str | None]
) -> dict[str, pathlib.Path]:
    """Draws curve.png and picks.png of a run of the new layout, from its files.

    Args:
      root: of the run.
      show: returns what a person would look at of a row of the pool: an image uint8
        [H, W, channels], or text or nothing, of which there is no contact sheet.

    Returns:
      {"curve": path, "picks": path}, without what there is nothing to draw of.

    Raises:
      UsageError: a file of the run cannot be read.
    """
    runs, pool = read(root), read_pool(root)
    data, first_seed = runs[0].config["data.name"], runs[0].config["seed"]
    drawn = {}
    if any(row["test_accuracy"] is not None for run in runs for row in run.metrics):
        drawn["curve"] = root / "curve.png"
        compared = compare(gather(runs))
        curves = {entrant.name: entrant.curve() for entrant in compared.entrants}
        _plot(drawn["curve"], curves, compared.styles, compared.tables.others, data)
    picks = [pick for pick in read_picks(root / "picks.csv") if pick.seed == first_seed]
    sheets = [] if pool is None else _sheets(runs, picks, pool, show)
    if any(sheet.images for sheet in sheets):
        what = f"{runs[0].title}: first picks of each episode"
        if len(runs) > 1:
            what = "first picks of each strategy's first query"
        drawn["picks"] = root / "picks.png"
        plot_picks(
            drawn["picks"], sheets, f"{data}, {what} of seed {first_seed}, with their classes"
        )
    return drawn


def _sheets(
    runs: Sequence[Workdir],
    picks: Sequence[Pick],
    pool: Pool,
    show: Callable[[int], np.ndarray | str | None],
) -> list[Sheet]:
    """Returns a line per episode; of several strategies but one each, of their first query.

    By then all have the same network, so the lines show how they differ.
    """
    sheets = []
    for run in runs:
        mine = [pick for pick in picks if run.name in (None, pick.strategy)]
        episodes = sorted({pick.episode for pick in mine})
        if len(runs) > 1:
            episodes = [episode for episode in episodes if episode][:1]
        for episode in episodes:
            bought = [pick for pick in mine if pick.episode == episode]
            title = run.title if len(runs) > 1 else f"episode {episode}" if episode else "initial"
            if len(bought) > PICTURED:
                title += f"\n{PICTURED} of {len(bought)}"
            sheets.append(_sheet(title, bought[:PICTURED], pool, show))
    return sheets


def _sheet(
    title: str,
    picks: Sequence[Pick],
    pool: Pool,
    show: Callable[[int], np.ndarray | str | None],
) -> Sheet:
    sheet = Sheet(title, [], [])
    for pick in picks:
        for row in pool.rows([pick.index]):  # one, or none if it is not in the pool
            image = show(int(row))
            if isinstance(image, np.ndarray):
                sheet.images.append(image)
                number = f"class {pick.label}"
                is_known = pick.label < len(pool.class_names)  # else the class came later
                name = " ".join(pool.class_names[pick.label].split()) if is_known else number
                sheet.class_names.append(name if families(name) else number)
    return sheet


def plot_curves(path: pathlib.Path, runs: Mapping[str, Sequence[Row]], title: str) -> None:
    """Draws test accuracy against labels: a line per run, mean and 95% interval over seeds.

    Args:
      path: where the PNG goes.
      runs: the rows of metrics.jsonl by the name the legend shall show.
      title: above the picture.
    """
    curves = {name: curve_of(metrics, "test_accuracy") for name, metrics in runs.items()}
    reference = BASELINE if BASELINE in curves and len(curves) > 1 else None
    _plot(path, curves, make_styles(list(curves), reference), (), title)


def _plot(
    path: pathlib.Path,
    curves: Mapping[str, Curve],
    styles: Mapping[str, Style],
    others: Collection[str],
    title: str,
) -> None:
    chart = accuracy_chart(curves)
    spread = " (mean, 95% interval)" if chart.has_intervals else ""
    chart = chart._replace(title=title, ylabel=chart.ylabel + spread)
    called = {name: f"{name} ({seeds(len(curve))})" for name, curve in curves.items()}
    with matplotlib.rc_context(SCREEN):
        _save(line_picture(chart, styles, others, size=(7.5, 4.8), called=called), path)


def line_picture(
    chart: Chart,
    styles: Mapping[str, Style],
    others: Collection[str],
    *,
    size: tuple[float, float] = (COLUMN, 2.7),
    called: Mapping[str, str] | None = None,
) -> Figure:
    """Returns the picture of a chart.

    Args:
      chart: what to draw.
      styles: of each strategy.
      others: strategies that are but thin gray lines.
      size: inches; by default for a column of a paper, with the sizes of `paper`.
      called: {name: what the legend says instead}.
    """
    if chart.pairs:
        styles = pair_styles([line.name for line in chart.lines])
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    if chart.zero:
        axes.axhline(0, color=GRAY, lw=0.8)
    lines = [line for line in chart.lines if line.points]  # no other is in the legend
    named = [line for line in lines if line.name not in others]
    for line in lines:
        if line.name in others:
            faint(axes, [point.x for point in line.points], [p.value[0] for p in line.points])
    for line in named:
        style = styles[line.name]
        x = [point.x for point in line.points]
        y = [point.value.estimate for point in line.points]
        axes.plot(
            x, y, color=style.color, linestyle=style.dash[1], marker=style.marker[1],
            label=(called or {}).get(line.name, line.name),
            markerfacecolor="none" if chart.zero else None,
            clip_on=not chart.share,  # else a marker at 0 or 1 is but half a marker
        )  # fmt: skip
        strong = [point for point in line.points if point.strong]
        axes.plot(
            [p.x for p in strong], [p.value.estimate for p in strong], style.marker[1],
            color=style.color,
        )  # fmt: skip
        if len(named) <= FEW:
            low = [point.value.low for point in line.points]
            high = [point.value.high for point in line.points]
            axes.fill_between(x, low, high, color=style.color, alpha=0.15, lw=0)
    axes.set(xlabel=chart.xlabel, ylabel=chart.ylabel, title=chart.title)
    axes.xaxis.set_major_locator(whole_ticks())
    if chart.share:
        axes.set_ylim(0, 1)
    elif chart.whole:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3, lw=0.5)
    legend(axes, len(lines) - len(named))
    return figure


def faint(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    """Draws a line that is one of many others."""
    axes.plot(x, y, color=GRAY, alpha=0.35, lw=0.8, zorder=1)


def legend(axes: Axes, num_faint: int) -> None:
    """Names the lines, outside of them; those that are `faint` are but counted."""
    handles, labels = axes.get_legend_handles_labels()
    title = f"thin: {num_faint} others" if num_faint else None
    figure = axes.get_figure(root=True)
    assert figure is not None
    inches = figure.get_size_inches()[0]
    widest = max(map(len, labels), default=1)
    # A letter takes a 20th of an inch or so, what stands before it half an inch.
    lines = math.ceil(len(labels) / max(1, int(inches / (0.5 + widest / 18))))
    columns = math.ceil(len(labels) / max(1, lines))  # as many in each line as can be
    figure.legend(handles, labels, title=title, ncols=max(1, columns), loc="outside lower center")


def plot_picks(path: pathlib.Path, sheets: Sequence[Sheet], title: str) -> None:
    """Draws a contact sheet: a line of images per episode, each under the name of its class."""
    columns = max((len(sheet.images) for sheet in sheets), default=1)
    width, height = 0.95 * columns + 1.6, 1.12 * len(sheets) + 0.6
    figure = Figure(figsize=(width, height))
    # One pair of axes for all images, in inches: a pair for each takes ten times as long to draw.
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    for line, sheet in enumerate(sheets):
        top = 0.75 + 1.12 * line
        _write(axes, (1.2, top + 0.4), sheet.title, ha="right", va="center", fontsize=9)
        for k, (image, name) in enumerate(zip(sheet.images, sheet.class_names, strict=True)):
            left = 1.4 + 0.95 * k
            axes.imshow(
                image.squeeze(),
                cmap="gray",
                vmin=0,
                vmax=255,
                extent=(left, left + 0.8, top + 0.8, top),
            )
            short = name if len(name) <= 14 else name[:13] + "…"
            place = (left + 0.4, top - 0.05)
            _write(axes, place, short, ha="center", va="bottom", fontsize=7)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")  # imshow has moved them
    _write(axes, (width / 2, 0.25), title, ha="center", va="center", fontsize=11)
    _save(figure, path)


def _write(axes: Axes, place: tuple[float, float], text: str, **how: Any) -> None:
    """Writes names that people gave: in any script, and a dollar is no formula."""
    known = families(text.replace("\n", ""))
    if known is None:
        text = "".join(one if one == "\n" or families(one) else "□" for one in text)
        known = families(text.replace("\n", ""))
    axes.text(*place, text, family=known, parse_math=False, **how)


def whole_ticks() -> MaxNLocator:
    """Returns what puts ticks at whole numbers only, even where there is but one of them."""
    return MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)


def _save(figure: Figure, path: pathlib.Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=130)
    write_atomically(path, content.getvalue())
