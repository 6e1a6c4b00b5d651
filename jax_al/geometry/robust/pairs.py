"""Which points could be covered by which centers, at any radius that is of interest."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.geometry.kcenter.distances import matmul_slack, sq_accurate_host, sq_norms, underflow
from jax_al.geometry.kcenter.lazy import sq_to_nearest
from jax_al.geometry.kcenter.points import Points

TILE = 4096  # distances are looked through in tiles of [TILE, TILE]


class Pairs(NamedTuple):
    """Who could cover whom."""

    to_existing: np.ndarray  # float64 [N], distance to the nearest existing center if beyond
    # the lowest radius of interest, else any number below that
    point: np.ndarray  # int64 [P], a point to be covered
    center: np.ndarray  # int64 [P], a center that could cover it
    distance: np.ndarray  # float64 [P]


def list_pairs(
    matrix: Points, existing: np.ndarray, low: float, high: float, most: int
) -> tuple[Pairs | None, float]:
    """All pairs that matter at any radius from `low` to `high`, and `low`; None: too many."""
    if len(existing):
        floor = np.float32(np.square(low * (1 - 1e-6)))
        to_existing = np.sqrt(sq_to_nearest(matrix, existing, floor).astype(np.float64))
    else:
        to_existing = np.full(matrix.N, np.inf)
    reach = np.minimum(to_existing, high)
    wanted = np.flatnonzero(to_existing > low)
    mean = jnp.asarray(matrix.mean)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    count = 0
    for start in range(0, matrix.N, TILE):
        candidates = jnp.asarray(matrix.take(slice(start, start + TILE)))
        for first in range(0, len(wanted), TILE):
            rows = wanted[first : first + TILE]
            block = matrix.take(rows)
            limit = (reach[rows] * (1 + 1e-3)).astype(np.float32)
            near = np.asarray(_may_reach(block, candidates, mean, limit))
            who, whom = np.nonzero(near)
            count += len(who)
            if count > most:
                return None, low
            own, theirs = np.asarray(block), np.asarray(candidates)
            for part in range(0, len(who), TILE):
                a, b = who[part : part + TILE], whom[part : part + TILE]
                distance = np.sqrt(sq_accurate_host(own[a] - theirs[b]).astype(np.float64))
                inside = distance <= reach[rows[a]]
                found.append((rows[a][inside], start + b[inside], distance[inside]))
    point, center, distance = (np.concatenate(part) for part in zip(*found, strict=True))
    return Pairs(to_existing, point, center, distance), low


@jax.jit
def _may_reach(
    block: jax.Array, candidates: jax.Array, mean: jax.Array, limit: jax.Array
) -> jax.Array:
    """Which pairs [A, B] may be within limit [A]: by lower bounds, so none is missed."""
    a, b = block - mean[None, :], candidates - mean[None, :]
    keep = 1 - matmul_slack(block.shape[1])
    lower = keep * sq_norms(a)[:, None] + keep * sq_norms(b)[None, :]
    lower -= 2 * jnp.dot(a, b.T, precision=jax.lax.Precision.HIGHEST)
    return lower - underflow(block.shape[1]) <= jnp.square(limit)[:, None]


def distances_to(pairs: Pairs, centers: np.ndarray) -> np.ndarray:
    """Distance [N] to the nearest center, new or existing (new ones as far as pairs tell)."""
    reached = pairs.to_existing.copy()
    chosen = np.isin(pairs.center, centers)
    np.minimum.at(reached, pairs.point[chosen], pairs.distance[chosen])
    return reached


def next_distance(pairs: Pairs, radius: float, high: float) -> float:
    """The smallest distance above `radius` that could be a radius."""
    beyond = [d[d > radius].min(initial=high) for d in (pairs.distance, pairs.to_existing)]
    return float(min(high, *beyond))
