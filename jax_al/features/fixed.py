"""`fixed_embedding` for a pool that is an array of images: what the present run uses."""

import numpy as np

from jax_al.features import embedding
from jax_al.features.embedding import check_embedding
from jax_al.pools.arrays import arrays
from jax_al.pools.rows import RowPool

__all__ = ["check_embedding", "fixed_embedding"]


def fixed_embedding(
    source: str, images: np.ndarray, index: np.ndarray, whole_size: int
) -> np.ndarray | None:
    """Returns the embedding of the pool that `source` names, or None if a network makes it.

    Args:
      source: see `embedding.fixed_embedding`, whose errors are raised.
      images: uint8 [N, H, W, channels], the pool.
      index: int64 [N], where each point is in the whole pool.
      whole_size: how many points the whole pool has.

    Returns:
      float32 [N, D].
    """
    pool = arrays(images)
    part = RowPool(len(pool), pool.spec, pool.read, whole=(index, whole_size))
    return embedding.fixed_embedding(source, part)
