"""Trains while people label, in a thread of its own."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jax_al.errors import UsageError
from jax_al.people.look import look, with_floor
from jax_al.people.models import append_model, read_models
from jax_al.people.project import Project
from jax_al.session.fold import Record

if TYPE_CHECKING:
    from jax_al.drivers.session import Session

AGAIN = 10.0  # seconds until what has failed is tried again


class Belief(NamedTuple):
    """What the last learner says of all rows."""

    digest: str  # of it
    classes: tuple[int, ...]  # ids, by column
    probs: np.ndarray  # float32 [N, C]


class Trainer(threading.Thread):
    """Has a request ready whenever one is closed; what it believes is there for whoever asks.

    Args:
      project: of the session.
      session: whose requests these are; only this thread uses it from now on.
      changed: is called when there is something new to show.

    Attributes:
      phase: what it does now, in words; empty: it waits for people.
      fault: why the last try failed, in a sentence; empty: it did not.
      belief: what the last learner says; None: none was trained on two classes yet.
    """

    def __init__(
        self, project: Project, session: "Session", changed: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(name="trainer", daemon=True)
        self.phase, self.fault = "", ""
        self.belief: Belief | None = None
        self._project, self._session, self._changed = project, session, changed
        self._woken, self._stopped = threading.Event(), threading.Event()
        self._done = ""  # digest of the learner that `belief` is of

    def wake(self) -> None:
        """Says that something was told."""
        self._woken.set()

    def stop(self) -> None:
        """Ends the thread when it has ended what it does."""
        self._stopped.set()
        self._woken.set()
        self.join()

    def run(self) -> None:
        """Works until it is stopped."""
        while not self._stopped.is_set():
            self._woken.clear()
            wait = 1.0  # a script may tell, which wakes nobody
            try:
                self._work()
                self.fault = ""
            except KeyboardInterrupt:  # a Ctrl-C that was to wait for a checkpoint
                break
            except UsageError as error:
                self.fault, wait = str(error), AGAIN
            except Exception as error:  # of a learner, or the disk: people can go on
                self.fault, wait = f"Training failed ({error!r}); it is tried again.", AGAIN
            self.phase = ""
            self._woken.wait(wait)

    def _work(self) -> None:
        record = self._project.teller.record()
        if record.open is not None and record.undecided():
            self._believe(record)
            return
        self.phase = "training on the labels so far"
        start = time.monotonic()
        self._project.teller.join_late()  # what was told after another class had closed the request
        if self._session.ask() is None:
            self._session.train()
        self._believe(self._project.teller.record(), start)
        self._changed()

    def _believe(self, record: Record, start: float | None = None) -> None:
        """Looks at all rows with the last learner, once."""
        if not record.trained or len(record.classes) < 2 or not record.order:
            return
        last = record.trained[max(record.trained)]
        if last.digest == self._done and last.as_of >= record.outdated:
            return
        self.phase = "looking at all examples"
        project, seed = self._project, self._project.settings.seed
        seconds = 0.0 if start is None else time.monotonic() - start
        model, probs, classes = look(self._session, seed, seconds)
        self.belief = Belief(model.digest, tuple(classes), probs)
        self._done = model.digest
        self._changed()
        self.phase = "comparing the last learners"
        before = read_models(project.place)
        append_model(project.place, with_floor(model, before, self._session, seed))
