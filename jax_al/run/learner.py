"""Ask and tell: the programs of a model and a strategy, all compiled before the first step.

With a `layout` it serves many seeds in the same programs (`replicates.py`), as in the experiment.
Without, it serves anyone with a loop of their own::

    state = learner.init(init_key)
    state, score = learner.fit(train_key, state, pool)
    query = learner.ask(query_key, state, pool).query
    pool = label_points(pool, query.indices, labels)
"""

import copy
import functools
import time
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.errors import UsageError
from jax_al.geometry.kcenter import cover_radius_traced
from jax_al.geometry.kcenter.points import LARGEST
from jax_al.learners.inference import fit_normalizer
from jax_al.learners.networks import Model
from jax_al.learners.optimizers import learning_rate, make_optimizer
from jax_al.learners.training import (
    Score,
    TestScore,
    TrainState,
    evaluate,
    init_state,
    train_epoch,
)
from jax_al.run.programs import Program
from jax_al.run.replicates import WHOLE, Layout
from jax_al.run.signals import pool_signals
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy, empty_pool


class Options(NamedTuple):
    """How to train and look; the fields of the config of the same names."""

    budget: int  # Q
    capacity: int  # L, the most labels there will ever be
    epochs: int
    optimizer: str  # a name of jax_al.learners.optimizers.OPTIMIZERS
    weight_decay: float
    schedule: str  # "step" or "cosine"
    lr: float
    gamma: float
    lr_step_epochs: int
    batch_size: int
    test_batch_size: int
    num_samples: int
    augment: bool


class Asked(NamedTuple):
    """A query, what it was decided on, and the seconds it took."""

    query: Query
    signals: Signals
    seconds_embed: float
    seconds_select: float


