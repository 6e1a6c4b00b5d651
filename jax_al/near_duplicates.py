"""How much of a query repeats what is owned already: a measure that no strategy can bend.

Images are compared by their thumbnails, so the measure needs no network and is the same for every
strategy, seed and episode of a data set.
"""

import numpy as np

SIDE = 8  # pixels of a thumbnail's longer side
CLOSEST = 0.05  # share of the pool whose nearest neighbour counts as a near-duplicate
_SAMPLE = 1_000  # points from which the radius is estimated


class NearDuplicates:
    """The pool as thumbnails, and the distance below which two of them are near-duplicates.

    That distance is the 5% quantile, over (a fixed sample of) the pool, of the distance to the
    nearest other image: what is closer than this is unusually close for this data set.

    Args:
      images: uint8 [N, H, W, channels], the pool.
    """

    def __init__(self, images: np.ndarray):
        self.thumbnails = thumbnails(images)
        rng = np.random.default_rng(0)
        N = len(images)
        sample = np.sort(rng.choice(N, min(N, _SAMPLE), replace=False))
        sq = _sq_distances(self.thumbnails[sample], self.thumbnails)
        sq[np.arange(len(sample)), sample] = np.inf
        self.sq_radius = float(np.quantile(sq.min(axis=1), CLOSEST)) if N > 1 else 0.0

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


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Returns images [N, H, W, channels] averaged over blocks, float32 [N, F], in pixel units.

    Blocks are the smallest squares that leave at most 8 pixels a side; what is beyond the last
    whole block is cut off.
    """
    N, height, width, channels = images.shape
    block = -(-max(height, width) // SIDE)
    rows, columns = max(height // block, 1), max(width // block, 1)
    whole = images[:, : rows * block, : columns * block]
    blocks = whole.reshape(N, rows, -1, columns, whole.shape[2] // columns, channels)
    return blocks.mean(axis=(2, 4), dtype=np.float32).reshape(N, -1)


def _sq_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns squared distances [A, B]; exact to rounding, never below zero."""
    sq = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.maximum(sq, 0)
