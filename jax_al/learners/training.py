"""Fit and evaluate one network of one seed; nothing here is jitted (see `learner.py`)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jax_al.learners.inference import Normalizer, map_chunks, normalize
from jax_al.learners.networks import Model
from jax_al.types import NOTHING, PoolState


class TrainState(NamedTuple):
    """What training changes and a checkpoint keeps."""

    params: Any
    opt_state: Any


class Score(NamedTuple):
    """How good a network is on some labeled images."""

    loss: jax.Array  # float32 [], mean negative log-likelihood in nats
    accuracy: jax.Array  # float32 [], share of right answers


class TestScore(NamedTuple):
    """How good a network is on the test images, and how well it knows it."""

    loss: jax.Array  # float32 [], mean negative log-likelihood in nats
    accuracy: jax.Array  # float32 [], share of right answers
    ece: jax.Array  # float32 [], see `expected_calibration_error`


ECE_BINS = 15  # as Guo et al. 2017


def init_state(
    init_key: jax.Array, model: Model, optimizer: optax.GradientTransformation
) -> TrainState:
    """Returns a fresh network and the state of a fresh `optimizer`."""
    params = model.init(init_key)
    return TrainState(params, optimizer.init(params))


def train_epoch(
    epoch_key: jax.Array,
    state: TrainState,
    rate: jax.Array,
    pool: PoolState,
    images: jax.Array,
    normalizer: Normalizer,
    *,
    model: Model,
    optimizer: optax.GradientTransformation,
    batch_size: int,
    augment: bool,
) -> tuple[TrainState, Score]:
    """Takes one pass over the labeled points in a new order, in batches of B = `batch_size`.

    The trip count is traced, so one compiled program serves every labeled count. The last batch
    may be smaller: its padding has weight zero.

    Args:
      epoch_key: decides the order, the dropout and the augmentation.
      state: the network and the optimizer.
      rate: float32 [], the learning rate of this epoch.
      pool: whose labeled points are trained on.
      images: uint8 [N, H, W, channels], the whole pool.
      normalizer: statistics of the pool.
      model: what is trained.
      optimizer: what makes steps of gradients; the rate is applied here, as it is traced.
      batch_size: B.
      augment: whether to crop and flip at random (see `augmented`).

    Returns:
      The state after the epoch, and the loss and accuracy met on the way, dropout on.
    """
    order_key, dropout_key, augment_key = jax.random.split(epoch_key, 3)
    order = _shuffled(order_key, pool.order, pool.num_labeled)
    order = jnp.pad(order, (0, -order.size % batch_size), constant_values=NOTHING)

    def step(i, carry):
        state, totals = carry
        rows = lax.dynamic_slice(order, (i * batch_size,), (batch_size,))
        weight = (rows != NOTHING).astype(jnp.float32)
        rows = jnp.maximum(rows, 0)
        batch = images[rows]
        if augment:
            batch = augmented(jax.random.fold_in(augment_key, i), batch)
        batch = normalize(batch, normalizer)

        def loss_function(params):
            log_probs = model.apply(params, batch, jax.random.fold_in(dropout_key, i)).log_probs
            losses, hits = _losses_and_hits(log_probs, pool.labels[rows])
            loss_sum = (weight * losses).sum()
            return loss_sum / weight.sum(), (loss_sum, (weight * hits).sum())

        grads, sums = jax.grad(loss_function, has_aux=True)(state.params)
        # optax raises a float to an integer power, which strict promotion (our tests) forbids.
        with jax.numpy_dtype_promotion("standard"):
            updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = jax.tree.map(lambda p, u: p - rate.astype(p.dtype) * u, state.params, updates)
        totals = (totals[0] + sums[0], totals[1] + sums[1])
        return TrainState(params, opt_state), totals

    zero = jnp.zeros((), jnp.float32)
    num_batches = (pool.num_labeled + batch_size - 1) // batch_size
    state, (loss, hits) = lax.fori_loop(0, num_batches, step, (state, (zero, zero)))
    count = pool.num_labeled.astype(jnp.float32)
    return state, Score(loss / count, hits / count)


def evaluate(
    params: Any,
    images: jax.Array,
    labels: jax.Array,
    normalizer: Normalizer,
    *,
    model: Model,
    chunk_size: int,
) -> TestScore:
    """Returns how good the network is on all of `images` uint8 [M, ...], dropout off."""

    def one_chunk(_, chunk):
        return model.apply(params, normalize(chunk, normalizer)).log_probs

    log_probs = map_chunks(one_chunk, images, chunk_size)
    losses, hits = _losses_and_hits(log_probs, labels)
    ece = expected_calibration_error(jnp.exp(log_probs.max(axis=1)), hits)
    return TestScore(losses.mean(), hits.mean(), ece)


def expected_calibration_error(confidence: jax.Array, hits: jax.Array) -> jax.Array:
    """Returns the mean gap between confidence and accuracy, float32 [], 0 to 1.

    ECE = sum_b |B_b| / M * |mean hits in B_b - mean confidence in B_b| over 15 bins of equal width,
    each closed at its upper end (Guo et al. 2017, "On Calibration of Modern Neural Networks",
    equation 3; Naeini et al. 2015).

    Args:
      confidence: float32 [M], the probability of the most probable class.
      hits: float32 [M], 1 where that class is right, 0 elsewhere.
    """
    bins = jnp.clip(jnp.ceil(confidence * ECE_BINS).astype(jnp.int32) - 1, 0, ECE_BINS - 1)
    gaps = jnp.zeros(ECE_BINS).at[bins].add(hits - confidence)
    return jnp.abs(gaps).sum() / confidence.size


def augmented(augment_key: jax.Array, batch: jax.Array) -> jax.Array:
    """Shifts every image by up to an eighth of its side and mirrors half of them.

    Args:
      augment_key: decides the shifts and the mirrors.
      batch: [B, H, W, channels]; the border is filled by reflection.

    Returns:
      The changed images, same shape and dtype.
    """
    shift_key, mirror_key = jax.random.split(augment_key)
    size, height, width, channels = batch.shape
    pad = max(1, height // 8)
    padded = jnp.pad(batch, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
    shifts = jax.random.randint(shift_key, (size, 2), 0, 2 * pad + 1)
    mirrored = jax.random.bernoulli(mirror_key, 0.5, (size,))

    def one_image(image, shift, mirror):
        crop = lax.dynamic_slice(image, (shift[0], shift[1], 0), (height, width, channels))
        return jnp.where(mirror, crop[:, ::-1], crop)

    return jax.vmap(one_image)(padded, shifts, mirrored)


def _losses_and_hits(log_probs: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the negative log-likelihood and whether the guess is right, float32 [B] each."""
    losses = -jnp.take_along_axis(log_probs, labels[:, None], axis=1)[:, 0]
    hits = log_probs.argmax(axis=1) == labels
    return losses, hits.astype(jnp.float32)


def _shuffled(order_key: jax.Array, order: jax.Array, num_labeled: jax.Array) -> jax.Array:
    """Returns `order` int32 [L] with its first `num_labeled` entries in random order."""
    # JAX draws element i from (key, i) alone, so a run with a larger capacity L (more episodes)
    # sees the same shuffles; `jax.random.permutation` would not give that.
    chance = jax.random.uniform(order_key, order.shape)
    chance = jnp.where(jnp.arange(order.size) < num_labeled, chance, jnp.inf)
    return order[jnp.argsort(chance)]
