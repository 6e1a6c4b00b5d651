"""`jax-al review [--out review.csv] [--count 50] [--workdir W]`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser, path_of
from jax_al.cli.people import (
    add_workdir,
    batch_place,
    how_to_tell,
    project_of,
    trained_session,
    write_text,
)
from jax_al.errors import UsageError
from jax_al.people.batch import REVIEW, batch_text
from jax_al.people.doubts import FOLDS, Doubt, doubts
from jax_al.people.predictions import shown
from jax_al.pools.progress import tracked

if TYPE_CHECKING:
    from jax_al.drivers.session import Session


def main(words: Sequence[str] | None = None, name: str = "jax-al review") -> int:
    """Writes the labels that the model doubts; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="Writes the labels that the model doubts as a CSV file, the least probable "
        f"first, by models that have not seen them: the labels are dealt into {FOLDS} parts, and "
        "each is predicted by a model of the others. Fill in those that are wrong and hand it to "
        "jax-al tell --relabel; what is left empty stays.",
    )
    parser.add_argument(
        "--out", type=path_of, default=Path("review.csv"), help=".csv file to fill in"
    )
    parser.add_argument("--count", type=int, default=50, help="labels at most")
    add_workdir(parser)
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.count < 1:
        raise UsageError(f"--count is {arguments.count}, but must be at least 1.")
    project = project_of(arguments)
    out = batch_place(arguments.out, project, relabel=True)
    session = trained_session(project)
    found, classes = _doubts(session), session.classes
    if not found:
        raise UsageError(
            "No label can be judged yet: that takes two classes with two labels each at least."
        )
    some = found[: arguments.count]
    wrong = sum(one.best != one.told for one in some)
    more = ("told", "probability", "model", "model_probability")
    names = project.names([one.row for one in some])
    rows = (_row(one, name, classes) for one, name in zip(some, names, strict=True))
    write_text(out, batch_text(rows, more))
    print(
        f"{len(some)} of {len(found)} labels in {arguments.out}; the model would say another class "
        f"of {wrong}. Fill in those that are wrong, then "
        f"{how_to_tell(arguments.out, project, relabel=True)}."
    )


def _row(one: Doubt, name: str, classes: Sequence[str]) -> tuple[str, ...]:
    told, best = (shown(p) for p in (one.probability, one.best_probability))
    return name, REVIEW, classes[one.told], told, classes[one.best], best


def _doubts(session: "Session") -> list[Doubt]:
    """Returns all labels that the strategy or chance asked for, the most doubtful first."""
    record = session.record
    place = {number: column for column, number in enumerate(record.classes)}
    folds = iter(tracked(range(FOLDS), "Fitting without a part of the labels"))

    def fit_and_predict(rows: np.ndarray, labels: np.ndarray, others: np.ndarray) -> np.ndarray:
        next(folds, None)
        return session.predict_by(rows.tolist(), labels.tolist(), others)

    labels = [place[label] for label in record.labels]
    return doubts(record.order, labels, fit_and_predict, seed=record.seed)
