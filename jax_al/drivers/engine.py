"""The engine: what all parts of a run share, so that data are loaded and programs compiled once."""

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.drivers import choose as choosing
from jax_al.drivers import fit as fitting
from jax_al.drivers.choose import Chosen
from jax_al.drivers.inputs import Inputs
from jax_al.drivers.look import FINE, is_large, look_over
from jax_al.drivers.look import compile_ahead as looking_ahead
from jax_al.drivers.probabilities import check_classes_of, check_log_probs
from jax_al.drivers.programs import Programs
from jax_al.drivers.score import score
from jax_al.errors import UsageError
from jax_al.features.embedding import check_embedding, fixed_embedding
from jax_al.geometry.kcenter.points import LARGEST
from jax_al.geometry.near_duplicates import NearDuplicates
from jax_al.pools.rows import base_of
from jax_al.strategies.draws import SAMPLED
from jax_al.types import (
    NOT_OF_POINTS,
    Benchmark,
    Fit,
    Learner,
    Pool,
    PoolState,
    Signals,
    Spec,
    Strategy,
    empty_pool,
)

MakeLearner = Callable[[Spec, int], Learner]


class Looking(NamedTuple):
    """How pools are looked at; the fields of the config of the same names."""

    chunk_size: int = 1000  # examples that a program looks at together
    num_samples: int = 20  # T, stochastic draws
    resident: str = "auto"  # whether a pool is kept on the device, see `Inputs`
    cache_dir: str | None = None  # where features are kept, see `with_features`


class Asked(NamedTuple):
    """A query, what it was decided on, and the seconds of the two halves."""

    chosen: Chosen
    signals: Signals
    seconds_embed: float
    seconds_select: float


class Tested(NamedTuple):
    """What is found on the test set; None where there is none."""

    accuracy: float | None
    nll: float | None  # nats
    ece: float | None
    class_accuracy: list[float | None] | None = None  # C shares; None of a class without a test


