"""What a cover of all but the outliers is reported as, and the questions put to both methods."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter.greedy import check_count
from jax_al.geometry.kcenter.points import Points
from jax_al.geometry.kcenter.rows import check_initial


class Robust(NamedTuple):
    """A cover of all but the outliers."""

    indices: np.ndarray  # int64 [Q], the new centers, ascending; fewer would not cover less well
    radius: float  # largest distance of a point that is no outlier to its nearest center
    lower_bound: float  # proven: no choice of centers has a smaller radius
    outliers: np.ndarray  # int64, at most num_outliers points that are farther than the radius
    status: str  # "optimal" (within the tolerance), or "limit": the gap is what it is, but true


class Problem(NamedTuple):
    """The question, checked; rows by their places among those that are not excluded."""

    points: Points
    existing: np.ndarray  # int64 [L]
    num_picks: int
    num_outliers: int
    metric: str


def pose(
    points: Any,
    num_picks: int,
    initial: Any,
    num_outliers: int | None,
    metric: str,
    exclude: Any = None,
) -> Problem:
    """The problem that the arguments of `robust_kcenter` state, or a UsageError."""
    matrix = Points(points, metric, exclude)
    existing = matrix.places(check_initial(initial, matrix.num_rows, matrix.excluded))
    if num_outliers is None:
        num_outliers = matrix.N // 10_000
    num_outliers = check_count("num_outliers", num_outliers)
    num_picks = check_count("num_picks", num_picks)
    if num_picks < 1:
        raise UsageError(f"num_picks is {num_picks}; at least one center is to be picked")
    left = matrix.N - len(existing)
    if num_picks > left:
        raise UsageError(
            f"num_picks is {num_picks}, but {left} of {matrix.num_rows} points can be picked"
        )
    return Problem(matrix, existing, num_picks, num_outliers, metric)


def answer(
    problem: Problem,
    indices: np.ndarray,
    reached: np.ndarray | None,
    radius: float,
    lower_bound: float,
    factor: float,
) -> Robust:
    """The result, from Euclidean figures.

    Args:
        problem: what was asked.
        indices: int64 [Q], the new centers, ascending.
        reached: float64 [N], distance to the nearest center; None: nothing lies beyond `radius`.
        radius: of the cover.
        lower_bound: proven.
        factor: the cover counts as optimal if its radius is at most this times the bound.
    """
    far = np.zeros(0, np.int64) if reached is None else np.flatnonzero(reached > radius)
    assert len(far) <= problem.num_outliers
    status = "optimal" if radius <= lower_bound * factor else "limit"
    if problem.metric == "cosine":
        # Rows have length 1: the cosine distance is half the square of the Euclidean.
        radius, lower_bound = radius**2 / 2, lower_bound**2 / 2
    numbers = problem.points.numbers
    return Robust(numbers(indices), radius, lower_bound, numbers(far), status)


def radius_without(reached: np.ndarray, outliers: int) -> float:
    """The largest distance when the `outliers` farthest points are left out."""
    if outliers >= len(reached):
        return 0.0
    return float(np.partition(reached, len(reached) - 1 - outliers)[len(reached) - 1 - outliers])
