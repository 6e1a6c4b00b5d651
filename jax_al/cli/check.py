"""`jax-al check [--size 100] [--out check.csv] [--fresh | --cancel] [--workdir W]`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser, path_of
from jax_al.cli.people import (
    FilledInError,
    add_workdir,
    batch_place,
    how_to_tell,
    keep_look,
    project_of,
    trained_session,
    write_text,
)
from jax_al.errors import UsageError
from jax_al.people import audit
from jax_al.people.batch import batch_text
from jax_al.people.intervals import Width, size_or_width
from jax_al.people.lines import checked, drawn_from, lines_by_row
from jax_al.people.models import read_models
from jax_al.people.project import Project
from jax_al.people.standing import last_check, of_check
from jax_al.session.fold import Record
from jax_al.session.journal import Journal

SIZE = 100  # examples of a check


def main(words: Sequence[str] | None = None, name: str = "jax-al check") -> int:
    """Draws a check, or says what came of it; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="How much of an export is right? Draws examples at random from what is still "
        "unlabeled, and writes them as a CSV file: fill it in without a look at predictions, hand "
        "it to jax-al tell, and call this once more. An open request is closed for it.",
    )
    parser.add_argument(
        "--size", metavar="N",
        help="examples to draw; 100 if omitted; 5%%: as many as tell the share right in the export "
        "to within 5 points at worst; 5%%@0.9: where 0.9 of the model's are right",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=path_of, default=Path("check.csv"), help=".csv file to fill in; check.csv"
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--fresh",
        action="store_true",
        help="draw anew; what waits of an earlier check is called off",
    )
    instead.add_argument(
        "--cancel", action="store_true",
        help="what waits of a check is asked and trained on like all others; what is answered "
        "stays held out and counts",
    )  # fmt: skip
    add_workdir(parser)
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    wanted = size_or_width(SIZE if arguments.size is None else arguments.size, "--size")
    if wanted == 0:
        raise UsageError("--size is 0, but must be at least 1.")
    project = project_of(arguments)
    record = project.teller.record()
    if arguments.cancel:
        print(_called_off(project))
        return
    check = last_check(record)
    if check is not None and arguments.size is not None and not arguments.fresh:
        raise UsageError(
            f"There is a check of {len(check.rows):,} already, and --size is of a new one: leave "
            "it out, or give --fresh, too."
        )
    if arguments.fresh or check is None:
        out = batch_place(arguments.out, project)
        project.teller.call_off("check")
        left = _left(_drawn(project, wanted))
    else:
        print(figure(record, project))
        left = _left(record)
        if not left:
            return
        try:
            out = batch_place(arguments.out, project)
        except FilledInError:
            print(
                f"{len(left):,} wait for a label. {arguments.out} has been filled in and "
                f"stays as it is: go on in it, then {how_to_tell(arguments.out, project)}"
            )
            return
    write_text(out, batch_text((name, "check") for name in project.names(left)))
    print(
        f"{len(left):,} to label in {arguments.out}, of what has no label yet: fill it in, then "
        f"{how_to_tell(arguments.out, project)}"
    )


def _called_off(project: Project) -> str:
    """Calls off what waits of checks; returns what there is to say.

    Raises:
      UsageError: nothing waits.
    """
    count = project.teller.call_off("check")
    if not count:
        raise UsageError("No check waits for answers: there is nothing to cancel.")
    check = last_check(project.teller.record())
    told = f"; {len(check.rows):,} that are answered stay held out and count" if check else ""
    return f"{count:,} of the check are like all others again{told}."


def figure(record: Record, project: Project) -> str:
    """Returns the sentence about the last check, done or not."""
    check = last_check(record)
    if check is None:
        return "There is no check."
    found = of_check(record, read_models(project.place), check)
    if found is None:  # what learners said was lost, or the check was drawn while one looked
        keep_look(project.session(), project)
        found = of_check(record, read_models(project.place), check)
    predicted, told = found or ({}, {})
    if not audit.accuracy(predicted, told).answered:
        return "Nothing of the check has a class yet."
    frame = drawn_from(Journal(project.place).events(), check.number)
    says = checked(record, predicted, told, frame, lines_by_row(project.pool))
    left, size = len(_left(record)), len(check.rows)
    so_far = f"Of a check of {size:,}, {size - left:,} being answered: " if left else ""
    return so_far + audit.by_check(*says)


def _drawn(project: Project, wanted: int | Width) -> Record:
    """Draws a check when all that is labeled is trained on, and looks at it before anybody does.

    Raises:
      UsageError: nothing is labeled, or nothing is left to draw from.
    """
    session, seed = trained_session(project), project.settings.seed
    session.train()
    free = len(project.pool) - session.record.num_taken
    if isinstance(wanted, Width):
        wanted = audit.check_size(wanted, len(project.teller.labels()), free) if free else 1
        print(f"{wanted:,} answers tell the share right in the export so.")
    size = min(wanted, max(1, free // 2))  # so that something is left to ask
    if size < wanted:
        print(f"Drawn are {size:,}, half of what is left, so that there is something to ask.")
    if not project.teller.draw_among(project.pool.ids, size, "check", seed=seed):
        raise UsageError("Everything is labeled or was put aside: nothing is left to check.")
    keep_look(session, project)  # nothing of a check has ever been trained on
    return session.record


def _left(record: Record) -> list[int]:
    """Returns the rows of the last check that nobody has answered."""
    check = last_check(record)
    return [row for row in check.rows if record.said(row) is None] if check else []
