"""`python -m jax_al.report RUNS... --out report.html [--reference NAME] [--watch SECONDS]`."""

import argparse
import pathlib
import sys
import time
from collections.abc import Sequence

from jax_al.errors import UsageError
from jax_al.report.build import write_report


def main(words: Sequence[str] | None = None, name: str = "python -m jax_al.report") -> int:
    """Reads, computes, writes; one sentence and exit status 2 for what the user can mend.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = argparse.ArgumentParser(
        prog=name,
        description="One self-contained page that compares runs, and its pictures and numbers.",
    )
    parser.add_argument(
        "runs", nargs="+", type=pathlib.Path, help="workdirs, or directories that hold workdirs"
    )
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("report.html"))
    parser.add_argument("--reference", help="strategy to compare to; random if not given")
    parser.add_argument(
        "--watch", type=_seconds, metavar="SECONDS",
        help="write again so often until all runs are finished; an open page follows",
    )  # fmt: skip
    arguments = parser.parse_args(words)
    waiting = None
    try:
        while True:
            finished = False
            try:
                finished = write_report(
                    arguments.runs,
                    arguments.out,
                    reference=arguments.reference,
                    refresh=arguments.watch,
                ).finished
                waiting = None
            except UsageError as error:
                if arguments.watch is None:
                    return _failed(name, str(error))
                if str(error) != waiting:  # a run that has just begun has nothing to show yet
                    waiting = str(error)
                    print(f"{name}: {waiting} Waiting.", file=sys.stderr, flush=True)
            if arguments.watch is None or finished:
                print(f"Report: {arguments.out}")
                return 0
            time.sleep(arguments.watch)
    except OSError as error:
        where = error.filename or arguments.out
        return _failed(name, f"{error.strerror or error} ({where}).", 1)
    except KeyboardInterrupt:
        return 130


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"SECONDS must be a number above 0, not {text!r}")
    return value


def _failed(name: str, sentence: str, status: int = 2) -> int:
    print(f"{name.removeprefix('python -m ')}: {sentence}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
