"""`jax-al export --to csv|imagefolder|model --out TARGET [--labeled-only] [--workdir W]`."""

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
from jax_al.errors import UsageError
from jax_al.people.predictions import PERSON, Final, finals, finals_text
from jax_al.people.project import Project
from jax_al.people.settings import Settings

KINDS = ("csv", "imagefolder", "model")


def main(words: Sequence[str] | None = None, name: str = "jax-al export") -> int:
    """Writes labels, pictures by class, or the model; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="What has come of it. csv: id, class, by (person or model) and the model's "
        "probability of that class, a line for each example. imagefolder: the files, copied "
        "unchanged into a folder for each class. model: one file, from which al.load_predictor "
        "predicts. A person's label stands before the model's; what somebody said is broken is "
        "left out.",
    )
    parser.add_argument("--to", choices=KINDS, required=True, help="what is written")
    parser.add_argument(
        "--out", type=path_of, required=True, metavar="TARGET", help="file or folder"
    )
    parser.add_argument(
        "--labeled-only", action="store_true", help="only what a person has labeled"
    )
    add_workdir(parser)
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    project, out = project_of(arguments), arguments.out
    if arguments.to == "model":
        if arguments.labeled_only:
            raise UsageError("--labeled-only is for csv and imagefolder: a model has no lines.")
        _model(out, project)
    elif arguments.to == "csv":
        place = out_of("--out", _new(out), project)
        rows = _finals(project, arguments.labeled_only)
        write_text(place, finals_text(rows))
        print(f"{len(rows):,} lines in {out}")
    else:
        _imagefolder(out, project, arguments.labeled_only)


def _model(out: Path, project: Project) -> None:
    place = out_of("--out", _new(out), project, kinds=(".model", ".zip", ""))
    trained_session(project).export(place)
    one, usual = project.settings, Settings("")
    options = [f"size={one.size}"] * (one.size != usual.size)
    options += [f"fit={one.fit!r}"] * (one.fit != usual.fit)
    what = (
        f"al.folder({', '.join(['...', *options])})"
        if Path(one.source).is_dir()
        else "al.arrays(x)"
    )
    print(f"{out}: al.load_predictor({str(out)!r})({what}) predicts.")


def _imagefolder(out: Path, project: Project, labeled_only: bool) -> None:
    from jax_al.people.export import check_target, copy_all, placed
    from jax_al.pools.folder import FolderPool

    root = Path(project.settings.source)
    if not root.is_dir():
        raise UsageError(f"--to is imagefolder, but the project is of {root}, which has no files.")
    target = check_target(out, root)
    files = placed(_finals(project, labeled_only))
    source = project.pool.source
    assert isinstance(source, FolderPool)
    copy_all(target, files, source.content)
    print(f"{len(files):,} files in {out}")


def _finals(project: Project, labeled_only: bool) -> list[Final]:
    """Returns what is exported of each example that is there."""
    if labeled_only:  # without a model, where there may be none
        rows, record = named_rows(project.pool), project.teller.record()
        probs = None
    else:
        session = trained_session(project)
        rows = named_rows(project.pool)
        probs, record = session.predicted(session.pool)
        probs = probs[np.array(list(rows.values()), np.int64)]
    classes = tuple(record.classes.values())
    found = list(finals(list(rows), classes, probs, said_by_name(rows, record)))
    if labeled_only:
        found = [one for one in found if one.by == PERSON and one.label is not None]
        if not found:
            raise UsageError("Nothing is labeled yet: leave out --labeled-only, or label some.")
    return found


def _new(out: Path) -> Path:
    """Returns `out`, where nothing is yet.

    Raises:
      UsageError: there is something.
    """
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} is there already: name another --out, or remove it.")
    return out
