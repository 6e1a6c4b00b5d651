"""What the strategies look at: one pass over the pool in fixed chunks, un-augmented."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.base import Signals
from jax_al.inference import Normalizer, map_chunks, normalize
from jax_al.models import Model


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
      needs: names of fields of `Signals`.
      chunk_size: images looked at together; peak memory grows with it.
      num_samples: T, stochastic passes for `sampled_probs`.
    """
    plain = needs & {"embedding", "log_probs"}

    def one_chunk(chunk, batch):
        batch = normalize(batch, normalizer)
        found = {}
        if plain:
            outputs = model.apply(params, batch)
            found = {name: getattr(outputs, name) for name in plain}
        if "sampled_probs" in needs:
            probs = _sampled_probs(jax.random.fold_in(sample_key, chunk), params, batch)
            found["sampled_probs"] = jnp.moveaxis(probs, 0, 1)
        return found

    def _sampled_probs(chunk_key, params, batch):
        keys = jax.random.split(chunk_key, num_samples)
        return lax.map(lambda key: jnp.exp(model.apply(params, batch, key).log_probs), keys)

    found = map_chunks(one_chunk, images, chunk_size)
    if "sampled_probs" in found:
        found["sampled_probs"] = jnp.moveaxis(found["sampled_probs"], 1, 0)
    return Signals(**found)
