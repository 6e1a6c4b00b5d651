"""Pictures as a paper takes them: as wide as its column, in PDF and SVG and in PNG."""

import io
import pathlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from jax_al.session.records import write_atomically

COLUMN = 3.4  # inches; of two columns on a page
PAGE = 7.0  # of both, for what many strategies stand in
KINDS = ("pdf", "svg", "png")
DPI = 300
STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.title_fontsize": 7,
    "lines.linewidth": 1.1,
    "lines.markersize": 3.5,
    "axes.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "pdf.fonttype": 42,  # letters as TrueType, which journals ask for
    "svg.hashsalt": "jax_al",  # fixed ids: the same numbers give the same file
}
NO_DATE = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": None}


@contextmanager
def paper() -> Iterator[None]:
    """What is drawn inside has the sizes of a paper."""
    with matplotlib.rc_context(STYLE):
        yield


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes `figure` as `path` with each of KINDS for suffix; the same numbers, the same bytes."""
    figure.draw_without_rendering()  # places everything, once for all three
    figure.set_layout_engine("none")
    for kind in KINDS:
        content = io.BytesIO()
        figure.savefig(content, format=kind, dpi=DPI, metadata=NO_DATE[kind])
        write_atomically(path.with_suffix(f".{kind}"), content.getvalue())
