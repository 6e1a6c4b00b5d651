"""`jax-al report RUNS... --out report.html [--reference NAME] [--watch SECONDS]`."""

import argparse
import pathlib
import sys
import time
from collections.abc import Sequence

from jax_al.cli.ending import INTERRUPTED, command
from jax_al.cli.parser import Parser, path_of
from jax_al.errors import UsageError
from jax_al.report.build import write_report


def main(words: Sequence[str] | None = None, name: str = "python -m jax_al.report") -> int:
    """Reads, computes, writes; one sentence and exit status 2 for what the user can mend.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="One self-contained page that compares runs, and its pictures and numbers.",
    )
    parser.add_argument(
        "runs", nargs="+", type=path_of, help="workdirs, or directories that hold workdirs"
    )
    parser.set_defaults(name=name, waiting=None)
    parser.add_argument("--out", type=path_of, default=pathlib.Path("report.html"))
    parser.add_argument("--reference", help="strategy to compare to; random if not given")
    parser.add_argument(
        "--watch", type=_seconds, metavar="SECONDS",
        help="write again so often until all runs are finished; an open page follows",
    )  # fmt: skip
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    try:
        while not _write(arguments):
            time.sleep(arguments.watch)
    except OSError as error:
        where = error.filename or arguments.out
        raise OSError(f"{error.strerror or error} ({where}).") from error
    except KeyboardInterrupt:  # the end of a watch, and no accident
        raise SystemExit(INTERRUPTED) from None
    print(f"Report: {arguments.out}")


def _write(arguments: argparse.Namespace) -> bool:
    """Writes the page; returns whether that is all."""
    try:
        written = write_report(
            arguments.runs, arguments.out, reference=arguments.reference, refresh=arguments.watch
        )
    except UsageError as error:
        if arguments.watch is None:
            raise
        if str(error) != arguments.waiting:  # a run that has just begun has nothing to show yet
            arguments.waiting = str(error)
            print(f"{arguments.name}: {error} Waiting.", file=sys.stderr, flush=True)
        return False
    arguments.waiting = None
    return arguments.watch is None or written.finished


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"SECONDS must be a number above 0, not {text!r}")
    return value
