"""`python -m jax_al.kcenter points.npy --num-picks 5000 [--initial a.npy] --out picks.npy`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter.greedy import kcenter_greedy
from jax_al.geometry.kcenter.points import METRICS


def main() -> None:
    """Read, pick, write; what fails is one sentence on standard error.

    Exit status: 0 done, 1 the system failed (a full disk), 2 a mistake of the user,
    130 interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="python -m jax_al.kcenter",
        description="Exact greedy k-center: the rows of a matrix that cover it best.",
    )
    parser.add_argument("points", type=Path, help=".npy file [N, D]; read as needed, not whole")
    parser.add_argument("--num-picks", type=int, required=True, help="rows to pick")
    named = ".npy file of row numbers, or of a bool for every row"
    parser.add_argument("--initial", type=Path, help=f"rows that are centers already: {named}")
    parser.add_argument("--exclude", type=Path, help=f"rows to treat as absent: {named}")
    parser.add_argument("--out", type=Path, required=True, help=".npy file for the picks, in order")
    parser.add_argument("--metric", choices=METRICS, default="euclidean")
    parser.add_argument("--max-bytes", help="working memory beside the points, such as 2GiB")
    arguments = parser.parse_args()
    try:
        _run(arguments)
    except UsageError as error:
        _fail(str(error), 2)
    except OSError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the line has ^C and the progress on it
        _fail("interrupted", 130)


def _fail(sentence: str, status: int) -> NoReturn:
    print(f"jax_al.kcenter: {sentence}", file=sys.stderr)
    sys.exit(status)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.out.is_symlink():  # written to where it leads, so that it stays one
        try:
            arguments.out = arguments.out.resolve()
        except (OSError, RuntimeError) as error:  # the latter before Python 3.13
            raise UsageError(f"{arguments.out} is a link that leads nowhere") from error
    _check_out(arguments.out, [arguments.points, arguments.initial, arguments.exclude])
    points = _load(arguments.points)
    initial, exclude = (
        None if path is None else _load(path) for path in (arguments.initial, arguments.exclude)
    )
    result = kcenter_greedy(
        points,
        arguments.num_picks,
        initial,
        exclude=exclude,
        metric=arguments.metric,
        progress=True,
        max_bytes=arguments.max_bytes,
    )
    _save(arguments.out, result.indices)
    print(f"{len(result.indices)} picks in {arguments.out}; cover radius {result.radius:.6g}")


def _check_out(out: Path, inputs: Sequence[Path | None]) -> None:
    """Finds out before the work, which may take hours, whether its result can be written."""
    for path in inputs:
        if path is not None and path.exists() and out.exists() and path.samefile(out):
            raise UsageError(f"{path} is read; name another file for --out")
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent} is not a directory to write {out.name} to")
    if out.exists() and not out.is_file():
        raise UsageError(f"{out} is not a file that picks could be written to")
    partial = _partial(out)
    try:
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror})") from error


def _save(out: Path, indices: np.ndarray) -> None:
    """Writes the whole file or none: beside its place, and then renamed."""
    partial = _partial(out)
    # Not straight to the file: NumPy then writes past Python, and a small array that a full disk
    # has cut short goes unnoticed.
    content = io.BytesIO()
    np.save(content, indices)
    try:
        partial.write_bytes(content.getbuffer())
        partial.replace(out)
    except OSError as error:
        raise OSError(f"{out} could not be written ({error.strerror or error})") from error
    finally:
        partial.unlink(missing_ok=True)


def _partial(out: Path) -> Path:
    return out.with_name(f".{out.name}.{os.getpid()}")


def _load(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r")
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist") from error
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} is not a readable .npy array") from error
    if not isinstance(array, np.ndarray):
        raise UsageError(f"{path} holds several arrays; one .npy array is wanted")
    return array
