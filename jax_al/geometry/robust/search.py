"""The search for the smallest radius that covers all but a few points.

The robust core-set of Sener & Savarese 2018 (arXiv 1708.00489, section 4.2) without its N x N
assignment variables and without a commercial solver. At a fixed radius r, "can `num_picks` new
centers cover all but `num_outliers` points" is a covering problem:

- a point within r of an existing center is covered already and drops out;
- a point u still to be covered needs a center among its neighbors {j: d(u, j) <= r}. Since no
  existing center is that near, these are few, and they are listed once for all radii: the pairs
  with d(u, j) <= min(distance of u to its nearest center, radius of greedy);
- of two possible centers, one that covers a subset of what the other covers drops out.

Radii are bisected as plain distances between the proven lower end and the best cover found. Each
is tried with the cheapest method that can decide it: a greedy cover, then the linear relaxation
(which proves there is no cover, or is rounded to one), diving along it, then branch and bound
(HiGHS) up to a number of nodes. A radius that stays undecided is never called infeasible: the
search goes on above it, and the lower bound stays where it was proven.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter.greedy import check_count
from jax_al.geometry.kcenter.lazy import lazy_greedy
from jax_al.geometry.robust.answer import Robust, answer, pose, radius_without
from jax_al.geometry.robust.covering import find_cover
from jax_al.geometry.robust.pairs import distances_to, list_pairs, next_distance

CLOSE = 0.9  # of greedy's radius: where the search looks first


def robust_kcenter(
    points: Any,
    num_picks: int,
    initial: Any = None,
    num_outliers: int | None = None,
    *,
    exclude: Any = None,
    metric: str = "euclidean",
    tolerance: float = 1e-3,
    max_nodes: int = 1000,
    max_pairs: int = 50_000_000,
) -> Robust:
    """The smallest radius at which `num_picks` new centers cover all but `num_outliers` points.

    Never worse than greedy, and deterministic: limits count nodes and pairs, not seconds.

    Args:
        points: [N, D], as for `kcenter_greedy`.
        num_picks: Q, at least 1 and at most the number of points that are neither in `initial` nor
            in `exclude`.
        initial: existing centers, as indices or a mask bool [N]; or None.
        num_outliers: points that may be left out; default N / 10,000, as in the paper, of the N
            that are not excluded.
        exclude: rows that are as if they were absent, as indices or a mask bool [N].
        metric: "euclidean", or "cosine": 1 - cos(angle).
        tolerance: stop when radius <= (1 + tolerance) * lower_bound; 0 asks for the optimum.
        max_nodes: of branch and bound, for each radius.
        max_pairs: of points as near as greedy's radius; with more of them, greedy's cover is
            returned with the lower bound that greedy proves.

    Raises:
        ValueError: as `kcenter_greedy`; `num_picks` 0; `num_outliers`, `max_nodes` or `max_pairs`
            not whole or negative; `tolerance` negative or NaN.
    """
    if not tolerance >= 0:  # below 0 the search would never be content; NaN is not >= 0 either
        raise UsageError(f"tolerance is {tolerance}; it must be 0 or more")
    max_nodes = check_count("max_nodes", max_nodes)
    max_pairs = check_count("max_pairs", max_pairs)
    problem = pose(points, num_picks, initial, num_outliers, metric, exclude)
    matrix, existing, outliers = problem.points, problem.existing, problem.num_outliers
    # The search is Euclidean; the square of a distance has the square of the tolerance's factor.
    factor = 1 + tolerance if metric == "euclidean" else (1 + tolerance) ** 0.5

    # Greedy run on: the picks and the point after them are pairwise at least `distances[-1]`
    # apart and as far from every existing center, so none of them shares a center of half that
    # radius, and more of them remain than outliers may be left out.
    more = min(num_picks + outliers + 1, matrix.N - len(existing))
    first = 0 if len(existing) else int(matrix.places(matrix.farthest_from_mean()))
    greedy = lazy_greedy(matrix, existing, more, first)
    best = np.sort(greedy.indices[:num_picks])
    if more <= num_picks or greedy.sq_distances[num_picks] == 0:  # all are twins of centers
        return answer(problem, best, None, 0.0, 0.0, factor)
    reach = float(np.sqrt(greedy.sq_distances[num_picks]))  # when nothing is left out
    proven = 0.0
    if more == num_picks + outliers + 1:
        proven = float(np.sqrt(greedy.sq_distances[-1])) / 2

    # Close below greedy's radius few points are open, and usually there is a proof that no cover
    # exists there. Only if there is none are the many open points further down listed too.
    pairs, floor = list_pairs(matrix, existing, max(proven, CLOSE * reach), reach, max_pairs)
    if pairs is not None and floor > proven:
        verdict = find_cover(pairs, floor, num_picks, outliers, max_nodes)
        if isinstance(verdict, str) and verdict == "none":
            proven = floor
        else:
            pairs, floor = list_pairs(matrix, existing, proven, reach, max_pairs)
    if pairs is None:
        return answer(problem, best, None, reach, proven, factor)
    to_best = distances_to(pairs, best)
    high = radius_without(to_best, outliers)
    low = proven
    while high > max(low, proven) * factor:
        radius = (max(low, proven) + high) / 2
        cover = find_cover(pairs, radius, num_picks, outliers, max_nodes)
        if isinstance(cover, np.ndarray):
            best, to_best = cover, distances_to(pairs, cover)
            high = radius_without(to_best, outliers)
        else:
            # Between two neighboring distances nothing changes.
            low = next_distance(pairs, radius, high)
            if cover == "none":
                proven = low
    return answer(problem, best, to_best, high, min(proven, high), factor)
