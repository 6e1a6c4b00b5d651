"""Rows that lie close to each other, gathered into groups."""

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.within import within

_BLOCK = 2048  # rows that are compared with as many others at a time


def groups_within(points: np.ndarray, radius: float) -> np.ndarray:
    """Returns the lowest row of each row's group, int32 [N].

    Rows that are no further than `radius` from each other are of one group, and so are all that a
    chain of such pairs links (single linkage): rows at the ends of a chain may be far apart.

    Every pair is looked at once, in blocks: O(N^2 D), a copy of the matrix and some 100 MB of
    memory. A row that lies away from all others is a group of its own.

    Args:
      points: [N, D], cast to float32, finite.
      radius: euclidean, 0 or more.

    Raises:
      UsageError: an argument is not as above.
    """
    points = np.asarray(points, np.float32)
    if points.ndim != 2 or 0 in points.shape:
        raise UsageError(f"points must be a matrix [N, D], not {list(points.shape)}.")
    if not np.isfinite(points).all():
        raise UsageError("points holds NaN or infinity: replace it.")
    if not radius >= 0:
        raise UsageError(f"radius is {radius!r}, but must be 0 or more.")
    N = len(points)
    size = min(_BLOCK, N)
    rows = jnp.asarray(points)
    center, sq_limit = rows.mean(axis=0), jnp.float32(radius**2)
    # The last block overlaps the one before it, so that all are of one shape.
    starts = [min(start, N - size) for start in range(0, N, size)]
    root = np.arange(N, dtype=np.int32)
    for number, first in enumerate(starts):
        a = rows[first : first + size]
        for second in starts[number:]:
            near = _within(a, rows[second : second + size], center, sq_limit)
            here, there = np.divmod(np.flatnonzero(near), size)
            root = _joined(root, here + first, there + second)
    return root


_within = jax.jit(within)


def _joined(root: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the lowest row of each row's group, where `a` and `b` int [P] are linked as well."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b = root[a], root[b]
    is_new = a != b
    if not is_new.any():
        return root
    a, b = a[is_new], b[is_new]
    links = coo_array((np.ones(len(a), bool), (a, b)), shape=(len(root), len(root)))
    _, group = connected_components(links, directed=False)
    _, lowest = np.unique(group, return_index=True)
    return lowest.astype(np.int32)[group][root]
