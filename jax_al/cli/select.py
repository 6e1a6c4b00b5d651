"""`jax-al select margin --log-probs lp.npy --budget 50 --labeled rows.npy --out picks.csv`."""

import argparse
from collections.abc import Sequence
from typing import Any

from jax_al.cli.ending import command
from jax_al.cli.literal import literal
from jax_al.cli.parser import Parser, path_of
from jax_al.cli.picks_file import load, place_of, save_picks
from jax_al.cli.programs import keep_programs
from jax_al.errors import UsageError
from jax_al.strategies.plain_arrays import MEANINGS
from jax_al.strategies.select import select


def main(words: Sequence[str] | None = None, name: str = "jax-al select") -> int:
    """Reads arrays, asks a strategy, writes its picks; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="The rows that a strategy would label next, from .npy files of what it looks "
        "at; `jax-al strategies` says what each one needs.",
    )
    parser.add_argument("strategy", help="its name, or module:function")
    parser.add_argument("--budget", type=int, required=True, help="rows to pick")
    parser.add_argument(
        "--out", type=path_of, required=True,
        help="file for the picks, in order: .csv (order, row, score) or .npy (rows)",
    )  # fmt: skip
    for signal, (axes, meaning) in MEANINGS.items():
        flag, shape = f"--{signal.replace('_', '-')}", f"[{', '.join(axes.split())}]"
        parser.add_argument(flag, type=path_of, metavar="FILE", help=f"{shape}, {meaning}")
    named = "row numbers, or a bool for every row"
    parser.add_argument("--labeled", type=path_of, metavar="FILE", help=f"labeled rows: {named}")
    parser.add_argument("--labels", type=path_of, metavar="FILE", help="their classes, from 0")
    parser.add_argument(
        "--exclude", type=path_of, metavar="FILE", help=f"rows as if absent: {named}"
    )
    parser.add_argument("--seed", type=int, default=0, help="decides what is left to chance")
    parser.add_argument("--num-points", type=int, help="N, where no file tells it")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the strategy"
    )
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    files = {name: getattr(arguments, name) for name in (*MEANINGS, "labeled", "labels", "exclude")}
    out = place_of("--out", arguments.out, files.values())
    given = {name: load(path) for name, path in files.items() if path is not None}
    keep_programs()
    picked = select(
        arguments.strategy,
        budget=arguments.budget,
        seed=arguments.seed,
        num_points=arguments.num_points,
        options=dict(map(option_of, arguments.option)),
        **given,
    )
    save_picks(out, picked.rows, picked.scores, "score")
    is_blind = picked.info.pop("random_fallback", 0)
    told = "".join(f"; {name} {value:.6g}" for name, value in picked.info.items())
    print(f"{len(picked.rows)} picks in {out}{told}")
    if is_blind:
        print(
            f"They are random: {arguments.strategy} cannot choose before a row is labeled; "
            "--labeled names those that are."
        )


def option_of(text: str) -> tuple[str, Any]:
    """Returns name and value of NAME=VALUE; a value that Python cannot read is a text.

    Raises:
      UsageError: it does not read so.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--option is {text!r}, but must be NAME=VALUE.")
    return name, literal(value)
