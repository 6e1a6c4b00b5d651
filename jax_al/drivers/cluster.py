"""Parts on other processes, by Dask: a local cluster (`jobs`), or a scheduler of yours.

A worker keeps its data and its compiled programs from part to part. What a part has done is in its
record, so one whose worker is killed is taken up by another, and loses a phase at most.
"""

import contextlib
import functools
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jax_al import interrupt
from jax_al.drivers.engine import Engine
from jax_al.drivers.experiment import RunAll, named, told
from jax_al.drivers.part import Part, Tell
from jax_al.drivers.study import Study, run_part
from jax_al.errors import UsageError

TOPIC = "jax_al"  # of the events that workers send
PASSED_ON = ("say", "phase", "advance", "row")
RETRIES = 3  # of a part whose worker was killed
POLL = 0.5  # seconds between two looks at whether somebody wants to stop


def executor(
    make_study: Callable[[], Study],
    local_listeners: Callable[[Study], Tell],
    *,
    jobs: int = 1,
    scheduler: str | None = None,
) -> RunAll:
    """Returns what `experiment.run` runs its parts with.

    Args:
      make_study: makes the study anew in a worker; it is pickled (by cloudpickle).
      local_listeners: makes what is told in the worker of the events that hold arrays.
      jobs: processes of a local cluster, each with its share of the cores.
      scheduler: the address of a Dask scheduler; None: a local cluster.

    Raises:
      UsageError: Dask is not installed, or there is no such scheduler.
    """
    try:
        import distributed  # noqa: F401 (an extra)
    except ImportError as error:
        raise UsageError(
            "Several processes need Dask: pip install 'jax_al[cluster]', or run with jobs=1."
        ) from error

    def run_all(
        engine: Engine, study: Study, parts: Sequence[Part], tell: Tell
    ) -> dict[Part, BaseException]:
        del engine, study  # each worker has its own
        with _client(jobs, scheduler) as client:
            client.subscribe_topic(TOPIC, lambda event: tell(event[1]))
            return _run_there(client, make_study, local_listeners, parts, tell)

    return run_all


def _run_there(
    client: Any,
    make_study: Callable[[], Study],
    local_listeners: Callable[[Study], Tell],
    parts: Sequence[Part],
    tell: Tell,
) -> dict[Part, BaseException]:
    from distributed import as_completed

    places = {
        client.submit(
            work, make_study, local_listeners, place, part.directory, retries=RETRIES, pure=False
        ): part
        for place, part in enumerate(parts)
    }
    failed: dict[Part, BaseException] = {}
    coming = as_completed(places)
    try:
        while places:
            with contextlib.suppress(TimeoutError):
                future = _next(coming)
                part = places.pop(future)
                error = future.exception()
                if error is None:
                    tell({"event": "part_ended", **named(part)})
                else:
                    failed[part] = error
                    told(part, error, tell)
                future.release()
            interrupt.check()
    except KeyboardInterrupt:
        client.cancel(list(places))
        raise
    return failed


def _next(coming: Any) -> Any:
    """Returns the next future that is done; TimeoutError where none is within POLL."""
    coming.timeout = None
    import time

    for _ in range(max(1, int(POLL / 0.05))):
        if coming.has_ready():
            return next(coming)
        time.sleep(0.05)
    raise TimeoutError


def work(
    make_study: Callable[[], Study],
    local_listeners: Callable[[Study], Tell],
    place: int,
    directory: Any,
) -> None:
    """Runs, in a worker, the part that is kept in `directory`."""
    from distributed import get_worker

    study, engine = _kept(make_study)
    root = directory.parents[2]
    part = next(one for one in study.parts(root) if one.directory == directory)
    local, worker = local_listeners(study), get_worker()

    def tell(event: Mapping[str, Any]) -> None:
        if event["event"] in PASSED_ON:
            worker.log_event(TOPIC, {**event, "pid": os.getpid(), "place": place})
        local(event)

    tell({"event": "phase", "text": f"{part.name}, seed {part.seed}: starting"})
    run_part(engine, study, part, tell)


_STUDIES: dict[bytes, tuple[Study, Engine]] = {}  # of this worker, by how they are made


def _kept(make_study: Callable[[], Study]) -> tuple[Study, Engine]:
    """Returns the study and the engine that a worker keeps; the last one only."""
    import cloudpickle

    token = cloudpickle.dumps(make_study)
    if token not in _STUDIES:
        _STUDIES.clear()
        study = make_study()
        _STUDIES[token] = study, Engine(study.benchmark, study.learner, study.looking)
    return _STUDIES[token]


@contextlib.contextmanager
def _client(jobs: int, scheduler: str | None) -> Iterator[Any]:
    """Opens a client of `scheduler`, or of a cluster of its own that ends with it."""
    import distributed

    if scheduler is not None:
        try:
            client = distributed.Client(scheduler, timeout=10)
        except (OSError, ValueError, TimeoutError) as error:
            raise UsageError(
                f"There is no Dask scheduler at {scheduler!r} ({' '.join(str(error).split())})."
            ) from error
        with client:
            yield client
        return
    with (
        _quiet(),
        distributed.LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,  # what a worker has to say comes as events
            memory_limit=0,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.register_plugin(Share(jobs))
        yield client


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Lets the processes that start meanwhile pass over Ctrl-C: this one tells them to stop."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def _share(place: int, jobs: int) -> list[int]:
    """Returns the cores of worker number `place` of `jobs`."""
    cores = sorted(os.sched_getaffinity(0))
    if jobs >= len(cores):
        return [cores[place % len(cores)]]
    each = len(cores) // jobs
    return cores[place * each : (place + 1) * each]


@functools.cache
def _plugin() -> type:
    """The class of the plugin, made when Dask is there."""
    import distributed

    class Plugin(distributed.WorkerPlugin):
        """Gives a worker its share of the cores before JAX starts there."""

        name = "jax_al_share"

        def __init__(self, jobs: int) -> None:
            self.jobs = jobs

        def setup(self, worker: Any) -> None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if hasattr(os, "sched_setaffinity"):
                os.sched_setaffinity(0, _share(int(worker.name) % self.jobs, self.jobs))

    return Plugin


def Share(jobs: int) -> Any:  # noqa: N802 (a class that is made late)
    """Returns the plugin for workers of a local cluster of `jobs`."""
    return _plugin()(jobs)
