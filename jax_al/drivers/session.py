"""A session with people: it asks, they answer when they like, it trains and predicts."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import numpy as np

from jax_al.drivers.begun import at_least_two, check_begun, check_same_pool
from jax_al.drivers.checks import (
    OF_A_SESSION,
    check_classes,
    check_draw,
    check_known,
    check_least,
    check_maker,
    check_pool_like,
    check_read,
    check_seed,
    checked_directory,
    distinct_ids,
    guarded,
    python_words,
    read_as,
)
from jax_al.drivers.engine import Engine, Looking, MakeLearner
from jax_al.drivers.part import Driver, Tell
from jax_al.drivers.predictor import save_model
from jax_al.drivers.session_study import session_study
from jax_al.drivers.states import InMemory, opened
from jax_al.drivers.study import open_progress
from jax_al.drivers.waiting import Request, open_request
from jax_al.errors import UsageError
from jax_al.learners.naming import described
from jax_al.pools.rows import whole_index
from jax_al.pools.subset import subset
from jax_al.session.fold import Record
from jax_al.session.locks import computing
from jax_al.session.teller import Teller
from jax_al.session.work import Ask, Asked, Closed, JoinedLate, Select, Train, Work
from jax_al.types import Pool, Strategy

Kinds = tuple[type[Select | Train], ...]


class Session:
    """One strategy, one seed and somebody who labels.

    What is told is durable when `tell` returns, and whatever is interrupted goes on when a session
    is opened on the same directory again.

    Args:
      pool: what can be labeled.
      classes: their names; those that people add, rename and merge later are on record, so when a
        session goes on these may be the ones it began with, or the ones of now.
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
        check_least(budget=(budget, 1), chunk_size=(chunk_size, 1), num_samples=(num_samples, 1))
        check_seed(seed)
        budget, seed = int(budget), int(seed)  # NumPy's cannot be written down
        check_classes(classes, least=0)
        check_read("pool", pool)
        check_maker(learner)
        self._ids = distinct_ids(pool)
        self._place = checked_directory(directory)
        self._tell, self._is_open, self._learner = guarded(tell), True, learner
        looking = Looking(chunk_size, num_samples)
        study, part = session_study(
            pool, classes, learner, strategy, budget, seed, looking, self._place
        )
        self._engine = Engine(study.benchmark, learner, looking)
        self._engine.check(part.strategy)  # what it cannot have is refused before anything begins
        with python_words(OF_A_SESSION):
            # On record are the classes that there are, and no more.
            named = study.benchmark._replace(classes=tuple(classes))
            begun = study._replace(benchmark=named)
            journal, self._progress = open_progress(
                begun, part, self._tell, may_grow=True, check_new=self._engine.check_learner
            )
        check_begun(self._place, self._progress.record, tuple(classes), described(learner))
        self._data = self._progress.record.data
        self._teller = Teller(journal)
        self._driver = Driver(
            self._engine, part, study.schedule, journal, self._progress, InMemory(), self._tell
        )

    def ask(self) -> Request | None:
        """Returns the open request, or makes a new one, training first if need be.

        None: nothing is left to ask.
        """
        self._check_open()
        while True:
            match self._plan():
                case Ask() as work:
                    self._progress.commit(Asked(work.request))
                case Select() | Train():
                    self._compute(self._plan)
                case None:
                    return None
                case _:
                    return open_request(self._progress.record)

    def tell(
        self,
        answers: Mapping[str, str | int],
        *,
        relabel: bool = False,
        who: str = "",
        why: str = "",
    ) -> None:
        """Takes answers; they are durable when this returns.

        Args:
          answers: by id: the name of a class, or SKIP, UNSURE or BROKEN.
          relabel: whether an answer may replace another one.
          who: says so.
          why: it was asked, where the record does not say; "review".

        Raises:
          ValueError: an id was not asked, a class does not exist, or an answer is there already
            and another one; then none is taken.
        """
        self._check_open()
        check_known(answers, self._ids)
        self._teller.tell(answers, relabel=relabel, who=who, why=why)

    def undo(self) -> tuple[str, ...]:
        """Takes the last answers back, as many as were told together; returns their ids.

        Raises:
          ValueError: there are none.
        """
        self._check_open()
        return self._teller.undo()

    def draw(self, count: int, why: str = "audit") -> tuple[str, ...]:
        """Draws examples uniformly among those neither asked now nor decided; returns their ids.

        They are told like others, whenever somebody likes, and cost nothing of the budget.

        Args:
          count: how many; fewer if fewer are left.
          why: "audit": they are held out, never asked by the strategy and never trained on, to
            learn how right the learner is; "check": likewise, of what is unlabeled by now;
            "random": they are trained on as of the next request.

        Raises:
          ValueError: there is no such reason.
        """
        self._check_open()
        check_draw(count, why)
        pool, seed = self._engine.benchmark.pool, self._driver.part.seed
        return self._teller.draw_among(pool.ids, count, why, seed=seed, index=whole_index(pool))

    def add_class(self, name: str) -> None:
        """Adds a class; the open request is closed.

        Raises:
          ValueError: it has no name, or another class has it.
        """
        self._check_open()
        self._teller.add_class(name)

    def rename_class(self, old: str, new: str) -> None:
        """Gives a class another name; the open request is closed.

        Raises:
          ValueError: there is no such class, or the name is taken.
        """
        self._check_open()
        self._teller.rename_class(old, new)

    def merge_class(self, gone: str, into: str) -> None:
        """Makes all that is labeled `gone` count as `into`; the open request is closed.

        Raises:
          ValueError: there are no such classes.
        """
        self._check_open()
        self._teller.merge_class(gone, into)

    def train(self) -> None:
        """Closes the open request and trains on all labels there are."""
        self._check_open()
        self._plan()  # that it is still the same pool
        record = self._progress.record
        if record.open is not None:
            self._progress.commit(Closed(record.open.number))
        elif record.late:
            self._progress.commit(JoinedLate())
        self._catch_up()
        if self._progress.refresh() is not None:
            self._compute(self._progress.refresh)

    def predict(self, pool: Pool) -> np.ndarray:
        """Returns the probabilities, float32 [n, C], by what was trained last.

        Where the pool of the session is read as features, so are the examples given here. The
        columns are as `classes`; after one was added or merged it is trained anew first.

        Raises:
          ValueError: nothing was trained yet, there are fewer than two classes, or the examples are
            of another shape.
        """
        return self.predicted(pool)[0]

    def predicted(self, pool: Pool) -> tuple[np.ndarray, Record]:
        """Returns what `predict` does, and the record whose classes, rising, are the columns.

        While it looks at examples somebody may add or merge classes: then `classes` are others.

        Raises:
          ValueError: as `predict`.
        """
        self._check_trained()
        check_pool_like("pool", pool)
        pool = read_as(self._engine.benchmark.pool, pool)
        state, record = self._state()
        return np.exp(self._engine.predict(state, pool)), record

    def predict_by(
        self, rows: Sequence[int], labels: Sequence[int], others: np.ndarray
    ) -> np.ndarray:
        """Returns what a learner would predict that had been fitted to some labels alone.

        Nothing of it is on record.

        Args:
          rows: of the pool, at least one, in which some may stand more than once.
          labels: theirs, places in `classes`.
          others: int64 [n], the rows to predict.

        Returns:
          float32 [n, C].
        """
        self._check_open()
        self._plan()  # the classes of now
        engine, seed = self._engine, self._driver.part.seed
        init_key, train_key = jax.random.split(jax.random.key(seed))
        capacity = self._driver.capacity(len(rows))
        state, _ = engine.fit(train_key, engine.init(init_key), rows, labels, capacity)
        return np.exp(engine.predict(state, subset(engine.benchmark.pool, others)))

    def export(self, path: str | Path) -> None:
        """Writes what was trained last as one file, from which `al.load_predictor` predicts.

        Neither the directory of the session nor its pool is needed there.

        Args:
          path: of the file; another model of that name is replaced.

        Raises:
          ValueError: nothing was trained yet, there are fewer than two classes, or a file cannot
            hold the learner or the features.
        """
        self._check_trained()
        state, record = self._state()
        last = record.trained[max(record.trained)]
        save_model(
            path,
            pool=self._engine.benchmark.pool,
            classes=tuple(record.classes.values()),  # of the State, whatever they are by now
            learner=self._learner,
            state=state,
            facts={"digest": last.digest, "episode": last.episode},
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the columns of `predict`."""
        return tuple(self._progress.refold().classes.values())

    @property
    def pool(self) -> Pool:
        """What can be labeled, as the learner sees it."""
        return self._engine.benchmark.pool

    @property
    def labels(self) -> dict[str, str]:
        """All classes that were told and stand, by id; those of the open request included."""
        return self._teller.labels()

    @property
    def record(self) -> Record:
        """What is on record, whoever wrote it."""
        return self._progress.refold()

    def close(self) -> None:
        """Ends the session; what was told is on record already."""
        self._is_open = False

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _plan(self) -> Work | None:
        """Returns what to do next, by an engine for the classes that there are by now."""
        work = self._progress.plan()
        check_same_pool(self._place, self._data, self._progress.record)
        names = at_least_two(self._progress.record.classes.values())
        if names != self._engine.benchmark.classes:
            self._engine = self._engine.with_classes(names)
            self._driver = self._driver.with_engine(self._engine)
        return work

    def _catch_up(self) -> None:
        while isinstance(self._plan(), Train):
            self._compute(self._plan, (Train,))

    def _compute(self, plan: Callable[[], Work | None], kinds: Kinds = (Select, Train)) -> None:
        """Computes what `plan` says where nobody else computes, who may have done so just now."""
        with self._alone():
            work = plan()
            if isinstance(work, kinds):
                self._driver.compute(work)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the directory: one process computes there, while others may tell."""
        if self._place is None:
            yield
            return
        with computing(self._place), opened(self._place, 2) as states:
            self._driver.states = states
            yield

    def _state(self) -> tuple[Any, Record]:
        """Returns what was trained last, and the record whose classes it knows: those of now."""
        self._plan()  # the classes of now, whoever changed them
        record = self._progress.record
        if record.trained[max(record.trained)].as_of < record.outdated:
            self._catch_up()
        episode = max(self._progress.record.trained)
        state = self._driver.kept(episode)
        if state is None:
            with self._alone():
                while (state := self._driver.state(episode)) is None:  # damaged: trained again
                    work = self._plan()
                    assert isinstance(work, Train)
                    self._driver.compute(work)
        return state, self._progress.record

    def _check_trained(self) -> None:
        self._check_open()
        if not self.record.trained:
            raise UsageError("Nothing is trained yet: call train() or ask() first.")
        if len(self.record.classes) < 2:
            raise UsageError("There are fewer than two classes: call add_class() first.")

    def _check_open(self) -> None:
        if not self._is_open:
            where = "" if self._place is None else f" on {self._place}"
            raise UsageError(f"This al.Session is closed: open another one{where}.")
