"""`jax-al check [--size 100] [--out check.csv] [--fresh] [--workdir W]`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from jax_al.cli.ending import command
from jax_al.cli.people import (
    add_workdir,
    batch_place,
    keep_look,
    project_of,
    trained_session,
    write_text,
)
from jax_al.errors import UsageError
from jax_al.people import audit
from jax_al.people.batch import batch_text
from jax_al.people.models import read_models
from jax_al.people.project import Project
from jax_al.people.standing import checked, rows_of_check
from jax_al.session.fold import Record
from jax_al.types import BROKEN


def main(words: Sequence[str] | None = None, name: str = "jax-al check") -> int:
    """Draws a check, or says what came of it; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = argparse.ArgumentParser(
        prog=name,
        description="How much of an export is right? Draws examples at random from what is still "
        "unlabeled, and writes them as a CSV file: fill it in without a look at predictions, hand "
        "it to jax-al tell, and call this once more. An open request is closed for it.",
    )
    parser.add_argument("--size", type=int, default=100, metavar="N", help="examples to draw; 100")
    parser.add_argument(
        "--out", type=Path, default=Path("check.csv"), help=".csv file to fill in; check.csv"
    )
    parser.add_argument("--fresh", action="store_true", help="draw anew, an earlier check or not")
    add_workdir(parser)
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.size < 1:
        raise UsageError(f"--size is {arguments.size}, but must be at least 1.")
    project = project_of(arguments)
    record = project.teller.record()
    if arguments.fresh or not rows_of_check(record):
        out = batch_place(arguments.out, project)
        record = _drawn(project, arguments.size)
    else:
        print(figure(record, project))
        if not _left(record):
            return
        out = batch_place(arguments.out, project)
    left, items = _left(record), project.items.all()
    write_text(out, batch_text((items[row].id, "check") for row in left))
    print(
        f"{len(left):,} to label in {arguments.out}, of what has no label yet: fill it in, then "
        "jax-al tell it."
    )


def figure(record: Record, project: Project) -> str:
    """Returns the sentence about the last check, done or not."""
    found = checked(record, read_models(project.place))
    if found is None:  # what learners said was lost, or the check was drawn while one looked
        keep_look(project.session(), project)
        found = checked(record, read_models(project.place))
    if found is None or not found.answered:
        return "Nothing of the check has a class yet."
    said = [record.said(row) for row in range(record.data["size"])]
    named = sum(one is not None and one.decision >= 0 for one in said)
    broken = sum(one is not None and one.decision == BROKEN for one in said)
    before = named - found.answered
    export = audit.exported(found, before, len(said) - broken - before)
    left, size = len(_left(record)), len(rows_of_check(record))
    so_far = f"Of a check of {size:,}, {size - left:,} being answered: " if left else ""
    return so_far + audit.by_check(found, export)


def _drawn(project: Project, size: int) -> Record:
    """Draws a check when all that is labeled is trained on, and looks at it before anybody does.

    Raises:
      UsageError: nothing is labeled, or nothing is left to draw from.
    """
    session, seed = trained_session(project), project.settings.seed
    session.train()
    free = len(project.pool) - session.record.num_taken
    size = min(size, max(1, free // 2))  # so that something is left to ask
    if not project.teller.draw_among(project.pool.ids, size, "check", seed=seed):
        raise UsageError("Everything is labeled or was put aside: nothing is left to check.")
    keep_look(session, project)  # nothing of a check has ever been trained on
    return session.record


def _left(record: Record) -> list[int]:
    """Returns the rows of the last check that nobody has answered."""
    return [row for row in rows_of_check(record) if record.said(row) is None]
