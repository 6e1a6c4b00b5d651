"""Points split over devices by rows: each keeps its own, and its own bounds; rounds join them.

The rounds are those of `geometry.kcenter.dense`, run by all devices in step: one program, one
collective per round, of `(b + 1) (D + 3)` words from every device. No device ever holds the rows
of another, but for those that become centers, and the few per round that might.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.multihost_utils import process_allgather
from jax.sharding import NamedSharding, PartitionSpec

from jax_al.geometry.kcenter import dense
from jax_al.geometry.kcenter.distances import GROUP
from jax_al.geometry.kcenter.lazy import Picks, Work
from jax_al.geometry.kcenter.points import NAMED, RawPoints, Survey
from jax_al.geometry.kcenter.reading import gather

WORD = 4  # bytes


class ShardedPoints:
    """A matrix split by rows, checked, and its mean; each process reads the rows it holds."""

    def __init__(self, array: jax.Array, metric: str = "euclidean"):
        whole = RawPoints(array, metric)
        assert isinstance(array.sharding, NamedSharding)
        self.N, self.D = whole.N, whole.D
        self.devices = split_into(array.sharding)
        self.collectives = self.bytes_exchanged = 0
        # What devices of other processes, or copies on other axes, hold is theirs to look at.
        self._parts = [
            (shard.index[0].start or 0, RawPoints(shard.data, metric))
            for shard in array.addressable_shards
            if shard.replica_id == 0
        ]
        self.mean = whole.mean_from(self._survey(), self.N)
        self.array = array if metric == "euclidean" else _scaled(array, metric)

    @property
    def rows_read(self) -> int:
        """Rows that this process read on the host."""
        return sum(part.rows_read for _, part in self._parts)

    @property
    def bytes_read(self) -> int:
        """The same in bytes."""
        return sum(part.bytes_read for _, part in self._parts)

    def farthest_from_mean(self) -> int:
        """The row farthest from the mean; of equals the lowest."""
        found = [(start, part.farthest_from(self.mean)) for start, part in self._parts]
        own = max(((sq, -start - row) for start, (row, sq) in found), default=(-1.0, 0))
        return int(-max(self._exchange(np.array(own)).tolist())[1])

    def _survey(self) -> Survey:
        total, bad, num_bad = np.zeros(self.D), [], 0
        for start, part in self._parts:
            found = part.survey()
            total += found.total
            bad += [start + row for row in found.bad]
            num_bad += found.num_bad
        named = np.full(NAMED, np.inf)
        named[: len(bad[:NAMED])] = bad[:NAMED]
        told = self._exchange(np.concatenate([[num_bad], named, total]))
        rows = np.sort(told[:, 1 : 1 + NAMED], axis=None)[:NAMED]
        rows = rows[np.isfinite(rows)].astype(int).tolist()
        return Survey(rows, int(told[:, 0].sum()), told[:, 1 + NAMED :].sum(axis=0))

    def _exchange(self, numbers: np.ndarray) -> np.ndarray:
        """What every process has to say, float64 [processes, W], to all of them."""
        # As words, since JAX would round float64.
        words = process_allgather(numbers.astype(np.float64).view(np.uint32))
        self.collectives += 1
        self.bytes_exchanged += words.nbytes
        return np.ascontiguousarray(words).view(np.float64)


def sharded_greedy(
    points: ShardedPoints,
    initial: np.ndarray,
    num_picks: int,
    first: int = 0,
    report: Callable[[int], None] = lambda done: None,
    max_bytes: int | None = None,
) -> Picks:
    """Greedy k-center from `initial`, or from the pick `first` where there is no center."""
    starts_cold = not len(initial)
    centers = np.array([first]) if starts_cold else initial
    more = num_picks - starts_cold
    per_device = dense.rows_per_device(points.N // points.devices, points.devices)
    B = points.devices * per_device
    _check_fits(points, len(centers) + more + B, max_bytes)
    begin, one_round = programs(points.array.sharding, more, per_device)

    values = gather(points.array, centers)
    state = begin(points.array, points.mean, centers.astype(np.int32), values)
    rounds = 0
    while float(np.asarray(state.sq_radius)) < 0:
        state = one_round(points.array, points.mean, state)
        rounds += 1
        report(int(np.asarray(state.num_picks)) + starts_cold)
    indices, sq = (np.asarray(part)[:more] for part in (state.indices, state.sq_distances))
    if starts_cold:
        indices, sq = np.append(first, indices), np.append(np.float32(np.inf), sq)
    work = Work(
        rounds,
        points.N * (len(centers) + more) + rounds * B * GROUP,
        points.rows_read,
        points.bytes_read,
        points.collectives + 1 + rounds,
        points.bytes_exchanged
        + values.nbytes
        + rounds * points.devices * (per_device + 1) * (points.D + 3) * WORD,
    )
    radius = float(np.asarray(state.sq_radius))
    return Picks(indices.astype(np.int64), sq.astype(np.float64), radius, work)


@functools.cache
def programs(
    sharding: NamedSharding, num_picks: int, per_device: int
) -> tuple[Callable[..., dense.State], Callable[..., dense.State]]:
    """`dense.begin` and `dense.one_round` for points of one sharding.

    Returns:
        begin(points [N, D], mean [D], rows int32 [K], values [K, D]), the centers that exist;
        one_round(points, mean, state), which takes the memory of `state` over.
    """
    axes = split_axes(sharding)
    block = per_device * split_into(sharding)

    def begin(points, mean, rows, values):
        n = points.shape[0]
        at = rows - lax.axis_index(axes) * n
        at = jnp.where((at >= 0) & (at < n), at, n)
        is_center = jnp.zeros(n, bool).at[at].set(True, mode="drop")
        num_centers = jnp.int32(len(rows))
        return dense.begin(points, mean, is_center, values, num_centers, num_picks, block)

    def one_round(points, mean, state):
        return dense.one_round(points, mean, state, num_picks, per_device, axes)

    all_know: Any = PartitionSpec()
    own: Any = PartitionSpec(axes)
    state = dense.State(dense.Bounds(own, own, own, own), *[all_know] * 6)
    # What all devices compute alike from gathered numbers, the checker cannot know to be alike.
    split = functools.partial(jax.shard_map, mesh=sharding.mesh, out_specs=state, check_vma=False)
    return (
        jax.jit(split(begin, in_specs=(sharding.spec, all_know, all_know, all_know))),
        jax.jit(split(one_round, in_specs=(sharding.spec, all_know, state)), donate_argnums=2),
    )


def split_axes(sharding: NamedSharding) -> tuple[str, ...]:
    """The mesh axes over which rows are split."""
    axes = sharding.spec[0]
    return axes if isinstance(axes, tuple) else (axes,)


def split_into(sharding: NamedSharding) -> int:
    """How many parts the rows are split into."""
    return int(np.prod([sharding.mesh.shape[axis] for axis in split_axes(sharding)]))


def _check_fits(points: ShardedPoints, capacity: int, max_bytes: int | None) -> None:
    """A ValueError if a device needs more than `max_bytes` beside its points."""
    # The bounds, and those of a comparison; the centers, twice while they are appended to; a
    # chunk of points, centred, and its products.
    n = points.N // points.devices
    need = 32 * n + 8 * capacity * points.D + dense.CHUNK * (8 * points.D + 8 * dense.WIDTH)
    if max_bytes is not None and need > max_bytes:
        raise ValueError(f"max_bytes is {max_bytes:,}, but at least {need:,} are needed")


def _scaled(array: jax.Array, metric: str) -> jax.Array:
    """The same rows as the metric wants them, float32, each on the device where it was."""
    parts = [
        jax.device_put(
            np.concatenate([rows for _, rows in RawPoints(shard.data, metric).everything()]),
            shard.device,
        )
        for shard in array.addressable_shards
    ]
    return jax.make_array_from_single_device_arrays(array.shape, array.sharding, parts)
