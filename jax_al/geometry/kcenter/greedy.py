"""The public greedy k-center: checks its input, runs the lazy engine, returns distances."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter.lazy import Work, fitting_block, lazy_greedy
from jax_al.geometry.kcenter.points import Points
from jax_al.geometry.kcenter.reading import as_array, is_split
from jax_al.geometry.kcenter.rows import check_initial
from jax_al.geometry.kcenter.sharded import ShardedPoints, sharded_greedy
from jax_al.geometry.kcenter.sizes import check_bytes


class Greedy(NamedTuple):
    """Centers bought by the greedy rule."""

    indices: np.ndarray  # int64 [Q], in pick order, distinct; in neither `initial` nor `exclude`
    distances: np.ndarray  # float64 [Q], of each pick to its nearest center when it was picked
    radius: float  # largest distance of a point to its nearest center after the last pick
    work: Work  # what it took


def kcenter_greedy(
    points: Any,
    num_picks: int,
    initial: Any = None,
    *,
    exclude: Any = None,
    metric: str = "euclidean",
    key: jax.Array | None = None,
    progress: bool = False,
    max_bytes: int | str | None = None,
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
            float16, bfloat16, float32, float64 or integers (rounded to float32: above 2^24 not
            every integer is one).
        num_picks: Q, at most the number of points that are neither in `initial` nor in `exclude`.
        initial: existing centers, as indices or a mask bool [N]. None or empty is a cold start:
            the first pick is the point farthest from the mean, or a random one if `key` is given.
        exclude: rows that are as if they were absent, as indices or a mask bool [N]: never picked,
            not covered, not in the mean; they may hold anything, NaN too. The answer is that for
            the matrix without them.
        metric: "euclidean", or "cosine": 1 - cos(angle). The latter is half the square of a
            Euclidean distance, so there the certificate reads `radius` <= 4 r*.
        key: a PRNG key for the first pick of a cold start.
        progress: report on standard error.
        max_bytes: working memory beside the points, about, of each device, as a number or as
            "500MB" or "2GiB": blocks shrink to fit. Together with `points` in a file, the way to
            matrices larger than memory.

    Returns:
        `Greedy`; `distances` never increases, and starts with inf after a cold start.

    Raises:
        ValueError: NaN, infinity or entries beyond 1e15 (rows named); under cosine, rows of
            zeros (named); not a matrix, or an empty one; `initial` or `exclude` out of range or
            repeated, rows in both (values named), all rows excluded; `num_picks` not whole,
            negative or larger than what is left; `key` is not one key; `max_bytes` less than what
            the bounds and the centers alone take; points sharded otherwise than by rows.
    """
    num_picks = check_count("num_picks", num_picks)
    first_of = None if key is None else _drawn(key)
    max_bytes = None if max_bytes is None else check_bytes("max_bytes", max_bytes)
    points = as_array(points)
    matrix = (ShardedPoints if is_split(points) else Points)(points, metric, exclude)
    initial = check_initial(initial, matrix.num_rows, matrix.excluded)
    left = matrix.N - len(initial)
    if num_picks > left:
        raise UsageError(
            f"num_picks is {num_picks}, but {left} of {matrix.num_rows} points can be picked"
        )
    first = 0
    if not len(initial):
        if num_picks == 0:
            return Greedy(
                np.zeros(0, np.int64),
                np.zeros(0),
                np.inf,
                Work(0, 0, matrix.rows_read, matrix.bytes_read),
            )
        if first_of is None:
            first = matrix.farthest_from_mean()
        else:
            first = int(matrix.numbers(first_of(matrix.N)))
    report = _reporter(num_picks, progress)
    if isinstance(matrix, ShardedPoints):
        picks = sharded_greedy(matrix, initial, num_picks, first, report, max_bytes)
    else:
        block = fitting_block(matrix, len(initial) + num_picks, max_bytes)
        places, start = matrix.places(initial), int(matrix.places(first))
        picks = lazy_greedy(matrix, places, num_picks, start, report, block)
        picks = picks._replace(indices=matrix.numbers(picks.indices))
    sq = np.append(picks.sq_distances, picks.sq_radius)
    distances = np.sqrt(sq) if metric == "euclidean" else sq / 2
    return Greedy(picks.indices, distances[:-1], float(distances[-1]), picks.work)


def _drawn(key: jax.Array) -> Callable[[int], int]:
    """Returns a function from N to a row, if `key` is one key."""
    try:
        jax.random.bits(key)
    except (TypeError, ValueError):
        raise UsageError(f"key is {key!r}; it must be one key, as jax.random.key(0) is") from None
    return lambda N: int(jax.random.randint(key, (), 0, N))


def check_count(name: str, value: Any) -> int:
    """The argument `name`, a number of things; a UsageError if it is not whole or is negative."""
    try:
        count = operator.index(value)
    except TypeError:
        raise UsageError(f"{name} must be an integer, not {value!r}") from None
    if count < 0:
        raise UsageError(f"{name} is {count}; it cannot be negative")
    return count


def _reporter(num_picks: int, progress: bool) -> Callable[[int], None]:
    if not progress:
        return lambda done: None
    end = "\r" if sys.stderr.isatty() else "\n"

    def report(done: int) -> None:
        line = f"k-center: {done:,} of {num_picks:,} picks"
        print(line, end="\n" if done == num_picks else end, file=sys.stderr, flush=True)

    return report
