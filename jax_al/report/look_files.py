"""Reads looks/ of a run: the pool, the maps, and what each episode looked at.

Nothing of it is needed for the numbers, and a file may be damaged, or made by another tool. So it
is held against the pool here, once, and what passes can be drawn without a second thought.
"""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jax_al.errors import UsageError


class Pool(NamedTuple):
    """What looks/pool.npz holds, the same for all seeds."""

    labels: np.ndarray  # int [N], -1 where nobody knows
    index: np.ndarray  # type: ignore[assignment]  # int64 [N], in the whole pool, rising
    class_names: list[str]  # [C]
    ids: list[str]  # [N], none where they are not on record

    def rows(self, indices: Sequence[int]) -> np.ndarray:
        """Returns int64 [at most Q], the rows of Q whole-pool indices, without unknown ones."""
        wanted = np.asarray(indices, np.int64)
        rows = np.minimum(np.searchsorted(self.index, wanted), len(self.index) - 1)
        return rows[self.index[rows] == wanted]


class Look(NamedTuple):
    """What an episode_EEE.npz holds: why an episode picked what it did."""

    rows: np.ndarray  # int64 [Q], in the pool, in pick order
    score: np.ndarray  # float32 [Q], nan if there is none
    predicted: np.ndarray  # int32 [Q], -1 if unknown
    images: np.ndarray | None  # uint8 [K, H, W, channels], of the first K picks


def read_pool(path: pathlib.Path) -> Pool | None:
    """Returns looks/pool.npz of a workdir, or None if there is none.

    Raises:
      UsageError: it cannot be read, or is not a pool.
    """
    file = path / "looks" / "pool.npz"
    found = _read_npz(file, ("index", "class_names"), ("labels", "ids"))
    if found is None:
        return None
    index, names = found["index"], found["class_names"]
    labels = found.get("labels", np.full(index.shape, -1))
    ids = found.get("ids")
    whole = _is_whole(labels) and _is_whole(index) and labels.shape == index.shape
    if not (whole and len(index) and names.ndim == 1 and _is_within(labels, -1, len(names))):
        raise UsageError(f"{file} does not hold a pool: labels, index and class_names.")
    if ids is not None and ids.shape != index.shape:
        raise UsageError(f"{file} does not hold an id for each point of the pool.")
    if (np.diff(index) <= 0).any():
        raise UsageError(f"The index in {file} does not rise.")
    return Pool(labels, index, _texts(names), [] if ids is None else _texts(ids))


def read_map(looks: pathlib.Path, pool: Pool) -> tuple[np.ndarray, str] | None:
    """Returns the 2-D map [N, 2] in the looks of a seed and the name of its embedding, or None.

    Raises:
      UsageError: it cannot be read, or is not a map of `pool`.
    """
    file = looks / "map.npz"
    found = _read_npz(file, ("map", "embedding"))
    if found is None:
        return None
    points, name = found["map"], found["embedding"]
    if points.shape != (len(pool.index), 2):
        raise UsageError(
            f"The map in {file} has shape {points.shape}, but the pool has {len(pool.index)} "
            "points."
        )
    if points.dtype.kind not in "fiu" or not np.isfinite(points).all():
        raise UsageError(f"The map in {file} holds values that are not finite numbers.")
    return points, str(name)


def look_files(looks: pathlib.Path) -> dict[int, pathlib.Path]:
    """Returns {episode: the file of what there is to see of it} of a seed, in order."""
    files = looks.glob("episode_*.npz")
    numbered = {file.stem.removeprefix("episode_"): file for file in files}
    return {int(number): numbered[number] for number in sorted(numbered) if number.isdecimal()}


def read_look(file: pathlib.Path, pool: Pool) -> Look | None:
    """Returns what there is to see of an episode, or None if the file is gone.

    Raises:
      UsageError: it cannot be read, or does not belong to `pool`.
    """
    found = _read_npz(file, ("rows", "score", "predicted"), ("images",))
    if found is None:
        return None
    look = Look(found["rows"], found["score"], found["predicted"], found.get("images"))
    if not _is_look(look, pool):
        raise UsageError(f"{file} does not hold the picks of an episode from this pool.")
    return look


def _is_look(look: Look, pool: Pool) -> bool:
    rows, score, predicted, images = look
    return (
        _is_whole(rows)
        and _is_whole(predicted)
        and score.dtype.kind == "f"
        and rows.shape == score.shape == predicted.shape
        and _is_within(rows, 0, len(pool.index))
        and _is_within(predicted, -1, len(pool.class_names))
        and (images is None or (_are_images(images) and len(images) <= len(rows)))
    )


def _are_images(images: np.ndarray) -> bool:
    return (
        images.dtype == np.uint8
        and images.ndim == 4
        and images.shape[3] in (1, 2, 3, 4)
        and min(images.shape[1:]) > 0
    )


def _is_whole(array: np.ndarray) -> bool:
    return array.ndim == 1 and array.dtype.kind in "iu"


def _is_within(array: np.ndarray, least: int, limit: int) -> bool:
    return bool(((array >= least) & (array < limit)).all())


def _texts(array: np.ndarray) -> list[str]:
    return [str(text) for text in array]


def _read_npz(
    path: pathlib.Path, names: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray] | None:
    """Returns the arrays `names` and those of `optional` that are there; None without a file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in (*names, *(set(optional) & set(file.files)))}
    except FileNotFoundError:
        return None
    except KeyError as error:
        raise UsageError(f"{path} lacks an array: {error.args[0]}.") from error
    except Exception as error:  # zip, zlib, struct and numpy fail in a kind of their own each
        raise UsageError(f"{path} is not a readable .npz file.") from error
