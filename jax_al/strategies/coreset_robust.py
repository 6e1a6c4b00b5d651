"""Robust core-set: k-center with outliers (Sener & Savarese 2018, arXiv 1708.00489, sec. 4.2)."""

import math
from typing import Any

import jax
import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter import kcenter_greedy
from jax_al.geometry.robust import robust_kcenter
from jax_al.strategies.choosing import check_number, check_whole
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy


def coreset_robust(
    *,
    outliers: float = 1e-4,
    tolerance: float = 1e-3,
    max_nodes: int = 1,
    max_points: int = 100_000,
    embedding: str = "model",
) -> Strategy:
    """Picks the points that cover all but a few of the pool within the smallest radius.

    Sener & Savarese 2018, arXiv 1708.00489, section 4.2 and algorithm 2: labeled and picked
    points are centers, and a share of the unlabeled points (section 4.3) need not be covered. The
    paper asks a mixed integer program (Gurobi) at each radius of a bisection; so does
    `geometry.robust`, with HiGHS and on what few variables are left, and never worse than
    `coreset`. Where fewer centers than the budget suffice, the farthest points follow. Picks come
    farthest first, no chance involved; the score of one is its distance to the nearest center
    before it.

    `info` holds the radius, a proven lower bound of it, and the number of outliers. Needs
    `embedding`, no label. Runs on the host: O(N^2 D) for the pairs of points that could cover each
    other, of which at most 50 million are listed; then a problem that is NP-hard, from seconds to
    hours, bounded by `max_nodes` alone. A pool of more than `max_points` is refused: of a million
    points the pairs alone would take hours.

    Args:
      outliers: share of the unlabeled points that may be left uncovered, 1e-4 in the paper; of
        them, rounded down.
      tolerance: stop within this much of the optimum.
      max_nodes: of branch and bound, at each radius where nothing cheaper finds a cover. One
        stands for the solver's heuristics, ten seconds in a pool of 10,000; a thousand take
        minutes and have gained a fifth of a percent of the radius.
      max_points: N, at most.
      embedding: whose embedding.
    """
    check_number("outliers", outliers, least=0, below=1)
    check_number("tolerance", tolerance, least=0)
    check_whole("max_nodes", max_nodes, 0)
    check_whole("max_points", max_points, 1)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        del query_key
        assert signals.embedding is not None
        rows = np.flatnonzero(~np.asarray(pool.excluded))
        if len(rows) > max_points:
            raise UsageError(
                f"coreset_robust compares all pairs of {len(rows):,} points, which takes hours: "
                f"choose coreset, a smaller pool, or raise max_points, which is {max_points:,}."
            )
        points = np.asarray(signals.embedding, np.float32)[rows]
        # Of several best covers the solver names one by position: rows in an order of their own
        # make that a matter of geometry.
        order = _canonical(points)
        rows, points = rows[order], points[order]
        existing = np.flatnonzero(np.asarray(pool.labeled)[rows])
        picks: Any = np.full(budget, NOTHING, np.int32)
        scores: Any = np.full(budget, np.nan, np.float32)
        numbers: Any = np.zeros(3, np.float32)
        wanted = min(budget, len(points) - len(existing))
        if wanted:
            best = robust_kcenter(
                points,
                wanted,
                existing,
                # Rounding must not lose one: 0.29 of 100 is 28.999999999999996.
                math.floor(outliers * (len(points) - len(existing)) + 1e-9),
                tolerance=tolerance,
                max_nodes=max_nodes,
            )
            centers = np.setdiff1d(best.indices, existing)
            found, distances = _farthest_first(points, centers, existing)
            more = kcenter_greedy(points, wanted - len(centers), np.append(existing, centers))
            picks[:wanted] = rows[np.append(found, more.indices)]
            distances = np.append(distances, more.distances)
            scores[:wanted] = np.where(np.isfinite(distances), distances, np.nan)
            numbers[:] = best.radius, best.lower_bound, len(best.outliers)
        names = ("robust_radius", "robust_lower_bound", "num_outliers")
        return Query(picks, dict(zip(names, numbers, strict=True)), scores=scores)

    return strategy(
        select,
        needs={"embedding"},
        seeded=False,
        embedding=embedding,
        on_host=True,
        max_points=max_points,
    )


def _canonical(points: np.ndarray) -> np.ndarray:
    """An order of the rows that depends on their values alone (of equal ones, the first first).

    By their sums; only where these are equal, by all columns, which takes 200 times as long.
    """
    totals = points.sum(axis=1, dtype=np.float64)
    order = np.argsort(totals, kind="stable")
    is_same = totals[order][1:] == totals[order][:-1]
    tied = np.flatnonzero(np.append(is_same, False) | np.append(False, is_same))
    rows = order[tied]
    order[tied] = rows[np.lexsort((*points[rows].T[::-1], totals[rows]))]
    return order


def _farthest_first(
    points: np.ndarray, centers: np.ndarray, existing: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`centers` as greedy k-center would order them, and their distances to those before them."""
    both = np.append(existing, centers)
    ordered = kcenter_greedy(points[both], len(centers), np.arange(len(existing)))
    return both[ordered.indices], ordered.distances
