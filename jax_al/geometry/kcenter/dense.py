"""Rounds of static shape, for programs that are compiled once and for points on many devices.

The same round as that of the lazy engine (`geometry.kcenter.lazy` has the picture and the proof),
with one difference: after each round every point is compared with all the new centers, in the
matmul form. That keeps every shape constant, so that a round is one program, and the matrix
multiplier busy, and it makes a round's bounds tight, so that a hundred picks come out of each.

With the points split over a mesh axis, a device holds its rows and their bounds and nobody
else's. A round then has one collective: every device tells the `block` rows of its own that are
largest by bound, each with its settled distance, and what its other rows cannot exceed. From
there on all devices do the same with the same numbers: replay greedy, append the picks to the
centers. Then each compares its own rows with them.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.geometry.kcenter import distances as dist

BLOCK = 512  # rows among which greedy is replayed, of all devices together
SMALLEST_BLOCK = 32  # of one device
WIDTH = 128  # centers per matmul
CHUNK = 2048  # points per matmul
CHOSEN = -1.0  # in the place of the squared distance of a center or an excluded row: below all real
LAST = np.iinfo(np.int32).max  # no row has so high an index


class Bounds(NamedTuple):
    """Where each of a device's points may have its nearest center; all squared distances."""

    upper: jax.Array  # float32 [n], at least the distance; CHOSEN for centers and excluded rows
    lower: jax.Array  # float32 [n], at most that to the best group of centers; inf: in `upper`
    second: jax.Array  # float32 [n], at most that to any center of the other groups
    slot: jax.Array  # int32 [n], first center of the best group


class State(NamedTuple):
    """Between two rounds. `bounds` belong to a device's own rows, all else is known to all."""

    bounds: Bounds
    centers: jax.Array  # float32 [K + Q + room, D], the first `num_centers` of them
    num_centers: jax.Array  # int32 []
    indices: jax.Array  # int32 [Q + block], the first `num_picks` of them
    sq_distances: jax.Array  # float32 [Q + block], likewise
    num_picks: jax.Array  # int32 []
    sq_radius: jax.Array  # float32 [], negative until it is known


class Block(NamedTuple):
    """The rows among which the next picks are, from all devices, and what bounds the others."""

    rows: jax.Array  # int32 [B]
    sq: jax.Array  # float32 [B], squared distance to the nearest center of the best group ...
    second: jax.Array  # float32 [B], ... and a lower bound for all the other centers
    values: jax.Array  # float32 [B, D]
    beyond: jax.Array  # float32 [], no other row is farther
    beyond_row: jax.Array  # int32 [], the lowest row outside that may be as far


class Replayed(NamedTuple):
    """What greedy picked in a block."""

    sq: jax.Array  # float32 [B], squared distances now; CHOSEN for the picks
    second: jax.Array  # float32 [B], inf where `sq` is known to be the distance
    order: jax.Array  # int32 [B], positions of the picks; only the first `picked` mean anything
    picked_sq: jax.Array  # float32 [B], likewise
    picked: jax.Array  # int32 []


