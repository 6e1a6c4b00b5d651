"""The words of the project as types: each shape is stated once, here.

Axis letters: N pool, L labeled capacity, Q budget, B batch, T stochastic draw, C class,
D embedding, F features or head inputs, K centers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    import jax  # heavy, and a pool needs none of it

UNKNOWN = -1  # the label of a point nobody has labeled yet
NOTHING = -1  # the row in place of a point where no point is left

# What an answer may say instead of a class; negative, so that no class is ever one of them.
SKIP, UNSURE, BROKEN = -2, -3, -4


class Spec(NamedTuple):
    """One example of a pool."""

    shape: tuple[int, ...]  # (H, W, channels) of an image, (F,) of a row of a table
    dtype: np.dtype  # uint8 or float32

    @property
    def is_image(self) -> bool:
        """Whether examples are images, uint8 [H, W, channels]."""
        return len(self.shape) == 3 and self.dtype == np.uint8


class Pool(Protocol):
    """The N examples that can be labeled, addressed for ever by row 0..N-1 and by a stable id."""

    @property
    def ids(self) -> Sequence[str]:
        """N distinct names that last."""

    @property
    def spec(self) -> Spec:
        """Shape and dtype of one example."""

    def __len__(self) -> int:
        """Returns N."""

    def read(self, rows: np.ndarray | slice) -> np.ndarray:
        """Returns a fresh array of examples [n, ...], of int rows [n] in their order or of a slice.

        It is called from several threads.
        """

    def show(self, row: int) -> np.ndarray | str | None:
        """Returns what a person would look at: an image uint8 [H, W, channels], text, nothing."""


class Benchmark(NamedTuple):
    """A pool whose truth is known to the simulated oracle and to evaluation, and to nobody else."""

    pool: Pool
    truth: np.ndarray | None  # int32 [N]
    classes: tuple[str, ...]  # C names
    test: Pool | None = None
    test_labels: np.ndarray | None = None  # int32 [M]
    name: str = "pool"
    version: str = ""


class Features(NamedTuple):
    """Fixed numbers per example, fitted on a pool once and applied alike to any other.

    `apply` is called with blocks of one size, and what it says of an example must not depend on
    the others of its block, which may be there only to fill it up.
    """

    name: str
    fit: Callable[[Pool], Any]  # -> State
    apply: Callable[[Any, Any], Any]  # (State, inputs [B, ...]) -> float32 [B, F]
    is_learned: bool = True  # whether the State comes from the pool, at a price; else it is at hand


class Examples(NamedTuple):
    """All that a fit sees, on the device, padded at the end to L."""

    inputs: jax.Array  # [L, ...], as Pool.read gave them
    labels: jax.Array  # int32 [L], UNKNOWN in the padding
    weights: jax.Array  # float32 [L] > 0 where there is an example; the loss is sum(w l) / sum(w)
    rows: jax.Array  # int32 [L], NOTHING in the padding
    count: jax.Array  # type: ignore[assignment]  # int32 []; hides tuple.count


class Outputs(NamedTuple):
    """What a learner says of a batch."""

    log_probs: jax.Array  # float32 [B, C]
    embedding: jax.Array  # float32 [B, D], what geometry is done on
    head_inputs: jax.Array  # float32 [B, F], what the last layer multiplies


class Fit(NamedTuple):
    """How a fit went, met during its last step."""

    loss: jax.Array | float  # float32 [], mean negative log-likelihood in nats
    accuracy: jax.Array | float  # float32 [], share of right answers
    info: dict[str, jax.Array] = {}  # noqa: RUF012  # float32 [] each, what else there is to tell


class Learner(NamedTuple):
    """What fits and predicts: pure functions, made for a Spec and a number of classes.

    All but `prepare` are traced (unless `on_host`): no shape depends on the number of labels, and
    the caller compiles and loops. A State holds whatever `predict` needs, and is what a checkpoint
    keeps: a pytree of arrays. A Training holds the optimizer's state too and lasts for one fit.
    """

    prepare: Callable[[Pool], Any]  # -> Context, from the pool alone; on the host, once a run
    init: Callable[[jax.Array, Any], Any]  # (key, Context) -> State, untrained
    begin: Callable[[jax.Array, Any, Examples, Any], Any]  # (key, State, Examples, Context)
    advance: Callable[[Any, Examples, Any], Any]  # (Training, Examples, Context) -> Training
    steps: int  # how often `advance` is called in a fit
    finish: Callable[[Any], tuple[Any, Fit]]  # Training -> State, Fit
    predict: Callable[[Any, jax.Array], Outputs]  # (State, inputs [B, ...])
    # (key, draw int32 [], State, inputs [B, ...]) -> log_probs float32 [B, C]: draw number `draw`
    # of what the learner believes. A draw is one function: the same for every input of a pool.
    sample: Callable[[jax.Array, jax.Array, Any, jax.Array], jax.Array] | None = None
    draws: int | None = 0  # None: any number; M: so many members; 0: cannot disagree
    on_host: bool = False  # NumPy in and out, never traced
    # State -> float32 [F + 1, C], the last layer: what head inputs are multiplied with, then the
    # bias; its logits are those of `predict` up to a number for each example. None: it has none.
    head: Callable[[Any], jax.Array] | None = None


class PoolState(NamedTuple):
    """What is known about the pool; `label_points` alone makes a new one from an old one."""

    labeled: jax.Array  # bool [N]
    excluded: jax.Array  # bool [N], may never be asked: skipped, broken, somebody else's
    labels: jax.Array  # int32 [N], UNKNOWN until told
    order: jax.Array  # int32 [L], rows in the order bought, NOTHING beyond num_labeled
    num_labeled: jax.Array  # int32 []
    num_initial: jax.Array  # int32 [], labels owned before the first query
    num_queries: jax.Array  # int32 [], queries before this one

    @property
    def selectable(self) -> jax.Array:
        """Points that may be asked, bool [N]: neither labeled nor excluded."""
        return ~(self.labeled | self.excluded)


class Signals(NamedTuple):
    """What a strategy may look at; only what it `needs` is computed, the rest is None.

    The `mc_` fields are statistics over T stochastic draws, each one function for the whole pool.
    """

    embedding: jax.Array | None = None  # float32 [N, D], of the strategy's choice of embedding
    head_inputs: jax.Array | None = None  # float32 [N, F], the input of the last layer
    log_probs: jax.Array | None = None  # float32 [N, C]
    mc_probs: jax.Array | None = None  # float32 [N, C], mean over the draws
    mc_mean_entropy: jax.Array | None = None  # float32 [N], mean entropy of the draws in nats
    mc_std: jax.Array | None = None  # float32 [N, C], standard deviation (1 / T) of the draws
    mc_votes: jax.Array | None = None  # float32 [N, C], share of draws whose top class it is
    sampled_probs: jax.Array | None = None  # float32 [T, N, C], all the draws
    true_labels: jax.Array | None = None  # int32 [N]; there only in a simulation
    head: jax.Array | None = None  # float32 [F + 1, C], the last layer: kernel, then bias


NOT_OF_POINTS = frozenset({"head"})  # signals that have no row for each point


class Query(NamedTuple):
    """The answer of a strategy: which points to label next."""

    indices: jax.Array  # int32 [Q], distinct, selectable, in pick order; NOTHING at the end
    info: dict[str, jax.Array]  # float32 [] each, finite; logged, never fed back
    # int32 [N]: labels to train on as if true, in the next episode only; UNKNOWN elsewhere.
    pseudo_labels: jax.Array | None = None
    scores: jax.Array | None = None  # float32 [Q], why each was picked: its score or its distance


class Lookahead(NamedTuple):
    """How a simulation looks at what batches would be worth, see `strategies/best_of.py`."""

    draws: int  # batches that each strategy proposes
    judge: str  # "test" or "pool": where right answers are counted


class Strategy(NamedTuple):
    """Answers "which points next" from numbers alone; it never sees a model.

    The truth it sees only if it says so (`true_labels`), and then refuses any oracle but a
    simulated one. `seeded` tells whether the answer depends on the key; if not, the key decides
    nothing but ties. What is excluded is as if it were absent.
    """

    needs: frozenset[str]  # names of the fields of Signals to compute
    select: Callable[[jax.Array, Signals, PoolState, int], Query]  # (key, signals, pool, budget)
    seeded: bool
    embedding: str = "model"  # whose, see features/embedding.py; or a .npy file
    pseudo_labels: bool = False  # whether its queries bring some
    on_host: bool = False  # NumPy in and out, never traced
    reads_files: bool = False  # whether, untraced, it also takes signals mapped from a file
    uses_labels: bool = False  # whether it looks at what the labels are
    max_points: int | None = None  # in a pool; a larger one is refused before anything is trained
    parts: tuple[Strategy, ...] = ()  # of several in one: those it asks
    # None: `select` is asked. Else a driver of simulations asks the parts and refits on each batch.
    lookahead: Lookahead | None = None
    name: str = ""  # what `make_strategy` was asked for, with its options; "" of one of your own


class Answer(NamedTuple):
    """What somebody said of one row."""

    row: int
    decision: int  # a class, or SKIP, UNSURE, BROKEN
    who: str = ""
    when: float = 0.0  # seconds since 1970
    why: str = ""  # it was asked, where that is not what the record says; see `session.fold.WHY`
    seconds: float | None = None  # that it took, where somebody measured
    item: str = ""  # hash of what was looked at


class Oracle(Protocol):
    """Who labels: now, later, or in part."""

    def ask(self, request: int, rows: Sequence[int]) -> None:
        """Hands over a request; to hand it over again changes nothing."""

    def collect(self) -> list[Answer]:
        """Returns the answers that have come since; maybe none, maybe some of them."""


def empty_pool(num_points: int, capacity: int, excluded: np.ndarray | None = None) -> PoolState:
    """Returns the state of a pool of N = `num_points` with no label and room for L = `capacity`.

    Args:
      num_points: N.
      capacity: L.
      excluded: bool [N], the points that may never be asked; None: all may.
    """
    import jax.numpy as jnp

    none = jnp.zeros((), jnp.int32)
    return PoolState(
        labeled=jnp.zeros(num_points, bool),
        excluded=jnp.zeros(num_points, bool) if excluded is None else jnp.asarray(excluded, bool),
        labels=jnp.full(num_points, UNKNOWN, jnp.int32),
        order=jnp.full(capacity, NOTHING, jnp.int32),
        num_labeled=none,
        num_initial=none,
        num_queries=none,
    )


def label_points(pool: PoolState, indices: jax.Array, labels: jax.Array) -> PoolState:
    """Returns `pool` with `labels` int32 [Q] told for `indices` int32 [Q].

    Entries whose index is NOTHING are passed over; they may only stand at the end. Indices must
    be distinct and unlabeled, and fit into the capacity: the caller holds that, as a traced
    function cannot raise.
    """
    import jax.numpy as jnp

    real = indices != NOTHING
    # Out-of-range positions are dropped by the scatter, so a padded entry writes nowhere.
    target = jnp.where(real, indices, pool.labels.size)
    slot = jnp.where(real, pool.num_labeled + jnp.arange(indices.size), pool.order.size)
    return pool._replace(
        labeled=pool.labeled.at[target].set(True, mode="drop"),
        labels=pool.labels.at[target].set(labels, mode="drop"),
        order=pool.order.at[slot].set(indices, mode="drop"),
        num_labeled=pool.num_labeled + real.sum(dtype=jnp.int32),
    )
