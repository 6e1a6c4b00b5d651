"""The public greedy k-center: checks its input, runs the lazy engine, returns distances."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_al.geometry.kcenter.lazy import Work, fitting_block, lazy_greedy
from jax_al.geometry.kcenter.points import Points, name_rows
from jax_al.geometry.kcenter.reading import as_array, is_split
from jax_al.geometry.kcenter.sharded import ShardedPoints, sharded_greedy


class Greedy(NamedTuple):
    """Centers bought by the greedy rule."""

    indices: np.ndarray  # int64 [Q], in pick order, distinct, never in `initial`
    distances: np.ndarray  # float64 [Q], of each pick to its nearest center when it was picked
    radius: float  # largest distance of any point to its nearest center after the last pick
    work: Work  # what it took


def kcenter_greedy(
    points: Any,
    num_picks: int,
    initial: Any = None,
    *,
    metric: str = "euclidean",
    key: jax.Array | None = None,
    progress: bool = False,
    max_bytes: int | None = None,
) -> Greedy:
    """Pick, `num_picks` times, the point farthest from its nearest center: exactly, and soon.

    The certificate: let r* be the smallest radius any `num_picks` further centers could reach,
    given `initial` (the k-center problem with fixed centers; centers anywhere in the space of
    the points included). Then `radius` <= 2 r*, and no polynomial algorithm promises less unless
    P = NP (Gonzalez 1985; as a core-set for active learning: Sener & Savarese 2018,
    arXiv 1708.00489). Starting without a center, the first pick counts among the `num_picks`.

    The picks are those of a brute force on accurate distances (float32 differences, summed in
    float64, rounded to float32); ties go to the lowest index. How this needs a fraction of the
    distances: `geometry.kcenter.lazy`, after Minoux 1978. Distances below 1e-19 count as zero.

    Args:
        points: [N, D], NumPy, memory-mapped, JAX (also split by rows over a mesh axis, on one host
            or several), zarr, TensorStore, or anything with a shape, a dtype and rows by index;
            float16, bfloat16, float32, float64 (rounded to float32) or uint8.
        num_picks: Q, at most the number of points that are not in `initial`.
        initial: indices of existing centers. None or empty is a cold start: the first pick is
            the point farthest from the mean, or a random one if `key` is given.
        metric: "euclidean", or "cosine": 1 - cos(angle). The latter is half the square of a
            Euclidean distance, so there the certificate reads `radius` <= 4 r*.
        key: typed PRNG key for the first pick of a cold start.
        progress: report on standard error.
        max_bytes: working memory beside the points, about, of each device: blocks shrink to
            fit. Together with `points` in a file, the way to matrices larger than memory.

    Returns:
        `Greedy`; `distances` never increases, and starts with inf after a cold start.

    Raises:
        ValueError: NaN, infinity or entries beyond 1e15 (rows named); under cosine, rows of
            zeros (named); not a matrix, or an empty one; `initial` out of range or repeated
            (values named); `num_picks` not whole, negative or larger than what is left;
            `max_bytes` less than what the bounds and the centers alone take; points sharded
            otherwise than by rows.
    """
    points = as_array(points)
    matrix = (ShardedPoints if is_split(points) else Points)(points, metric)
    initial = check_initial(initial, matrix.N)
    num_picks = check_count(num_picks)
    left = matrix.N - len(initial)
    if not 0 <= num_picks <= left:
        raise ValueError(f"num_picks is {num_picks}, but {left} of {matrix.N} points can be picked")
    first = 0
    if not len(initial):
        if num_picks == 0:
            return Greedy(
                np.zeros(0, np.int64),
                np.zeros(0),
                np.inf,
                Work(0, 0, matrix.rows_read, matrix.bytes_read),
            )
        if key is None:
            first = matrix.farthest_from_mean()
        else:
            first = int(jax.random.randint(key, (), 0, matrix.N))
    report = _reporter(num_picks, progress)
    if isinstance(matrix, ShardedPoints):
        picks = sharded_greedy(matrix, initial, num_picks, first, report, max_bytes)
    else:
        block = fitting_block(matrix, len(initial) + num_picks, max_bytes)
        picks = lazy_greedy(matrix, initial, num_picks, first, report, block)
    sq = np.append(picks.sq_distances, picks.sq_radius)
    distances = np.sqrt(sq) if metric == "euclidean" else sq / 2
    return Greedy(picks.indices, distances[:-1], float(distances[-1]), picks.work)


def check_count(num_picks: Any) -> int:
    """A number of picks; a ValueError if it is not whole."""
    try:
        return operator.index(num_picks)
    except TypeError:
        raise ValueError(f"num_picks must be an integer, not {num_picks!r}") from None


def check_initial(initial: Any, N: int) -> np.ndarray:
    """Indices of existing centers as int64 [L]; a ValueError names those that cannot be."""
    rows = np.asarray([] if initial is None else initial)
    if rows.size == 0:
        return np.zeros(0, np.int64)
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(f"initial must be a vector of indices, not {rows.dtype} {rows.shape}")
    outside = rows[(rows < 0) | (rows >= N)]
    if len(outside):
        raise ValueError(f"initial names {name_rows(outside.tolist())}: points has rows 0..{N - 1}")
    values, counts = np.unique(rows, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"initial repeats {name_rows(values[counts > 1].tolist())}")
    return rows.astype(np.int64)


def _reporter(num_picks: int, progress: bool) -> Callable[[int], None]:
    if not progress:
        return lambda done: None
    end = "\r" if sys.stderr.isatty() else "\n"

    def report(done: int) -> None:
        line = f"k-center: {done:,} of {num_picks:,} picks"
        print(line, end="\n" if done == num_picks else end, file=sys.stderr, flush=True)

    return report
