"""Rows of numbers, plain or scaled to length 1 when they are read, and distances between them."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.kcenter.distances import mean_without


class Scaled(NamedTuple):
    """Rows that are divided by their lengths when they are read, so that no copy is made."""

    points: jax.Array  # float32 [N, D]
    lengths: jax.Array  # float32 [N], none of them 0


Points = jax.Array | Scaled  # rows float32 [N, D]


def unit_length(points: jax.Array) -> Scaled:
    """Returns the directions of rows float32 [N, D]; zeros stay zeros."""
    lengths = jnp.sqrt(jnp.square(points).sum(axis=1))
    return Scaled(points, jnp.where(lengths > 0, lengths, 1.0))


def shape_of(points: Points) -> tuple[int, int]:
    """Returns (N, D)."""
    N, D = (points.points if isinstance(points, Scaled) else points).shape
    return N, D


def mean_of(points: Points, exclude: jax.Array | None = None) -> jax.Array:
    """Returns the mean [D] of the rows, but for those that bool [N] excludes; of none it is 0."""
    if exclude is not None:
        # Where nobody is excluded the sum is the plain one, bit for bit and as fast.
        return lax.cond(
            exclude.any(),
            lambda: mean_without(
                functools.partial(rows_from, points), shape_of(points)[1], exclude
            ),
            lambda: mean_of(points),
        )
    if isinstance(points, Scaled):
        return jnp.dot(1 / points.lengths, points.points, precision=lax.Precision.HIGHEST) / (
            points.lengths.size
        )
    return points.mean(axis=0)


def rows_from(points: Points, start: jax.Array | int, size: int) -> jax.Array:
    """Returns `size` rows [size, D], those from `start` on."""
    if isinstance(points, Scaled):
        lengths = lax.dynamic_slice_in_dim(points.lengths, start, size)
        return lax.dynamic_slice_in_dim(points.points, start, size) / lengths[:, None]
    return lax.dynamic_slice_in_dim(points, start, size)


def rows_at(points: Points, rows: jax.Array) -> jax.Array:
    """Returns the rows [..., D] of the numbers `rows` [...], which must exist."""
    if isinstance(points, Scaled):
        return points.points[rows] / points.lengths[rows][..., None]
    return points[rows]


def sq_between(a: jax.Array, b: jax.Array) -> jax.Array:
    """Returns squared distances [A, B] of rows [A, D] and [B, D], in the matmul form, 0 or more.

    Their error is up to `matmul_slack` (D) (|a|^2 + |b|^2): take a vector amid them from all rows
    first.
    """
    norms = jnp.square(a).sum(axis=1)[:, None] + jnp.square(b).sum(axis=1)[None, :]
    return jnp.maximum(norms - 2 * inner(a, b), 0.0)


def inner(a: jax.Array, b: jax.Array) -> jax.Array:
    """Returns inner products [A, B] of rows [A, D] and [B, D], in full float32."""
    return jnp.dot(a, b.T, precision=lax.Precision.HIGHEST)
