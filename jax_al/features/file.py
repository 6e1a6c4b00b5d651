"""Features that some other tool has written to a .npy file."""

import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter.points import LARGEST
from jax_al.pools.arrays import blocks_of
from jax_al.pools.rows import RowPool, whole_index, whole_size
from jax_al.types import Pool, Spec


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
    return rows_of_file(path, pool).read(slice(None))


def rows_of_file(path: str, pool: Pool, ids: str | None = None) -> RowPool:
    """Returns the features of a pool as a pool of its own, which is mapped and not read whole.

    Args:
      path: as of `features_of_file`; with `ids`, a matrix of any rows.
      pool: any pool.
      ids: a .npy file with the id of each row of the matrix, str or whole numbers; there may be
        more than the pool has, in any order. None: rows go by their order.

    Raises:
      UsageError: the file does not hold one row of finite numbers for each example.
    """
    rows = _matrix(path)
    place = _places(path, len(rows), pool) if ids is None else _by_ids(ids, rows, pool)
    _check(path, rows, place, whole_index(pool))

    def fetch(wanted: np.ndarray | slice) -> np.ndarray:
        with np.errstate(over="ignore"):  # what is beyond float32 has been refused
            return np.asarray(rows[place[wanted]], np.float32, order="C")

    return RowPool(len(pool), Spec((rows.shape[1],), np.dtype(np.float32)), fetch)


def _matrix(path: str) -> np.ndarray:
    rows = _array(path)
    if rows.ndim != 2 or rows.dtype.kind not in "fiu" or rows.shape[1] < 1:
        raise UsageError(
            f"{path} must hold a matrix of numbers, a row for each image of the pool, and holds "
            f"{rows.dtype} {rows.shape}."
        )
    return rows


def _array(path: str) -> np.ndarray:
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} cannot be read as a .npy file ({error}).") from error
    if not isinstance(rows, np.ndarray):
        raise UsageError(f"{path} is an archive of arrays; save the one matrix with np.save.")
    return rows.view(np.ndarray)


def _places(path: str, found: int, pool: Pool) -> np.ndarray:
    """Rows of the file int64 [N], by their order."""
    size = whole_size(pool)
    if found not in (len(pool), size):
        wanted = f"{size:,}" + (f" or {len(pool):,}" if len(pool) != size else "")
        raise UsageError(f"{path} has {found:,} rows, but the pool has {wanted} images.")
    return whole_index(pool) if found == size else np.arange(len(pool))


def _by_ids(path: str, rows: np.ndarray, pool: Pool) -> np.ndarray:
    """Rows of the file int64 [N], by their ids."""
    ids = _array(path)
    if ids.shape != (len(rows),) or ids.dtype.kind not in "SUiu":
        raise UsageError(
            f"{path} must hold an id, text or a whole number, for each of {len(rows):,} rows, and "
            f"holds {ids.dtype} {ids.shape}."
        )
    try:
        names = (np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids).tolist()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} holds ids that are no UTF-8: save them as text.") from error
    places = {str(name): row for row, name in enumerate(names)}
    if len(places) < len(names):
        raise UsageError(f"{path} names one id twice: the rows of a file need distinct ids.")
    missing = next((name for name in pool.ids if name not in places), None)
    if missing is not None:
        raise UsageError(f"{path} does not name the example {missing!r} of the pool.")
    return np.array([places[name] for name in pool.ids], np.int64)


def _check(path: str, rows: np.ndarray, place: np.ndarray, index: np.ndarray) -> None:
    for block in blocks_of(len(place), 4 * rows.shape[1]):
        with np.errstate(over="ignore"):  # told below
            read = np.asarray(rows[place[block]], np.float32)
        bad = np.flatnonzero(~np.isfinite(read).all(axis=1))
        if bad.size:
            image = index[block][bad[0]]
            raise UsageError(f"{path} holds NaN or infinity for image {image} of the pool.")
        bad = np.flatnonzero((np.abs(read) > LARGEST).any(axis=1))
        if bad.size:
            raise UsageError(
                f"{path} holds a number beyond {LARGEST:g} for image {index[block][bad[0]]} of the "
                "pool: its square would overflow. Scale the features down."
            )
