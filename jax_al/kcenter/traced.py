"""Greedy k-center inside a jitted program: static shapes, traced counts, one seed (vmap it).

The picks are those of `kcenter_greedy`: both decide on the accurate distances of
`jax_al.kcenter.distances`. But here every point is compared with every center, in the matmul
form, and laziness is left to the accurate distances: only a point whose upper bound is the
largest of all is settled (lazy greedy: Minoux 1978). At an active learner's sizes that is already
a quarter of a second; the lazy engine's blocks want shapes that change from round to round.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.kcenter.distances import matmul_slack, sq_accurate, sq_norms

CENTER_BLOCK = 128  # centers per matmul: [N, 128] float32 is the largest temporary
SETTLE_BLOCK = 8  # rows settled together
CHOSEN = -1.0  # in the place of a center's own squared distance: below every real one


class KCenter(NamedTuple):
    """Centers bought by the greedy rule, in the order in which it bought them."""

    indices: jax.Array  # int32 [Q], distinct, never an existing center; -1 where nothing was left
    sq_distances: jax.Array  # float32 [Q], to the nearest center when picked; inf if there was none
    sq_radius: jax.Array  # float32 [], largest squared distance to a center after the last pick


def greedy_k_center(
    points: jax.Array, centers: jax.Array, num_centers: jax.Array | int, num_picks: int
) -> KCenter:
    """Pick, `num_picks` times, the point farthest from its nearest center.

    Meant to be called under `jax.jit` (with `num_picks` static) and `jax.vmap`. Ties go to the
    lowest index. With no center yet, the first pick is the point farthest from the mean. Where
    fewer than `num_picks` points are left, the rest is padded: index -1, squared distance 0.
    Sources and the 2-approximation: see `kcenter_greedy`.

    Args:
        points: float32 [N, D], finite; other types are cast to float32.
        centers: int32 [K], indices of existing centers; only the first `num_centers` are read.
            K may be 0.
        num_centers: int32 [], may be traced.
        num_picks: Q, static.
    """
    points = points.astype(jnp.float32)
    N, D = points.shape
    K = centers.shape[0]
    count = jnp.asarray(num_centers, jnp.int32)
    # The center list at its final size; N is the sentinel for "empty", dropped by every scatter.
    centers = jnp.where(jnp.arange(K, dtype=jnp.int32) < count, centers.astype(jnp.int32), N)
    centers = jnp.concatenate([centers, jnp.full(num_picks, N, jnp.int32)])

    mean = jnp.mean(points, axis=0)
    centred = points - mean[None, :]
    own = sq_norms(centred)
    slack = matmul_slack(D)

    def compare(bounds, rows):
        """Bounds (lower, upper) [N], joined with those against the centers at `rows`."""
        lower, upper = bounds
        tile = centred.at[rows].get(mode="fill", fill_value=0.0)
        inner = jnp.dot(centred, tile.T, precision=lax.Precision.HIGHEST)
        theirs = (1 - slack) * own.at[rows].get(mode="fill", fill_value=jnp.inf)
        low = (1 - slack) * own + jnp.min(theirs[None, :] - 2.0 * inner, axis=1)
        # What does not come below the upper bound cannot be nearer than what is known.
        lower = jnp.minimum(lower, jnp.where(low < upper, low, jnp.inf))
        return lower, jnp.minimum(upper, jnp.maximum(low + 6 * slack * own, 0.0) / (1 - 4 * slack))

    def settle(bounds, centers):
        """Make the largest upper bound accurate; a settled row's lower bound is inf."""

        def is_open(bounds):
            lower, upper = bounds
            top = jnp.argmax(upper)
            return lower[top] < upper[top]

        def recompute(bounds):
            lower, upper = bounds
            wanted = jnp.where(lower < upper, upper, CHOSEN)
            _, rows = lax.top_k(wanted, min(SETTLE_BLOCK, N))
            accurate = jnp.minimum(_sq_nearest(points, rows, centers), upper[rows])
            return lower.at[rows].set(jnp.inf), upper.at[rows].set(accurate)

        return lax.while_loop(is_open, recompute, bounds)

    def buy(step, carry):
        bounds, centers, indices, sq_distances = carry
        lower, upper = settle(bounds, centers)
        first = (count == 0) & (step == 0)
        pick = jnp.where(first, start, jnp.argmax(upper)).astype(jnp.int32)
        exists = upper[pick] >= 0
        indices = indices.at[step].set(jnp.where(exists, pick, -1))
        sq_distances = sq_distances.at[step].set(jnp.maximum(upper[pick], 0.0))
        slot = jnp.where(exists, pick, N)
        centers = centers.at[K + step].set(slot)
        lower, upper = compare((lower, upper.at[pick].set(CHOSEN)), slot[None])
        return (lower, upper), centers, indices, sq_distances

    start = lax.cond(count == 0, lambda: _farthest_from_mean(points), lambda: jnp.int32(0))
    width = max(1, min(CENTER_BLOCK, K))
    padded = jnp.concatenate([centers, jnp.full(width, N, jnp.int32)])
    bounds = lax.fori_loop(
        0,
        (count + width - 1) // width,
        lambda t, bounds: compare(bounds, lax.dynamic_slice(padded, (t * width,), (width,))),
        (jnp.full(N, jnp.inf), jnp.full(N, jnp.inf)),
    )
    bounds = bounds[0], bounds[1].at[centers].set(CHOSEN, mode="drop")
    nothing = jnp.full(num_picks, -1, jnp.int32), jnp.zeros(num_picks, jnp.float32)
    carry = (bounds, centers, *nothing)
    bounds, centers, indices, sq_distances = lax.fori_loop(0, num_picks, buy, carry)
    _, upper = settle(bounds, centers)
    return KCenter(indices, sq_distances, jnp.maximum(jnp.max(upper), 0.0))


def _sq_nearest(points: jax.Array, rows: jax.Array, centers: jax.Array) -> jax.Array:
    """Accurate squared distances [R] of `rows` to the nearest center."""
    candidates = points.at[centers].get(mode="clip")

    def one(row):
        sq_distances = sq_accurate(candidates - points[row][None, :])
        return jnp.min(jnp.where(centers < points.shape[0], sq_distances, jnp.inf))

    return lax.map(one, rows)


def _farthest_from_mean(points: jax.Array) -> jax.Array:
    with jax.enable_x64(True):
        wide = points.astype(jnp.float64)
        sq = jnp.sum(jnp.square(wide - jnp.mean(wide, axis=0)[None, :]), axis=1)
        is_farthest = sq == jnp.max(sq)
    return jnp.argmax(is_farthest.astype(jnp.int32)).astype(jnp.int32)
