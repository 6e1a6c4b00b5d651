"""How much of a query repeats what is owned already: a measure that no strategy can bend.

Images are compared by their thumbnails, so the measure needs no network and is the same for every
strategy, seed and episode of a data set. Of pools of anything else it says nothing.
"""

import functools

import numpy as np

from jax_al.types import Pool

SIDE = 8  # pixels of a thumbnail's longer side
CLOSEST = 0.05  # share of the pool whose nearest neighbour counts as a near-duplicate
_SAMPLE = 1_000  # points from which the radius is estimated
_AT_ONCE = 100  # points, against all others
_READ = 1_000  # images read together
_IN_CACHE = 100  # images
_KEPT = 200_000  # images whose thumbnails are kept; of a larger pool they are made when wanted


class NearDuplicates:
    """The pool as thumbnails, and the distance below which two of them are near-duplicates.

    That distance is the 5% quantile, over (a fixed sample of) the pool, of the distance to the
    nearest other image: what is closer than this is unusually close for this data set.

    Rows of a table have no thumbnails, and their columns no common unit: there is no such distance
    and no share then, and nothing is read.

    Args:
      pool: the pool, read once, in blocks, and of a large one the rows asked for again; or its
        images, uint8 [N, H, W, channels].
    """

    def __init__(self, pool: Pool | np.ndarray):
        self.thumbnails: np.ndarray | None = None  # float32 [N, F], where they are kept
        self._pool = pool
        if isinstance(pool, np.ndarray):
            self.thumbnails = thumbnails(pool)
        elif self._has_images and len(pool) <= _KEPT:
            self.thumbnails = self._of(np.arange(len(pool)))

    @functools.cached_property
    def sq_radius(self) -> float:
        """The square of that distance; worked out when it is first asked for, which takes a second.

        0 where there is no other image; NaN where there are no images.
        """
        if not self._has_images:
            return np.nan
        N = len(self._pool)
        if N == 1:
            return 0.0
        rng = np.random.default_rng(0)
        sample = np.sort(rng.choice(N, min(N, _SAMPLE), replace=False))
        mine, nearest = self._of(sample), np.full(len(sample), np.inf)
        for piece in _pieces(N):
            sq = _sq_distances(mine, self._of(np.arange(piece.start, piece.stop)))
            here = np.flatnonzero((sample >= piece.start) & (sample < piece.stop))
            sq[here, sample[here] - piece.start] = np.inf  # to itself
            nearest = np.minimum(nearest, sq.min(axis=1))
        return float(np.quantile(nearest, CLOSEST))

    def share(self, owned: np.ndarray, picks: np.ndarray) -> float | None:
        """Returns the share of `picks` that are near-duplicates of an owned image or earlier pick.

        None where the pool holds no images.

        Args:
          owned: int [K], pool rows that were labeled before.
          picks: int [Q], pool rows in pick order, at least one.
        """
        if not self._has_images:
            return None
        rows = np.concatenate([owned, picks]).astype(int)
        theirs, found = self._of(rows), 0
        for first in range(0, len(picks), _AT_ONCE):  # all at once would be Q x (K + Q) distances
            places = len(owned) + np.arange(first, min(first + _AT_ONCE, len(picks)))
            sq = _sq_distances(theirs[places], theirs)
            is_earlier = np.arange(len(rows)) < places[:, None]
            found += int(((sq <= self.sq_radius) & is_earlier).any(axis=1).sum())
        return found / len(picks)

    @property
    def _has_images(self) -> bool:
        return isinstance(self._pool, np.ndarray) or self._pool.spec.is_image

    def _of(self, rows: np.ndarray) -> np.ndarray:
        """Thumbnails float32 [n, F] of rows int [n]."""
        if self.thumbnails is not None:
            return self.thumbnails[rows]
        assert not isinstance(self._pool, np.ndarray)
        read = self._pool.read
        return np.concatenate([thumbnails(read(rows[piece])) for piece in _pieces(len(rows))])


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Returns images [N, H, W, channels] summed over blocks of pixels, float32 [N, F].

    Blocks are the smallest squares that leave at most 8 of them a side; what is beyond the last
    whole block is cut off. Sums of uint8 are whole numbers, so that copies are equal bit for bit.
    """
    N, height, width, channels = images.shape
    block = -(-max(height, width) // SIDE)
    rows, columns = max(height // block, 1), max(width // block, 1)
    found = np.empty((N, rows * columns * channels), np.float32)
    # Line by line over some images at a time: an eighth of the time of one sum over two axes.
    for first in range(0, N, _IN_CACHE):
        part = images[first : first + _IN_CACHE, : rows * block, : columns * block]
        # Narrow images have fewer lines or columns than a block.
        blocks = part.reshape(
            len(part), rows, part.shape[1] // rows, columns, part.shape[2] // columns, channels
        )
        lines = functools.reduce(np.add, np.moveaxis(blocks, 2, 0).astype(np.uint32))
        sums = functools.reduce(np.add, np.moveaxis(lines, 3, 0))
        found[first : first + len(part)] = sums.reshape(len(part), -1)
    return found


def _pieces(size: int) -> list[slice]:
    """0..size-1 in slices of images that are read together."""
    return [slice(start, min(start + _READ, size)) for start in range(0, size, _READ)]


def _sq_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns squared distances, float64 [A, B] of a, b float32 [., F] that hold whole numbers.

    Products and sums of such numbers are exact in float64, so a copy is at distance 0 and the
    difference of large numbers loses nothing.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
