"""The penalty of a logistic regression, by cross-validation on the labeled examples alone."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.learners.epoch import losses_and_hits
from jax_al.learners.inputs import Normalizer
from jax_al.learners.logistic import (
    BLOCK,
    Head,
    flat,
    log_probs_of,
    minimum,
    sum_of_blocks,
    value_and_grad,
)
from jax_al.types import Examples

PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)  # downwards: a fit begins where the last ended
FOLDS = 5
MAX_ITERATIONS = 50  # of a fit that only has to tell penalties apart
# Likewise. From 100 labels on 1e-4 chose the same in 78 of 78 draws of digits and of CIFAR-10 and
# Flowers-102 as `lite0`, in twice the time; with 10 and 20 the accuracy was no better by it.
SLOPE = 1e-3


def cross_validated(blocks: Examples, normalizer: Normalizer, num_classes: int) -> jax.Array:
    """Returns the penalty of PENALTIES with the least mean loss on examples left out, float32 [].

    The examples are dealt to FOLDS parts class by class, each class in the order of the labels. So
    all parts have as many, and of a class that has no more than FOLDS examples each is left out
    without another one. An example whose class is nowhere else is not counted; where none counts,
    and among equals, the largest penalty is taken. The examples bear their weights.

    Args:
      blocks: the examples as `logistic.in_blocks` returns them.
      normalizer: of the inputs.
      num_classes: C.
    """
    folds = _dealt(blocks)
    parts = jnp.arange(FOLDS, dtype=jnp.int32)[:, None, None]
    is_out = folds[None] == parts  # [FOLDS, blocks, BLOCK]
    taught = jnp.where(is_out, 0.0, blocks.weights[None])
    of_class = jnp.einsum("kbi,bic->kc", taught, jax.nn.one_hot(blocks.labels, num_classes))
    known = of_class[:, blocks.labels] > 0
    asked = jnp.where(is_out & known, blocks.weights[None], 0.0)

    def all_parts(heads, penalty):
        def of_part(head, weights):
            return value_and_grad(head, blocks._replace(weights=weights), normalizer, penalty)

        values, grads = jax.vmap(of_part)(heads, taught)
        return values.sum(), grads

    def loss_of(head, weights):
        def loss(inputs, labels, weights):
            log_probs = log_probs_of(head, flat(inputs, normalizer))
            return (weights * losses_and_hits(log_probs, labels)[0]).sum()

        return sum_of_blocks(loss, blocks._replace(weights=weights))

    def of_penalty(heads, penalty):
        # One problem of all parts: side by side, each would wait for the slowest at every step.
        heads = minimum(lambda heads: all_parts(heads, penalty), heads, MAX_ITERATIONS, SLOPE)
        return heads, jax.vmap(loss_of)(heads, asked).sum()

    width = normalizer.mean.size
    heads = Head(jnp.zeros((FOLDS, width, num_classes)), jnp.zeros((FOLDS, num_classes)))
    penalties = jnp.array(PENALTIES, jnp.float32)
    _, losses = lax.scan(of_penalty, heads, penalties)
    return penalties[jnp.argmin(losses)]


def _dealt(blocks: Examples) -> jax.Array:
    """Returns the part that leaves out each example, int32 [blocks, BLOCK]; -1: no example."""
    labels = blocks.labels.reshape(-1)
    is_there = jnp.arange(labels.size) < blocks.count
    by_class = jnp.argsort(jnp.where(is_there, labels, jnp.iinfo(jnp.int32).max), stable=True)
    dealt = jnp.arange(labels.size, dtype=jnp.int32) % FOLDS
    folds = jnp.zeros(labels.size, jnp.int32).at[by_class].set(dealt)
    return jnp.where(is_there, folds, -1).reshape(-1, BLOCK)
