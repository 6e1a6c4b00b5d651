"""The greedy with outliers: balls that hold the most, within three times the optimum."""

from __future__ import annotations

from typing import Any

import numpy as np

from jax_al.geometry.kcenter.distances import sq_accurate_host
from jax_al.geometry.robust.answer import Robust, answer, pose, radius_without


def greedy_with_outliers(
    points: Any,
    num_picks: int,
    initial: Any = None,
    num_outliers: int | None = None,
    *,
    exclude: Any = None,
    metric: str = "euclidean",
) -> Robust:
    """The 3-approximation for k-center with outliers; no solver, but N x N distances in memory.

    For a radius r, take `num_picks` times the center whose r-ball holds the most uncovered
    points and call everything within 3 r of it covered. If r is at least the optimum this
    leaves no more than `num_outliers` points (Charikar, Khuller, Mount & Narasimhan 2001,
    theorem 3.1; existing centers cover within 3 r from the start). So the smallest distance at
    which it succeeds while the one before fails is a lower bound, and 3 times it an upper.

    Under the cosine metric, half a squared Euclidean distance, the factor is 9.

    Args and errors: as for `robust_kcenter`, for the arguments that both have.
    """
    problem = pose(points, num_picks, initial, num_outliers, metric, exclude)
    existing, outliers = problem.existing, problem.num_outliers
    rows = np.asarray(problem.points.take(slice(None)))
    sq = np.stack([sq_accurate_host(rows - row) for row in rows])
    distances = np.sqrt(sq.astype(np.float64))

    def attempt(radius: float) -> np.ndarray | None:
        uncovered = np.ones(len(rows), bool)
        if len(existing):
            uncovered = distances[existing].min(axis=0) > 3 * radius
        inside = distances <= radius
        picks: list[int] = []
        for _ in range(num_picks):
            held = inside @ uncovered.astype(np.int64)
            held[[*existing, *picks]] = -1
            pick = int(np.argmax(held))  # never one of the -1: `pose` saw that enough are left
            picks.append(pick)
            uncovered &= distances[pick] > 3 * radius
        return np.array(picks) if uncovered.sum() <= outliers else None

    # The first index at which it succeeds after a failure, by bisection.
    steps = np.unique(distances)
    failed, succeeded = -1, len(steps) - 1
    picks = attempt(steps[-1])
    while succeeded - failed > 1:
        middle = (failed + succeeded) // 2
        found = attempt(steps[middle])
        if found is None:
            failed = middle
        else:
            succeeded, picks = middle, found
    assert picks is not None  # at the largest distance, one ball holds everything
    reached = distances[np.concatenate([existing, picks])].min(axis=0)
    radius = radius_without(reached, outliers)
    lower_bound = min(float(steps[succeeded]), radius)
    return answer(problem, np.sort(picks), reached, radius, lower_bound, 1.0)
