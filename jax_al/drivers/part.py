"""One part, one strategy and one seed: what `Progress` wants is computed here, and handed back.

All that is random comes from `fold_in(key(seed), episode)`, so nothing depends on what was
computed in this process and what is on record.
"""

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_al import interrupt
from jax_al.drivers import engine as engines
from jax_al.drivers.believed import Believed
from jax_al.drivers.engine import Engine
from jax_al.drivers.inputs import room
from jax_al.drivers.replay import replay
from jax_al.drivers.states import States
from jax_al.errors import UsageError
from jax_al.oracles.collecting import collected
from jax_al.oracles.simulated import initial_indices
from jax_al.pools.rows import whole_index
from jax_al.session.fold import Record, Trained, fold
from jax_al.session.journal import Journal
from jax_al.session.progress import Progress
from jax_al.session.work import Answered, Ask, Asked, Result, Select, Selected, Train, Wait
from jax_al.types import Oracle, PoolState, Strategy

# A gradient step costs about so many looks at the same examples; for the progress bar alone.
STEP_COST = 9
PATIENCE = 0.05  # seconds between two questions to an oracle that has nothing yet

Tell = Callable[[Mapping[str, Any]], None]  # hands an event to whoever listens


class Part(NamedTuple):
    """What is run: one strategy with one seed."""

    name: str  # the entry of the comparison, such as "typiclust@pixels_pca"
    seed: int
    strategy: Strategy
    directory: Path | None  # None: nothing is kept


class Schedule(NamedTuple):
    """How labels are bought; the fields of the config of the same names."""

    initial_size: int
    budget: int  # Q
    max_episodes: int | None  # None: as long as somebody answers
    initial: str = "random"
    warm_start: bool = False
    keep_checkpoints: int | None = None

    def kept(self) -> int | None:
        """Returns how many checkpoints are kept: a warm start cannot do without the last two."""
        if self.keep_checkpoints is None:
            return None
        return max(self.keep_checkpoints, 2 if self.warm_start else 1)


