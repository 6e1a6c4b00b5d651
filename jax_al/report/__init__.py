"""Pictures and reports of runs, from their files; knows nothing of how they were made."""

from jax_al.report.build import write_report
from jax_al.report.pictures import Sheet, draw, plot_curves, plot_picks

__all__ = ["Sheet", "draw", "plot_curves", "plot_picks", "write_report"]
