"""`jax-al tell batch.csv [--relabel] [--partial] [--who anna] [--workdir W]`."""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser, path_of
from jax_al.cli.people import add_workdir, project_of, said_by_row
from jax_al.errors import MOST_NAMES, UsageError
from jax_al.people.batch import REVIEW, Fault, Told, changes, listed, told
from jax_al.people.project import Project
from jax_al.people.run_part import RunPart
from jax_al.people.settings import checked_classes, workdir_flag
from jax_al.people.writable import check_writable
from jax_al.session.fold import Record


def main(words: Sequence[str] | None = None, name: str = "jax-al tell") -> int:
    """Takes the answers in a CSV file; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="Takes the answers in a CSV file with the columns id, label and maybe decision "
        "(skip, unsure, broken), as jax-al ask and review write it and any spreadsheet saves it. "
        "What has neither label nor decision is undecided yet. What cannot be meant is listed, and "
        "then nothing of the file is taken.",
    )
    parser.add_argument("batch", type=path_of, help="the .csv file")
    parser.add_argument("--relabel", action="store_true", help="answers may replace others")
    parser.add_argument(
        "--partial", action="store_true", help="take what can be taken, and list the rest"
    )
    parser.add_argument("--who", help="says so; the project's name if omitted")
    add_workdir(parser)
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    project = project_of(arguments, writes=False)
    check_writable(project.place)  # here, as the part of a run is told, too
    record = project.teller.record()
    items = project.items.all()
    rows = {item.id: row for row, item in enumerate(items)}
    classes, moved = record.classes.values(), project.other_names()
    batch = str(arguments.batch)
    found = told(_content(arguments.batch), batch, rows, classes, moved, record.renamed())
    standing = {items[row].id: said for row, said in said_by_row(record).items()}
    changed = changes(found, standing)
    new = _not_in_yet(found, rows, record.data["size"], project.place)
    refused = [*found.faults, *new.values(), *(() if arguments.relabel else changed.values())]
    if refused and not arguments.partial:
        adds = "" if isinstance(project, RunPart) else _adds(project.place, refused)
        raise UsageError(
            _sentence(arguments.batch, bool(changed) and not arguments.relabel, refused, adds)
        )
    taken = {
        id: said
        for id, said in found.answers.items()
        if standing.get(id) != said and id not in new and (id not in changed or arguments.relabel)
    }
    _tell(project, record, rows, taken, found, arguments)
    relabeled = sum(id in changed for id in taken)
    known = sum(id not in taken and id not in changed and id not in new for id in found.answers)
    answers = "1 answer" if len(taken) == 1 else f"{len(taken):,} answers"
    print(
        f"{answers} taken{f', {relabeled:,} of them in place of others' * (relabeled > 0)}"
        f"; {known:,} known before, {found.undecided:,} undecided."
    )
    if refused:
        print(f"Not taken:{listed(sorted(refused))}")


def _not_in_yet(found: Told, rows: Mapping[str, int], size: int, place: Path) -> dict[str, Fault]:
    """Returns by id what is known to be there, and is not in the pool on record of `size` rows."""
    takes_in = f"jax-al label --no-page {workdir_flag(place)} takes it in"
    what = f"is new and not in the pool yet: {takes_in}"
    return {
        id: Fault(found.numbers[id], f"{id!r} {what}") for id in found.answers if rows[id] >= size
    }


def _tell(
    project: Project,
    record: Record,
    rows: Mapping[str, int],
    taken: Mapping[str, str | int],
    found: Told,
    arguments: argparse.Namespace,
) -> None:
    teller, who = project.teller, arguments.who or project.settings.who
    # What nobody asked is a label that was known: it is trained on like all others.
    given = [id for id in taken if rows[id] not in record.asked]
    if given:
        teller.draw([rows[id] for id in given], given, "given")
    for why in ("", REVIEW):
        answers = {id: said for id, said in taken.items() if (id in found.reviewed) == bool(why)}
        if answers:
            items = project.hashes(list(answers))
            teller.tell(answers, relabel=arguments.relabel, who=who, why=why, items=items)
    if given:
        teller.join_late()


def _content(batch: Path) -> bytes:
    try:
        return batch.read_bytes()
    except OSError as error:
        raise UsageError(f"{batch} cannot be read: {error.strerror}.") from error


def _adds(place: Path, refused: Sequence[Fault]) -> str:
    """Returns the command that adds the classes that are not there; empty: there is none."""
    names = list(dict.fromkeys(one.new_class for one in sorted(refused) if one.new_class))
    if not names or any("," in name for name in names):
        return ""
    try:
        checked_classes(names)
    except UsageError:
        return ""
    added = shlex.quote(",".join(names)) if len(names) <= MOST_NAMES else "A,B"
    return f"jax-al classes --add={added} {workdir_flag(place)}"


def _sentence(batch: Path, has_changes: bool, refused: Sequence[Fault], adds: str) -> str:
    ways = ["--partial takes the rest"]
    if adds:
        ways.append(f"{adds} adds what is no class yet")
    if has_changes:
        ways.append("--relabel takes what would change")
    return f"Nothing of {batch} is taken ({'; '.join(ways)}):{listed(sorted(refused))}"