class Learner:
    """A model, a strategy and the images they work on, compiled for one fixed set of shapes.

    The labeled set is a padded index vector with a traced count, so no program depends on how
    many labels there are. Programs are compiled ahead of time and then called as they are: a
    shape that changed would be an error, never a silent second compile.

    Args:
      model: what is trained.
      strategy: what picks.
      images: uint8 [N, H, W, channels], the pool.
      test_images: uint8 [M, H, W, channels].
      test_labels: int32 [M].
      options: see `Options`.
      embedding: float32 [N, D], for a strategy that wants one which no network here makes.
      true_labels: int32 [N], for a strategy that looks at the truth; None unless simulated.
      layout: None: everything below is about one seed. Else keys, states, pools and results have
        an axis S = `layout.slots` in front, of which the methods serve `count` (see
        `replicates.stack`); signals that are the same for all seeds (`given`) have no such axis.

    Raises:
      UsageError: the strategy wants the truth or an embedding, and it was not given.
    """

    def __init__(
        self,
        model: Model,
        strategy: Strategy,
        images: np.ndarray,
        test_images: np.ndarray,
        test_labels: np.ndarray,
        options: Options,
        *,
        embedding: np.ndarray | None = None,
        true_labels: np.ndarray | None = None,
        layout: Layout | None = None,
    ):
        self.options = options
        self._layout = layout
        self._model = model
        self._images = self._put(images)
        self._test = self._put(test_images), self._put(test_labels)
        self._normalizer = self._put(fit_normalizer(images))
        optimizer = make_optimizer(options.optimizer, options.weight_decay)
        self._make_state = functools.partial(init_state, model=model, optimizer=optimizer)
        self.state_shape: TrainState = jax.eval_shape(self._make_state, jax.random.key(0))
        self._epoch = functools.partial(
            train_epoch,
            model=model,
            optimizer=optimizer,
            batch_size=options.batch_size,
            augment=options.augment,
        )
        # Shared with the learners of other strategies.
        self._compiled: dict[Hashable, Program] = {}
        self._random_nets: list[jax.Array] = []  # the embedding, once it has been wanted
        self._adopt(strategy, embedding, true_labels)

    def with_strategy(
        self,
        strategy: Strategy,
        capacity: int,
        *,
        embedding: np.ndarray | None = None,
        true_labels: np.ndarray | None = None,
    ) -> "Learner":
        """Returns a learner that shares data and programs with this one, with another strategy.

        Only what no earlier strategy has needed is compiled: the query program, and others where
        the signals or the `capacity` are new. Arguments and errors as above.
        """
        other = copy.copy(self)
        other.options = self.options._replace(capacity=capacity)
        other._adopt(strategy, embedding, true_labels)
        return other

    @property
    def compiles(self) -> int:
        """How many programs this learner uses, each compiled once."""
        return len(self.programs)

    def init(self, init_key: jax.Array, count: int | None = None) -> TrainState:
        """Returns a fresh network and optimizer."""
        return self._init(count, init_key)

    def fit(
        self,
        train_key: jax.Array,
        state: TrainState,
        pool: PoolState,
        on_epoch: Callable[[], None] = lambda: None,
        count: int | None = None,
    ) -> tuple[TrainState, Score]:
        """Trains on the labeled points; `state` is used up.

        Args:
          train_key: decides the order of the batches, the dropout and the augmentation.
          state: where to start from; its buffers are reused and must not be read again.
          pool: with at least one labeled point.
          on_epoch: called when an epoch is over.
          count: how many of the seeds; None: all.

        Returns:
          The state at the end, and loss and accuracy met during the last epoch, dropout on.
        """
        options = self.options
        fold_in = jax.random.fold_in
        if self._layout:
            fold_in = jax.vmap(fold_in, in_axes=(0, None))
        for epoch in range(options.epochs):
            rate = learning_rate(
                options.schedule,
                options.lr,
                options.gamma,
                options.lr_step_epochs,
                options.epochs,
                epoch,
            )
            state, score = self._train_epoch(
                count,
                fold_in(train_key, epoch),
                state,
                jnp.float32(rate),
                pool,
                self._images,
                self._normalizer,
            )
            # One epoch at a time, so that Ctrl-C and the progress bar need not wait for a fit.
            jax.block_until_ready(score)
            on_epoch()
        return state, score

    def evaluate(self, state: TrainState, count: int | None = None) -> TestScore:
        """Returns loss, accuracy and calibration error on the test images."""
        return self._evaluate(count, state.params, *self._test, self._normalizer)

    def ask(
        self, query_key: jax.Array, state: TrainState, pool: PoolState, count: int | None = None
    ) -> Asked:
        """Returns what the strategy wants labeled next, why, and the times of the two halves.

        Raises:
          UsageError: the network gives NaN, infinity or larger numbers than distances can be made
            of (1e15) for some image.
        """
        split = jax.vmap(jax.random.split) if self._layout else jax.random.split
        keys = split(query_key)
        sample_key, select_key = keys[..., 0], keys[..., 1]
        start = time.perf_counter()
        signals = Signals()
        if self._signals is not None:
            signals, bad_rows = self._signals(
                count, sample_key, state.params, self._images, self._normalizer
            )
            self._check(bad_rows, count)
        embedded = time.perf_counter()
        query = self._select(count, select_key, signals, self.given, pool)
        jax.block_until_ready(query)
        selected = time.perf_counter()
        signals = signals._replace(**self.given)
        if self._cover is not None:
            radius = self._cover(count, query.indices, signals.embedding, pool)
            query = query._replace(info=query.info | {"cover_radius": radius})
        return Asked(query, signals, embedded - start, selected - embedded)

    def _check(self, bad_rows: jax.Array, count: int | None) -> None:
        """Refuses what no geometry can be done with, given the first such row of each seed."""
        rows = np.asarray(bad_rows)
        if self._layout:
            rows = rows[self._layout.places(self._layout.slots if count is None else count)]
        if rows.min() < len(self._images):
            raise UsageError(
                f"What the network makes of image {rows.min()} of the pool is not finite or "
                f"beyond {LARGEST:g}, so nothing can be chosen; a lower config.lr may help."
            )

    def _adopt(
        self, strategy: Strategy, embedding: np.ndarray | None, true_labels: np.ndarray | None
    ) -> None:
        """Compiles what is not compiled yet, and takes the rest from the strategies before."""
        start = time.perf_counter()
        options, needs = self.options, strategy.needs
        self.embedding = strategy.embedding
        # What is the same in every episode and for every seed is made once, the rest by a program.
        self.given: dict[str, jax.Array] = {}
        if "true_labels" in needs:
            if true_labels is None:
                raise UsageError(
                    "This strategy looks at the true labels of the pool, so it works in a "
                    "simulation only."
                )
            self.given["true_labels"] = self._put(true_labels)
        if "embedding" in needs and strategy.embedding == "random_net":
            self._random_nets[:] = self._random_nets or [self._random_net()]
            self.given["embedding"] = self._random_nets[0]
        elif "embedding" in needs and strategy.embedding != "model":
            if embedding is None:
                raise UsageError(f"This strategy wants the embedding {strategy.embedding!r}.")
            self.given["embedding"] = self._put(embedding)
        self.computed = frozenset(needs - self.given.keys())

        self.programs: list[Program] = []
        known = len(self._compiled)
        key, rate = jax.random.key(0), jnp.float32(options.lr)
        pool = empty_pool(len(self._images), options.capacity)
        params, images, normalizer = self.state_shape.params, self._images, self._normalizer
        self._init = self._program("init", (), self._make_state, key)
        self._train_epoch = self._program(
            "train_epoch",
            (options.capacity,),
            self._epoch,
            *(key, self.state_shape, rate, pool, images, normalizer),
            shared={2, 4, 5},
            donated=1,
        )
        self._evaluate = self._program(
            "evaluate",
            (),
            functools.partial(evaluate, model=self._model, chunk_size=options.test_batch_size),
            *(params, *self._test, normalizer),
            shared={1, 2, 3},
        )
        self._signals, signals = None, Signals()
        if self.computed:
            look, looked_at = self._look(self.computed), (key, params, images, normalizer)
            self._signals = self._program(
                "signals", (self.computed,), _checked(look), *looked_at, shared={2, 3}
            )
            signals = jax.eval_shape(look, *looked_at)

        def select(key, signals, given, pool):
            return strategy.select(key, signals._replace(**given), pool, options.budget)

        decided_on = (signals, self.given, pool)
        # Strategies are told apart by nothing that would last, so this one is never shared.
        self._select = self._program("select", None, select, key, *decided_on, shared={2})
        query = jax.eval_shape(select, key, *decided_on)
        self._cover = None
        points = signals._replace(**self.given).embedding
        if points is not None and "cover_radius" not in query.info:
            is_given = "embedding" in self.given
            self._cover = self._program(
                "cover",
                (options.capacity, points.shape, is_given),
                _cover_radius,
                *(query.indices, points, pool),
                shared={1} if is_given else set(),
            )
        self.num_compiled = len(self._compiled) - known + 1  # what no strategy before had needed
        self.seconds_compile = time.perf_counter() - start

    def _look(self, needs: frozenset[str]) -> Callable[..., Signals]:
        return functools.partial(
            pool_signals,
            model=self._model,
            chunk_size=self.options.test_batch_size,
            num_samples=self.options.num_samples,
            needs=needs,
        )

    def _random_net(self) -> jax.Array:
        """Returns the embedding by an untrained network, the same one for every seed."""

        def embed(key, images, normalizer):
            look = self._look(frozenset({"embedding"}))
            return look(key, self._make_state(key).params, images, normalizer).embedding

        return jax.jit(embed)(jax.random.key(0), self._images, self._normalizer)

    def _program(
        self, name: str, variant: tuple[Hashable, ...] | None, function: Callable, *arguments, **how
    ) -> Program:
        """Returns the program `name`, made unless a strategy before this one had this `variant`."""
        program = None if variant is None else self._compiled.get((name, *variant))
        if program is None:
            program = Program(name, function, *arguments, layout=self._layout, **how)
            if variant is not None:
                self._compiled[name, *variant] = program
        self.programs.append(program)
        return program

    def _put(self, tree: Any) -> Any:
        return self._layout.put(tree, WHOLE) if self._layout else jax.device_put(tree)


