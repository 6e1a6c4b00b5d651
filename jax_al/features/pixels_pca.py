"""The first principal components of pixels, or of the rows of a table."""

import math
from typing import Any

import numpy as np

from jax_al.features.columns import columns
from jax_al.pools.arrays import blocks_of
from jax_al.types import Features, Pool

PIXEL_COMPONENTS = 64  # dimensions at most: 85 to 90 % of the variance of CIFAR-10


def pixels_pca(pool: Pool) -> np.ndarray:
    """Returns the principal components of a pool; it has all of it in memory, as float32.

    Args:
      pool: images, whose pixels are scaled to 0..1, or rows of numbers, which are taken as they
        are.

    Returns:
      float32 [N, D], D = PIXEL_COMPONENTS or fewer, if N or the size of an example is smaller.
    """
    from sklearn.decomposition import PCA  # heavy, and few runs want it

    size = int(np.prod(pool.spec.shape))
    rows = np.empty((len(pool), size), np.float32)
    for block in blocks_of(len(pool), size * rows.itemsize):
        read = pool.read(block).reshape(-1, size)
        rows[block] = read.astype(np.float32) / 255 if pool.spec.is_image else read
    if not pool.spec.is_image:
        # By squares of float32, a mean that is large beside the spread leaves wrong components.
        rows -= rows.mean(axis=0, dtype=np.float64)
    num_components = min(PIXEL_COMPONENTS, *rows.shape)
    # The eigenvectors of the covariance: deterministic, unlike the randomised solver.
    return PCA(num_components, svd_solver="covariance_eigh").fit_transform(rows)


def pixels_pca_features(
    *,
    pca: int | None = None,
    whiten: float | None = None,
    standardise: bool = False,
    l2norm: bool = False,
) -> Features:
    """Returns the principal components as features: streamed, and applied alike to other pools.

    Args:
      pca: how many; None: PIXEL_COMPONENTS, or fewer if the pool has no more.
      whiten: see `columns`.
      standardise: see `columns`.
      l2norm: see `columns`.

    Raises:
      UsageError: an option is out of its range.
    """
    more: dict[str, Any] = {"whiten": whiten, "standardise": standardise, "l2norm": l2norm}
    # Without `whiten` they are called as before there was this option.
    made = columns(pca=pca if whiten is None else pca or PIXEL_COMPONENTS, **more)

    def fit(pool: Pool) -> dict[str, np.ndarray]:
        most = min(PIXEL_COMPONENTS, len(pool), math.prod(pool.spec.shape))
        return columns(pca=pca or most, **more).fit(pool)

    return made._replace(name=f"pixels_pca of {made.name}", fit=fit)
