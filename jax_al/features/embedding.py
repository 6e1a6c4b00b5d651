"""Embeddings that do not come from the network being trained: for when labels are few.

A strategy names the embedding it wants: "model", the network of the episode; "random_net", one
with initial weights (the learner makes it, one for all seeds, so intervals over seeds leave its
chance out); "pixels_pca", "patches", "lite0", "lite1", "lite2" and "jimm:PATH_OR_NAME", of the
images themselves, also where the learner sees features of them; or a .npy file with the features of
some other tool. All but the first are the same in every episode.
"""

import math
import pathlib

import numpy as np

from jax_al.errors import UsageError
from jax_al.features.columns import check_width
from jax_al.features.file import features_of_file
from jax_al.features.jimm import PREFIX, check_jimm
from jax_al.features.lite import DEPTHS, check_lite
from jax_al.features.patches import check_patches
from jax_al.features.pixels_pca import pixels_pca
from jax_al.features.pool import with_features
from jax_al.pools.rows import base_of
from jax_al.types import Pool

NAMES = ("model", "random_net", "pixels_pca", "patches", *DEPTHS)


def check_embedding(source: str, pool: Pool | None = None) -> None:
    """Makes sure that `source` can be an embedding.

    Args:
      source: what a strategy names.
      pool: of which; None: of some.

    Raises:
      UsageError: it is none of the names, and no file either; or not to be had of `pool`.
    """
    if source == "pixels_pca" and pool is not None:
        check_width(math.prod(base_of(pool).spec.shape))
    if source == "patches" and pool is not None:
        check_patches(base_of(pool).spec)
    if source in DEPTHS and pool is not None:
        check_lite(source, base_of(pool).spec)
    if source.startswith(PREFIX):
        spec = None if pool is None else base_of(pool).spec
        return check_jimm(source.removeprefix(PREFIX), spec)
    if source in NAMES:
        return
    if not source.endswith(".npy"):
        raise UsageError(
            f"embedding is {source!r}, but must be {', '.join(NAMES)}, {PREFIX}PATH_OR_NAME or the "
            "path of a .npy file."
        )
    if not pathlib.Path(source).is_file():
        raise UsageError(f"embedding names {source}, and there is no such file.")


def fixed_embedding(source: str, pool: Pool, cache_dir: str | None = None) -> np.ndarray | None:
    """Returns the embedding of the pool that `source` names, or None if a network makes it.

    Args:
      source: one of NAMES, "jimm:PATH_OR_NAME", or the path of a .npy file.
      pool: any pool.
      cache_dir: where patches and features of a network are kept, see `with_features`.

    Returns:
      float32 [N, D].

    Raises:
      UsageError: `source` is none of these, or the file does not hold one row of finite numbers
        for each example (see `features_of_file`), or they are not such as it looks at.
    """
    check_embedding(source, pool)
    if source in ("model", "random_net"):
        return None
    if source == "pixels_pca":
        return pixels_pca(base_of(pool))
    if source in ("patches", *DEPTHS) or source.startswith(PREFIX):
        return with_features(base_of(pool), source, cache_dir=cache_dir).read(slice(None))
    return features_of_file(source, pool)
