"""From workdirs to the page and the files beside it."""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from jax_al.durable import write_atomically
from jax_al.errors import UsageError
from jax_al.report.charts import charts
from jax_al.report.compared import compare
from jax_al.report.entrants import gather
from jax_al.report.looks import gather_looks
from jax_al.report.page import make_page
from jax_al.report.tables import outcome
from jax_al.report.twins import write_files
from jax_al.report.workdirs import find, read


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
      files: whether to write pictures and CSV too, about half a second a picture.
      refresh: seconds after which an open page loads itself again, while a run goes on.

    Raises:
      UsageError: the runs cannot be reported on, in one sentence.
    """
    if out.is_dir():
        raise UsageError(f"{out} is a directory; name a file in it to write the report to.")
    runs = [run for path in find(paths) for run in read(path)]
    compared = compare(gather(runs), reference)
    finished = all(run.finished for run in runs)
    drawn = charts(compared.entrants, compared.reference, compared.tables.others)
    beside = out.with_name(f"{out.stem}_files")
    page = make_page(
        compared,
        drawn,
        gather_looks(compared.entrants),
        beside.name if files else None,
        None if finished else refresh,
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{out.parent} is not a directory to write {out.name} to.") from error
    write_atomically(out, page)  # first: it can be read while the pictures are drawn
    if files:
        write_files(beside, compared, drawn)
    return Written(finished, outcome(compared.tables))
