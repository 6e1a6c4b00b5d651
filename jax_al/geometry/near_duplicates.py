"""How much of a query repeats what is owned already: a measure that no strategy can bend.

Images are compared by their thumbnails, so the measure needs no network and is the same for every
strategy, seed and episode of a data set.
"""

import functools

import numpy as np

SIDE = 8  # pixels of a thumbnail's longer side
CLOSEST = 0.05  # share of the pool whose nearest neighbour counts as a near-duplicate
_SAMPLE = 1_000  # points from which the radius is estimated
_AT_ONCE = 100  # points, against all others
_IN_CACHE = 100  # images


class NearDuplicates:
    """The pool as thumbnails, and the distance below which two of them are near-duplicates.

    That distance is the 5% quantile, over (a fixed sample of) the pool, of the distance to the
    nearest other image: what is closer than this is unusually close for this data set.

    Args:
      images: uint8 [N, H, W, channels], the pool.
    """

    def __init__(self, images: np.ndarray):
        self.thumbnails = thumbnails(images)

    @functools.cached_property
    def sq_radius(self) -> float:
        """The square of that distance; worked out when it is first asked for, which takes a second.

        0 where there is no other image.
        """
        N = len(self.thumbnails)
        if N == 1:
            return 0.0
        rng = np.random.default_rng(0)
        sample = np.sort(rng.choice(N, min(N, _SAMPLE), replace=False))
        parts = np.array_split(sample, -(-len(sample) // _AT_ONCE))
        nearest = [self._sq_to_nearest_other(rows) for rows in parts]
        return float(np.quantile(np.concatenate(nearest), CLOSEST))

    def share(self, owned: np.ndarray, picks: np.ndarray) -> float:
        """Returns the share of `picks` that are near-duplicates of an owned image or earlier pick.

        Args:
          owned: int [K], pool rows that were labeled before.
          picks: int [Q], pool rows in pick order, at least one.
        """
        rows = np.concatenate([owned, picks]).astype(int)
        theirs, found = self.thumbnails[rows], 0
        for first in range(0, len(picks), _AT_ONCE):  # all at once would be Q x (K + Q) distances
            places = len(owned) + np.arange(first, min(first + _AT_ONCE, len(picks)))
            sq = _sq_distances(theirs[places], theirs)
            is_earlier = np.arange(len(rows)) < places[:, None]
            found += int(((sq <= self.sq_radius) & is_earlier).any(axis=1).sum())
        return found / len(picks)

    def _sq_to_nearest_other(self, rows: np.ndarray) -> np.ndarray:
        sq = _sq_distances(self.thumbnails[rows], self.thumbnails)
        sq[np.arange(len(rows)), rows] = np.inf
        return sq.min(axis=1)


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


def _sq_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns squared distances, float64 [A, B] of a, b float32 [., F] that hold whole numbers.

    Products and sums of such numbers are exact in float64, so a copy is at distance 0 and the
    difference of large numbers loses nothing.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
