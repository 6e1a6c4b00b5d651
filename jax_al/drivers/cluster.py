"""Parts in other processes, by Dask: workers on this machine (`jobs`), or a scheduler of yours.

What a part has done is in its record, so one whose worker is killed is taken up by another, and
loses a phase at most. What happens there comes as events, and is told here in their order.
"""

import contextlib
import json
import logging
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jax_al import interrupt
from jax_al.drivers.cluster_processes import SILENT, worker_processes
from jax_al.drivers.engine import Engine
from jax_al.drivers.experiment import RunAll, is_finished, named, on_record, told
from jax_al.drivers.part import Part, Tell
from jax_al.drivers.publish import publishing
from jax_al.drivers.study import Study
from jax_al.errors import UsageError
from jax_al.session.records import key_of

POLL = 0.2  # seconds between two looks at whether somebody wants to stop or a worker has died
CONNECT = 8  # seconds to wait for a scheduler
# Loggers whose levels Dask sets when it is imported. Who runs a cluster of their own finds what
# goes wrong in its workers there.
LOGGERS = ("distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application")


def executor(
    make_study: Callable[[], Study],
    local_listeners: Callable[[Study], Tell],
    *,
    jobs: int = 1,
    scheduler: str | None = None,
) -> RunAll:
    """Returns what `experiment.run` runs its parts with.

    Args:
      make_study: makes the study anew in a worker, to which it goes once, pickled by cloudpickle.
      local_listeners: makes what is told in the worker of the events that hold arrays.
      jobs: worker processes on this machine, each with its share of the cores.
      scheduler: the address of a Dask scheduler whose workers see the directory of the run; None:
        workers on this machine.

    Raises:
      UsageError: Dask is not installed; later, there is no such scheduler, or something of the
        study cannot be pickled.
    """
    try:
        import distributed  # noqa: F401 (an extra)
    except ImportError as error:
        raise UsageError(
            "Several processes need Dask: pip install 'jax_al[cluster]', or run with jobs=1."
        ) from error

    def keep(root: Path) -> Any:
        from jax_al.drivers.cluster_part import Kept

        return Kept(make_study, local_listeners, root.absolute())

    def check(root: Path) -> None:
        keep(root)
        if scheduler is not None:
            _client(scheduler).close()

    def run_all(
        engine: Engine, study: Study, root: Path | None, parts: Sequence[Part], tell: Tell
    ) -> dict[Part, BaseException]:
        del engine  # each worker has its own
        assert root is not None
        records = {part: on_record(study, part) for part in parts}
        left = [part for part, record in records.items() if not is_finished(study, record)]
        publish = publishing(root, list(study.strategies), tell)
        for part, record in records.items():
            if part not in left:
                publish({"event": "opened", "part": part, "progress": record})
                publish({"event": "part_ended", **named(part)})
        if not left:
            return {}
        known = {key_of(row) for record in records.values() if record for row in record.rows()}
        tell = _each_row_once(publish, known)  # which also merges what a part leaves at its end
        kept = keep(root)
        with _cluster(jobs, scheduler, kept, tell) as (client, are_there):
            return _run_there(client, kept.name, left, tell, are_there)

    return RunAll(check, run_all)


def _run_there(
    client: Any, kept: str, parts: Sequence[Part], tell: Tell, check: Callable[[], None]
) -> dict[Part, BaseException]:
    """Hands `parts` to the workers and tells what comes of them, as it comes."""
    from jax_al.drivers.cluster_part import work

    # Filled by Dask's threads; all is told in this one.
    came: queue.SimpleQueue[Any] = queue.SimpleQueue()
    client.subscribe_topic(kept, lambda event: came.put(json.loads(event[1])))
    waiting = {
        client.submit(work, kept, part.name, part.seed, pure=False, priority=-place): part
        for place, part in enumerate(parts)
    }
    for future in waiting:
        future.add_done_callback(came.put)
    failed: dict[Part, BaseException] = {}
    while waiting:
        interrupt.check()
        check()
        with contextlib.suppress(queue.Empty):
            what = came.get(timeout=POLL)
            if isinstance(what, Mapping):
                tell(what)
                continue
            part = waiting.pop(what)
            error = _error_of(what)
            if error is None:
                tell({"event": "part_ended", **named(part)})
            elif isinstance(error, OSError):  # a full disk is full for the others too
                raise error
            else:
                failed[part] = error
                told(part, error, tell)
    return failed


def _each_row_once(tell: Tell, known: set[tuple[str, int, int]]) -> Tell:
    """Returns `tell` without rows that are `known` or were told: workers tell all of a part."""

    def on_event(event: Mapping[str, Any]) -> None:
        if event["event"] == "row":
            key = key_of(event["row"])
            if key in known:
                return
            known.add(key)
        tell(event)

    return on_event


def _error_of(future: Any) -> BaseException | None:
    """Returns what a part has failed with, with its traceback in the worker."""
    import distributed

    error = future.exception()
    if isinstance(error, distributed.KilledWorker):
        return UsageError(
            "each worker that computed it was killed, maybe for want of memory: run the same again "
            "with fewer jobs or a smaller config.test_batch_size"
        )
    return error and error.with_traceback(future.traceback())


def _client(scheduler: str) -> Any:
    import distributed

    try:
        return distributed.Client(scheduler, timeout=CONNECT)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(f"There is no Dask scheduler at {scheduler!r}.") from error


@contextlib.contextmanager
def _cluster(
    jobs: int, scheduler: str | None, kept: Any, tell: Tell
) -> Iterator[tuple[Any, Callable[[], None]]]:
    """Opens a client whose workers have what is `kept`, and what checks that they are there."""
    import dask
    import distributed

    for name in LOGGERS:
        logging.getLogger(name).setLevel(SILENT)
    with contextlib.ExitStack() as opened:
        if scheduler is None:
            # No part waits at a worker that is busy while another one is idle.
            with dask.config.set({"distributed.scheduler.worker-saturation": 1.0}):
                cluster = distributed.LocalCluster(n_workers=0, dashboard_address=":0")
            opened.enter_context(cluster)
            client = opened.enter_context(distributed.Client(cluster))
            client.register_plugin(kept)
            processes = worker_processes(cluster.scheduler_address, jobs, tell)
            yield client, opened.enter_context(processes)
            return
        client = opened.enter_context(_client(scheduler))
        client.register_plugin(kept)
        opened.callback(client.unregister_worker_plugin, kept.name)
        if not client.scheduler_info()["workers"]:
            tell({"event": "say", "text": f"{scheduler} has no workers yet; waiting for one."})

        def check() -> None:
            if client.status != "running":
                raise UsageError(
                    f"The Dask scheduler at {scheduler!r} is gone: run the same again."
                )

        yield client, check
