"""Classes that weigh the same however many examples each has."""

from typing import Any

import jax.numpy as jnp

from jax_al.errors import UsageError
from jax_al.types import Examples, Learner

CLASS_WEIGHTS = (None, "balanced")


def check_class_weights(class_weights: str | None) -> None:
    """Makes sure that `class_weights` is one of CLASS_WEIGHTS.

    Raises:
      UsageError: it is not.
    """
    if class_weights not in CLASS_WEIGHTS:
        raise UsageError(f"class_weights is {class_weights!r}, but must be None or 'balanced'.")


def with_class_weights(learner: Learner, class_weights: str | None, num_classes: int) -> Learner:
    """Returns `learner`, fitted to examples whose classes weigh the same if that is wanted.

    Args:
      learner: fitted with weights, whatever it is.
      class_weights: None: as it is; "balanced": see `balanced`.
      num_classes: C.
    """
    if class_weights is None:
        return learner

    def begin(train_key: Any, state: Any, examples: Examples, context: Any) -> Any:
        return learner.begin(train_key, state, balanced(examples, num_classes), context)

    def advance(training: Any, examples: Examples, context: Any) -> Any:
        return learner.advance(training, balanced(examples, num_classes), context)

    return learner._replace(begin=begin, advance=advance)


def balanced(examples: Examples, num_classes: int) -> Examples:
    """Returns `examples` with each weight times n / (k n_c), as scikit-learn's "balanced".

    n is the sum of all weights, n_c that of the example's class, and k how many of the classes
    have an example: so each of these weighs n / k, and the sum stays.
    """
    is_there = jnp.arange(examples.labels.size) < examples.count
    weights = jnp.where(is_there, examples.weights, 0.0)
    labels = jnp.where(is_there, examples.labels, num_classes)  # beyond all: dropped
    # Added one after another, so that the capacity L changes no bit.
    of_class = jnp.zeros(num_classes).at[labels].add(weights, mode="drop")
    share = of_class.sum() / (of_class > 0).sum().astype(jnp.float32)
    factors = share / jnp.where(of_class > 0, of_class, 1.0)
    return examples._replace(weights=weights * factors.at[labels].get(mode="clip"))
