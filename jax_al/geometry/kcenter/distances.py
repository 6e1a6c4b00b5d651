"""Squared distances in two qualities, and the proof that joins them.

Cheap: the matmul form |a|^2 + |b|^2 - 2ab of mean-centred float32 rows. It runs at the speed of
the matrix multiplier but cancels: its error is relative to |a|^2 + |b|^2, not to the distance.
Here it only ever produces bounds.

    Each of the three sums is off by at most gamma_D = D u / (1 - D u) of the sum of its absolute
    terms, u = 2^-24, in any order of summation (Higham 2002, section 3.1), and
    2|a||b| <= |a|^2 + |b|^2. So with `slack` = 2 gamma_(D + 16), which leaves room for the
    centring and for the few roundings that join the terms,

        lower = (1 - slack) (|a|^2 + |b|^2) - 2ab   is at most the squared distance d^2.

    And since |b|^2 <= 2|a|^2 + 2 d^2, d^2 <= lower + 2 slack (|a|^2 + |b|^2) gives an upper
    bound that no longer needs to know which b it was:

        upper = (lower + 6 slack |a|^2) / (1 - 4 slack).

    That counts rounding. Products below 2^-126 may also be flushed to zero; there are 4 D of them,
    so `underflow`, 8 (D + 16) 2^-126, is taken from every lower bound and twice added to the upper.

Accurate: the differences a - b in float32, squared and summed in float64, rounded to float32.
The squares are exact in float64, so that the order of summation shows only in the 53rd bit and
is gone after rounding: the value belongs to the pair alone, whatever block, device or library
computed it. Every decision between two points is made on these values; equal ones tie. Those below
2^-126, where some processors round to zero and others do not, are zero everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.geometry.rounding import UNIT

TINY = 2.0**-126  # the smallest normal float32
GROUP = 16  # centers that share one lower bound, and are looked at together when it matters
AVERAGED = 1024  # rows summed together


class Nearest(NamedTuple):
    """Where the nearest center of each row can be, in a range of centers."""

    lower: jax.Array  # float32 [R], lower bound of the best group of GROUP centers
    second: jax.Array  # float32 [R], lower bound of every other group
    slot: jax.Array  # int32 [R], first center of the best group
    upper: jax.Array  # float32 [R], upper bound of the squared distance to the nearest center


def matmul_slack(D: int) -> float:
    """Error of the matmul form in D dimensions, relative to |a|^2 + |b|^2 (see above)."""
    return 2 * (D + 16) * UNIT / (1 - (D + 16) * UNIT)


def underflow(D: int) -> float:
    """The same from products that are flushed to zero; absolute."""
    return 8 * (D + 16) * TINY


def sq_accurate(differences: jax.Array) -> jax.Array:
    """Squared lengths [...] float32 of float32 rows [..., D]: summed in float64, then rounded."""
    with jax.enable_x64(True):
        total = jnp.sum(jnp.square(differences.astype(jnp.float64)), axis=-1)
        return jnp.where(total < TINY, 0.0, total).astype(jnp.float32)


def sq_accurate_host(differences: np.ndarray) -> np.ndarray:
    """The same numbers as `sq_accurate`, for the few rows for which a dispatch would cost more."""
    wide = differences.astype(np.float64)
    total = np.einsum("...d,...d->...", wide, wide)
    return np.where(total < TINY, 0.0, total).astype(np.float32)


def sq_norms(rows: jax.Array) -> jax.Array:
    """Squared lengths [R] of [R, D], float32 throughout: covered by `matmul_slack`."""
    return jnp.sum(jnp.square(rows), axis=1)


def mean_without(
    read: Callable[[jax.Array, int], jax.Array], D: int, exclude: jax.Array
) -> jax.Array:
    """Mean [D] of the rows that bool [N] does not exclude; of none it is 0.

    Args:
        read: (first row, rows) -> float32 [rows, D]. They are read in blocks, since a masked sum
            over all of them would make a copy.
        D: columns.
        exclude: bool [N].
    """
    N = exclude.size
    size = min(AVERAGED, N)

    def add(i, total):
        start = jnp.minimum(i * size, N - size)  # the last block overlaps the one before it
        counts = start + jnp.arange(size, dtype=jnp.int32) >= i * size
        counts &= ~lax.dynamic_slice(exclude, (start,), (size,))
        return total + jnp.where(counts[:, None], read(start, size), 0.0).sum(axis=0)

    total = lax.fori_loop(0, -(-N // size), add, jnp.zeros(D))
    return total / jnp.maximum((~exclude).sum(dtype=jnp.int32), 1).astype(jnp.float32)


def _group_partials(rows: jax.Array, tile: jax.Array, is_real: jax.Array) -> jax.Array:
    """`lower` without the row's own norm [R, W / GROUP]; groups without a center get inf."""
    D = tile.shape[1]
    reduced = (1 - matmul_slack(D)) * sq_norms(tile) - underflow(D)
    reduced = jnp.where(is_real, reduced, jnp.inf)
    inner = jnp.dot(rows, tile.T, precision=lax.Precision.HIGHEST)
    partial = reduced[None, :] - 2.0 * inner
    return jnp.min(partial.reshape(rows.shape[0], -1, GROUP), axis=2)


