"""A share of the labeled examples kept apart, class by class, and what is found on it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.learners.epoch import losses_and_hits
from jax_al.learners.logistic import in_blocks, num_blocks, sum_of_blocks
from jax_al.types import NOTHING, UNKNOWN, Examples, Learner


class Apart(NamedTuple):
    """The labeled examples in two, each at the beginning of arrays of capacity L."""

    taught: Examples
    held: Examples


def held_apart(key: jax.Array, examples: Examples, share: float) -> Apart:
    """Returns `examples` in two: those to be taught, and those that are held out.

    In an order by class, and by chance within a class, the first of a class is never held out: of
    what was not taught nothing can be asked. Of the others each is held out with which the number
    of those held reaches another whole one, beginning at a random fraction (systematic sampling):
    so of these the share is kept to within one, in each class and in all. Few labels may leave
    none.

    Args:
      key: decides which.
      examples: the labeled examples.
      share: above 0 and below 1.
    """
    chance_key, start_key = jax.random.split(key)
    order, is_first, is_there = _by_class(chance_key, examples)
    # The first ones do not count: where classes are of one size, the places of those held would
    # often be just theirs.
    others = jnp.pad(jnp.cumsum(~is_first), (1, 0)).astype(jnp.float32)
    reached = jnp.floor(others * share + jax.random.uniform(start_key))
    is_next = reached[1:] > reached[:-1]
    is_held = jnp.zeros(is_there.shape, bool).at[order].set(is_next) & is_there
    return Apart(only(examples, is_there & ~is_held), only(examples, is_held))


def dealt(key: jax.Array, examples: Examples, folds: int) -> jax.Array:
    """Returns the fold, from 0, in which each example is held out, int32 [L]; -1: in none.

    In the order of `held_apart` all but the first of each class are dealt out one after another, so
    that folds are equal to within one, in each class and in all.

    Args:
      key: decides which.
      examples: the labeled examples.
      folds: at least 2.
    """
    order, is_first, is_there = _by_class(key, examples)
    turns = (jnp.cumsum(~is_first) - 1) % folds
    fold = jnp.where(is_first, -1, turns).astype(jnp.int32)
    return jnp.where(is_there, jnp.zeros_like(fold).at[order].set(fold), -1)


def _by_class(key: jax.Array, examples: Examples) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns an order by class, by chance within one; what begins a class there; what is there."""
    places = jnp.arange(examples.labels.size)
    is_there = places < examples.count
    labels = jnp.where(is_there, examples.labels, jnp.iinfo(jnp.int32).max)
    # JAX draws element i from (key, i) alone, so the capacity L decides nothing.
    order = jnp.lexsort((jax.random.uniform(key, places.shape), labels))
    of_class = labels[order]
    return order, (of_class != jnp.roll(of_class, 1)) | (places == 0), is_there


def only(examples: Examples, wanted: jax.Array) -> Examples:
    """Returns those of `examples` that are `wanted` bool [L], in their order, padded to L."""
    order = jnp.argsort(~wanted, stable=True)
    count = wanted.sum(dtype=jnp.int32)
    is_there = jnp.arange(wanted.size) < count
    inputs, labels, weights, rows = (array[order] for array in examples[:4])
    return Examples(
        inputs,
        jnp.where(is_there, labels, UNKNOWN),
        jnp.where(is_there, weights, 0.0),
        jnp.where(is_there, rows, NOTHING),
        count,
    )


def told(learner: Learner, state: Any, held: Examples) -> Examples:
    """Returns `held` as `in_blocks` does, with what `learner` says of them in place of the inputs.

    Those are log-probabilities, float32 [blocks, BLOCK, C]; of what is not there, zeros.
    """
    blocks = in_blocks(held)

    def of_block(i):
        return learner.predict(state, blocks.inputs[i]).log_probs

    like = jax.eval_shape(of_block, jnp.int32(0))
    nothing = jnp.zeros((blocks.labels.shape[0], *like.shape))
    log_probs = lax.fori_loop(
        0, num_blocks(blocks), lambda i, said: said.at[i].set(of_block(i)), nothing
    )
    return blocks._replace(inputs=log_probs)


def mean_loss(said: Examples) -> jax.Array:
    """Returns the weighted mean negative log-likelihood of what `told` returned, 0 of nothing."""

    def sums(log_probs, labels, weights):
        return (weights * losses_and_hits(log_probs, labels)[0]).sum(), weights.sum()

    loss, weight = sum_of_blocks(sums, said)
    return loss / jnp.where(weight > 0, weight, 1.0)