class Driver:
    """Computes the work of one part, a piece at a time.

    Args:
      engine: data and programs.
      part: which strategy and seed.
      schedule: how labels are bought.
      journal: the record.
      progress: what the record leaves to do.
      states: where States are kept.
      tell: is told what goes on.
    """

    def __init__(
        self,
        engine: Engine,
        part: Part,
        schedule: Schedule,
        journal: Journal,
        progress: Progress,
        states: States,
        tell: Tell,
    ) -> None:
        self.engine, self.part, self.schedule = engine, part, schedule
        self.progress, self._journal = progress, journal
        self.states, self._tell, self._compiles = states, tell, 0
        self._latest: tuple[str, Any] | None = None  # the newest State, by its digest
        self._believed = Believed(part.directory)

    def with_engine(self, engine: Engine) -> "Driver":
        """Returns a driver of the same part with another engine, which holds no State yet."""
        told = self._journal, self.progress, self.states, self._tell
        driver = Driver(engine, self.part, self.schedule, *told)
        driver._believed = self._believed  # in memory it is nowhere else
        return driver

    def compile_ahead(self) -> None:
        """Compiles all that is needed, so that nothing is bought before it can be used."""
        budget = min(self.schedule.budget, len(self.engine.benchmark.pool))
        self._phase("compiling")
        self._compiles = self.engine.compile_ahead(self.part.strategy, self.capacity(0), budget)

    def run(self, oracle: Oracle) -> None:
        """Works until nothing is left to do."""
        while (work := self.progress.plan()) is not None:
            interrupt.check()
            match work:
                case Ask():
                    oracle.ask(work.request, work.rows)
                    self._commit(Asked(work.request))
                case Wait():
                    if answers := collected(oracle):
                        self._commit(Answered(answers))
                    else:
                        time.sleep(PATIENCE)
                case _:
                    self.compute(work)

    def compute(self, work: Select | Train) -> None:
        """Computes one piece of work and commits it."""
        if isinstance(work, Train):
            result: Result | None = self._train(work)
        elif work.episode == 0:
            result = self._initial(work)
        else:
            result = self._select(work)
        if result is not None:
            self._commit(result)

    def _commit(self, result: Result) -> None:
        self.progress.commit(result)
        self._tell({"event": "committed", "part": self.part, "progress": self.progress})

    def kept(self, episode: int) -> Any | None:
        """Returns the State of `episode` if it is the one that this process holds."""
        digest = self.progress.record.trained[episode].digest
        return self._latest[1] if self._latest and self._latest[0] == digest else None

    def state(self, episode: int) -> Any | None:
        """Returns the State of `episode`; None if its checkpoint cannot be read.

        Whoever gets None has the training planned again: it gives the same State.
        """
        if (held := self.kept(episode)) is not None:
            return held
        trained = self.progress.record.trained[episode]
        on_host = self.engine.learner.on_host
        state = self.states.restore(episode, self._shapes, trained.digest, varies=on_host)
        if state is None:
            self._say(
                f"The checkpoint of episode {episode} is missing or damaged; training that learner "
                "again."
            )
            self.progress.retrain(episode)
            return None
        state = state if on_host else jax.device_put(state)
        self._latest = trained.digest, state
        return state

    @property
    def _shapes(self) -> Any:
        """A State, or its shapes."""
        learner, key = self.engine.learner, jax.random.key(0)
        if learner.on_host:
            return learner.init(key, self.engine.context)
        return jax.eval_shape(learner.init, key, self.engine.context)

    def _initial(self, work: Select) -> Selected:
        benchmark = self.engine.benchmark
        truth = benchmark.truth
        if truth is None:
            if self.schedule.initial != "random":
                raise UsageError(
                    f"initial is {self.schedule.initial!r}, which looks at the truth, and this "
                    "pool has none: choose random."
                )
            truth = np.zeros(len(benchmark.pool), np.int32)
        rng = np.random.default_rng(self.part.seed)
        rows = initial_indices(rng, self.schedule.initial, truth, work.count)
        return self._selected(work, rows, None, {}, None, 0.0, 0.0, None)

    def _train(self, work: Train) -> Trained | None:
        episode, part, engine = work.episode, self.part, self.engine
        init_key, train_key, _ = self._keys(episode)
        record = fold(self._journal.events()[: work.as_of + 1])
        rows, labels = self._taught(record, episode)
        self._phase(f"episode {episode}: training")
        if self.schedule.warm_start and episode > 1:
            state = self.state(episode - 1)
            if state is None:  # that one is planned now
                return None
        else:
            state = engine.init(init_key)
        start = time.perf_counter()
        loss = accuracy = None
        info: dict[str, float] = {}
        if rows:

            def on_step() -> None:
                interrupt.check()
                self._advance(STEP_COST * len(rows))

            state, fit = engine.fit(
                train_key, state, rows, labels, self.capacity(len(rows)), on_step
            )
            loss, accuracy = float(fit.loss), float(fit.accuracy)
            info = {name: float(value) for name, value in fit.info.items()}
        trained_at = time.perf_counter()
        self._phase(f"episode {episode}: evaluating")
        tested = engine.test(state)
        evaluated_at = time.perf_counter()
        if not all(math.isfinite(x) for x in (loss, tested.nll) if x is not None):
            raise UsageError(
                f"Training diverged (seed {part.seed}, episode {episode}: train loss {loss}, test "
                f"NLL {tested.nll}), so nothing was bought; start anew with a lower learning rate."
            )
        metrics = {
            "train_loss": loss,
            "train_accuracy": accuracy,
            "test_accuracy": tested.accuracy,
            "test_nll": tested.nll,
            "test_ece": tested.ece,
            "test_class_accuracy": tested.class_accuracy,
            "seconds_train": trained_at - start,
            "seconds_evaluate": evaluated_at - trained_at,
            "compiles": self._compiles,
            **({"fit_info": info} if info else {}),
        }
        digest = self.states.save(episode, jax.tree.map(np.asarray, state), metrics)
        self._latest = digest, state
        return Trained(episode, work.as_of, metrics, digest)

    def _select(self, work: Select) -> Selected | None:
        episode, engine = work.episode, self.engine
        state = self.state(episode)
        if state is None:
            return None
        record = self.progress.record
        if work.count < self.schedule.budget:
            self._say(
                f"Only {work.count} examples are left, fewer than the budget of "
                f"{self.schedule.budget}: buying them all; episode {episode + 1} is the last."
            )
        self._phase(f"episode {episode}: asking for labels")
        try:
            asked = self._ask(work, record, state)
        except jax.errors.JaxRuntimeError:  # what JAX makes of a Ctrl-C on the host
            interrupt.check()
            raise
        chosen, start = asked.chosen, time.perf_counter()
        if chosen.info.get("random_fallback"):
            self._say(
                f"{self.part.name} cannot choose before there is a label: these "
                f"{len(chosen.rows)} are random."
            )
        self._tell(
            {
                "event": "looked",
                "directory": self.part.directory,
                "episode": episode,
                "rows": chosen.rows,
                "scores": chosen.scores,
                "signals": asked.signals,
                "embedding": self.part.strategy.embedding,
                "pool": engine.benchmark.pool,
            }
        )
        share = engine.near_duplicates.share(np.array(record.order, int), chosen.rows)
        selected = self._selected(
            work,
            chosen.rows,
            chosen.scores,
            chosen.info,
            share,
            asked.seconds_embed,
            asked.seconds_select,
            chosen.pseudo_labels,
        )
        return selected._replace(seconds_record=time.perf_counter() - start)

    def _ask(self, work: Select, record: Record, state: Any) -> engines.Asked:
        pool, query_key = self.pool_state(record), self._keys(work.episode)[2]
        return self._answer(self.part.strategy, query_key, state, pool, work.count)

    def _answer(
        self, strategy: Strategy, query_key: jax.Array, state: Any, pool: PoolState, wanted: int
    ) -> engines.Asked:
        budget = min(self.schedule.budget, len(self.engine.benchmark.pool))
        scratch = self.part.directory
        return self.engine.ask(query_key, state, strategy, pool, budget, wanted, scratch)

    def _selected(
        self,
        work: Select,
        rows: np.ndarray,
        scores: np.ndarray | None,
        info: dict[str, float],
        share: float | None,
        seconds_embed: float,
        seconds_select: float,
        pseudo_labels: np.ndarray | None,
    ) -> Selected:
        pool = self.engine.benchmark.pool
        return Selected(
            request=work.request,
            episode=work.episode,
            rows=rows.tolist(),
            ids=[pool.ids[row] for row in rows.tolist()],
            index=whole_index(pool)[rows].tolist(),
            scores=None if scores is None else scores.tolist(),
            info=info,
            near_duplicate_share=share,
            seconds_embed=seconds_embed,
            seconds_select=seconds_select,
            pseudo_labels=self._believed.keep(pseudo_labels, work.episode),
        )

    def _taught(self, record: Record, episode: int) -> tuple[list[int], list[int]]:
        """Returns rows and labels to train on: those owned, and what the last query believed."""
        rows, labels = list(record.order), self._columns(record)
        changed = self.progress.record.outdated
        for request in record.requests:
            is_last = request.episode == episode - 1 and request.asked_at > changed
            if is_last and request.pseudo_labels is not None:
                believed = self._believed.of(request.episode, request.pseudo_labels)
                # Told since is known; held out since, or without a class, is nobody's guess.
                gone = {*rows, *record.excluded}
                more = [row for row in believed if row not in gone]
                self._say(f"Episode {episode} also trains on {len(more):,} pseudo-labels.")
                rows, labels = rows + more, labels + [believed[row] for row in more]
        return rows, labels

    def capacity(self, num_labels: int) -> int:
        """Returns L: fixed in an experiment; else the next power of two, so that it rarely grows.

        No bit of a fit depends on it.
        """
        N, schedule = len(self.engine.benchmark.pool), self.schedule
        if schedule.max_episodes is None:
            return max(64, 1 << (num_labels - 1).bit_length())
        if self.part.strategy.pseudo_labels:
            return self._whole_pool()
        wanted = schedule.initial_size + schedule.budget * (schedule.max_episodes - 1)
        return max(1, min(wanted, N))  # arrays of no length are nobody's friend

    def _whole_pool(self) -> int:
        """Returns N, as any point may get a label, where so many can be trained on.

        Raises:
          UsageError: they would not fit.
        """
        pool = self.engine.benchmark.pool
        size = len(pool) * math.prod(pool.spec.shape) * pool.spec.dtype.itemsize
        if size > room():
            raise UsageError(
                f"{self.part.name} may train on the whole pool at once, {size:,} bytes, which is "
                f"more than the {room():,} that a pool may take on this device: choose a smaller "
                "pool, or another strategy."
            )
        return len(pool)

    def pool_state(self, record: Record) -> PoolState:
        """Returns what `record` says of the pool."""
        N, capacity = len(self.engine.benchmark.pool), self.capacity(len(record.order))
        return replay(record, self._columns(record), N, capacity)

    def _columns(self, record: Record) -> list[int]:
        """Returns the labels of `record` as places among the classes there are now, rising by id.

        They are the labels themselves unless people have merged classes.
        """
        now = self.progress.record
        place = {number: column for column, number in enumerate(sorted(now.classes))}
        return [place[now.label_of(label)] for label in record.labels]

    def _keys(self, episode: int) -> tuple[jax.Array, jax.Array, jax.Array]:
        key = jax.random.fold_in(jax.random.key(self.part.seed), episode)
        init_key, train_key, query_key = jax.random.split(key, 3)
        return init_key, train_key, query_key

    def _say(self, text: str) -> None:
        self._tell({"event": "say", "text": f"{self._named}: {text}"})

    def _phase(self, text: str) -> None:
        self._tell({"event": "phase", "text": f"{self._named}, {text}"})

    def _advance(self, units: float) -> None:
        self._tell({"event": "advance", "units": units})

    @property
    def _named(self) -> str:
        return f"{self.part.name}, seed {self.part.seed}"
