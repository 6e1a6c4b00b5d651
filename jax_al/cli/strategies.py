"""`jax-al strategies`: what there is to choose from; of one, all that is to say."""

import argparse
import inspect
import shutil
import textwrap
from collections.abc import Sequence

from jax_al.cli.ending import command
from jax_al.errors import UsageError, did_you_mean
from jax_al.strategies.table import STRATEGIES


def main(words: Sequence[str] | None = None, name: str = "jax-al strategies") -> int:
    """Prints the strategies, or the page of one; returns the exit status."""
    parser = argparse.ArgumentParser(prog=name, description="What strategies there are.")
    parser.add_argument("strategy", nargs="?", help="one of them, of which all is told")
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    print(overview() if arguments.strategy is None else page(arguments.strategy))


def overview() -> str:
    """Returns a line or two for each strategy, as wide as the terminal."""
    width = min(shutil.get_terminal_size().columns, 100)
    column = max(map(len, STRATEGIES)) + 2
    lines = []
    for name, make in sorted(STRATEGIES.items()):
        needs = ", ".join(sorted(make().needs)) or "nothing"
        first = f"{(inspect.getdoc(make) or '').splitlines()[0]} Looks at {needs}."
        lines += textwrap.wrap(
            first, width, initial_indent=name.ljust(column), subsequent_indent=" " * column
        )
    return "\n".join([*lines, "", "jax-al strategies NAME tells the rest of one."])


def page(name: str) -> str:
    """Returns what a strategy does, by whom, what it needs and what it can be told.

    Raises:
      UsageError: there is no such strategy.
    """
    if name not in STRATEGIES:
        raise UsageError(f"There is no strategy {name!r}: {did_you_mean(name, STRATEGIES)}")
    make = STRATEGIES[name]
    options = ", ".join(
        f"{option.name}={option.default!r}"
        for option in inspect.signature(make).parameters.values()
    )
    needs = ", ".join(sorted(make().needs)) or "nothing"
    told = f"options: {options}\n\n" if options else ""
    return f"{name}\nlooks at: {needs}\n{told}{inspect.getdoc(make)}"
