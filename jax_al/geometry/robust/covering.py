"""Is there a cover at this radius? Greedy, a linear relaxation, diving, then branch and bound."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array, eye_array, hstack

from jax_al.geometry.robust.pairs import Pairs

SURE = 0.9  # a column that the relaxation takes to this share is taken while diving
MAX_OVERLAPS = 20_000_000  # pairs of centers that share a point, beyond which none is dropped


def find_cover(
    pairs: Pairs, radius: float, num_picks: int, outliers: int, max_nodes: int
) -> np.ndarray | str:
    """Centers that cover all but `outliers` points, or "none" (proven), or "undecided"."""
    open_points = np.flatnonzero(pairs.to_existing > radius)
    if len(open_points) <= outliers:
        return np.zeros(0, np.int64)
    used = (pairs.distance <= radius) & (pairs.to_existing[pairs.point] > radius)
    centers, column = np.unique(pairs.center[used], return_inverse=True)
    row = np.searchsorted(open_points, pairs.point[used])
    shape = (len(open_points), len(centers))
    covers = coo_array((np.ones(len(row)), (row, column)), shape=shape).tocsc()
    kept = _undominated(covers)
    covers, centers = covers[:, kept], centers[kept]

    picked = _greedy_cover(covers, np.zeros(len(centers)), num_picks, outliers)
    if picked is not None:
        return centers[picked]
    relaxed = _solve(covers, outliers, integral=False, max_nodes=0)
    if relaxed.status == 2 or (relaxed.status == 0 and relaxed.fun > num_picks + 1e-3):
        return "none"
    if relaxed.x is not None:
        picked = _greedy_cover(covers, relaxed.x[: len(centers)], num_picks, outliers)
        if picked is not None:
            return centers[picked]
        picked = _dive(covers, relaxed.x, num_picks, outliers)
        if picked is not None:
            return centers[picked]
    solved = _solve(covers, outliers, integral=True, max_nodes=max_nodes)
    if solved.x is not None:
        picked = np.flatnonzero(solved.x[: len(centers)] > 0.5)
        if len(picked) <= num_picks:
            return centers[picked]
    bound = solved.mip_dual_bound
    if solved.status == 2 or (bound is not None and bound > num_picks + 1e-3):
        return "none"
    return "undecided"


def _undominated(covers: csc_array) -> np.ndarray:
    """Columns that cover no subset of what another covers (of equals, the first stays)."""
    degree = np.diff(covers.tocsr().indptr).astype(np.int64)
    if np.square(degree).sum() > MAX_OVERLAPS:
        return np.arange(covers.shape[1])
    size = np.diff(covers.indptr)
    common = (covers.T @ covers).tocoo()
    a, b = common.row, common.col
    inside = (common.data == size[a]) & (a != b)
    loses = inside & ((size[a] < size[b]) | (b < a))
    return np.setdiff1d(np.arange(covers.shape[1]), a[loses])


def _greedy_cover(
    covers: csc_array, weight: np.ndarray, num_picks: int, outliers: int
) -> np.ndarray | None:
    """Columns by weight, then by how many uncovered rows they cover; None if that fails.

    A column's gain only shrinks, so a stale one is an upper bound: the lazy greedy again.
    """
    uncovered = np.ones(covers.shape[0], bool)
    left = int(covers.shape[0])
    gain = np.diff(covers.indptr).astype(np.int64)
    value = gain * (0.01 + weight)
    heap = [(-value[j], j) for j in range(covers.shape[1])]
    heapq.heapify(heap)
    picked: list[int] = []
    while heap and left > outliers and len(picked) < num_picks:
        stale, j = heapq.heappop(heap)
        rows = covers.indices[covers.indptr[j] : covers.indptr[j + 1]]
        fresh = int(uncovered[rows].sum())
        if not fresh:
            continue
        now = fresh * (0.01 + weight[j])
        if -stale > now and heap and -heap[0][0] > now:
            heapq.heappush(heap, (-now, j))
            continue
        picked.append(j)
        uncovered[rows] = False
        left -= fresh
    return np.array(sorted(picked)) if left <= outliers else None


def _dive(
    covers: csc_array, relaxed: np.ndarray, num_picks: int, outliers: int
) -> np.ndarray | None:
    """Columns that the relaxation is surest of, a few at a time; it is solved anew for the rest.

    None once the relaxation of the rest shows that `num_picks` will not do. Diving, a standard
    heuristic of mixed integer programming: it only ever finds a cover, it proves nothing. Where
    there is room it takes a few seconds, and branch and bound, which goes on to the optimum, a
    minute (10,000 embeddings of CIFAR-10, 200 picks).
    """
    columns, picked = np.arange(covers.shape[1]), np.zeros(0, int)
    while True:
        weight = relaxed[: len(columns)]
        few = max(3, covers.shape[0] // 100)
        fixed = np.argsort(-weight, kind="stable")[: max(few, (weight > SURE).sum())]
        picked = np.concatenate([picked, columns[fixed]])
        if len(picked) > num_picks:
            return None
        uncovered = covers[:, fixed].sum(axis=1) == 0
        covers = covers[uncovered]
        if covers.shape[0] <= outliers:
            return np.sort(picked)
        useful = np.setdiff1d(np.flatnonzero(np.diff(covers.indptr)), fixed)
        covers, columns = covers[:, useful], columns[useful]
        found = _solve(covers, outliers, integral=False, max_nodes=0)
        if found.x is None or len(picked) + found.fun > num_picks + 1e-3:
            return None
        relaxed = found.x


def _solve(covers: csc_array, outliers: int, *, integral: bool, max_nodes: int) -> Any:
    """Fewest centers that cover all rows but `outliers`, by HiGHS."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # heavy, and few runs want it

    R, C = covers.shape
    if outliers:
        # One more variable per row, "left out", and one constraint on their sum.
        constraints = [
            LinearConstraint(hstack([covers, eye_array(R)], format="csc"), lb=1),
            LinearConstraint(
                csr_array(np.concatenate([np.zeros(C), np.ones(R)])[None, :]), ub=outliers
            ),
        ]
        cost = np.concatenate([np.ones(C), np.zeros(R)])
    else:
        constraints = [LinearConstraint(covers, lb=1)]
        cost = np.ones(C)
    options: dict[str, Any] = {"node_limit": max_nodes} if integral else {}
    return milp(
        cost,
        integrality=np.full(len(cost), int(integral)),
        bounds=Bounds(0, 1),
        constraints=constraints,
        options=options,
    )
