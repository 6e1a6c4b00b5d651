"""The exact lazy engine: the picks of plain greedy for a fraction of its distances.

Why laziness is exact. Adding a center can only shrink a point's distance to its nearest center.
So a distance worked out against the first few centers is an upper bound on today's, and a point
whose old bound lies below somebody's true distance today cannot be the farthest (lazy greedy:
Minoux 1978). One round:

      points by bound, largest first
      |########################|...............................................|
       block: the B largest     the others: none of them can lie beyond T
                                 ^ T = the largest bound outside the block

  1. Refresh the block's bounds against the centers they have missed, some hundreds at a time;
     a row whose bound drops below T leaves.
  2. Settle those that remain: an accurate distance instead of a bound.
  3. Replay greedy among them. While the farthest lies beyond T no outsider can be farther, so
     each of these picks is the pick of plain greedy over all points. A new center can only
     change the survivors that their mutual lower bounds do not excuse.
  4. The picks become centers, which every other row has now missed.

At equality the lowest index wins, inside the block and against the outsiders: T comes with the
lowest index that attains it, and the block holds every equal bound of a lower index. A round
that picks nothing has refreshed or settled some row that stood among the B largest, and nothing
is ever unsettled except by a new center; so it ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter.engine import BLOCK, REPLAY, WIDTH, Engine
from jax_al.geometry.kcenter.points import Points

SMALLEST_BLOCK = 64
# Early in a cold start every bound is loose, and the block soon falls behind an outsider's stale
# one. After PATIENCE rounds with fewer than YIELD picks each it pays to refresh all the bounds.
PATIENCE = 4
YIELD = 8


class Work(NamedTuple):
    """What a run took: figures for the curious, of no influence on the result."""

    rounds: int
    distances: int  # point-center pairs evaluated, in either quality
    rows_read: int  # rows of the matrix read, the checking passes and those read ahead included
    bytes_read: int  # the same in bytes; the plain loop reads the whole matrix once per pick
    collectives: int = 0  # between devices
    bytes_exchanged: int = 0  # that each device received in them


class Picks(NamedTuple):
    """Greedy's answer in squared distances, on the host."""

    indices: np.ndarray  # int64 [Q], in pick order
    sq_distances: np.ndarray  # float32 [Q]; inf for a first pick without any center
    sq_radius: float
    work: Work


def lazy_greedy(
    points: Points,
    initial: np.ndarray,
    num_picks: int,
    first: int = 0,
    report: Callable[[int], None] = lambda done: None,
    block: int = BLOCK,
) -> Picks:
    """Greedy k-center from `initial`, or from the pick `first` where there is no center."""
    engine = Engine(points, len(initial) + num_picks, block)
    indices: list[int] = []
    sq_distances: list[float] = []
    if len(initial):
        engine.add_initial(initial)
    else:
        engine.add_initial(np.array([first]))
        indices, sq_distances = [first], [np.inf]
    engine.compare_all()
    rounds = picked = 0  # since then
    sq_radius = None
    while sq_radius is None:
        rows, sq, sq_radius = engine.round(num_picks - len(indices))
        indices += rows.tolist()
        sq_distances += sq.tolist()
        report(len(indices))
        rounds, picked = rounds + 1, picked + len(rows)
        if sq_radius is None and rounds >= PATIENCE and picked < YIELD * rounds:
            engine.compare_all()
            rounds = picked = 0
    work = Work(engine.rounds, engine.distances, points.rows_read, points.bytes_read)
    return Picks(np.array(indices, np.int64), np.array(sq_distances), float(sq_radius), work)


def sq_to_nearest(points: Points, centers: np.ndarray, floor: np.float32) -> np.ndarray:
    """Squared distance [N] of every point to the nearest of some rows, float32.

    Accurate where it is larger than `floor`; elsewhere anything not larger.
    """
    engine = Engine(points, len(centers), BLOCK)
    engine.add_initial(centers)
    engine.settle_beyond(floor)
    return np.maximum(engine.upper, 0)


def fitting_block(points: Points, capacity: int, max_bytes: int | None) -> int:
    """The largest block with which everything but the points fits into `max_bytes`."""
    # Per point two bounds and a second one, a slot and a count; the center list, twice while it
    # is appended to; a block, gathered and centred, the one before it and the one read ahead;
    # the bounds among survivors; room for tiles.
    fixed = 24 * points.N + points.index_bytes + 8 * (capacity + BLOCK) * points.D
    block = BLOCK
    while max_bytes is not None:
        need = fixed + block * (24 * points.D + 4 * WIDTH) + 8 * min(block, REPLAY) ** 2
        if need <= max_bytes:
            break
        if block == SMALLEST_BLOCK:
            raise UsageError(f"max_bytes is {max_bytes:,}, but at least {need:,} are needed")
        block //= 2
    return block
