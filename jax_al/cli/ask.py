"""`jax-al ask --out batch.csv [--budget 50] [--workdir W]`."""

import argparse
from collections.abc import Sequence

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser, path_of
from jax_al.cli.people import (
    add_workdir,
    batch_place,
    how_to_tell,
    keep_look,
    project_of,
    write_text,
)
from jax_al.cli.programs import keep_programs
from jax_al.errors import UsageError
from jax_al.people.batch import batch_text
from jax_al.people.project import Project
from jax_al.people.turns import in_batch
from jax_al.pools.progress import say
from jax_al.session.fold import Record


def main(words: Sequence[str] | None = None, name: str = "jax-al ask") -> int:
    """Writes what to label next as a CSV file; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="What to label next, as a CSV file: fill in label with a class, or decision "
        "with skip, unsure or broken, in a spreadsheet or by a program, and hand it to jax-al "
        "tell. A request that is open is written again, without what is answered. One row in five "
        "is of the audit until that is done: label it like the others.",
    )
    parser.add_argument("--out", type=path_of, required=True, help=".csv file to fill in")
    parser.add_argument(
        "--budget", type=int, metavar="Q", help="rows of a new request; the project's if omitted"
    )
    add_workdir(parser)
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    project = project_of(arguments)
    out, budget = batch_place(arguments.out, project), arguments.budget
    if budget is not None and budget < 1:
        raise UsageError(f"--budget is {budget}, but must be at least 1.")
    record = _asked(project, budget)
    rows = in_batch(record)
    if not rows:
        raise UsageError("Nothing is left to ask: all is labeled, or put aside.")
    names = project.names(rows)
    write_text(out, batch_text(zip(names, map(record.why, rows), strict=True)))
    audit = sum(record.why(row) == "audit" for row in rows)
    told = f", {audit} of them of the audit" if audit else ""
    then = how_to_tell(arguments.out, project)
    print(f"{len(rows)} to label in {arguments.out}{told}: fill it in, then {then}")
    if budget is not None and record.open is not None and len(record.open.rows) != budget:
        print(
            f"They are of the request of {len(record.open.rows)} that is open; --budget holds for "
            "the next one."
        )


def _asked(project: Project, budget: int | None) -> Record:
    """Returns the record with a request that is open, or none where nothing is left."""
    if (project.place / "journal.jsonl").exists():
        record = project.teller.record()
        if record.undecided() and project.are_there(in_batch(record)):
            return record  # without JAX
    keep_programs()
    session = project.session(budget)
    if session.record.undecided():  # what is missing was put aside
        return session.record
    say("Training on the labels so far, and choosing what to ask.")
    project.teller.join_late()  # what was told after another class had closed the request
    session.ask()
    keep_look(session, project)  # before anybody answers
    return session.record