class Engine:
    """A benchmark and a learner: fits, looks, asks strategies. It knows no seed and no record.

    Args:
      benchmark: what is labeled, and what is tested on.
      make: makes the learner for the examples and the number of classes.
      looking: see `Looking`.
    """

    def __init__(self, benchmark: Benchmark, make: MakeLearner, looking: Looking) -> None:
        self.benchmark = benchmark
        self.looking = looking
        self.programs = Programs()
        self._make = make
        self.learner = make(benchmark.pool.spec, len(benchmark.classes))
        if not isinstance(self.learner, Learner):
            raise UsageError(
                "learner must be a function of (Spec, number of classes) that returns a Learner, "
                f"and this one returned a {type(self.learner).__name__}."
            )
        self._given: dict[str, Any] = {}  # embeddings that no training changes, by their names

    def with_classes(self, classes: Sequence[str]) -> "Engine":
        """Returns an engine for other classes that shares whatever comes of the pool alone."""
        other = Engine(self.benchmark._replace(classes=tuple(classes)), self._make, self.looking)
        for name in ("context", "near_duplicates", "inputs"):
            if name in self.__dict__:  # was made already
                other.__dict__[name] = self.__dict__[name]
        other._given = self._given
        return other

    @functools.cached_property
    def context(self) -> Any:
        """What the learner makes of the pool alone, once."""
        return self.learner.prepare(self.benchmark.pool)

    @functools.cached_property
    def near_duplicates(self) -> NearDuplicates:
        """How alike examples are, whatever the learner."""
        return NearDuplicates(base_of(self.benchmark.pool))

    def compile_ahead(self, strategy: Strategy, capacity: int, budget: int) -> int:
        """Compiles all that a part needs, so that nothing is bought before it can be used.

        Args:
          strategy: of the part.
          capacity: L.
          budget: Q.

        Returns:
          How many programs the part uses, those of earlier parts included.

        Raises:
          UsageError: the strategy wants what is not there, or what is larger than memory.
        """
        with self.programs.counted() as used:
            for one in strategy.parts if strategy.lookahead else (strategy,):
                self._compile(one, capacity, budget)
        return len(used)

    def _compile(self, strategy: Strategy, capacity: int, budget: int) -> None:
        given, computed = self.given(strategy), self.computed(strategy)
        if self.learner.on_host:  # its shapes are not known before it has spoken
            return
        key, N, T = jax.random.key(0), len(self.benchmark.pool), self._num_draws
        size = self.looking.chunk_size
        spec = self.benchmark.pool.spec
        state = fitting.compile_ahead(self.programs, self.learner, self.context, spec, capacity)

        def looked(inputs: Inputs, needs: frozenset[str]) -> dict[str, Any]:
            how = self.learner, inputs, needs, key, state, size, T
            return looking_ahead(self.programs, *how)

        if self._test is not None and self.benchmark.test_labels is not None:
            probs = looked(self._test, frozenset({"log_probs"}))["log_probs"]
            labels = jnp.asarray(self.benchmark.test_labels)  # as `test` will give them
            self.programs.get("score", None, score, probs, labels)
        found = looked(self.inputs, computed) if computed else {}
        check_classes_of(found, len(self.benchmark.classes))
        mapped = {name: x for name, x in given.items() if isinstance(x, np.memmap)}
        if not self.inputs.is_resident:
            mapped |= {name: x for name, x in found.items() if is_large(x)}
        choosing.check_mapped(strategy, mapped)
        if mapped:
            return  # chosen on the host, from files
        head = jax.eval_shape(lambda state: self._head(strategy, state), state)
        signals = Signals(**found, **given, **head)
        choosing.compile_ahead(self.programs, strategy, signals, empty_pool(N, capacity), budget)

    def init(self, init_key: jax.Array) -> Any:
        """Returns an untrained State."""
        return fitting.start(self.programs, self.learner, init_key, self.context)

    def fit(
        self,
        train_key: jax.Array,
        state: Any,
        rows: Sequence[int],
        labels: Sequence[int],
        capacity: int,
        on_step: Callable[[], None] = lambda: None,
    ) -> tuple[Any, Fit]:
        """Trains from `state` on `rows` of the pool, at least one, with `labels`."""
        return fitting.fit(
            self.programs,
            self.learner,
            train_key,
            state,
            # Made here and held by nobody else: `fit` lets go of it when it is on the device.
            fitting.gather(self.benchmark.pool, rows, labels, capacity),
            self.context,
            on_step,
        )

    def test(self, state: Any) -> Tested:
        """Returns how good `state` is on the test set."""
        if self._test is None or self.benchmark.test_labels is None:
            return Tested(None, None, None)
        found = self._look(self._test, frozenset({"log_probs"}), jax.random.key(0), state)
        given = jnp.asarray(found["log_probs"]), jnp.asarray(self.benchmark.test_labels)
        result = self.programs.get("score", None, score, *given)(*given)
        shares = np.asarray(result.class_accuracy).tolist()
        of_class = [None if np.isnan(share) else share for share in shares]
        return Tested(float(result.accuracy), float(result.loss), float(result.ece), of_class)

    def predict(self, state: Any, pool: Pool) -> np.ndarray:
        """Returns the log-probabilities, float32 [n, C], of the examples of any pool."""
        if not len(pool):
            return np.zeros((0, len(self.benchmark.classes)), np.float32)
        on_host = self.learner.on_host
        inputs = Inputs(pool, self.looking.chunk_size, "no", on_host=on_host, rounded=True)
        found = self._look(inputs, frozenset({"log_probs"}), jax.random.key(0), state)
        return np.asarray(found["log_probs"])

    def ask(
        self,
        query_key: jax.Array,
        state: Any,
        strategy: Strategy,
        pool: PoolState,
        budget: int,
        wanted: int,
        scratch: Path | None = None,
    ) -> Asked:
        """Returns what `strategy` wants labeled next, why, and the times of the two halves.

        Raises:
          UsageError: the learner gives NaN, infinity or larger numbers than distances can be made
            of for some example that may be asked; the strategy wants what is not there.
        """
        sample_key, select_key = jax.random.split(query_key)
        given = self.given(strategy)
        needs = self.computed(strategy)
        start = time.perf_counter()
        found: dict[str, Any] = {}
        if needs:
            found = self._look(self.inputs, needs, sample_key, state, scratch)
            self._check(np.asarray(found.pop(FINE)), pool)
            check_log_probs(found, len(self.benchmark.classes), np.asarray(pool.excluded))
            if "sampled_probs" in found:
                # The method leaves on the device, or in its file, what is there.
                found["sampled_probs"] = found["sampled_probs"].transpose(1, 0, 2)
            jax.block_until_ready(found)
        embedded = time.perf_counter()
        signals = Signals(**found, **given, **self._head(strategy, state))
        C = len(self.benchmark.classes)
        chosen = choosing.choose(
            self.programs, strategy, select_key, signals, pool, budget, wanted, C
        )
        return Asked(chosen, signals, embedded - start, time.perf_counter() - embedded)

    @functools.cached_property
    def inputs(self) -> Inputs:
        """The pool as a look wants it."""
        return self._inputs(self.benchmark.pool)

    def computed(self, strategy: Strategy) -> frozenset[str]:
        """Returns the signals that the learner of the episode makes for `strategy`."""
        given = {"true_labels"} if strategy.embedding == "model" else {"true_labels", "embedding"}
        return frozenset(strategy.needs - given - NOT_OF_POINTS)

    def _head(self, strategy: Strategy, state: Any) -> dict[str, jax.Array]:
        """The last layer, where it is wanted."""
        head = self.learner.head
        return {"head": head(state)} if head and "head" in strategy.needs else {}

    def check_learner(self) -> None:
        """Makes sure that the learner can be fitted to this pool; it prepares what it needs of it.

        Raises:
          UsageError: it cannot.
        """
        context = self.context
        if not self.learner.on_host:
            fitting.shapes_of(self.learner, context, self.benchmark.pool.spec, capacity=1)

    def check(self, strategy: Strategy) -> None:
        """Makes sure that `strategy` can have what it needs; a file is read, nothing is computed.

        Raises:
          UsageError: there is no truth, or no such embedding for this pool, or the learner cannot
            disagree with itself and the strategy goes by its disagreement, or the strategy is not
            for pools of that size.
        """
        if strategy.needs & SAMPLED and self.learner.draws == 0:
            raise UsageError(
                "This strategy goes by how much draws of the learner disagree "
                f"({', '.join(sorted(strategy.needs & SAMPLED))}), and this learner has one "
                "opinion only: choose another strategy, or a learner with dropout or members."
            )
        if "head" in strategy.needs and self.learner.head is None:
            raise UsageError(
                "This strategy looks at the learner's last layer, and this learner tells none: "
                "choose another strategy, or linear or one of our networks."
            )
        if "true_labels" in strategy.needs and self.benchmark.truth is None:
            raise UsageError(
                "This strategy looks at the true labels of the pool, so it works in a simulation "
                "only."
            )
        most, N = strategy.max_points, len(self.benchmark.pool)
        if most is not None and most < N:
            raise UsageError(
                f"This strategy is for pools of at most {most:,} points, as its time grows with "
                f"their square, and this one holds {N:,}: choose another strategy, a smaller pool, "
                "or raise its max_points."
            )
        if strategy.lookahead:
            self._check_lookahead(strategy)
        source = strategy.embedding
        check_embedding(source, self.benchmark.pool)
        if "embedding" in strategy.needs and source.endswith(".npy"):
            self._once(source, self._fixed(source))

    def _check_lookahead(self, strategy: Strategy) -> None:
        for part in strategy.parts:
            self.check(part)
        assert strategy.lookahead is not None
        if strategy.lookahead.judge == "test" and self.benchmark.test_labels is None:
            raise UsageError(
                "best_of judges by the test set, and there is none: choose judge=pool, or data "
                "with a test set."
            )

    def given(self, strategy: Strategy) -> dict[str, Any]:
        """Returns the signals of `strategy` that are the same in every episode.

        Raises:
          UsageError: as `check`.
        """
        self.check(strategy)
        found: dict[str, Any] = {}
        if "true_labels" in strategy.needs:
            found["true_labels"] = self._once("true_labels", lambda: self.benchmark.truth)
        if "embedding" in strategy.needs and strategy.embedding != "model":
            source = strategy.embedding
            make = self._random_net if source == "random_net" else self._fixed(source)
            found["embedding"] = self._once(source, make)
        return found

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._given:
            made = make()
            self._given[name] = made if isinstance(made, np.memmap) else jnp.asarray(made)
        return self._given[name]

    def _fixed(self, source: str) -> Callable[[], Any]:
        return lambda: fixed_embedding(source, self.benchmark.pool, self.looking.cache_dir)

    def _random_net(self) -> Any:
        """Returns the embedding by an untrained learner, the same one for every seed."""
        key = jax.random.key(0)
        return self._look(self.inputs, frozenset({"embedding"}), key, self.init(key))["embedding"]

    @functools.cached_property
    def _test(self) -> Inputs | None:
        return None if self.benchmark.test is None else self._inputs(self.benchmark.test)

    def _inputs(self, pool: Pool) -> Inputs:
        looking = self.looking
        return Inputs(pool, looking.chunk_size, looking.resident, on_host=self.learner.on_host)

    def _look(
        self,
        inputs: Inputs,
        needs: frozenset[str],
        key: jax.Array,
        state: Any,
        scratch: Path | None = None,
    ) -> dict[str, Any]:
        return look_over(
            self.programs,
            self.learner,
            inputs,
            needs,
            key,
            state,
            chunk_size=self.looking.chunk_size,
            num_draws=self._num_draws,
            scratch=scratch,
        )

    @property
    def _num_draws(self) -> int:
        """T: as many as are asked for, and no more than the learner has."""
        wanted = self.looking.num_samples
        return min(wanted, self.learner.draws or wanted)

    def _check(self, fine: np.ndarray, pool: PoolState) -> None:
        """Refuses what no geometry can be done with."""
        bad = np.flatnonzero(~fine & ~np.asarray(pool.excluded))
        if bad.size:
            raise UsageError(
                f"What the learner makes of example {self.benchmark.pool.ids[int(bad[0])]} (row "
                f"{bad[0]} of the pool) is not finite or beyond {LARGEST:g}, so nothing can be "
                "chosen; a lower learning rate may help."
            )
