"""Pictures that are nearly the same: saved anew, made smaller, a little brighter or cut.

A picture is compared by what 8 x 8 blocks of its square have on average, in each color less the
average of that color, scaled to length 1: brightness, contrast and tint do not count, and what is
smaller than a block hardly. The distance of two pictures is then sqrt(2 - 2 r), r their
correlation. How many altered pictures are found, and that no two others are: benchmarks/near.py.
"""

import hashlib
import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jax_al.durable import replacing
from jax_al.errors import UsageError
from jax_al.geometry.groups import groups_within
from jax_al.geometry.near_duplicates import thumbnails
from jax_al.people.ledger_pool import LedgerPool
from jax_al.pools.arrays import blocks_of
from jax_al.types import Pool

NEAR = 0.15  # a correlation of 0.989
FLAT = 4.0  # gray levels: what varies less, a blank page or a night, is like no other picture
_VERSION = 1  # of how pictures are compared


def near_duplicates(pool: Pool, near: float = NEAR) -> np.ndarray:
    """Returns the lowest row of the pictures that each row is nearly the same as, int32 [N].

    A row that is like no other is its own. Pictures that a chain of near duplicates links are one
    group, as those that a camera takes within a second.

    Args:
      pool: of images; read once, in blocks.
      near: the distance up to which two pictures are near duplicates, from 0 to 2.

    Raises:
      UsageError: the examples are no images, or `near` is out of its range.
    """
    if not pool.spec.is_image:
        raise UsageError("Near duplicates are found among pictures, and this pool holds none.")
    if not 0 <= near <= 2:
        raise UsageError(f"near is {near!r}, but must lie between 0 and 2.")
    reads = blocks_of(len(pool), math.prod(pool.spec.shape))
    points, flat = map(
        np.concatenate, zip(*(fingerprints(pool.read(rows)) for rows in reads), strict=True)
    )
    found = np.arange(len(pool), dtype=np.int32)
    compared = np.flatnonzero(~flat).astype(np.int32)
    if compared.size:
        found[compared] = compared[groups_within(points[compared], near)]
    return found


def kept_near_duplicates(
    path: Path, pool: LedgerPool, near: float = NEAR, tell: Callable[[], None] = lambda: None
) -> np.ndarray:
    """Returns what `near_duplicates` does, from the file `path` where nothing has changed since.

    Args:
      path: of a .npz file, written where it is not that of these pictures.
      pool: of a project, of pictures.
      near: see `near_duplicates`.
      tell: is called where they are not known yet, before they are looked for.

    Raises:
      UsageError: as there.
      OSError: the file cannot be written.
    """
    content = (_VERSION, near, pool.spec.shape, pool.sha256, sorted(pool.missing))
    key = hashlib.sha256(repr(content).encode()).hexdigest()
    try:
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["key"]) == key:
                return kept["lowest"]
    except (OSError, ValueError, LookupError, EOFError, zipfile.BadZipFile):
        pass  # not there yet, or damaged
    tell()
    lowest = near_duplicates(pool, near)
    with replacing(path) as file:
        np.savez(file, key=np.array(key), lowest=lowest)
    return lowest


def fingerprints(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns what pictures are compared by, float32 [n, F] of length 1, and who is flat, bool [n].

    Args:
      images: uint8 [n, H, W, channels].
    """
    channels = images.shape[-1]
    sums = thumbnails(images).reshape(len(images), -1, channels)
    block = -(-max(images.shape[1:3]) // 8)
    levels = sums / block**2
    levels -= levels.mean(axis=1, keepdims=True)
    levels = levels.reshape(len(images), -1)
    length = np.linalg.norm(levels, axis=1)
    flat = length < FLAT * math.sqrt(levels.shape[1])
    return levels / np.maximum(length, 1e-6)[:, None], flat


def groups_of(lowest: np.ndarray) -> list[tuple[int, ...]]:
    """Returns the groups of two rows or more, each rising, from what `near_duplicates` returns."""
    order = np.argsort(lowest, kind="stable")
    cuts = np.flatnonzero(np.diff(lowest[order])) + 1
    return [tuple(rows.tolist()) for rows in np.split(order, cuts) if len(rows) > 1]
