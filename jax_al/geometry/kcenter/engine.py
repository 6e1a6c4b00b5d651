"""Bounds on every point's distance to its nearest center, and the rounds that use them.

What a round does, and why that is exact: `geometry.kcenter.lazy`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.geometry.kcenter import distances as dist
from jax_al.geometry.kcenter.points import Points, cut

BLOCK = 4096  # B
REPLAY = 1536  # rows among which greedy is replayed, at most
WIDTH = 512  # centers per matmul
NARROW = 64  # the same, when fewer are wanted
START = 512  # centers that every point is compared with before laziness begins
JOIN = 256  # rows whose bounds lag by fewer centers than this are refreshed together
CHOSEN = np.float32(-1)  # in the place of a center's own distance


class Threshold(NamedTuple):
    """What no point outside the block can exceed."""

    sq: np.float32  # T
    row: int  # the lowest index outside the block that may attain it

    def passed(self, sq: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Which rows at squared distance `sq` come before every outsider."""
        return (sq > self.sq) | ((sq == self.sq) & (rows < self.row))


def front(upper: np.ndarray, size: int) -> tuple[np.ndarray, Threshold]:
    """The `size` largest bounds, of equals the first, as ascending indices; and what is left."""
    if len(upper) > size:
        edge = np.partition(upper, -size - 1)[-size - 1]
        if edge >= 0:
            inside = np.flatnonzero(upper > edge)
            equal = np.flatnonzero(upper == edge)
            fit = size - len(inside)
            return np.sort(np.concatenate([inside, equal[:fit]])), Threshold(edge, int(equal[fit]))
    return np.flatnonzero(upper >= 0), Threshold(CHOSEN, 0)


