"""Greedy k-center inside a jitted program: static shapes, traced counts, one seed (vmap it).

The picks are those of `kcenter_greedy`: both decide on the accurate distances of
`geometry.kcenter.distances`. But here every point is compared with every center
(`geometry.kcenter.dense`); the lazy engine's blocks want shapes that change from round to round.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.kcenter import dense
from jax_al.geometry.kcenter.distances import mean_without, sq_norms

WIDEN = 2048  # rows that are float64 at a time


class KCenter(NamedTuple):
    """Centers bought by the greedy rule, in the order in which it bought them."""

    indices: jax.Array  # int32 [Q], distinct, never an existing center; -1 where nothing was left
    sq_distances: jax.Array  # float32 [Q], to the nearest center when picked; inf if there was none
    sq_radius: jax.Array  # float32 [], largest squared distance to a center after the last pick


def kcenter_greedy_traced(
    points: jax.Array,
    centers: jax.Array,
    num_centers: jax.Array | int,
    num_picks: int,
    exclude: jax.Array | None = None,
) -> KCenter:
    """Pick, `num_picks` times, the point farthest from its nearest center.

    Meant to be called under `jax.jit` (with `num_picks` static) and `jax.vmap`. Ties go to the
    lowest index. With no center yet, the first pick is the point farthest from the mean. Where
    fewer than `num_picks` points are left, the rest is padded: index -1, squared distance 0.
    Points that are not finite cannot be refused here: then nothing is picked, and the radius is
    NaN. Sources and the 2-approximation: see `kcenter_greedy`.

    Args:
        points: [N, D], finite; types other than float32 are cast to it.
        centers: int32 [K], indices of existing centers; only the first `num_centers` are read.
            K may be 0.
        num_centers: int32 [], may be traced.
        num_picks: Q, static.
        exclude: bool [N], points that are as if they were absent: never picked, not covered, not
            in the mean, no centers even where `centers` names them; they may hold anything, NaN
            too. None: all are there; a mask of nothing gives the same answer.
    """
    points = points.astype(jnp.float32)
    N = points.shape[0]
    K = centers.shape[0]
    count = jnp.asarray(num_centers, jnp.int32)
    centers = jnp.concatenate([centers.astype(jnp.int32), jnp.full(1, N, jnp.int32)])
    if exclude is None:
        starts_cold = (count == 0) & (num_picks > 0)
    else:
        centers, count = _without(centers, count, exclude)
        starts_cold = (count == 0) & (num_picks > 0) & ~exclude.all()
    start = lax.cond(
        starts_cold, lambda: _farthest_from_mean(points, exclude), lambda: jnp.int32(0)
    )
    centers = jnp.where(starts_cold, centers.at[0].set(start), centers)
    count = jnp.where(starts_cold, 1, count)
    # N is the sentinel for "none", dropped by the scatter.
    centers = jnp.where(jnp.arange(K + 1, dtype=jnp.int32) < count, centers, N)

    finite = jnp.isfinite(sq_norms(points))
    is_finite = (finite if exclude is None else finite | exclude).all()
    is_closed = jnp.zeros(N, bool).at[centers].set(True, mode="drop") | ~is_finite
    if exclude is not None:
        is_closed |= exclude
    rows = points.at[centers].get(mode="fill", fill_value=0.0)
    mean = _mean(points, exclude)
    block = dense.rows_per_device(N, 1)
    state = dense.begin(points, mean, is_closed, rows, count, num_picks, block)
    bought = jnp.where(starts_cold, 1, 0)
    state = state._replace(
        indices=state.indices.at[0].set(start),
        sq_distances=state.sq_distances.at[0].set(jnp.inf),
        num_picks=bought,
    )
    state = lax.while_loop(
        lambda state: state.sq_radius < 0,
        lambda state: dense.one_round(points, mean, state, num_picks, block, excluded=exclude),
        state,
    )
    is_pick = (jnp.arange(num_picks) < state.num_picks) & is_finite
    return KCenter(
        jnp.where(is_pick, state.indices[:num_picks], -1),
        jnp.where(is_pick, state.sq_distances[:num_picks], 0.0),
        jnp.where(is_finite, state.sq_radius, jnp.nan),
    )


def cover_radius_traced(
    points: jax.Array,
    centers: jax.Array,
    num_centers: jax.Array,
    exclude: jax.Array | None = None,
) -> jax.Array:
    """Return the largest distance from a point to its nearest center, float32 [].

    The very number with which `kcenter_greedy_traced` would pick next; 0 where every point is a
    center or excluded, infinite without any center. Arguments as there.
    """
    found = kcenter_greedy_traced(points, centers, num_centers, 1, exclude)
    return jnp.sqrt(found.sq_distances[0])


def _without(
    centers: jax.Array, count: jax.Array, exclude: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The centers [K + 1] and their number, without those that are excluded.

    The first of the others stands in their place: it changes no distance to be there twice.
    """
    is_center = jnp.arange(centers.size, dtype=jnp.int32) < count
    is_center &= ~exclude.at[centers].get(mode="fill", fill_value=True)
    stands_in = centers[jnp.argmax(is_center)]
    return jnp.where(is_center, centers, stands_in), jnp.where(is_center.any(), count, 0)


