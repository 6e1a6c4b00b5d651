"""How far work on a pool is, for a person who waits."""

import sys
from collections.abc import Iterable, Sequence


def tracked(steps: Sequence[int], title: str) -> Iterable[int]:
    """Yields `steps`, with a progress bar that leaves no trace, on a terminal only."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    disable = not console.is_terminal
    return track(steps, title, console=console, transient=True, disable=disable)


def say(text: str) -> None:
    """Tells a person who may have to wait."""
    print(text, file=sys.stderr, flush=True)
