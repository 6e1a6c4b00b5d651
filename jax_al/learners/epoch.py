"""One pass of gradient steps over the labeled examples; nothing here is jitted."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jax_al.learners.augmentation import augmented
from jax_al.learners.inputs import Normalizer, normalize
from jax_al.learners.networks.network import Model
from jax_al.types import NOTHING, Examples, Fit


class Trained(NamedTuple):
    """What a gradient step changes."""

    params: Any
    opt_state: Any


def train_epoch(
    epoch_key: jax.Array,
    trained: Trained,
    rate: jax.Array,
    examples: Examples,
    normalizer: Normalizer,
    *,
    model: Model,
    optimizer: optax.GradientTransformation,
    batch_size: int,
    augment: bool,
) -> tuple[Trained, Fit]:
    """Takes one pass over the examples in a new order, in batches of B = `batch_size`.

    A step follows the gradient of sum(w l) / sum(w) over its batch. The trip count is traced, so
    one compiled program serves every labeled count. The last batch may be smaller: its padding has
    weight zero.

    Args:
      epoch_key: decides the order, the dropout and the augmentation.
      trained: the parameters and the state of the optimizer.
      rate: float32 [], the learning rate of this epoch.
      examples: what is trained on, at least one.
      normalizer: statistics of the pool.
      model: what is trained.
      optimizer: what makes steps of gradients; the rate is applied here, as it is traced.
      batch_size: B.
      augment: whether to crop and flip at random (see `augmented`).

    Returns:
      What has changed, and the loss and accuracy met on the way, dropout on, both weighted.
    """
    order_key, dropout_key, augment_key = jax.random.split(epoch_key, 3)
    order = _shuffled(order_key, examples.count, examples.labels.size)
    order = jnp.pad(order, (0, -order.size % batch_size), constant_values=NOTHING)

    def step(i, carry):
        trained, totals = carry
        places = lax.dynamic_slice(order, (i * batch_size,), (batch_size,))
        is_there = places != NOTHING
        places = jnp.maximum(places, 0)
        weight = jnp.where(is_there, examples.weights[places], 0.0)
        batch = examples.inputs[places]
        if augment:
            batch = augmented(jax.random.fold_in(augment_key, i), batch)
        batch = normalize(batch, normalizer)

        def loss_function(params):
            log_probs = model.apply(params, batch, jax.random.fold_in(dropout_key, i)).log_probs
            losses, hits = losses_and_hits(log_probs, examples.labels[places])
            loss_sum, weight_sum = (weight * losses).sum(), weight.sum()
            return loss_sum / weight_sum, (loss_sum, (weight * hits).sum(), weight_sum)

        grads, sums = jax.grad(loss_function, has_aux=True)(trained.params)
        # optax raises a float to an integer power, which strict promotion (our tests) forbids.
        with jax.numpy_dtype_promotion("standard"):
            updates, opt_state = optimizer.update(grads, trained.opt_state, trained.params)
        params = jax.tree.map(lambda p, u: p - rate.astype(p.dtype) * u, trained.params, updates)
        return Trained(params, opt_state), jax.tree.map(jnp.add, totals, sums)

    zero = jnp.zeros((), jnp.float32)
    num_batches = (examples.count + batch_size - 1) // batch_size
    trained, totals = lax.fori_loop(0, num_batches, step, (trained, (zero, zero, zero)))
    loss, hits, weight = totals
    return trained, Fit(loss / weight, hits / weight)


def losses_and_hits(log_probs: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the negative log-likelihood and whether the guess is right, float32 [B] each."""
    losses = -jnp.take_along_axis(log_probs, labels[:, None], axis=1)[:, 0]
    hits = log_probs.argmax(axis=1) == labels
    return losses, hits.astype(jnp.float32)


def _shuffled(order_key: jax.Array, count: jax.Array, capacity: int) -> jax.Array:
    """Returns the positions below `count` in random order, then NOTHING, int32 [L]."""
    # JAX draws element i from (key, i) alone, so a run with a larger capacity L (more episodes)
    # sees the same shuffles; `jax.random.permutation` would not give that.
    chance = jax.random.uniform(order_key, (capacity,))
    is_there = jnp.arange(capacity) < count
    order = jnp.argsort(jnp.where(is_there, chance, jnp.inf)).astype(jnp.int32)
    return jnp.where(is_there, order, NOTHING)  # those that are there come first
