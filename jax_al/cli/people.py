"""What the commands for people who label have in common."""

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from jax_al.cli.parser import path_of
from jax_al.cli.picks_file import place_of
from jax_al.cli.programs import keep_programs
from jax_al.durable import write_atomically
from jax_al.errors import UsageError
from jax_al.people.batch import is_filled_in, is_of_others
from jax_al.people.models import append_model
from jax_al.people.project import Project, open_project
from jax_al.people.run_part import RunPart
from jax_al.people.settings import PROJECT, only_project, workdir_flag
from jax_al.people.writable import check_writable
from jax_al.pools.progress import say
from jax_al.session.fold import Record, fold
from jax_al.session.journal import Journal

if TYPE_CHECKING:
    from jax_al.drivers.session import Session
    from jax_al.people.ledger_pool import LedgerPool


def add_workdir(parser: argparse.ArgumentParser) -> None:
    """Adds the flag that names the project."""
    parser.add_argument(
        "--workdir",
        type=path_of,
        metavar="W",
        help="of the project; the only one in runs/ if omitted",
    )


def project_of(arguments: argparse.Namespace, *, writes: bool = True) -> Project:
    """Returns the project that the flags name, or the part of a run that people answer.

    Args:
      arguments: of the command.
      writes: whether the project must be one that can be written to.

    Raises:
      UsageError: there is none, or there are several; or nothing can be written there.
    """
    place = arguments.workdir or only_project()
    if not (place / PROJECT).exists() and (place / "journal.jsonl").exists():
        return RunPart(place)
    project = open_project(place, say)
    if writes:
        check_writable(place)
    return project


def out_of(flag: str, out: Path, project: Project, kinds: tuple[str, ...] = (".csv",)) -> Path:
    """Returns where `out` leads, found out before work that may take long.

    Raises:
      UsageError: it cannot be written, or lies in the folder of pictures, or is the table or the
        labels that the project is made of.
    """
    place = place_of(flag, out, [], kinds=kinds)
    source, known = Path(project.settings.source).resolve(), project.settings.known
    labels = Path(known).resolve() if known not in (None, "folders") else None
    if source in place.resolve().parents:
        raise UsageError(f"{out} lies in {source}, where nothing is written: name another place.")
    if place.resolve() in (source, labels):
        raise UsageError(f"{project.place} is made of {out}: name another place.")
    return place


class FilledInError(UsageError):
    """A batch would be written over one that somebody has filled in."""


def batch_place(out: Path, project: Project, relabel: bool = False) -> Path:
    """Returns where a batch goes, one of labels to be said anew if `relabel`.

    Raises:
      FilledInError: what is there was filled in.
      UsageError: it cannot be written there, or what is there is no batch, or one of another
        project.
    """
    place = out_of("--out", out, project)
    if not place.exists():
        return place
    content = place.read_bytes()
    ids = {*(item.id for item in project.items.all()), *project.other_names()}
    try:
        filled, others = is_filled_in(content, str(out)), is_of_others(content, str(out), ids)
    except UsageError as error:
        raise UsageError(f"{out} is there already, and is no batch: name another --out.") from error
    if others:
        raise UsageError(
            f"{out} is of another project, as it asks for what {project.place} has not: name "
            "another --out."
        )
    if filled:
        raise FilledInError(
            f"{out} has been filled in: {how_to_tell(out, project, relabel)} takes it; then remove "
            "it, or name another --out."
        )
    return place


def how_to_tell(out: Path, project: Project, relabel: bool = False) -> str:
    """Returns what is to be typed when a batch is filled in."""
    command = "jax-al tell --relabel" if relabel else "jax-al tell"
    return f"{command} {shlex.quote(str(out))} {workdir_flag(project.place)}"


def write_text(out: Path, text: str) -> None:
    """Writes a file, whole or not at all.

    Raises:
      OSError: it could not be written; then what was there stays.
    """
    try:
        write_atomically(out, text)
    except OSError as error:
        raise OSError(f"{out} could not be written ({error.strerror or error})") from error


def keep_look(session: "Session", project: Project) -> None:
    """Keeps what the last learner says, for those who tell how right it is; none of one class."""
    from jax_al.people.look import look

    record = session.record
    if record.trained and record.order and len(record.classes) > 1:
        append_model(project.place, look(session, project.settings.seed, 0.0)[0])


def trained_session(project: Project) -> "Session":
    """Returns the session of a project, trained on all labels that there are.

    If the last model lacks some, an open request is closed: what is told of its other rows later
    counts all the same.

    Raises:
      UsageError: nothing is labeled.
    """
    say(f"Opening {project.place}.")
    keep_programs()
    session = project.session()
    record = session.record
    labels = {row: one.decision for row, one in record.decisions.items() if one.decision >= 0}
    if not labels:
        only = "but what is held out " if any(record.held_out.values()) else ""
        raise UsageError(
            f"Nothing {only}is labeled yet: jax-al ask --out batch.csv says what to label first."
        )
    if _taught(project, record) != {row: record.label_of(one) for row, one in labels.items()}:
        say(f"Training on {len(labels):,} labels.")
        session.train()
        keep_look(session, project)
    return session


def _taught(project: Project, record: Record) -> dict[int, int]:
    """Returns the labels that the last model was trained on, by row."""
    if not record.trained:
        return {}
    last = record.trained[max(record.trained)]
    known = fold(Journal(project.place).events()[: last.as_of + 1])
    return dict(zip(known.order, known.labels, strict=True))


def said_by_row(record: Record) -> dict[int, str | int]:
    """Returns what people said, by row: the name of a class of now, or SKIP, UNSURE, BROKEN."""
    found = record.decisions | {row: one for row, one in record.held_out.items() if one}
    return {
        row: one.decision if one.decision < 0 else record.classes[record.label_of(one.decision)]
        for row, one in found.items()
    }


def named_rows(pool: "LedgerPool") -> dict[str, int]:
    """Returns the row of each example that is there, by the name it has now; of copies likewise."""
    found = {path: row for row, path in enumerate(pool.paths) if path is not None}
    return found | {name: row for row, names in pool.copies.items() for name in names}


def said_by_name(rows: Mapping[str, int], record: Record) -> dict[str, str | int]:
    """Returns what people said, by the names of `named_rows`."""
    said = said_by_row(record)
    return {name: said[row] for name, row in rows.items() if row in said}
