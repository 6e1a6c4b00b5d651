"""What stochastic draws say of a point, for strategies that look at their statistics."""

import jax
import jax.numpy as jnp

# Signals that take T stochastic draws.
SAMPLED = frozenset({"mc_probs", "mc_mean_entropy", "mc_std", "mc_votes", "sampled_probs"})


def draw_statistics(log_probs: jax.Array, wanted: frozenset[str]) -> dict[str, jax.Array]:
    """Returns those of SAMPLED that are `wanted`, points first: sampled_probs is [B, T, C].

    Args:
      log_probs: float32 [T, B, C], of each draw.
      wanted: names out of SAMPLED.
    """
    probs = jnp.exp(log_probs)
    top = jax.nn.one_hot(log_probs.argmax(axis=2), log_probs.shape[2])
    found = {
        "mc_probs": probs.mean(axis=0),
        # 0 log 0 is 0, also where a class is so unlikely that its logarithm is minus infinity.
        "mc_mean_entropy": -jnp.where(probs > 0, probs * log_probs, 0.0).sum(axis=2).mean(axis=0),
        "mc_std": probs.std(axis=0),
        "mc_votes": top.mean(axis=0),
        "sampled_probs": jnp.moveaxis(probs, 0, 1),
    }
    return {name: found[name] for name in wanted}