def _mean(points: jax.Array, exclude: jax.Array | None) -> jax.Array:
    """Return a vector [D] amid the points; which one it is shows in no pick."""
    if exclude is None:
        return jnp.mean(points, axis=0)

    def read(start, size):
        return lax.dynamic_slice_in_dim(points, start, size)

    return lax.cond(
        exclude.any(),
        lambda: mean_without(read, points.shape[1], exclude),
        lambda: jnp.mean(points, axis=0),
    )


def _farthest_from_mean(points: jax.Array, exclude: jax.Array | None) -> jax.Array:
    """Return the row int32 [] farthest from the mean, of equals the lowest; decided in float64.

    As in `geometry.kcenter.points`, the mean is rounded to float32. Rows are widened in blocks: the
    whole matrix in float64 would take twice its own memory.
    """
    N, D = points.shape
    size = min(WIDEN, N)
    num_blocks = jnp.int32(-(-N // size))
    with jax.enable_x64(True):

        def widened(i):
            start = jnp.minimum(i * size, N - size)  # the last block overlaps the one before it
            rows = lax.dynamic_slice_in_dim(points, start, size).astype(jnp.float64)
            absent = None if exclude is None else lax.dynamic_slice_in_dim(exclude, start, size)
            return start + jnp.arange(size, dtype=jnp.int32), rows, absent

        def add(i, total):
            numbers, rows, absent = widened(i)
            counts = numbers >= i * size
            if absent is not None:
                counts &= ~absent
            return total + jnp.sum(jnp.where(counts[:, None], rows, 0.0), axis=0)

        total = lax.fori_loop(jnp.int32(0), num_blocks, add, jnp.zeros(D, jnp.float64))
        count = N if exclude is None else (~exclude).sum(dtype=jnp.int32).astype(jnp.float64)
        mean = (total / count).astype(jnp.float32).astype(jnp.float64)

        def look(i, carry):
            farthest, row = carry
            numbers, rows, absent = widened(i)
            sq = jnp.sum(jnp.square(rows - mean[None, :]), axis=1)
            if absent is not None:
                sq = jnp.where(absent, -jnp.inf, sq)
            best = jnp.max(sq)
            first = jnp.min(jnp.where(sq == best, numbers, N))
            return jnp.maximum(farthest, best), jnp.where(best > farthest, first, row)

        carry = jnp.full((), -1.0, jnp.float64), jnp.int32(0)
        return lax.fori_loop(jnp.int32(0), num_blocks, look, carry)[1]
