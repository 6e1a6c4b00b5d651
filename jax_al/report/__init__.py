"""Pictures and reports of runs, from their files; knows nothing of how they were made."""

from jax_al.report.build import write_report
from jax_al.report.errors import ReportError
from jax_al.report.pictures import CurvePoint, Sheet, learning_curve, plot_curves, plot_picks

__all__ = [
    "CurvePoint",
    "ReportError",
    "Sheet",
    "learning_curve",
    "plot_curves",
    "plot_picks",
    "write_report",
]
