"""`jax-al strategies`: what there is to choose from; of one, all that is to say."""

import argparse
import inspect
import shutil
import textwrap
from collections.abc import Sequence

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser
from jax_al.strategies.schedule import is_schedule, stages_of
from jax_al.strategies.table import STRATEGIES, make_strategy, maker_named
from jax_al.types import Strategy


def main(words: Sequence[str] | None = None, name: str = "jax-al strategies") -> int:
    """Prints the strategies, or the page of one; returns the exit status."""
    parser = Parser(prog=name, description="What strategies there are.")
    parser.add_argument(
        "strategy", nargs="?", help="one of them, or module:function, of which all is told"
    )
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

    Args:
      name: of the table, "module:function", or "A:100,B".

    Raises:
      UsageError: there is no such strategy.
    """
    if is_schedule(name):
        *first, (last, _) = stages_of(name)
        pages = [f"Until {until} labels: {page(part)}" for part, until in first]
        return "\n\n".join([*pages, f"Then: {page(last)}"])
    make = maker_named(name)
    options = (
        [] if isinstance(make, Strategy) else list(inspect.signature(make).parameters.values())
    )
    if any(option.default is option.empty for option in options):
        needs = "what its options say"
    else:
        needs = ", ".join(sorted(make_strategy(name).needs)) or "nothing"
    given = [
        one.name if one.default is one.empty else f"{one.name}={one.default!r}" for one in options
    ]
    facts = [f"looks at: {needs}", *([f"options: {', '.join(given)}"] if given else [])]
    wrapped = [textwrap.fill(fact, 80, subsequent_indent="  ") for fact in facts]
    told = inspect.getdoc(make.select if isinstance(make, Strategy) else make) or ""
    return "\n".join([name, *wrapped]) + ("\n\n" if given else "\n") + told
