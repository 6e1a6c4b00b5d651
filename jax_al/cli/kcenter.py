"""`jax-al kcenter points.npy --num-picks 5000 [--initial a.npy] --out picks.npy`."""

import argparse
from collections.abc import Sequence

import numpy as np

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser, path_of
from jax_al.cli.picks_file import load, place_of, save_array, save_picks
from jax_al.cli.programs import keep_programs
from jax_al.geometry.kcenter.greedy import kcenter_greedy
from jax_al.geometry.kcenter.points import METRICS


def main(words: Sequence[str] | None = None, name: str = "python -m jax_al.kcenter") -> int:
    """Reads, picks, writes; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name, description="Exact greedy k-center: the rows of a matrix that cover it best."
    )
    parser.add_argument("points", type=path_of, help=".npy file [N, D]; read as needed, not whole")
    parser.add_argument("--num-picks", type=int, required=True, help="rows to pick")
    named = ".npy file of row numbers, or of a bool for every row"
    parser.add_argument("--initial", type=path_of, help=f"rows that are centers already: {named}")
    parser.add_argument("--exclude", type=path_of, help=f"rows to treat as absent: {named}")
    parser.add_argument(
        "--out", type=path_of, required=True,
        help="file for the picks, in order: .csv (order, row, distance) or .npy (rows)",
    )  # fmt: skip
    parser.add_argument("--distances", type=path_of, help=".npy file for the distance of each pick")
    parser.add_argument("--metric", choices=METRICS, default="euclidean")
    parser.add_argument("--max-bytes", help="working memory beside the points, such as 2GiB")
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    inputs = [arguments.points, arguments.initial, arguments.exclude]
    out = place_of("--out", arguments.out, inputs)
    distances = None
    if arguments.distances is not None:
        distances = place_of("--distances", arguments.distances, [*inputs, out], [".npy"])
    points = load(arguments.points)
    initial, exclude = (
        None if path is None else load(path) for path in (arguments.initial, arguments.exclude)
    )
    keep_programs()
    result = kcenter_greedy(
        points,
        arguments.num_picks,
        initial,
        exclude=exclude,
        metric=arguments.metric,
        progress=True,
        max_bytes=arguments.max_bytes,
    )
    save_picks(out, result.indices, np.asarray(result.distances), "distance")
    if distances is not None:
        save_array(distances, result.distances)
    print(f"{len(result.indices)} picks in {out}; cover radius {result.radius:.6g}")
