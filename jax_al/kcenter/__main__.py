"""`python -m jax_al.kcenter points.npy --num-picks 5000 [--initial idx.npy] --out picks.npy`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from jax_al.base import UsageError
from jax_al.kcenter.greedy import kcenter_greedy
from jax_al.kcenter.points import METRICS


def main() -> None:
    """Read, pick, write; one sentence and exit status 2 for what the user can mend."""
    parser = argparse.ArgumentParser(
        prog="python -m jax_al.kcenter",
        description="Exact greedy k-center: the rows of a matrix that cover it best.",
    )
    parser.add_argument("points", type=Path, help=".npy file [N, D]; read as needed, not whole")
    parser.add_argument("--num-picks", type=int, required=True, help="rows to pick")
    parser.add_argument("--initial", type=Path, help=".npy file of rows that are centers already")
    parser.add_argument("--out", type=Path, required=True, help=".npy file for the picks, in order")
    parser.add_argument("--metric", choices=METRICS, default="euclidean")
    arguments = parser.parse_args()
    try:
        _run(arguments)
    except UsageError as error:
        print(f"jax_al.kcenter: {error}", file=sys.stderr)
        sys.exit(2)


def _run(arguments: argparse.Namespace) -> None:
    if not arguments.out.resolve().parent.is_dir():
        raise UsageError(
            f"{arguments.out.parent} is not a directory to write {arguments.out.name} to"
        )
    points = _load(arguments.points)
    initial = None if arguments.initial is None else _load(arguments.initial)
    try:
        result = kcenter_greedy(
            points, arguments.num_picks, initial, metric=arguments.metric, progress=True
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    # Written beside its place and renamed: nobody ever sees half a file.
    partial = arguments.out.with_name(f".{arguments.out.name}.{os.getpid()}")
    with partial.open("wb") as file:
        np.save(file, result.indices)
    partial.replace(arguments.out)
    print(f"{len(result.indices)} picks in {arguments.out}; cover radius {result.radius:.6g}")


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


if __name__ == "__main__":
    main()
