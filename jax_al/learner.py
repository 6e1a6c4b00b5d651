"""Ask and tell: the one file that compiles. Every program is compiled once, before the first step.

`Learner` serves the experiment and anyone with a loop of their own::

    state = learner.init(init_key)
    state, score = learner.fit(train_key, state, pool)
    query = learner.ask(query_key, state, pool).query
    pool = label_points(pool, query.indices, labels)
"""

import collections
import copy
import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.base import NOTHING, PoolState, Query, Signals, Strategy, UsageError, empty_pool
from jax_al.inference import fit_normalizer
from jax_al.kcenter import cover_radius_traced
from jax_al.models import Model
from jax_al.optimizers import learning_rate, make_optimizer
from jax_al.signals import pool_signals
from jax_al.training import (
    Score,
    TestScore,
    TrainState,
    evaluate,
    init_state,
    train_epoch,
)


class Options(NamedTuple):
    """How to train and look; the fields of the config of the same names."""

    budget: int  # Q
    capacity: int  # L, the most labels there will ever be
    epochs: int
    optimizer: str  # a name of jax_al.optimizers.OPTIMIZERS
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
    ):
        self.traces: collections.Counter[str] = collections.Counter()
        self.options = options
        self._model = model
        self._images = jax.device_put(images)
        self._test = jax.device_put(test_images), jax.device_put(test_labels)
        self._normalizer = fit_normalizer(images)

        start = time.perf_counter()
        key = jax.random.key(0)
        pool = empty_pool(len(images), options.capacity)
        optimizer = make_optimizer(options.optimizer, options.weight_decay)
        init = functools.partial(init_state, model=model, optimizer=optimizer)
        self._init = self._compile("init", init, key)
        self.state_shape: TrainState = jax.eval_shape(init, key)
        rate = jnp.float32(options.lr)
        self._train_epoch = self._compile(
            "train_epoch",
            functools.partial(
                train_epoch,
                model=model,
                optimizer=optimizer,
                batch_size=options.batch_size,
                augment=options.augment,
            ),
            *(key, self.state_shape, rate, pool, self._images, self._normalizer),
            donate=(1,),
        )
        params = self.state_shape.params
        self._evaluate = self._compile(
            "evaluate",
            functools.partial(evaluate, model=model, chunk_size=options.test_batch_size),
            *(params, *self._test, self._normalizer),
        )
        self._adopt(strategy, embedding, true_labels)
        self.seconds_compile = time.perf_counter() - start

    def with_strategy(
        self,
        strategy: Strategy,
        *,
        embedding: np.ndarray | None = None,
        true_labels: np.ndarray | None = None,
    ) -> "Learner":
        """Returns a learner that shares the data and the training programs, with another strategy.

        Only the strategy's own programs are compiled; arguments and errors as above.
        """
        other = copy.copy(self)
        training = ("init", "train_epoch", "evaluate")
        other.traces = collections.Counter({name: self.traces[name] for name in training})
        start = time.perf_counter()
        other._adopt(strategy, embedding, true_labels)
        other.seconds_compile = time.perf_counter() - start
        return other

    @property
    def compiles(self) -> int:
        """How many programs have been compiled so far: constant after the constructor."""
        return self.traces.total()

    def init(self, init_key: jax.Array) -> TrainState:
        """Returns a fresh network and optimizer."""
        return self._init(init_key)

    def fit(
        self,
        train_key: jax.Array,
        state: TrainState,
        pool: PoolState,
        on_epoch: Callable[[], None] = lambda: None,
    ) -> tuple[TrainState, Score]:
        """Trains on the labeled points; `state` is used up.

        Args:
          train_key: decides the order of the batches, the dropout and the augmentation.
          state: where to start from; its buffers are reused and must not be read again.
          pool: with at least one labeled point.
          on_epoch: called when an epoch is over.

        Returns:
          The state at the end, and loss and accuracy met during the last epoch, dropout on.
        """
        options = self.options
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
                jax.random.fold_in(train_key, epoch),
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

    def evaluate(self, state: TrainState) -> TestScore:
        """Returns loss, accuracy and calibration error on the test images."""
        return self._evaluate(state.params, *self._test, self._normalizer)

    def ask(self, query_key: jax.Array, state: TrainState, pool: PoolState) -> Asked:
        """Returns what the strategy wants labeled next, why, and the times of the two halves.

        Raises:
          UsageError: the network gives NaN or infinity for some image.
        """
        sample_key, select_key = jax.random.split(query_key)
        start = time.perf_counter()
        signals = Signals()
        if self._signals is not None:
            signals, bad_row = self._signals(
                sample_key, state.params, self._images, self._normalizer
            )
            if bad_row < len(self._images):
                raise UsageError(
                    f"What the network makes of image {bad_row} of the pool is not finite, so "
                    "nothing can be chosen; a lower config.lr may help."
                )
        signals = signals._replace(**self._given)
        embedded = time.perf_counter()
        query = jax.block_until_ready(self._select(select_key, signals, pool))
        selected = time.perf_counter()
        if self._cover is not None:
            radius = self._cover(signals.embedding, pool, query.indices)
            query = query._replace(info=query.info | {"cover_radius": radius})
        return Asked(query, signals, embedded - start, selected - embedded)

    def _adopt(
        self, strategy: Strategy, embedding: np.ndarray | None, true_labels: np.ndarray | None
    ) -> None:
        """Compiles what depends on the strategy."""
        self.embedding = strategy.embedding
        options = self.options
        look = functools.partial(
            pool_signals,
            model=self._model,
            chunk_size=options.test_batch_size,
            num_samples=options.num_samples,
        )
        key = jax.random.key(0)
        params = self.state_shape.params
        looked_at = (key, params, self._images, self._normalizer)
        # What is the same in every episode is made once, the rest by a program.
        self._given: dict[str, jax.Array] = {}
        if "true_labels" in strategy.needs:
            if true_labels is None:
                raise UsageError(
                    "This strategy looks at the true labels of the pool, so it works in a "
                    "simulation only."
                )
            self._given["true_labels"] = jax.device_put(true_labels)
        if "embedding" in strategy.needs and strategy.embedding == "random_net":
            embed = functools.partial(look, needs=frozenset({"embedding"}))
            random_net = self._init(key).params
            program = self._compile("random_net", embed, *looked_at)
            embedded = program(key, random_net, self._images, self._normalizer)
            self._given["embedding"] = embedded.embedding
        elif "embedding" in strategy.needs and strategy.embedding != "model":
            if embedding is None:
                raise UsageError(f"This strategy wants the embedding {strategy.embedding!r}.")
            self._given["embedding"] = jax.device_put(embedding)
        self.computed = strategy.needs - self._given.keys()
        self._signals = None
        signals = Signals()
        if self.computed:
            look = functools.partial(look, needs=self.computed)
            self._signals = self._compile("signals", _checked(look), *looked_at)
            signals = jax.eval_shape(look, *looked_at)
        signals = signals._replace(**self._given)
        pool = empty_pool(len(self._images), options.capacity)

        def select(key, signals, pool):
            return strategy.select(key, signals, pool, options.budget)

        self._select = self._compile("select", select, key, signals, pool)
        query = jax.eval_shape(select, key, signals, pool)
        self._cover = None
        if signals.embedding is not None and "cover_radius" not in query.info:
            self._cover = self._compile(
                "cover", _cover_radius, signals.embedding, pool, query.indices
            )

    def _compile(self, name: str, function: Callable, *args: Any, donate: tuple = ()) -> Callable:
        def counted(*args):
            self.traces[name] += 1
            return function(*args)

        return jax.jit(counted, donate_argnums=donate).lower(*args).compile()


