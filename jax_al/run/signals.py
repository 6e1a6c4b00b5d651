"""What the strategies look at: one pass over the pool in fixed chunks, un-augmented."""

from typing import Any

import jax
import jax.numpy as jnp

from jax_al.learners.inference import Normalizer, map_chunks, normalize
from jax_al.learners.networks import Model
from jax_al.strategies.draws import SAMPLED, draw_statistics
from jax_al.types import Signals


def pool_signals(
    sample_key: jax.Array,
    params: Any,
    images: jax.Array,
    normalizer: Normalizer,
    *,
    model: Model,
    needs: frozenset[str],
    chunk_size: int,
    num_samples: int,
) -> Signals:
    """Computes the signals named in `needs`, and no other.

    Args:
      sample_key: decides the dropout of the stochastic passes.
      params: of the network.
      images: uint8 [N, H, W, channels], the pool.
      normalizer: statistics of the pool.
      model: the network.
      needs: names of fields of `Signals`, all but `true_labels`.
      chunk_size: looks at an image done together; peak memory grows with it.
      num_samples: T, stochastic passes.
    """
    sampled = needs & SAMPLED
    keys = jax.random.split(sample_key, num_samples)

    def one_chunk(_, batch):
        batch = normalize(batch, normalizer)
        found = {}
        if needs - sampled:
            outputs = model.apply(params, batch)
            found = {name: getattr(outputs, name) for name in needs - sampled}
        if sampled:
            # All passes of a chunk at once: what comes before the first dropout is the same for
            # all of them and computed once. T x N x C exists only where it is asked for whole.
            log_probs = jax.vmap(
                lambda key: model.apply(params, batch, key, one_mask=True).log_probs
            )(keys)
            found |= draw_statistics(log_probs, sampled)
        return found

    at_once = max(1, chunk_size // num_samples) if sampled else chunk_size
    found = map_chunks(one_chunk, images, at_once)
    if "sampled_probs" in found:
        found["sampled_probs"] = jnp.moveaxis(found["sampled_probs"], 1, 0)
    return Signals(**found)
