"""Pictures of a run. Takes plain rows and arrays, so it works on any run's files."""

import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Row = Mapping[str, Any]


class Sheet(NamedTuple):
    """One line of the contact sheet: some of the images an episode bought."""

    title: str
    images: np.ndarray  # uint8 [K, H, W, channels]
    class_names: Sequence[str]  # [K]


class CurvePoint(NamedTuple):
    """A metric at one label count, over the seeds that have reached it."""

    num_labeled: int
    mean: float
    std: float  # sample standard deviation (n - 1), nan for one seed
    num_seeds: int


def learning_curve(metrics: Sequence[Row], field: str = "test_accuracy") -> list[CurvePoint]:
    """Returns mean and spread of `field` at each label count, in order."""
    by_count: dict[int, list[float]] = {}
    for row in metrics:
        by_count.setdefault(row["num_labeled"], []).append(row[field])
    return [
        CurvePoint(
            count,
            float(np.mean(values)),
            float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"),
            len(values),
        )
        for count, values in sorted(by_count.items())
    ]


def plot_curves(path: pathlib.Path, runs: Mapping[str, Sequence[Row]], title: str) -> None:
    """Draws test accuracy against labels: a line per run, mean and standard deviation over seeds.

    Args:
      path: where the PNG goes.
      runs: the rows of metrics.jsonl by the name the legend shall show.
      title: above the picture.
    """
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    markers = "osD^vP*X"
    for (name, metrics), marker in zip(runs.items(), markers * len(runs), strict=False):
        curve = learning_curve(metrics)
        counts = [point.num_labeled for point in curve]
        means = np.array([point.mean for point in curve])
        spread = np.nan_to_num([point.std for point in curve])
        num_seeds = len({row["seed"] for row in metrics})
        label = f"{name} ({num_seeds} seed{'s' if num_seeds > 1 else ''})"
        (line,) = axes.plot(counts, means, marker=marker, markersize=5, label=label)
        if num_seeds > 1:
            axes.fill_between(
                counts, means - spread, means + spread, color=line.get_color(), alpha=0.18, lw=0
            )
    axes.set_xlabel("labels")
    axes.xaxis.set_major_locator(whole_ticks())
    several = any(len({row["seed"] for row in metrics}) > 1 for metrics in runs.values())
    axes.set_ylabel("test accuracy" + (" (mean ± standard deviation)" if several else ""))
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    _save(figure, path)


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
        axes.text(1.2, top + 0.4, sheet.title, ha="right", va="center", fontsize=9)
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
            axes.text(left + 0.4, top - 0.05, short, ha="center", va="bottom", fontsize=7)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")  # imshow has moved them
    axes.text(width / 2, 0.25, title, ha="center", va="center", fontsize=11)
    _save(figure, path)


def whole_ticks() -> MaxNLocator:
    """Returns what puts ticks at whole numbers only, even where there is but one of them."""
    return MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)


def replace_file(path: pathlib.Path, content: bytes) -> None:
    """Replaces a file: a reader (or a kill) never meets half of it."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _save(figure: Figure, path: pathlib.Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=130)
    replace_file(path, content.getvalue())
