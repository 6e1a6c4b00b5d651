"""From workdirs to the page and the files beside it."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from jax_al.errors import UsageError
from jax_al.report.charts import charts
from jax_al.report.entrants import Entrant, gather
from jax_al.report.looks import gather_looks
from jax_al.report.page import make_page
from jax_al.report.styles import make_styles
from jax_al.report.tables import make_tables, outcome
from jax_al.report.twins import write_files
from jax_al.report.workdirs import find, read
from jax_al.session.records import write_atomically

BASELINE = "random"


class Written(NamedTuple):
    """What was reported."""

    finished: bool  # whether all the runs are
    outcome: list[str]  # a line for each of the best strategies beside the reference


def write_report(
    paths: Sequence[pathlib.Path],
    out: pathlib.Path,
    *,
    reference: str | None = None,
    files: bool = True,
    refresh: float | None = None,
) -> Written:
    """Writes the report of some runs; what was there stays until the new one is whole.

    Args:
      paths: workdirs, or directories of workdirs.
      out: the page, its directory made if missing; the files go to `<out without suffix>_files/`.
      reference: the strategy the others are compared to; None: random, else the first.
      files: whether to write pictures and CSV too, which takes some seconds.
      refresh: seconds after which an open page loads itself again, while a run goes on.

    Raises:
      UsageError: the runs cannot be reported on, in one sentence.
    """
    if out.is_dir():
        raise UsageError(f"{out} is a directory; name a file in it to write the report to.")
    runs = [run for path in find(paths) for run in read(path)]
    entrants = gather(runs)
    finished = all(run.finished for run in runs)
    against = _reference(entrants, reference)
    tables = make_tables(entrants, against)
    names = [entrant.name for entrant in entrants]
    # Those that are shown at first come first, so that their colors are all different.
    styles = make_styles(sorted(names, key=lambda name: name in tables.others), against)
    drawn = charts(entrants, against, tables.others)
    beside = out.with_name(f"{out.stem}_files")
    page = make_page(
        entrants,
        drawn,
        tables,
        gather_looks(entrants),
        styles,
        beside.name if files else None,
        None if finished else refresh,
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{out.parent} is not a directory to write {out.name} to.") from error
    if files:
        write_files(beside, entrants, drawn, tables, styles)
    write_atomically(out, page)
    return Written(finished, outcome(tables))


def _reference(entrants: Sequence[Entrant], wanted: str | None) -> str | None:
    names = [entrant.name for entrant in entrants]
    if wanted is not None and wanted not in names:
        raise UsageError(f"There is no strategy {wanted!r} to compare to, only {', '.join(names)}.")
    if len(names) == 1:
        return None
    baselines = [entrant.name for entrant in entrants if entrant.config["strategy"] == BASELINE]
    return wanted or (baselines or names)[0]