def _checked(look: Callable[..., Signals]) -> Callable[..., tuple[Signals, jax.Array]]:
    """Returns `look` that also tells the first row, int32 [], that is not finite; N if all are."""

    def looked(*args: Any) -> tuple[Signals, jax.Array]:
        signals = look(*args)
        # Rows are the last axis but one, where passes and classes stand around them.
        is_finite = [
            jnp.isfinite(x).all(axis=(0, 2) if x.ndim == 3 else tuple(range(1, x.ndim)))
            for x in jax.tree.leaves(signals)
        ]
        all_finite = functools.reduce(jnp.logical_and, is_finite)
        first = jnp.argmin(jnp.append(all_finite, False))
        return signals, first.astype(jnp.int32)

    return looked


def _cover_radius(embedding: jax.Array, pool: PoolState, picks: jax.Array) -> jax.Array:
    """Returns the cover radius, float32 [], when `picks` int32 [Q] are labeled too."""
    room = jnp.full(picks.size, NOTHING, jnp.int32)
    centers = jnp.concatenate([pool.order, room])
    centers = lax.dynamic_update_slice(centers, picks, (pool.num_labeled,))
    num_centers = pool.num_labeled + (picks != NOTHING).sum(dtype=jnp.int32)
    return cover_radius_traced(embedding, centers, num_centers)
