"""Pictures as a paper takes them: as wide as its column, in PDF and SVG and in PNG."""

import io
import pathlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from jax_al.durable import write_atomically

COLUMN = 3.4  # inches; of two columns on a page
PAGE = 7.0  # of both, for what many strategies stand in
DPI = 300
# No date: the same numbers shall give the same file.
KINDS: dict[str, Callable[[Figure, io.BytesIO], None]] = {
    "pdf": lambda figure, file: FigureCanvasPdf(figure).print_pdf(
        file, metadata={"CreationDate": None}
    ),
    "svg": lambda figure, file: FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None}),
    "png": lambda figure, file: FigureCanvasAgg(figure).print_png(file),
}
STYLE: Any = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titley": 1.0,  # where it would be anyway, as no ticks are above: nothing to look for
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


@contextmanager
def paper() -> Iterator[None]:
    """What is drawn inside has the sizes of a paper."""
    with matplotlib.rc_context(STYLE):
        yield


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes `figure` as `path` with each of KINDS for suffix; the same numbers, the same bytes.

    `figure.savefig` would place everything again and draw twice, for each of the kinds.
    """
    layout = figure.get_layout_engine()
    assert layout is not None
    layout.execute(figure)
    figure.set_layout_engine("none")
    for kind, write in KINDS.items():
        content = io.BytesIO()
        figure.dpi = DPI
        write(figure, content)
        write_atomically(path.with_suffix(f".{kind}"), content.getvalue())
