"""Whoever wants to know what a run does is a listener: it has `on_event` and is told of each event.

The events are those of the journals, and some that pass and are kept nowhere:

    run_begun    facts {name: value}, strategies [names], total: units of work that are left
    part_begun   strategy, seed
    phase        text: what goes on now
    advance      units of work that are done
    row          row: of metrics.jsonl
    say          text: a sentence for the person at the terminal
    pictures     paths {name: path}: drawn anew
    part_ended   strategy, seed
    part_failed  strategy, seed, error: a sentence
    run_ended    nothing comes after it
"""

import sys
from collections.abc import Mapping
from typing import Any, Protocol

Event = Mapping[str, Any]  # {"event": its name, ...}


class Listener(Protocol):
    """Is told what happens and changes nothing of it."""

    def on_event(self, event: Event) -> None:
        """Takes note of `event`, or of nothing if it is of a kind that does not concern it."""


def tell(listeners: list[Listener], event: Event) -> None:
    """Tells each of `listeners` of `event`.

    One that raises is a guest who falls ill: it is taken out of the list, a sentence on stderr says
    so, and the run goes on. What stops the run itself, such as Ctrl-C, passes.
    """
    for listener in tuple(listeners):
        try:
            listener.on_event(event)
        except Exception as error:  # of any kind
            listeners.remove(listener)
            print(
                f"{type(listener).__name__} failed at {event['event']!r} "
                f"({type(error).__name__}: {error}) and is told nothing more; the run goes on.",
                file=sys.stderr,
                flush=True,
            )