class Engine:
    """Bounds for every point, and the centers so far."""

    def __init__(self, points: Points, capacity: int, block: int):
        N = points.N
        self.points = points
        self.block_size = min(block, _bucket(N))
        self.mean = jnp.asarray(points.mean)
        # Room for a whole block written at the end, and a whole tile read from there.
        room = capacity + max(self.block_size, WIDTH)
        self.centers = jnp.zeros((-(-room // WIDTH) * WIDTH, points.D), jnp.float32)
        self.num_centers = 0
        self.seen = np.zeros(N, np.int64)  # how many centers a row's bound knows of
        self.upper = np.full(N, np.inf, np.float32)
        # Where a row's nearest center may be, of those not yet settled: nothing is, at inf.
        self.lower = np.full(N, np.inf, np.float32)
        self.second = np.full(N, np.inf, np.float32)
        self.slot = np.zeros(N, np.int32)
        self.distances = 0
        self.rounds = 0

    def add_centers(self, block: jax.Array, positions: np.ndarray, rows: np.ndarray) -> None:
        """Make rows of a block centers."""
        at = jnp.int32(self.num_centers)
        self.centers = dist.append(self.centers, block, _padded(positions), at)
        self.num_centers += len(rows)
        self.upper[rows] = CHOSEN

    def add_initial(self, rows: np.ndarray) -> None:
        """Make rows centers that nobody has been compared with yet."""
        rows = np.sort(rows)
        for start in range(0, len(rows), self.block_size):
            part = rows[start : start + self.block_size]
            self.add_centers(self._filled(self.points.take(part)), np.arange(len(part)), part)

    def compare_all(self) -> None:
        """Let every point know of up to START centers more."""
        wanted = []
        for piece in cut(self.points.N, self.block_size):
            seen = np.where(self.upper[piece] >= 0, self.seen[piece], self.num_centers)
            first = int(seen.min())
            last = min(first + START, self.num_centers)
            if first < last:
                wanted.append((piece, np.flatnonzero(seen < last), first, last))
        blocks = self.points.slices([piece for piece, *_ in wanted])
        for block, (piece, late, first, last) in zip(blocks, wanted, strict=True):
            self._compare(self._filled(block), late, piece.start + late, first, last)

    def settle_beyond(self, sq: np.float32) -> None:
        """Accurate distances for every point that is farther than this from its center."""
        threshold = Threshold(sq, 0)
        pieces = cut(self.points.N, self.block_size)
        for block, piece in zip(self.points.slices(pieces), pieces, strict=True):
            block, rows = self._filled(block), np.arange(piece.start, piece.stop)
            alive = self._refresh(block, rows, threshold)
            self._settle(block, rows, alive, threshold)

    def round(self, limit: int) -> tuple[np.ndarray, np.ndarray, np.float32 | None]:
        """Up to `limit` picks, their squared distances, and the squared radius if it is known."""
        self.rounds += 1
        rows, threshold = front(self.upper, self.block_size)
        if not len(rows):
            return rows, np.zeros(0, np.float32), np.float32(0)
        # Those next in line by bound are the likeliest to be asked for in the next round.
        likely = front(self.upper, 2 * self.block_size)[0] if self.points.is_stored else rows
        block = self._filled(self.points.take_and_expect(rows, likely))
        alive = self._refresh(block, rows, threshold)
        if len(alive) > REPLAY:
            ahead, nearer = front(self.upper[rows[alive]], REPLAY)
            threshold = Threshold(nearer.sq, int(rows[alive][nearer.row]))
            alive = alive[ahead]
        alive = self._settle(block, rows, alive, threshold)
        if not len(alive):
            return alive, np.zeros(0, np.float32), None
        return self._replay(block, rows, alive, threshold, limit)

    def _filled(self, block: jax.Array | np.ndarray) -> jax.Array:
        """Rows as a block of the one static size; on the host no program is compiled for it."""
        widths = ((0, self.block_size - len(block)), (0, 0))
        pad = np.pad if isinstance(block, np.ndarray) else jnp.pad
        return jnp.asarray(pad(block, widths) if widths[0][1] else block)

    def _compare(
        self, block: jax.Array, positions: np.ndarray, rows: np.ndarray, first: int, last: int
    ) -> None:
        """Let rows know of centers[first:last]; they know of those before already."""
        width = NARROW if last - first <= NARROW else WIDTH
        near = dist.nearest_groups(
            block, _padded(positions), self.centers, self.mean, first, last, width=width
        )
        lower, second, slot, upper = (np.asarray(part)[: len(rows)] for part in near)
        old = self.lower[rows]
        rest = np.minimum(np.minimum(self.second[rows], second), np.maximum(old, lower))
        self.second[rows] = rest
        self.slot[rows] = np.where(lower < old, slot, self.slot[rows])
        self.lower[rows] = np.minimum(old, lower)
        self.upper[rows] = np.minimum(
            self.upper[rows], np.where(self.upper[rows] < 0, CHOSEN, upper)
        )
        self.seen[rows] = last
        self.distances += len(rows) * (last - first)

    def _refresh(self, block: jax.Array, rows: np.ndarray, threshold: Threshold) -> np.ndarray:
        """Bring the block up to date; positions of the rows that stay beyond the threshold."""
        alive = np.arange(len(rows))
        length = WIDTH
        while True:
            alive = alive[threshold.passed(self.upper[rows[alive]], rows[alive])]
            seen = self.seen[rows[alive]]
            if not len(alive) or seen.min() == self.num_centers:
                return alive
            # Those furthest behind catch up first, in growing steps. Those well ahead of them
            # wait, so that hardly anybody is compared with a center twice.
            first = int(seen.min())
            together = seen < first + JOIN
            ahead = int(seen[~together].min(initial=self.num_centers))
            last = min(first + length, ahead)
            self._compare(block, alive[together], rows[alive[together]], first, last)
            length += WIDTH

    def _settle(
        self, block: jax.Array, rows: np.ndarray, alive: np.ndarray, threshold: Threshold
    ) -> np.ndarray:
        """Replace bounds by accurate distances where more than one center is in question."""
        last = self.num_centers
        open_ = alive[self.lower[rows[alive]] < self.upper[rows[alive]]]
        if len(open_):
            who = rows[open_]
            slots = _padded(self.slot[who])
            sq = dist.sq_group(block, _padded(open_), self.centers, slots, last)
            self.upper[who] = np.minimum(self.upper[who], np.asarray(sq)[: len(who)])
            self.distances += dist.GROUP * len(who)
            doubtful = np.maximum(self.second[who], 0) < self.upper[who]
            doubtful &= threshold.passed(self.upper[who], who)
            self._settle_fully(block, open_[doubtful], who[doubtful])
            closed = doubtful | (np.maximum(self.second[who], 0) >= self.upper[who])
            for bound in (self.lower, self.second):
                bound[who[closed]] = np.inf
        return alive[threshold.passed(self.upper[rows[alive]], rows[alive])]

    def _settle_fully(self, block: jax.Array, positions: np.ndarray, rows: np.ndarray) -> None:
        """The same where any number of groups may hold the nearest center."""
        if not len(rows):
            return
        lower = dist.all_groups(
            block, _padded(positions), self.centers, self.mean, self.num_centers, width=WIDTH
        )
        lower = np.maximum(np.asarray(lower)[: len(rows)], 0)
        self.distances += len(rows) * self.num_centers
        near, group = np.nonzero(lower < self.upper[rows][:, None])
        for start in range(0, len(near), self.block_size):
            part = slice(start, start + self.block_size)
            where, slots = positions[near[part]], group[part] * dist.GROUP
            sq = dist.sq_group(
                block, _padded(where), self.centers, _padded(slots), self.num_centers
            )
            np.minimum.at(self.upper, rows[near[part]], np.asarray(sq)[: len(where)])
            self.distances += dist.GROUP * len(where)

    def _replay(
        self,
        block: jax.Array,
        rows: np.ndarray,
        alive: np.ndarray,
        threshold: Threshold,
        limit: int,
    ) -> tuple[np.ndarray, np.ndarray, np.float32 | None]:
        """Greedy among the survivors, as long as the farthest is beyond the threshold."""
        who = rows[alive]  # ascending, so that argmax returns the lowest of equal indices
        sq = self.upper[who]
        lower = np.asarray(dist.pair_lower(block, _padded(alive), self.mean))
        own = np.asarray(block)[alive]
        picked: list[int] = []
        picked_sq: list[np.float32] = []
        radius = None
        while True:
            best = int(np.argmax(sq))
            if not threshold.passed(sq[best], who[best]):
                break
            if len(picked) == limit:
                radius = sq[best]
                break
            picked.append(best)
            picked_sq.append(sq[best])
            near = np.flatnonzero(lower[best, : len(who)] < sq)
            sq[near] = np.minimum(sq[near], dist.sq_accurate_host(own[near] - own[best]))
            sq[best] = CHOSEN
            self.distances += len(near)
        self.upper[who] = sq
        self.add_centers(block, alive[picked], who[picked])
        self.seen[who] = self.num_centers
        return who[picked], np.array(picked_sq, np.float32), radius


def _bucket(n: int) -> int:
    """The next of 64, 96, 128, 192, 256, ...: few sizes, so that few programs are compiled."""
    size = 64
    while size < n:
        if size + size // 2 >= n:
            return size + size // 2
        size *= 2
    return size


def _padded(positions: np.ndarray) -> np.ndarray:
    out = np.zeros(_bucket(len(positions)), np.int32)
    out[: len(positions)] = positions
    return out
