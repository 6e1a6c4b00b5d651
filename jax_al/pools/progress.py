"""How far work on a pool is, for a person who waits."""

import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

LONG = 20.0  # seconds that are told beforehand where no progress bar can be seen


def tracked(steps: Sequence[int], title: str, *, is_foretold: bool = False) -> Iterable[int]:
    """Yields `steps`: on a terminal with a progress bar that leaves no trace.

    Elsewhere it is said once, if it is long, how long it takes, unless that `is_foretold`.
    """
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if console.is_terminal:
        return track(steps, title, console=console, transient=True)
    return steps if is_foretold else _telling(steps, title)


def _telling(steps: Sequence[int], title: str) -> Iterator[int]:
    """Yields `steps`; after the second one, as the first compiles, what is left is told."""
    start = 0.0
    for number, step in enumerate(steps):
        if number == 1:
            start = time.perf_counter()
        elif number == 2:
            seconds = (time.perf_counter() - start) * (len(steps) - 2)
            if seconds > LONG:
                say(f"{title}: about {in_words(seconds)}.")
        yield step


def in_words(seconds: float) -> str:
    """Returns a time in the unit that it is best told in."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{math.ceil(seconds)} seconds"


def say(text: str) -> None:
    """Tells a person who may have to wait."""
    print(text, file=sys.stderr, flush=True)
