"""How much of a query repeats what is owned already: a measure that no strategy can bend.

Images are compared by their thumbnails, so the measure needs no network and is the same for every
strategy, seed and episode of a data set.
"""

import numpy as np

SIDE = 8  # pixels of a thumbnail's longer side
CLOSEST = 0.05  # share of the pool whose nearest neighbour counts as a near-duplicate
_SAMPLE = 1_000  # points from which the radius is estimated
_AT_ONCE = 100  # of them, against the whole pool


class NearDuplicates:
    """The pool as thumbnails, and the distance below which two of them are near-duplicates.

    That distance is the 5% quantile, over (a fixed sample of) the pool, of the distance to the
    nearest other image: what is closer than this is unusually close for this data set.

    Args:
      images: uint8 [N, H, W, channels], the pool.
    """

    def __init__(self, images: np.ndarray):
        self.thumbnails = thumbnails(images)
        self.sq_radius = 0.0
        rng = np.random.default_rng(0)
        N = len(images)
        sample = np.sort(rng.choice(N, min(N, _SAMPLE), replace=False))
        if N > 1:
            parts = np.array_split(sample, -(-len(sample) // _AT_ONCE))
            nearest = [self._sq_to_nearest_other(rows) for rows in parts]
            self.sq_radius = float(np.quantile(np.concatenate(nearest), CLOSEST))

    def share(self, owned: np.ndarray, picks: np.ndarray) -> float:
        """Returns the share of `picks` that are near-duplicates of an owned image or earlier pick.

        Args:
          owned: int [K], pool rows that were labeled before.
          picks: int [Q], pool rows in pick order, at least one.
        """
        Q = len(picks)
        rows = np.concatenate([owned, picks]).astype(int)
        sq = _sq_distances(self.thumbnails[picks], self.thumbnails[rows])
        earlier = np.arange(len(rows)) < len(owned) + np.arange(Q)[:, None]
        return float(((sq <= self.sq_radius) & earlier).any(axis=1).mean())

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
    whole = images[:, : rows * block, : columns * block]
    blocks = whole.reshape(N, rows, -1, columns, whole.shape[2] // columns, channels)
    return blocks.sum(axis=(2, 4), dtype=np.float32).reshape(N, -1)


def _sq_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns squared distances, float64 [A, B] of a, b float32 [., F] that hold whole numbers.

    Products and sums of such numbers are exact in float64, so a copy is at distance 0 and the
    difference of large numbers loses nothing.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    return (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