def _checked(look: Callable[..., Signals]) -> Callable[..., tuple[Signals, jax.Array]]:
    """Returns `look` that also tells the first row, int32 [], of no use; N if all are fine."""

    def looked(*args: Any) -> tuple[Signals, jax.Array]:
        signals = look(*args)
        # Rows are the last axis but one, where passes and classes stand around them. Log
        # probabilities may be of any size: no distance is made of them.
        fine = [
            ok.all(axis=(0, 2) if ok.ndim == 3 else tuple(range(1, ok.ndim)))
            for name, x in signals._asdict().items()
            if x is not None
            for ok in [jnp.isfinite(x) if name == "log_probs" else jnp.abs(x) <= LARGEST]
        ]
        all_fine = functools.reduce(jnp.logical_and, fine)
        first = jnp.argmin(jnp.append(all_fine, False))
        return signals, first.astype(jnp.int32)

    return looked


def _cover_radius(picks: jax.Array, embedding: jax.Array, pool: PoolState) -> jax.Array:
    """Returns the cover radius, float32 [], when `picks` int32 [Q] are labeled too."""
    room = jnp.full(picks.size, NOTHING, jnp.int32)
    centers = jnp.concatenate([pool.order, room])
    centers = lax.dynamic_update_slice(centers, picks, (pool.num_labeled,))
    num_centers = pool.num_labeled + (picks != NOTHING).sum(dtype=jnp.int32)
    return cover_radius_traced(embedding, centers, num_centers)
