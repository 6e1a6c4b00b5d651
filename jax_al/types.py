"""The words of the project as types: each shape is stated once, here.

Axis letters: S seed, N pool, L labeled capacity, Q budget, B batch, T stochastic pass,
C class, D embedding, K centers.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

UNKNOWN = -1  # the label of a point nobody has labeled yet
NOTHING = -1  # the index in place of a point where no point is left


class PoolState(NamedTuple):
    """What is known about the pool; `label_points` alone makes a new one from an old one."""

    labeled: jax.Array  # bool [N]
    labels: jax.Array  # int32 [N], UNKNOWN until told
    order: jax.Array  # int32 [L], pool indices in the order bought, NOTHING beyond num_labeled
    num_labeled: jax.Array  # int32 []


class Outputs(NamedTuple):
    """What a model says of a batch."""

    log_probs: jax.Array  # float32 [B, C]
    embedding: jax.Array  # float32 [B, D], the penultimate activations
    features: jax.Array  # float32 [B, F], what the last layer sees (here ReLU of the embedding)


class Signals(NamedTuple):
    """What a strategy may look at; only what it `needs` is computed, the rest is None.

    The `mc_` fields are statistics over T stochastic passes. A pass draws one dropout mask and
    keeps it for the whole pool: it is one network sampled from the approximate posterior.
    """

    embedding: jax.Array | None = None  # float32 [N, D], of the strategy's choice of embedding
    features: jax.Array | None = None  # float32 [N, F], the input of the last layer
    log_probs: jax.Array | None = None  # float32 [N, C]
    mc_probs: jax.Array | None = None  # float32 [N, C], mean over the passes
    mc_entropy: jax.Array | None = None  # float32 [N], mean entropy of the passes in nats
    mc_std: jax.Array | None = None  # float32 [N, C], standard deviation (1 / T) of the passes
    mc_votes: jax.Array | None = None  # float32 [N, C], share of passes whose top class it is
    sampled_probs: jax.Array | None = None  # float32 [T, N, C], all the passes
    true_labels: jax.Array | None = None  # int32 [N]; there only in a simulation


class Query(NamedTuple):
    """The answer of a strategy: which points to label next."""

    indices: jax.Array  # int32 [Q], distinct, unlabeled, in pick order; NOTHING at the end
    info: dict[str, jax.Array]  # float32 [] each, finite; logged, never fed back
    # int32 [N]: labels to train on as if true, in the next episode only; UNKNOWN elsewhere.
    pseudo_labels: jax.Array | None = None
    scores: jax.Array | None = None  # float32 [Q], why each was picked: its score or its distance


class Strategy(NamedTuple):
    """Answers "which points next" from numbers alone; it never sees a model.

    The truth it sees only if it says so (`true_labels`), and then refuses any oracle but a
    simulated one. `seeded` tells whether the answer depends on the key; if not, it depends on
    the position of a point only where points are equal.
    """

    needs: frozenset[str]  # names of the fields of Signals to compute
    select: Callable[[jax.Array, Signals, PoolState, int], Query]  # (key, signals, pool, budget)
    seeded: bool
    embedding: str = "model"  # whose embedding: "model", "random_net", "pixels_pca" or a .npy file
    pseudo_labels: bool = False  # whether its queries bring some


def empty_pool(num_points: int, capacity: int) -> PoolState:
    """Returns the state of a pool of N = `num_points` with no label and room for L = `capacity`."""
    return PoolState(
        labeled=jnp.zeros(num_points, bool),
        labels=jnp.full(num_points, UNKNOWN, jnp.int32),
        order=jnp.full(capacity, NOTHING, jnp.int32),
        num_labeled=jnp.zeros((), jnp.int32),
    )


def label_points(pool: PoolState, indices: jax.Array, labels: jax.Array) -> PoolState:
    """Returns `pool` with `labels` int32 [Q] told for `indices` int32 [Q].

    Entries whose index is NOTHING are passed over; they may only stand at the end. Indices must
    be distinct and unlabeled, and fit into the capacity: the caller holds that, as a traced
    function cannot raise.
    """
    real = indices != NOTHING
    # Out-of-range positions are dropped by the scatter, so a padded entry writes nowhere.
    target = jnp.where(real, indices, pool.labels.size)
    slot = jnp.where(real, pool.num_labeled + jnp.arange(indices.size), pool.order.size)
    return PoolState(
        labeled=pool.labeled.at[target].set(True, mode="drop"),
        labels=pool.labels.at[target].set(labels, mode="drop"),
        order=pool.order.at[slot].set(indices, mode="drop"),
        num_labeled=pool.num_labeled + real.sum(dtype=jnp.int32),
    )
