"""Ask and tell: the one file that compiles. Every program is compiled once, before the first step.

With a `layout` it serves many seeds in the same programs (`replicates.py`), as in the experiment.
Without, it serves anyone with a loop of their own::

    state = learner.init(init_key)
    state, score = learner.fit(train_key, state, pool)
    query = learner.ask(query_key, state, pool).query
    pool = label_points(pool, query.indices, labels)
"""

import collections
import copy
import functools
import time
from collections.abc import Callable, Collection
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
from jax_al.replicates import SPLIT, WHOLE, Layout, over_seeds
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
      layout: None: everything below is about one seed. Else keys, states, pools and results have
        an axis S = `layout.slots` in front (see `replicates.stack`), of which the methods serve
        the first `count`; signals that are the same for all seeds (`given`) have no such axis.

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
        self.traces: collections.Counter[str] = collections.Counter()
        self.options = options
        self._layout = layout
        self._model = model
        self._images = self._put(images)
        self._test = self._put(test_images), self._put(test_labels)
        self._normalizer = self._put(fit_normalizer(images))

        start = time.perf_counter()
        key = jax.random.key(0)
        pool = empty_pool(len(images), options.capacity)
        optimizer = make_optimizer(options.optimizer, options.weight_decay)
        self._make_state = functools.partial(init_state, model=model, optimizer=optimizer)
        self._init = self._compile("init", self._make_state, key)
        self.state_shape: TrainState = jax.eval_shape(self._make_state, key)
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
            shared={2, 4, 5},
            donated=1,
        )
        params = self.state_shape.params
        self._evaluate = self._compile(
            "evaluate",
            functools.partial(evaluate, model=model, chunk_size=options.test_batch_size),
            *(params, *self._test, self._normalizer),
            shared={1, 2, 3},
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

    def init(self, init_key: jax.Array, count: int | None = None) -> TrainState:
        """Returns a fresh network and optimizer."""
        return self._call(self._init, count, init_key)

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
            state, score = self._call(
                self._train_epoch,
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
        return self._call(self._evaluate, count, state.params, *self._test, self._normalizer)

    def ask(
        self, query_key: jax.Array, state: TrainState, pool: PoolState, count: int | None = None
    ) -> Asked:
        """Returns what the strategy wants labeled next, why, and the times of the two halves.

        Raises:
          UsageError: the network gives NaN or infinity for some image.
        """
        split = jax.vmap(jax.random.split) if self._layout else jax.random.split
        keys = split(query_key)
        sample_key, select_key = keys[..., 0], keys[..., 1]
        start = time.perf_counter()
        signals = Signals()
        if self._signals is not None:
            signals, bad_row = self._call(
                self._signals, count, sample_key, state.params, self._images, self._normalizer
            )
            bad_row = np.atleast_1d(bad_row)[:count].min()
            if bad_row < len(self._images):
                raise UsageError(
                    f"What the network makes of image {bad_row} of the pool is not finite, so "
                    "nothing can be chosen; a lower config.lr may help."
                )
        embedded = time.perf_counter()
        query = self._call(self._select, count, select_key, signals, self.given, pool)
        jax.block_until_ready(query)
        selected = time.perf_counter()
        if self._cover is not None:
            radius = self._call(self._cover, count, query.indices, signals, self.given, pool)
            query = query._replace(info=query.info | {"cover_radius": radius})
        return Asked(query, signals._replace(**self.given), embedded - start, selected - embedded)

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
        # What is the same in every episode and for every seed is made once, the rest by a program.
        self.given: dict[str, jax.Array] = {}
        if "true_labels" in strategy.needs:
            if true_labels is None:
                raise UsageError(
                    "This strategy looks at the true labels of the pool, so it works in a "
                    "simulation only."
                )
            self.given["true_labels"] = self._put(true_labels)
        if "embedding" in strategy.needs and strategy.embedding == "random_net":
            self.given["embedding"] = self._random_net(look)
        elif "embedding" in strategy.needs and strategy.embedding != "model":
            if embedding is None:
                raise UsageError(f"This strategy wants the embedding {strategy.embedding!r}.")
            self.given["embedding"] = self._put(embedding)
        self.computed = strategy.needs - self.given.keys()
        self._signals = None
        signals = Signals()
        if self.computed:
            look = functools.partial(look, needs=self.computed)
            self._signals = self._compile("signals", _checked(look), *looked_at, shared={2, 3})
            signals = jax.eval_shape(look, *looked_at)
        pool = empty_pool(len(self._images), options.capacity)

        def select(key, signals, given, pool):
            return strategy.select(key, signals._replace(**given), pool, options.budget)

        decided_on = (signals, self.given, pool)
        self._select = self._compile("select", select, key, *decided_on, shared={2})
        query = jax.eval_shape(select, key, *decided_on)
        self._cover = None
        if (
            signals._replace(**self.given).embedding is not None
            and "cover_radius" not in query.info
        ):
            self._cover = self._compile(
                "cover", _cover_radius, query.indices, *decided_on, shared={2}
            )

    def _random_net(self, look: Callable[..., Signals]) -> jax.Array:
        """Returns the embedding by an untrained network, the same one for every seed."""

        def embed(key, images, normalizer):
            params = self._make_state(key).params
            return look(key, params, images, normalizer, needs=frozenset({"embedding"})).embedding

        program = jax.jit(self._counted("random_net", embed))
        return program(jax.random.key(0), self._images, self._normalizer)

    def _compile(
        self,
        name: str,
        function: Callable,
        *arguments: Any,
        shared: Collection[int] = (),
        donated: int | None = None,
    ) -> Callable:
        """Compiles `function` of one seed for arguments like `arguments` of one seed."""
        donate = () if donated is None else (donated,)
        if self._layout is None:
            program = jax.jit(self._counted(name, function), donate_argnums=donate)
            return program.lower(*arguments).compile()
        several = over_seeds(function, self._layout, frozenset(shared))
        program = jax.jit(
            self._counted(name, several), donate_argnums=[1 + place for place in donate]
        )
        counts = self._layout.counts(0)
        abstract = [
            self._layout.abstract(argument, WHOLE if i in shared else SPLIT)
            for i, argument in enumerate(arguments)
        ]
        return program.lower(counts, *abstract).compile()

    def _call(self, program: Callable, count: int | None, *arguments: Any) -> Any:
        if self._layout is None:
            return program(*arguments)
        return program(
            self._layout.counts(self._layout.slots if count is None else count), *arguments
        )

    def _counted(self, name: str, function: Callable) -> Callable:
        def counted(*arguments):
            self.traces[name] += 1
            return function(*arguments)

        return counted

    def _put(self, tree: Any) -> Any:
        return self._layout.put(tree, WHOLE) if self._layout else jax.device_put(tree)


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


def _cover_radius(
    picks: jax.Array, signals: Signals, given: dict[str, jax.Array], pool: PoolState
) -> jax.Array:
    """Returns the cover radius, float32 [], when `picks` int32 [Q] are labeled too."""
    embedding = given["embedding"] if signals.embedding is None else signals.embedding
    room = jnp.full(picks.size, NOTHING, jnp.int32)
    centers = jnp.concatenate([pool.order, room])
    centers = lax.dynamic_update_slice(centers, picks, (pool.num_labeled,))
    num_centers = pool.num_labeled + (picks != NOTHING).sum(dtype=jnp.int32)
    return cover_radius_traced(embedding, centers, num_centers)
