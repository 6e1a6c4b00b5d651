"""The worker processes of a run with `jobs`: how they are started, and what they do.

`python -m jax_al.drivers.cluster_processes ADDRESS PID` is one of them.
"""

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jax_al.errors import UsageError

SILENT = logging.CRITICAL + 1  # what goes wrong in a worker comes as events
POLL = 0.2  # seconds between two looks at whether there is still somebody to work for


@contextlib.contextmanager
def worker_processes(
    address: str, jobs: int, tell: Callable[[Mapping[str, Any]], None]
) -> Iterator[Callable[[], None]]:
    """Starts workers of the scheduler at `address`, and kills them in the end.

    They hold nothing that is not on disk, so there is nothing to wait for. A Ctrl-C does not reach
    them. The main module is not run again in them, so a script needs no guard.

    Args:
      address: of the scheduler.
      jobs: how many workers.
      tell: hears of each one that was killed.

    Yields:
      What puts another worker in the place of each one that was killed. It raises UsageError if one
      could not start.
    """
    running: list[subprocess.Popen[bytes]] = []

    def replace_killed() -> None:
        for place, process in enumerate(running):
            status = process.poll()
            if status is not None and status > 0:
                raise UsageError(f"A worker ended with status {status}; what it said is above.")
            if status is not None:
                tell({"event": "say", "text": _said_of(status)})
                running[place] = _start(address, share_of(place, jobs))

    try:
        for place in range(jobs):
            running.append(_start(address, share_of(place, jobs)))
        yield replace_killed
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait()


def _said_of(status: int) -> str:
    """Returns a sentence on a worker that has ended with `status`, 0 or minus a signal."""
    if not status:
        return "A worker has lost its scheduler; another one takes up what it computed."
    why = ", maybe for want of memory" if -status == signal.SIGKILL else ""
    return f"A worker was killed by signal {-status}{why}; another one takes up what it computed."


def share_of(place: int, jobs: int) -> set[int] | None:
    """Returns the cores of worker number `place` of `jobs`; None: this system cannot tell them.

    All have as many, since last bits may depend on how many they are.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    each = max(1, len(cores) // jobs)
    first = place * each % len(cores)
    return set(cores[first : first + each])


def _start(address: str, cores: set[int] | None) -> "subprocess.Popen[bytes]":
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    with on(cores):  # what is started inherits it, before any of its threads is there
        return subprocess.Popen(
            [sys.executable, "-m", __name__, address, str(os.getpid())],
            env=os.environ | {"PYTHONPATH": path, "DASK_LOGGING__DISTRIBUTED": str(SILENT)},
            stdin=subprocess.DEVNULL,
            process_group=0,  # out of reach of Ctrl-C
        )


@contextlib.contextmanager
def on(cores: set[int] | None) -> Iterator[None]:
    """Keeps this thread on `cores` during the block."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def _serve(address: str) -> None:
    """Works for the scheduler at `address` as long as it can be reached."""
    import distributed

    async with distributed.Worker(address, nthreads=1, memory_limit=0) as worker:
        while worker.status == distributed.Status.running:
            await asyncio.sleep(POLL)
        os._exit(0)


def _end_with(parent: int) -> None:
    """Ends this process, in the middle of whatever it computes, when its parent was killed."""
    while os.getppid() == parent:
        time.sleep(POLL)
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(int(sys.argv[2]),), daemon=True).start()
    asyncio.run(_serve(sys.argv[1]))
