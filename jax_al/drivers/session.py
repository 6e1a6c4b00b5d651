"""A session with people: it asks, they answer when they like, it trains and predicts."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from jax_al.drivers.engine import Engine, Looking, MakeLearner
from jax_al.drivers.part import Driver, Part, Schedule, Tell
from jax_al.drivers.states import opened
from jax_al.drivers.study import Study, open_progress
from jax_al.errors import UsageError, did_you_mean
from jax_al.session.locks import computing
from jax_al.session.work import (
    Answered,
    Ask,
    Asked,
    Closed,
    JoinedLate,
    Select,
    Train,
    Undone,
)
from jax_al.strategies import make_strategy
from jax_al.types import BROKEN, SKIP, UNSURE, Answer, Benchmark, Pool, Strategy

DECISIONS = (SKIP, UNSURE, BROKEN)


class Request(NamedTuple):
    """What is to be labeled next."""

    id: int
    rows: tuple[int, ...]  # of the pool, in pick order, those that are undecided
    ids: tuple[str, ...]
    scores: tuple[float | None, ...] | None  # why each was picked, where the strategy tells


class Session:
    """One strategy, one seed and somebody who labels.

    What is told is durable when `tell` returns, and whatever is interrupted goes on when a session
    is opened on the same directory again.

    Args:
      pool: what can be labeled.
      classes: their names, at least two.
      learner: a function of (Spec, number of classes), such as `al.cnn()` or `al.linear()`.
      strategy: a name, or a Strategy.
      budget: rows of a request; fewer if fewer are left.
      seed: decides all chance.
      directory: where the record is kept, made if missing; None: in memory.
      chunk_size: examples looked at together; memory grows with it.
      num_samples: draws, for strategies that go by disagreement.
      tell: is told what goes on, as `al.run` tells its listeners.

    Raises:
      ValueError: the arguments do not fit together, or the directory holds something else.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        classes: Sequence[str],
        learner: MakeLearner,
        strategy: str | Strategy = "coreset",
        budget: int = 50,
        seed: int = 0,
        directory: str | Path | None = None,
        chunk_size: int = 1000,
        num_samples: int = 20,
        tell: Tell = lambda event: None,
    ) -> None:
        _check(classes, budget, seed)
        name = strategy if isinstance(strategy, str) else "strategy"
        made = make_strategy(strategy) if isinstance(strategy, str) else strategy
        place = None if directory is None else Path(directory).expanduser()
        benchmark = Benchmark(pool, None, tuple(classes), name=type(pool).__name__)
        schedule = Schedule(initial_size=0, budget=budget, max_episodes=None, keep_checkpoints=2)
        public = {"strategy": name, "budget": budget, "seed": seed}
        looking = Looking(chunk_size, num_samples)
        study = Study(benchmark, learner, {name: made}, (seed,), schedule, looking, _nobody, public)
        part = Part(name, seed, made, place)
        self._engine = Engine(benchmark, learner, looking)
        self._engine.check(made)  # what it cannot have is refused before anything is begun
        with contextlib.ExitStack() as held:
            if place is not None:
                held.enter_context(computing(place))
            journal, self._progress = open_progress(study, part, tell)
            on_record = self._progress.record.classes
            if tuple(on_record.values()) != tuple(classes):
                raise UsageError(
                    f"{place} was begun with the classes {', '.join(on_record.values())}, not "
                    f"{', '.join(classes)}."
                )
            states = held.enter_context(opened(place, schedule.keep_checkpoints))
            self._held = held.pop_all()
        self._ids = {name: number for number, name in on_record.items()}
        self._driver = Driver(self._engine, part, schedule, journal, self._progress, states, tell)
        self._rows = {name: row for row, name in enumerate(pool.ids)}

    def ask(self) -> Request | None:
        """Returns the open request, or makes a new one, training first if need be.

        None: nothing is left to ask.
        """
        while True:
            match self._progress.plan():
                case Ask() as work:
                    self._progress.commit(Asked(work.request))
                case Select() | Train() as work:
                    self._driver.compute(work)
                case None:
                    return None
                case _:
                    return self._request()

    def tell(
        self, answers: Mapping[str, str | int], *, relabel: bool = False, who: str = ""
    ) -> None:
        """Takes answers; they are durable when this returns.

        Args:
          answers: by id: the name of a class, or SKIP, UNSURE or BROKEN.
          relabel: whether an answer may replace another one.
          who: says so.

        Raises:
          ValueError: an id was not asked, a class does not exist, or an answer is there already
            and another one; then none is taken.
        """
        told = [self._answer(name, said, who) for name, said in answers.items()]
        self._progress.commit(Answered(told, relabel))

    def undo(self) -> None:
        """Takes the last answers back, as many as were told together.

        Raises:
          ValueError: there are none.
        """
        answered = self._progress.record.answered
        if not answered:
            raise UsageError("There is no answer to take back.")
        self._progress.commit(Undone(answered[-1]))

    def train(self) -> None:
        """Closes the open request and trains on all labels there are."""
        record = self._progress.refold()
        if record.open is not None:
            self._progress.commit(Closed(record.open.number))
        elif record.late:
            self._progress.commit(JoinedLate())
        while isinstance(work := self._progress.plan(), Train):
            self._driver.compute(work)
        if (again := self._progress.refresh()) is not None:
            self._driver.compute(again)

    def predict(self, pool: Pool) -> np.ndarray:
        """Returns the probabilities, float32 [n, C], by what was trained last.

        Raises:
          ValueError: nothing was trained yet, or the examples are of another shape.
        """
        trained = self._progress.record.trained
        if not trained:
            raise UsageError("Nothing is trained yet: call train() or ask() first.")
        here, there = self._engine.benchmark.pool.spec, pool.spec
        if here != there:
            raise UsageError(f"The examples are {there}, and the session's are {here}.")
        state = None
        while (state := self._driver.state(max(trained))) is None:
            work = self._progress.plan()
            assert isinstance(work, Train)
            self._driver.compute(work)
        return np.exp(self._engine.predict(state, pool))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self._engine.benchmark.classes

    @property
    def labels(self) -> dict[str, str]:
        """All classes that were told and stand, by id; those of the open request included."""
        record, ids = self._progress.record, self._engine.benchmark.pool.ids
        return {
            ids[row]: self.classes[said.decision]
            for row, said in record.decisions.items()
            if said.decision >= 0
        }

    def close(self) -> None:
        """Lets go of the directory."""
        self._held.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _request(self) -> Request:
        request = self._progress.record.open
        assert request is not None
        decided = self._progress.record.decisions
        left = [place for place, row in enumerate(request.rows) if row not in decided]
        scores = request.scores
        return Request(
            request.number,
            tuple(request.rows[place] for place in left),
            tuple(request.ids[place] for place in left),
            None if scores is None else tuple(scores[place] for place in left),
        )

    def _answer(self, name: str, said: str | int, who: str) -> Answer:
        if name not in self._rows:
            raise UsageError(f"There is no example {name!r} in the pool.")
        if isinstance(said, str):
            if said not in self.classes:
                raise UsageError(f"There is no class {said!r}: {did_you_mean(said, self.classes)}")
            decision = self._ids[said]
        elif said in DECISIONS:
            decision = said
        else:
            raise UsageError(
                f"The answer for {name!r} is {said!r}, but must be the name of a class, or SKIP, "
                "UNSURE or BROKEN."
            )
        return Answer(self._rows[name], decision, who)


def _check(classes: Sequence[str], budget: int, seed: int) -> None:
    if isinstance(classes, str) or len(classes) < 2 or len(set(classes)) < len(classes):
        raise UsageError(f"classes must be two or more different names, not {classes!r}.")
    if budget < 1:
        raise UsageError(f"budget is {budget}, but must be 1 or more.")
    if seed < 0:
        raise UsageError(f"seed is {seed}, but must be 0 or more.")


def _nobody(benchmark: Benchmark, seed: int) -> Any:
    """The people answer by `tell`."""
    from jax_al.oracles.people import people

    del benchmark, seed
    return people()
