"""Pictures of a run. Takes plain rows and arrays, so it works on any run's files."""

import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

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
    several = any(len({row["seed"] for row in metrics}) > 1 for metrics in runs.values())
    axes.set_ylabel("test accuracy" + (" (mean ± standard deviation)" if several else ""))
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    _save(figure, path)


def plot_picks(path: pathlib.Path, sheets: Sequence[Sheet], title: str) -> None:
    """Draws a contact sheet: a line of images per episode, each with the name of its class."""
    columns = max(len(sheet.images) for sheet in sheets)
    figure = Figure(figsize=(0.95 * columns + 1.6, 1.12 * len(sheets) + 0.5), layout="constrained")
    grid = figure.subplots(len(sheets), columns, squeeze=False)
    for axes_row, sheet in zip(grid, sheets, strict=True):
        for axes in axes_row:
            axes.set_axis_off()
        for axes, image, name in zip(axes_row, sheet.images, sheet.class_names, strict=False):
            axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
            axes.set_title(name if len(name) <= 14 else name[:13] + "…", fontsize=7, pad=2)
        axes_row[0].text(
            -0.12,
            0.5,
            sheet.title,
            transform=axes_row[0].transAxes,
            ha="right",
            va="center",
            fontsize=9,
        )
    figure.suptitle(title, fontsize=11)
    _save(figure, path)


def replace_file(path: pathlib.Path, content: bytes) -> None:
    """Replaces a file: a reader (or a kill) never meets half of it."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def _save(figure: Figure, path: pathlib.Path) -> None:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=130)
    replace_file(path, content.getvalue())
