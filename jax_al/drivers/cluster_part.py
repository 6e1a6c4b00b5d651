"""What runs in a Dask worker: a part, with data and programs that are kept from part to part.

Imported only where Dask is.
"""

import concurrent.futures
import functools
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cloudpickle
import jax
from distributed import Worker, WorkerPlugin, get_worker

from jax_al.drivers.engine import Engine
from jax_al.drivers.part import Part, Tell
from jax_al.drivers.publish import publishing
from jax_al.drivers.study import Study, part_directory, run_part
from jax_al.errors import UsageError

TOLD = ("part_begun", "phase", "advance", "row", "say")  # what the client hears of
PATIENCE = 60  # seconds to wait for a directory that a worker on its way out still holds
POLL = 0.2  # seconds between two tries
# What numbers and speed depend on is set in workers as it is in the client.
SETTINGS = (
    "jax_platforms",
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_threefry_partitionable",
    "jax_numpy_dtype_promotion",
    "jax_numpy_rank_promotion",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
)


class Kept(WorkerPlugin):
    """What a worker keeps for the parts of one run; Dask hands it to each worker once.

    Args:
      make_study: makes the study anew.
      local_listeners: makes what is told here of all events.
      root: of the run, absolute.

    Raises:
      UsageError: something of the study cannot be pickled.
    """

    def __init__(
        self,
        make_study: Callable[[], Study],
        local_listeners: Callable[[Study], Tell],
        root: Path,
    ) -> None:
        self.name = f"jax_al-{uuid.uuid4().hex}"  # several runs may share the workers
        # As bytes, so that nothing of JAX starts before the first part.
        try:
            self._made = cloudpickle.dumps((make_study, local_listeners))
        except Exception as error:  # of whatever kind the objects raise
            raise UsageError(
                f"What shall run cannot be sent to other processes ({error}): run with jobs=1."
            ) from error
        self._settings = {name: getattr(jax.config, name) for name in SETTINGS}
        self.root = root

    def setup(self, worker: Worker) -> None:
        """Is called when the worker gets this."""
        del worker
        self.one_at_a_time = threading.Lock()  # programs are those of one part, not of two at once

    @functools.cached_property
    def ready(self) -> tuple[Study, Engine, Tell]:
        """The study, the engine with all that was compiled, and who listens here."""
        for name, value in self._settings.items():
            jax.config.update(name, value)
        make_study, local_listeners = cloudpickle.loads(self._made)
        study = make_study()
        engine = Engine(study.benchmark, study.learner, study.looking)
        return study, engine, local_listeners(study)


def work(kept: str, name: str, seed: int) -> None:
    """Runs a part from where its record stands.

    Args:
      kept: the name of the plugin that keeps what the part needs.
      name: of the part.
      seed: of the part.
    """
    worker = get_worker()
    plugin = worker.plugins[kept]
    assert isinstance(plugin, Kept)
    with plugin.one_at_a_time:
        study, engine, listen = plugin.ready
        directory = part_directory(plugin.root, name, seed)
        part = Part(name, seed, study.strategies[name], directory)
        task = worker.state.tasks[worker.get_current_task()]

        def tell(event: Mapping[str, Any]) -> None:
            if task.state == "cancelled":  # the client has stopped, or is gone
                raise concurrent.futures.CancelledError
            if event["event"] in TOLD:
                worker.log_event(kept, json.dumps({**event, "pid": os.getpid()}))
            listen(event)

        tell({"event": "part_begun", "strategy": name, "seed": seed})
        publish = publishing(plugin.root, list(study.strategies), tell)

        def on_event(event: Mapping[str, Any]) -> None:
            publish(event)
            if event["event"] == "opened":  # whoever was killed may not have told of all rows
                for row in event["progress"].rows():
                    tell({"event": "row", "row": row})

        _run(engine, study, part, on_event)


def _run(engine: Engine, study: Study, part: Part, tell: Tell) -> None:
    """Runs a part, when nobody else does any more."""
    start = time.monotonic()
    while True:
        try:
            run_part(engine, study, part, tell)
            return
        except UsageError as error:
            is_held = isinstance(error.__cause__, BlockingIOError)
            if not is_held or time.monotonic() > start + PATIENCE:
                raise
        tell(
            {"event": "phase", "text": f"{part.name}, seed {part.seed}: waiting for its directory"}
        )
        time.sleep(POLL)
