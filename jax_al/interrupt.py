"""Ctrl-C that cannot get lost.

Python swallows what is raised inside some callbacks, such as the one JAX runs at each garbage
collection. So the wish to stop is also remembered, and asked for where stopping is easy.
"""

import signal
from types import FrameType

_asked = False


def listen() -> None:
    """Makes Ctrl-C, and the SIGTERM with which schedulers stop a job, raise KeyboardInterrupt."""
    global _asked
    _asked = False
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, _stop)


def check() -> None:
    """Raises KeyboardInterrupt if it was asked for and got lost."""
    if _asked:
        raise KeyboardInterrupt


def _stop(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
    raise KeyboardInterrupt
