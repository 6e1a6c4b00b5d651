"""The best moment of a fit, by the loss on a share of the labeled examples that is held out."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jax_al.learners.held_out import held_apart, mean_loss, told
from jax_al.types import Examples, Fit, Learner


class Training(NamedTuple):
    """A fit under way."""

    key: jax.Array  # decides what is held out
    inner: Any  # the Training of what is stopped
    state: Any  # the State of the best moment so far
    fit: Fit  # of that moment
    loss: jax.Array  # float32 [], there, on what is held out


def stopped_early(learner: Learner, share: float) -> Learner:
    """Returns `learner`, fitted without a `share` of its examples and kept as it was at its best.

    After each `advance` the loss on what is held out is met, and the State with the least is what
    the fit returns; of equals the first. All `steps` are taken, as shapes and times of a program
    are fixed: what comes after the best changes nothing but the clock. Where so few labels are
    there that none is held out (see `held_apart`), the last State is the best.

    Args:
      learner: whose `advance` is a step of many.
      share: above 0 and below 1.
    """

    def begin(train_key: jax.Array, state: Any, examples: Examples, context: Any) -> Training:
        held_key, inner_key = jax.random.split(train_key)
        taught = held_apart(held_key, examples, share).taught
        inner = learner.begin(inner_key, state, taught, context)
        return Training(held_key, inner, *learner.finish(inner), jnp.float32(jnp.inf))

    def advance(training: Training, examples: Examples, context: Any) -> Training:
        taught, held = held_apart(training.key, examples, share)
        inner = learner.advance(training.inner, taught, context)
        state, fit = learner.finish(inner)
        loss = mean_loss(told(learner, state, held))
        is_better = (loss < training.loss) | (held.count == 0)
        new, old = (state, fit, loss), (training.state, training.fit, training.loss)
        best = jax.tree.map(lambda ours, theirs: jnp.where(is_better, ours, theirs), new, old)
        return Training(training.key, inner, *best)

    def finish(training: Training) -> tuple[Any, Fit]:
        return training.state, training.fit

    return learner._replace(begin=begin, advance=advance, finish=finish)
