"""`jax-al predict [--images DIR] --out predictions.csv [--workdir W]`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser, path_of
from jax_al.cli.people import (
    add_workdir,
    named_rows,
    out_of,
    project_of,
    said_by_name,
    trained_session,
    write_text,
)
from jax_al.errors import UsageError, some_of
from jax_al.people.lists import no_pictures
from jax_al.people.predictions import COLUMNS, predictions_text
from jax_al.people.project import Project
from jax_al.session.records import csv_text
from jax_al.types import Pool


def main(words: Sequence[str] | None = None, name: str = "jax-al predict") -> int:
    """Writes what the model says of every example; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="What the model says of every example, labeled ones too: id, class, "
        "probability, entropy (nats), model (how its digest begins) and said, what a person said. "
        "It is trained on all labels first.",
    )
    parser.add_argument("--out", type=path_of, required=True, help=".csv file")
    parser.add_argument("--images", type=path_of, metavar="DIR", help="of another folder")
    add_workdir(parser)
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    project = project_of(arguments)
    out = _place(arguments.out, project)
    others = None if arguments.images is None else _others(arguments.images, project)
    session = trained_session(project)
    pool, rows = others or (session.pool, named_rows(project.pool))
    probs, record = session.predicted(pool)
    probs = probs[np.array(list(rows.values()), np.int64)]
    said = {} if others else said_by_name(rows, record)
    digest = record.trained[max(record.trained)].digest
    classes = tuple(record.classes.values())
    write_text(out, predictions_text(list(rows), classes, probs, digest, said))
    print(f"{len(rows):,} predictions in {arguments.out}")


def _place(out: Path, project: Project) -> Path:
    """Returns where predictions go, maybe in place of earlier ones.

    Raises:
      UsageError: they cannot be written there, or something else is there.
    """
    place = out_of("--out", out, project)
    if place.exists():
        header = csv_text([COLUMNS]).encode()
        with place.open("rb") as file:
            is_ours = file.read(len(header)) == header
        if not is_ours:
            raise UsageError(f"{out} is there already, but not from predict: name another --out.")
    return place


def _others(images: Path, project: Project) -> tuple[Pool, dict[str, int]]:
    """Returns the pool of another folder, and the row of each picture, copies too, by its id."""
    from jax_al.pools.folder import folder

    settings = project.settings
    if not Path(settings.source).is_dir():
        raise UsageError(f"--images is {images}, but the project is of {settings.source}, a table.")
    pool = folder(images, size=settings.size, fit=settings.fit, cache_dir=settings.cache_dir)
    if pool.passed_over:
        names = some_of([one.id for one in pool.passed_over])
        print(f"In {images} {no_pictures(pool.passed_over)}, and passed over: {names}.")
    rows = {name: row for row, name in enumerate(pool.ids)}
    return pool, rows | {name: row for row, names in pool.copies.items() for name in names}
