"""Embeddings that do not come from the network being trained: for when labels are few.

A strategy names the embedding it wants: "model", the network of the episode; "random_net", one
with initial weights (the learner makes it, one for all seeds, so intervals over seeds leave its
chance out); "pixels_pca"; or a .npy file with the features of some
other tool. All but the first are the same in every episode.
"""

import pathlib

import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter.points import LARGEST

PIXEL_COMPONENTS = 64  # dimensions of "pixels_pca": 85 to 90 % of the variance of CIFAR-10


def check_embedding(source: str) -> None:
    """Makes sure that `source` can be an embedding.

    Raises:
      UsageError: it is none of the names, and no file either.
    """
    if source in ("model", "random_net", "pixels_pca"):
        return
    if not source.endswith(".npy"):
        raise UsageError(
            f"config.strategy_args.embedding is {source!r}, but must be model, random_net, "
            "pixels_pca or the path of a .npy file."
        )
    if not pathlib.Path(source).is_file():
        raise UsageError(
            f"config.strategy_args.embedding names {source}, and there is no such file."
        )


def fixed_embedding(
    source: str, images: np.ndarray, index: np.ndarray, whole_size: int
) -> np.ndarray | None:
    """Returns the embedding of the pool that `source` names, or None if a network makes it.

    Args:
      source: "model", "random_net", "pixels_pca" or the path of a .npy file [N or whole_size, D].
      images: uint8 [N, H, W, channels], the pool.
      index: int64 [N], where each point is in the whole pool.
      whole_size: how many points the whole pool has.

    Returns:
      float32 [N, D].

    Raises:
      UsageError: the file does not hold one row of finite numbers for each point of the pool.
    """
    check_embedding(source)
    if source in ("model", "random_net"):
        return None
    if source == "pixels_pca":
        return _pixels_pca(images)
    try:
        rows = np.load(source, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{source} cannot be read as a .npy file ({error}).") from error
    if not isinstance(rows, np.ndarray):
        raise UsageError(f"{source} is an archive of arrays; save the one matrix with np.save.")
    numeric = rows.dtype.kind in "fiu"
    if rows.ndim != 2 or not numeric or rows.shape[1] < 1:
        raise UsageError(
            f"{source} must hold a matrix of numbers, a row for each image of the pool, and holds "
            f"{rows.dtype} {rows.shape}."
        )
    if len(rows) not in (len(index), whole_size):
        wanted = f"{whole_size:,}" + (f" or {len(index):,}" if len(index) != whole_size else "")
        raise UsageError(f"{source} has {len(rows):,} rows, but the pool has {wanted} images.")
    with np.errstate(over="ignore"):  # told below
        embedding = np.asarray(rows[index] if len(rows) == whole_size else rows, np.float32)
    bad = np.flatnonzero(~np.isfinite(embedding).all(axis=1))
    if bad.size:
        raise UsageError(f"{source} holds NaN or infinity for image {index[bad[0]]} of the pool.")
    bad = np.flatnonzero((np.abs(embedding) > LARGEST).any(axis=1))
    if bad.size:
        raise UsageError(
            f"{source} holds a number beyond {LARGEST:g} for image {index[bad[0]]} of the pool: "
            "its square would overflow. Scale the features down."
        )
    return embedding


def _pixels_pca(images: np.ndarray) -> np.ndarray:
    from sklearn.decomposition import PCA  # heavy, and few runs want it

    pixels = images.reshape(len(images), -1).astype(np.float32) / 255
    num_components = min(PIXEL_COMPONENTS, *pixels.shape)
    # The eigenvectors of the covariance: deterministic, unlike the randomised solver.
    return PCA(num_components, svd_solver="covariance_eigh").fit_transform(pixels)
