"""Features that some other tool has written to a .npy file."""

import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter.points import LARGEST
from jax_al.pools.rows import whole_index, whole_size
from jax_al.types import Pool


def features_of_file(path: str, pool: Pool) -> np.ndarray:
    """Reads the features of a pool.

    Args:
      path: a .npy file, a matrix with a row for each example of the pool, or for each of the whole
        of which the pool is a subset.
      pool: any pool.

    Returns:
      float32 [N, D].

    Raises:
      UsageError: the file does not hold one row of finite numbers for each example.
    """
    index, size = whole_index(pool), whole_size(pool)
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} cannot be read as a .npy file ({error}).") from error
    if not isinstance(rows, np.ndarray):
        raise UsageError(f"{path} is an archive of arrays; save the one matrix with np.save.")
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or rows.shape[1] < 1:
        raise UsageError(
            f"{path} must hold a matrix of numbers, a row for each image of the pool, and holds "
            f"{rows.dtype} {rows.shape}."
        )
    if len(rows) not in (len(pool), size):
        wanted = f"{size:,}" + (f" or {len(pool):,}" if len(pool) != size else "")
        raise UsageError(f"{path} has {len(rows):,} rows, but the pool has {wanted} images.")
    with np.errstate(over="ignore"):  # told below
        embedding = np.asarray(rows[index] if len(rows) == size else rows, np.float32)
    bad = np.flatnonzero(~np.isfinite(embedding).all(axis=1))
    if bad.size:
        raise UsageError(f"{path} holds NaN or infinity for image {index[bad[0]]} of the pool.")
    bad = np.flatnonzero((np.abs(embedding) > LARGEST).any(axis=1))
    if bad.size:
        raise UsageError(
            f"{path} holds a number beyond {LARGEST:g} for image {index[bad[0]]} of the pool: "
            "its square would overflow. Scale the features down."
        )
    return embedding