def _tile(centers: jax.Array, mean: jax.Array, start, last, width: int):
    tile = lax.dynamic_slice(centers, (start, 0), (width, centers.shape[1]))
    return tile - mean[None, :], start + jnp.arange(width, dtype=jnp.int32) < last


def nearest_centers(
    rows: jax.Array,
    centers: jax.Array,
    mean: jax.Array,
    first: jax.Array,
    last: jax.Array,
    *,
    width: int,
) -> Nearest:
    """Bounds for rows [R, D], from which `mean` has been taken, against centers[first:last].

    Args:
        rows: float32 [R, D].
        centers: float32 [K, D], at least `width` longer than any `last`.
        mean: float32 [D]; any vector is correct, the mean gives the tightest bounds.
        first: int32 [].
        last: int32 []; both are traced, so that one program serves all. Without a center
            between them, every bound is inf.
        width: centers per matmul, a multiple of GROUP.
    """
    own = sq_norms(rows)
    R, D = rows.shape

    def extend(t, carry):
        lower, second, slot = carry
        start = first + t * width
        groups = _group_partials(rows, *_tile(centers, mean, start, last, width))
        best = jnp.argmin(groups, axis=1).astype(jnp.int32)
        low = jnp.min(groups, axis=1)
        others = jnp.arange(width // GROUP, dtype=jnp.int32)[None, :] != best[:, None]
        rest = jnp.min(jnp.where(others, groups, jnp.inf), axis=1)
        second = jnp.minimum(jnp.minimum(second, rest), jnp.maximum(lower, low))
        slot = jnp.where(low < lower, start + best * GROUP, slot)
        return jnp.minimum(lower, low), second, slot

    nothing = (jnp.full(R, jnp.inf), jnp.full(R, jnp.inf), jnp.zeros(R, jnp.int32))
    tiles = (last - first + width - 1) // width
    partial, partial_second, slot = lax.fori_loop(0, tiles, extend, nothing)
    slack = matmul_slack(D)
    lower = (1 - slack) * own + partial
    upper = jnp.maximum(lower + 6 * slack * own + 2 * underflow(D), 0.0) / (1 - 4 * slack)
    return Nearest(lower, (1 - slack) * own + partial_second, slot, upper)


@functools.partial(jax.jit, static_argnames="width")
def nearest_groups(
    block: jax.Array,
    rows: jax.Array,
    centers: jax.Array,
    mean: jax.Array,
    first: jax.Array,
    last: jax.Array,
    *,
    width: int,
) -> Nearest:
    """`nearest_centers` for some rows (int32 [R]) of a block (float32 [B, D]), as a program."""
    return nearest_centers(block[rows] - mean[None, :], centers, mean, first, last, width=width)


@functools.partial(jax.jit, static_argnames="width")
def all_groups(
    block: jax.Array,
    rows: jax.Array,
    centers: jax.Array,
    mean: jax.Array,
    last: jax.Array,
    *,
    width: int,
) -> jax.Array:
    """Lower bounds [R, groups] of every group of centers[:last]; group g starts at GROUP * g."""
    a = block[rows] - mean[None, :]
    tiles = centers.shape[0] // width

    def extend(t, out):
        groups = _group_partials(a, *_tile(centers, mean, t * width, last, width))
        return lax.dynamic_update_slice(out, groups, (0, t * (width // GROUP)))

    out = jnp.full((rows.shape[0], tiles * (width // GROUP)), jnp.inf)
    out = lax.fori_loop(0, (last + width - 1) // width, extend, out)
    return (1 - matmul_slack(block.shape[1])) * sq_norms(a)[:, None] + out


@jax.jit
def sq_group(
    block: jax.Array, rows: jax.Array, centers: jax.Array, slots: jax.Array, last: jax.Array
) -> jax.Array:
    """Accurate squared distance [R] of each row to the nearest center of the group at its slot."""
    D = block.shape[1]

    def one(pair):
        row, slot = pair
        group = lax.dynamic_slice(centers, (slot, 0), (GROUP, D))
        sq_distances = sq_accurate(block[row][None, :] - group)
        is_real = slot + jnp.arange(GROUP, dtype=jnp.int32) < last
        return jnp.min(jnp.where(is_real, sq_distances, jnp.inf))

    return lax.map(one, (rows, slots))


@jax.jit
def pair_lower(block: jax.Array, rows: jax.Array, mean: jax.Array) -> jax.Array:
    """Lower bounds [R, R] of the squared distances among some rows of a block."""
    a = block[rows] - mean[None, :]
    D = block.shape[1]
    own = (1 - matmul_slack(D)) * sq_norms(a)
    inner = jnp.dot(a, a.T, precision=lax.Precision.HIGHEST)
    return own[:, None] + own[None, :] - underflow(D) - 2.0 * inner


@functools.partial(jax.jit, donate_argnums=0)
def append(centers: jax.Array, block: jax.Array, rows: jax.Array, at: jax.Array) -> jax.Array:
    """Write rows of the block into the center list, starting at `at`."""
    return lax.dynamic_update_slice(centers, block[rows], (at, 0))
