"""How unsure one prediction is: what hybrids rank by before they do something else."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.base import UsageError, did_you_mean


def entropy(log_probs: jax.Array) -> jax.Array:
    """Returns -sum_c p_c log p_c [N], in nats."""
    probs = jnp.exp(log_probs)
    return -jnp.where(probs > 0, probs * log_probs, 0.0).sum(axis=1)


def least_confidence(log_probs: jax.Array) -> jax.Array:
    """Returns 1 - max_c p_c [N]: the probability that the guess is wrong."""
    # As the sum of the others, so that very sure points keep an order.
    is_top = jnp.arange(log_probs.shape[1])[None, :] == log_probs.argmax(axis=1)[:, None]
    return jnp.where(is_top, 0.0, jnp.exp(log_probs)).sum(axis=1)


def margin(log_probs: jax.Array) -> jax.Array:
    """Returns minus the difference of the two largest probabilities [N]."""
    best, _ = lax.top_k(jnp.exp(log_probs), 2)
    return best[:, 1] - best[:, 0]


# Of log_probs float32 [N, C] to float32 [N]; higher = less sure.
DOUBTS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "entropy": entropy,
    "least_confidence": least_confidence,
    "margin": margin,
}


def doubt_named(name: str) -> Callable[[jax.Array], jax.Array]:
    """Returns the score that the option `score` names, or raises a `UsageError`."""
    if name not in DOUBTS:
        raise UsageError(
            f"config.strategy_args.score is {name!r}: {did_you_mean(str(name), DOUBTS)}"
        )
    return DOUBTS[name]
