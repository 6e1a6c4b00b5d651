"""Embeddings that do not come from the network being trained: for when labels are few.

A strategy names the embedding it wants: "model", the network of the episode; "random_net", one
with initial weights (the learner makes it, one for all seeds, so intervals over seeds leave its
chance out); "pixels_pca"; or a .npy file with the features of some
other tool. All but the first are the same in every episode.
"""

import pathlib

import numpy as np

from jax_al.errors import UsageError
from jax_al.features.file import features_of_file
from jax_al.features.pixels_pca import pixels_pca
from jax_al.types import Pool


def check_embedding(source: str) -> None:
    """Makes sure that `source` can be an embedding.

    Raises:
      UsageError: it is none of the names, and no file either.
    """
    if source in ("model", "random_net", "pixels_pca"):
        return
    if not source.endswith(".npy"):
        raise UsageError(
            f"embedding is {source!r}, but must be model, random_net, "
            "pixels_pca or the path of a .npy file."
        )
    if not pathlib.Path(source).is_file():
        raise UsageError(f"embedding names {source}, and there is no such file.")


def fixed_embedding(source: str, pool: Pool) -> np.ndarray | None:
    """Returns the embedding of the pool that `source` names, or None if a network makes it.

    Args:
      source: "model", "random_net", "pixels_pca" or the path of a .npy file.
      pool: any pool.

    Returns:
      float32 [N, D].

    Raises:
      UsageError: `source` is none of these, or the file does not hold one row of finite numbers
        for each example (see `features_of_file`).
    """
    check_embedding(source)
    if source in ("model", "random_net"):
        return None
    return pixels_pca(pool) if source == "pixels_pca" else features_of_file(source, pool)
