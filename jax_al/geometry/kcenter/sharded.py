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

from jax_al.errors import UsageError
from jax_al.geometry.kcenter import dense
from jax_al.geometry.kcenter.distances import GROUP
from jax_al.geometry.kcenter.lazy import Picks, Work
from jax_al.geometry.kcenter.points import RawPoints, Survey
from jax_al.geometry.kcenter.reading import gather
from jax_al.geometry.kcenter.rows import NAMED

WORD = 4  # bytes


class ShardedPoints:
    """A matrix split by rows, checked, and its mean; each process reads the rows it holds.

    Excluded rows stay where they are: rows go by their numbers, and `excluded` tells which to skip.
    """

    def __init__(self, array: jax.Array, metric: str = "euclidean", exclude: Any = None):
        whole = RawPoints(array, metric, exclude)
        assert isinstance(array.sharding, NamedSharding)
        self.N, self.num_rows, self.D = whole.N, whole.num_rows, whole.D
        self.numbers, self.excluded = whole.numbers, whole.excluded
        self.devices = split_into(array.sharding)
        self.collectives = self.bytes_exchanged = 0
        # What devices of other processes, or copies on other axes, hold is theirs to look at.
        self._parts = [
            (start, RawPoints(shard.data, metric, absent))
            for shard in array.addressable_shards
            if shard.replica_id == 0
            for start in [shard.index[0].start or 0]
            for absent in [None if self.excluded is None else self.excluded[shard.index[0]]]
            if absent is None or not absent.all()
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
        """The number of the row farthest from the mean; of equals the lowest."""
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
    per_device = dense.rows_per_device(points.num_rows // points.devices, points.devices)
    B = points.devices * per_device
    _check_fits(points, len(centers) + more + B, max_bytes)
    sharding = points.array.sharding
    assert isinstance(sharding, NamedSharding)
    begin, one_round = programs(sharding, more, per_device)
    excluded = None if points.excluded is None else _split(points.excluded, sharding)
    values = gather(points.array, centers)
    state = begin(points.array, points.mean, centers.astype(np.int32), values, excluded)
    rounds = 0
    while float(np.asarray(state.sq_radius)) < 0:
        state = one_round(points.array, points.mean, state, excluded)
        rounds += 1
        report(int(np.asarray(state.num_picks)) + starts_cold)
    indices, sq = (np.asarray(part)[:more] for part in (state.indices, state.sq_distances))
    if starts_cold:
        indices, sq = np.append(first, indices), np.append(np.float32(np.inf), sq)
    work = Work(
        rounds,
        points.num_rows * (len(centers) + more) + rounds * B * GROUP,
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
        begin(points [N, D], mean [D], rows int32 [K], values [K, D], excluded), the centers that
        exist, and bool [N] or None; one_round(points, mean, state, excluded), which takes the
        memory of `state` over.
    """
    axes = split_axes(sharding)
    block = per_device * split_into(sharding)

    def begin(points, mean, rows, values, excluded):
        n = points.shape[0]
        at = rows - lax.axis_index(axes) * n
        at = jnp.where((at >= 0) & (at < n), at, n)
        is_closed = jnp.zeros(n, bool).at[at].set(True, mode="drop")
        if excluded is not None:
            is_closed |= excluded
        num_centers = jnp.int32(len(rows))
        return dense.begin(points, mean, is_closed, values, num_centers, num_picks, block)

    def one_round(points, mean, state, excluded):
        return dense.one_round(points, mean, state, num_picks, per_device, axes, excluded)

    all_know: Any = PartitionSpec()
    own: Any = PartitionSpec(axes)
    state = dense.State(dense.Bounds(own, own, own, own), *[all_know] * 6)
    # What all devices compute alike from gathered numbers, the checker cannot know to be alike.
    split = functools.partial(jax.shard_map, mesh=sharding.mesh, out_specs=state, check_vma=False)
    return (
        jax.jit(split(begin, in_specs=(sharding.spec, all_know, all_know, all_know, own))),
        jax.jit(split(one_round, in_specs=(sharding.spec, all_know, state, own)), donate_argnums=2),
    )


def split_axes(sharding: NamedSharding) -> tuple[str, ...]:
    """The mesh axes over which rows are split."""
    axes = sharding.spec[0]
    return axes if isinstance(axes, tuple) else (axes,)


def split_into(sharding: NamedSharding) -> int:
    """How many parts the rows are split into."""
    return int(np.prod([sharding.mesh.shape[axis] for axis in split_axes(sharding)]))


def _check_fits(points: ShardedPoints, capacity: int, max_bytes: int | None) -> None:
    """A UsageError if a device needs more than `max_bytes` beside its points."""
    # The bounds, and those of a comparison; the centers, twice while they are appended to; a
    # chunk of points, centred, and its products.
    n = points.num_rows // points.devices
    need = 32 * n + 8 * capacity * points.D + dense.CHUNK * (8 * points.D + 8 * dense.WIDTH)
    if max_bytes is not None and need > max_bytes:
        raise UsageError(f"max_bytes is {max_bytes:,}, but at least {need:,} are needed")


def _split(mask: np.ndarray, sharding: NamedSharding) -> jax.Array:
    """A mask bool [N], each part on the device that has those rows."""
    by_rows = NamedSharding(sharding.mesh, PartitionSpec(sharding.spec[0]))
    return jax.make_array_from_callback(mask.shape, by_rows, lambda index: mask[index])


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