def rows_per_device(n: int, devices: int) -> int:
    """How many rows each of `devices` with n rows tells the others per round."""
    return min(n, max(SMALLEST_BLOCK, BLOCK // devices))


def begin(
    points: jax.Array,
    mean: jax.Array,
    is_closed: jax.Array,
    centers: jax.Array,
    num_centers: jax.Array,
    num_picks: int,
    block: int,
) -> State:
    """The state before the first round.

    Args:
        points: [n, D], this device's rows.
        mean: float32 [D]; any vector is correct, the mean gives the tightest bounds.
        is_closed: bool [n], which of them are centers already, or excluded.
        centers: float32 [K, D], the rows of all existing centers; those from `num_centers` on
            are never looked at.
        num_centers: int32 [].
        num_picks: Q.
        block: B, of all devices together.
    """
    room = num_picks + max(block, WIDTH)
    centers = jnp.pad(centers, ((0, room), (0, 0)))
    near = _compare(points, mean, centers, jnp.int32(0), num_centers)
    upper = jnp.where(is_closed, CHOSEN, near.upper)
    return State(
        Bounds(upper, near.lower, near.second, near.slot),
        centers,
        num_centers,
        jnp.zeros(num_picks + block, jnp.int32),
        jnp.zeros(num_picks + block, jnp.float32),
        jnp.int32(0),
        jnp.float32(CHOSEN),
    )


def one_round(
    points: jax.Array,
    mean: jax.Array,
    state: State,
    num_picks: int,
    per_device: int,
    axes: tuple[str, ...] = (),
    excluded: jax.Array | None = None,
) -> State:
    """As many picks as the block allows.

    A round without a pick has settled some row that was among the largest by bound, and only a
    new center unsettles a row: so rounds come to an end.

    Args:
        points: [n, D], this device's rows.
        mean: float32 [D], as in `begin`.
        state: as `begin` or the last round left it.
        num_picks: Q.
        per_device: rows that a device tells the others, at most n.
        axes: mesh axes over which the points are split, in the order of their rows.
        excluded: bool [n], this device's rows that `begin` was told are closed and that may hold
            anything; None: there are none.
    """
    n = points.shape[0]
    place = lax.axis_index(axes) if axes else jnp.int32(0)
    own, told = _tell(points, state, per_device, place * n, excluded)
    block = _hear(told[None] if not axes else lax.all_gather(told, axes))
    found = _replay(block, state.centers, state.num_centers, num_picks - state.num_picks)

    centers = lax.dynamic_update_slice(
        state.centers, block.values[found.order], (state.num_centers, 0)
    )
    last = state.num_centers + found.picked
    near = _compare(points, mean, centers, state.num_centers, last)
    mine = (place * per_device,)
    bounds = _join(state.bounds, near)
    bounds = Bounds(
        bounds.upper.at[own].set(lax.dynamic_slice(found.sq, mine, (per_device,))),
        bounds.lower.at[own].set(jnp.inf),
        bounds.second.at[own].set(lax.dynamic_slice(found.second, mine, (per_device,))),
        bounds.slot,
    )

    best, is_next = _first(block, found.sq)
    is_all = state.num_picks + found.picked == num_picks
    sq_radius = jnp.where(is_next & is_all, found.sq[best], CHOSEN)
    nothing_left = ~is_next & (block.beyond < 0)
    at = (state.num_picks,)
    return State(
        bounds,
        centers,
        last,
        lax.dynamic_update_slice(state.indices, block.rows[found.order], at),
        lax.dynamic_update_slice(state.sq_distances, found.picked_sq, at),
        state.num_picks + found.picked,
        jnp.where(nothing_left, 0.0, sq_radius),
    )


def _tell(
    points: jax.Array,
    state: State,
    per_device: int,
    offset: jax.Array,
    excluded: jax.Array | None,
) -> tuple[jax.Array, jax.Array]:
    """The largest rows by bound, and all that the others must know of them, as 32-bit words.

    Returns int32 [b], positions of the rows, and uint32 [b + 1, D + 3]: row, distance, bound for
    the other groups and values of each, then the threshold.
    """
    upper = state.bounds.upper
    n, b = upper.shape[0], per_device
    # Of equal bounds top_k takes the first, so that the one after the block is the lowest row
    # that attains the threshold.
    largest, rows = lax.top_k(upper, min(b + 1, n))
    beyond, beyond_row = (largest[b], rows[b] + offset) if n > b else (CHOSEN, 0)
    own = rows[:b]
    values = points[own].astype(jnp.float32)
    if excluded is not None:
        # Where few others are left they are told too, and NaN would spoil every comparison.
        values = jnp.where(excluded[own][:, None], 0.0, values)
    lower, second, slots = (part[own] for part in state.bounds[1:])
    accurate = dist.sq_group(values, jnp.arange(b), state.centers, slots, state.num_centers)
    sq = jnp.minimum(largest[:b], jnp.where(lower < largest[:b], accurate, jnp.inf))
    words = jnp.concatenate(
        [
            _words(own + offset)[:, None],
            _words(sq)[:, None],
            _words(second)[:, None],
            _words(values),
        ],
        axis=1,
    )
    threshold = jnp.zeros((1, words.shape[1]), jnp.uint32)
    threshold = threshold.at[0, 0].set(_words(jnp.asarray(beyond_row, jnp.int32)))
    threshold = threshold.at[0, 1].set(_words(jnp.asarray(beyond, jnp.float32)))
    return own, jnp.concatenate([words, threshold])


def _hear(told: jax.Array) -> Block:
    """The blocks and thresholds of all devices [devices, b + 1, D + 3] as one."""
    rows = lax.bitcast_convert_type(told[:, :, 0], jnp.int32)
    numbers = lax.bitcast_convert_type(told[:, :, 1:], jnp.float32)
    thresholds, threshold_rows = numbers[:, -1, 0], rows[:, -1]
    beyond = jnp.max(thresholds)
    beyond_row = jnp.min(jnp.where(thresholds == beyond, threshold_rows, LAST))
    numbers = numbers[:, :-1].reshape(-1, numbers.shape[2])
    return Block(
        rows[:, :-1].reshape(-1), numbers[:, 0], numbers[:, 1], numbers[:, 2:], beyond, beyond_row
    )


def _words(x: jax.Array) -> jax.Array:
    return lax.bitcast_convert_type(x, jnp.uint32)


def _first(block: Block, sq: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The position of the farthest, of equals the lowest row; whether it precedes all others."""
    peak = jnp.max(sq)
    row = jnp.min(jnp.where(sq == peak, block.rows, LAST))
    is_next = (peak > block.beyond) | ((peak == block.beyond) & (row < block.beyond_row))
    is_next &= peak >= 0  # or all are chosen, and the farthest of them is nobody
    return jnp.argmax(block.rows == row), is_next


def _replay(block: Block, centers: jax.Array, num_centers: jax.Array, limit: jax.Array) -> Replayed:
    """Greedy in the block, as long as its farthest row precedes all rows outside."""
    B = block.rows.shape[0]

    def settled(sq, second):
        """The farthest, made certain: where another group may be nearer, all centers are asked."""

        def is_open(carry):
            sq, second = carry
            best, is_next = _first(block, sq)
            return is_next & (jnp.maximum(second[best], 0.0) < sq[best])

        def ask(carry):
            sq, second = carry
            best, _ = _first(block, sq)
            nearest = _sq_nearest(block.values[best], centers, num_centers)
            return sq.at[best].min(nearest), second.at[best].set(jnp.inf)

        return lax.while_loop(is_open, ask, (sq, second))

    def may_pick(found):
        return _first(block, found.sq)[1] & (found.picked < limit)

    def pick(found):
        best, _ = _first(block, found.sq)
        to_best = dist.sq_accurate(block.values - block.values[best][None, :])
        sq, second = settled(jnp.minimum(found.sq, to_best).at[best].set(CHOSEN), found.second)
        return Replayed(
            sq,
            second,
            found.order.at[found.picked].set(best.astype(jnp.int32)),
            found.picked_sq.at[found.picked].set(found.sq[best]),
            found.picked + 1,
        )

    sq, second = settled(block.sq, block.second)
    start = Replayed(sq, second, jnp.zeros(B, jnp.int32), jnp.zeros(B, jnp.float32), jnp.int32(0))
    return lax.while_loop(may_pick, pick, start)


def _compare(
    points: jax.Array, mean: jax.Array, centers: jax.Array, first: jax.Array, last: jax.Array
) -> dist.Nearest:
    """Bounds [n] against centers[first:last]; a chunk at a time, so that no copy is made."""
    n, D = points.shape
    size = min(CHUNK, n)

    def one(t, near):
        start = jnp.minimum(t * size, n - size)
        chunk = lax.dynamic_slice(points, (start, 0), (size, D)).astype(jnp.float32)
        found = dist.nearest_centers(chunk - mean[None, :], centers, mean, first, last, width=WIDTH)
        return jax.tree.map(
            lambda whole, part: lax.dynamic_update_slice(whole, part, (start,)), near, found
        )

    nothing = dist.Nearest(
        jnp.full(n, jnp.inf), jnp.full(n, jnp.inf), jnp.zeros(n, jnp.int32), jnp.full(n, jnp.inf)
    )
    return lax.fori_loop(0, -(-n // size), one, nothing)


def _join(old: Bounds, new: dist.Nearest) -> Bounds:
    """What is known of more centers together."""
    rest = jnp.minimum(old.second, new.second)
    return Bounds(
        jnp.where(old.upper < 0, CHOSEN, jnp.minimum(old.upper, new.upper)),
        jnp.minimum(old.lower, new.lower),
        jnp.minimum(rest, jnp.maximum(old.lower, new.lower)),
        jnp.where(new.lower < old.lower, new.slot, old.slot),
    )


def _sq_nearest(point: jax.Array, centers: jax.Array, num_centers: jax.Array) -> jax.Array:
    """Accurate squared distance [] of one point [D] to the nearest of centers[:num_centers]."""

    def extend(t, nearest):
        tile = lax.dynamic_slice(centers, (t * WIDTH, 0), (WIDTH, centers.shape[1]))
        sq = dist.sq_accurate(tile - point[None, :])
        is_real = t * WIDTH + jnp.arange(WIDTH, dtype=jnp.int32) < num_centers
        return jnp.minimum(nearest, jnp.min(jnp.where(is_real, sq, jnp.inf)))

    return lax.fori_loop(0, (num_centers + WIDTH - 1) // WIDTH, extend, jnp.float32(jnp.inf))
