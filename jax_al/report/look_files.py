"""Reads looks/ of a workdir: the pool, the maps, and what each episode looked at.

Nothing of it is needed for the numbers, and a file may be damaged, or made by another tool. So it
is held against the pool here, once, and what passes can be drawn without a second thought.
"""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jax_al.report.errors import ReportError


class Pool(NamedTuple):
    """What looks/pool.npz holds, the same for all seeds."""

    labels: np.ndarray  # int32 [N]
    index: np.ndarray  # type: ignore[assignment]  # int64 [N], in the whole pool, rising
    class_names: list[str]  # [C]

    def rows(self, indices: Sequence[int]) -> np.ndarray:
        """Returns int64 [at most Q], the rows of Q whole-pool indices, without unknown ones."""
        wanted = np.asarray(indices, np.int64)
        rows = np.minimum(np.searchsorted(self.index, wanted), len(self.index) - 1)
        return rows[self.index[rows] == wanted]


class Look(NamedTuple):
    """What looks/seed_S/episode_EEE.npz holds: why an episode picked what it did."""

    rows: np.ndarray  # int64 [Q], in the pool, in pick order
    score: np.ndarray  # float32 [Q], nan if there is none
    predicted: np.ndarray  # int32 [Q], -1 if unknown
    images: np.ndarray  # uint8 [K, H, W, channels], of the first K picks


def read_pool(path: pathlib.Path) -> Pool | None:
    """Returns looks/pool.npz of a workdir, or None if there is none.

    Raises:
      ReportError: it cannot be read, or is not a pool.
    """
    file = path / "looks" / "pool.npz"
    arrays = _read_npz(file, Pool._fields)
    if arrays is None:
        return None
    labels, index, names = arrays
    whole = _is_whole(labels) and _is_whole(index) and labels.shape == index.shape
    if not (whole and len(index) and names.ndim == 1 and _below(labels, len(names))):
        raise ReportError(f"{file} does not hold a pool: labels, index and class_names.")
    if (np.diff(index) <= 0).any():
        raise ReportError(f"The index in {file} does not rise.")
    return Pool(labels, index, [str(name) for name in names])


def read_map(path: pathlib.Path, seed: int, pool: Pool) -> tuple[np.ndarray, str] | None:
    """Returns the 2-D map [N, 2] of a seed and the name of its embedding, or None.

    Raises:
      ReportError: it cannot be read, or is not a map of `pool`.
    """
    file = path / "looks" / f"seed_{seed}" / "map.npz"
    arrays = _read_npz(file, ("map", "embedding"))
    if arrays is None:
        return None
    points, name = arrays
    if points.shape != (len(pool.index), 2):
        raise ReportError(
            f"The map in {file} has shape {points.shape}, but the pool has {len(pool.index)} "
            "points."
        )
    if points.dtype.kind not in "fiu" or not np.isfinite(points).all():
        raise ReportError(f"The map in {file} holds values that are not finite numbers.")
    return points, str(name)


def look_files(path: pathlib.Path, seed: int) -> dict[int, pathlib.Path]:
    """Returns {episode: the file of what there is to see of it} of a seed, in order."""
    files = (path / "looks" / f"seed_{seed}").glob("episode_*.npz")
    numbered = {file.stem.removeprefix("episode_"): file for file in files}
    return {int(number): numbered[number] for number in sorted(numbered) if number.isdecimal()}


def read_look(file: pathlib.Path, pool: Pool) -> Look | None:
    """Returns what there is to see of an episode, or None if the file is gone.

    Raises:
      ReportError: it cannot be read, or does not belong to `pool`.
    """
    arrays = _read_npz(file, Look._fields)
    if arrays is None:
        return None
    look = Look(*arrays)
    if not _is_look(look, pool):
        raise ReportError(f"{file} does not hold the picks of an episode from this pool.")
    return look


def _is_look(look: Look, pool: Pool) -> bool:
    rows, score, predicted, images = look
    return (
        _is_whole(rows)
        and _is_whole(predicted)
        and score.dtype.kind == "f"
        and rows.shape == score.shape == predicted.shape
        and _below(rows, len(pool.index))
        and _below(predicted + 1, len(pool.class_names) + 1)
        and images.dtype == np.uint8
        and images.ndim == 4
        and images.shape[3] in (1, 2, 3, 4)
        and min(images.shape[1:]) > 0
        and len(images) <= len(rows)
    )


def _is_whole(array: np.ndarray) -> bool:
    return array.ndim == 1 and array.dtype.kind in "iu"


def _below(array: np.ndarray, limit: int) -> bool:
    return bool(((array >= 0) & (array < limit)).all())


def _read_npz(path: pathlib.Path, names: Sequence[str]) -> list[np.ndarray] | None:
    try:
        with np.load(path, allow_pickle=False) as file:
            return [file[name] for name in names]
    except FileNotFoundError:
        return None
    except KeyError as error:
        raise ReportError(f"{path} lacks an array: {error.args[0]}.") from error
    except Exception as error:  # zip, zlib, struct and numpy fail in a kind of their own each
        raise ReportError(f"{path} is not a readable .npz file.") from error
