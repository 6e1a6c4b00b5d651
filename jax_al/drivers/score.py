"""How good a learner is on a test set, and how well it knows it."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

ECE_BINS = 15  # as Guo et al. 2017


class Score(NamedTuple):
    """What is found on M test examples."""

    loss: jax.Array  # float32 [], mean negative log-likelihood in nats
    accuracy: jax.Array  # float32 [], share of right answers
    ece: jax.Array  # float32 [], see `expected_calibration_error`
    class_accuracy: jax.Array  # float32 [C], share of right answers; NaN where a class has no test


def score(log_probs: jax.Array, labels: jax.Array) -> Score:
    """Returns the score of `log_probs` float32 [M, C] against `labels` int32 [M]."""
    losses = -jnp.take_along_axis(log_probs, labels[:, None], axis=1)[:, 0]
    hits = (log_probs.argmax(axis=1) == labels).astype(jnp.float32)
    ece = expected_calibration_error(jnp.exp(log_probs.max(axis=1)), hits)
    nothing = jnp.zeros(log_probs.shape[1])
    of_class = nothing.at[labels].add(hits) / nothing.at[labels].add(1.0)
    return Score(losses.mean(), hits.mean(), ece, of_class)


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
