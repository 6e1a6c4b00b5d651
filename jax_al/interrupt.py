"""Ctrl-C that cannot get lost.

Python swallows what is raised inside some callbacks, such as the one JAX runs at each garbage
collection. So the wish to stop is also remembered, and asked for where stopping is easy.
"""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType

_asked = False
_deferred = False


def listen() -> None:
    """Makes Ctrl-C, and the SIGTERM with which schedulers stop a job, raise KeyboardInterrupt."""
    global _asked
    _asked = False
    sys.unraisablehook = _without_interrupts
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, _stop)


def check() -> None:
    """Raises KeyboardInterrupt if it was asked for and got lost."""
    if _asked:
        raise KeyboardInterrupt


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Lets the block end first: a Ctrl-C during it is raised after it."""
    global _deferred
    _deferred = True
    try:
        yield
    finally:
        _deferred = False
    check()


def _without_interrupts(unraisable: "sys.UnraisableHookArgs") -> None:
    """Prints what Python swallows, but for the Ctrl-C that is remembered."""
    if not isinstance(unraisable.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)


def _stop(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
    if not _deferred:
        raise KeyboardInterrupt
