"""k-center with outliers: the smallest radius that covers all but a few points.

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
(which proves there is no cover, or is rounded to one), then branch and bound (HiGHS) up to a
number of nodes. A radius that stays undecided is never called infeasible: the search goes on
above it, and the lower bound stays where it was proven.
"""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csc_array, csr_array, eye_array, hstack

from jax_al.kcenter.distances import matmul_slack, sq_accurate_host, sq_norms
from jax_al.kcenter.greedy import check_initial, kcenter_greedy
from jax_al.kcenter.lazy import sq_to_nearest
from jax_al.kcenter.points import Points

CLOSE = 0.9  # of greedy's radius: where the search looks first
TILE = 4096  # distances are looked through in tiles of [TILE, TILE]
MAX_OVERLAPS = 20_000_000  # pairs of centers that share a point, beyond which none is dropped


class Robust(NamedTuple):
    """A cover of all but the outliers."""

    indices: np.ndarray  # int64 [Q], the new centers, ascending; fewer would not cover less well
    radius: float  # largest distance of a point that is no outlier to its nearest center
    lower_bound: float  # proven: no choice of centers has a smaller radius
    outliers: np.ndarray  # int64, at most num_outliers points that are farther than the radius
    status: str  # "optimal" (within the tolerance), or "limit": the gap is what it is, but true


class _Pairs(NamedTuple):
    """Who could cover whom."""

    to_existing: np.ndarray  # float64 [N], distance to the nearest existing center if beyond
    # the lowest radius of interest, else any number below that
    point: np.ndarray  # int64 [P], a point to be covered
    center: np.ndarray  # int64 [P], a center that could cover it
    distance: np.ndarray  # float64 [P]


def robust_kcenter(
    points: Any,
    num_picks: int,
    initial: Any = None,
    num_outliers: int | None = None,
    *,
    tolerance: float = 1e-3,
    max_nodes: int = 1000,
    max_pairs: int = 50_000_000,
) -> Robust:
    """The smallest radius at which `num_picks` new centers cover all but `num_outliers` points.

    Never worse than greedy, and deterministic: limits count nodes and pairs, not seconds.

    Args:
        points: [N, D], as for `kcenter_greedy`.
        num_picks: Q, at least 1.
        initial: indices of existing centers, or None.
        num_outliers: points that may be left out; default N / 10,000, as in the paper.
        tolerance: stop when radius <= (1 + tolerance) * lower_bound; 0 asks for the optimum.
        max_nodes: of branch and bound, for each radius.
        max_pairs: of points as near as greedy's radius; with more of them, greedy's cover is
            returned with the lower bound that greedy proves.

    Raises:
        ValueError: as `kcenter_greedy`; a `num_outliers` that is negative.
    """
    matrix = Points(points)
    existing = check_initial(initial, matrix.N)
    outliers = matrix.N // 10_000 if num_outliers is None else num_outliers
    if outliers < 0:
        raise ValueError(f"num_outliers is {num_outliers}; it cannot be negative")
    if num_picks < 1:
        raise ValueError(f"num_picks is {num_picks}; at least one center is to be picked")

    # Greedy run on: the picks and the point after them are pairwise at least `distances[-1]`
    # apart and as far from every existing center, so none of them shares a center of half that
    # radius, and more of them remain than outliers may be left out.
    more = min(num_picks + outliers + 1, matrix.N - len(existing))
    greedy = kcenter_greedy(points, more, existing)
    best = np.sort(greedy.indices[:num_picks])
    if more <= num_picks or greedy.distances[num_picks] == 0:  # everything is a center's twin
        return _answer(best, np.zeros(matrix.N), 0.0, 0.0, outliers, tolerance)
    reach = float(greedy.distances[num_picks])  # greedy's radius when nothing is left out
    proven = float(greedy.distances[-1]) / 2 if more == num_picks + outliers + 1 else 0.0

    # Close below greedy's radius few points are open, and usually there is a proof that no cover
    # exists there. Only if there is none are the many open points further down listed too.
    pairs, floor = _list_pairs(matrix, existing, max(proven, CLOSE * reach), reach, max_pairs)
    if pairs is not None and floor > proven:
        verdict = _cover(pairs, floor, num_picks, outliers, max_nodes)
        if isinstance(verdict, str) and verdict == "none":
            proven = floor
        else:
            pairs, floor = _list_pairs(matrix, existing, proven, reach, max_pairs)
    if pairs is None:
        return _answer(best, None, reach, proven, outliers, tolerance)
    to_best = _distances(pairs, best)
    high = _radius(to_best, outliers)
    low = proven
    while high > max(low, proven) * (1 + tolerance):
        radius = (max(low, proven) + high) / 2
        cover = _cover(pairs, radius, num_picks, outliers, max_nodes)
        if isinstance(cover, np.ndarray):
            best, to_best = cover, _distances(pairs, cover)
            high = _radius(to_best, outliers)
        else:
            # Between two neighboring distances nothing changes.
            low = _next_distance(pairs, radius, high)
            if cover == "none":
                proven = low
    return _answer(best, to_best, high, min(proven, high), outliers, tolerance)


def greedy_with_outliers(
    points: Any, num_picks: int, initial: Any = None, num_outliers: int | None = None
) -> Robust:
    """The 3-approximation for k-center with outliers; no solver, but N x N distances in memory.

    For a radius r, take `num_picks` times the center whose r-ball holds the most uncovered
    points and call everything within 3 r of it covered. If r is at least the optimum this
    leaves no more than `num_outliers` points (Charikar, Khuller, Mount & Narasimhan 2001,
    theorem 3.1; existing centers cover within 3 r from the start). So the smallest distance at
    which it succeeds while the one before fails is a lower bound, and 3 times it an upper.

    Args and errors: as for `robust_kcenter`.
    """
    matrix = Points(points)
    existing = check_initial(initial, matrix.N)
    outliers = matrix.N // 10_000 if num_outliers is None else num_outliers
    if outliers < 0 or num_picks < 1:
        raise ValueError("num_outliers cannot be negative, and num_picks must be at least 1")
    rows = np.asarray(matrix.take(slice(None)))
    sq = np.stack([sq_accurate_host(rows - row) for row in rows])
    distances = np.sqrt(sq.astype(np.float64))

    def attempt(radius: float) -> np.ndarray | None:
        uncovered = np.ones(matrix.N, bool)
        if len(existing):
            uncovered = distances[existing].min(axis=0) > 3 * radius
        inside = distances <= radius
        picks: list[int] = []
        for _ in range(num_picks):
            held = inside @ uncovered.astype(np.int64)
            held[[*existing, *picks]] = -1
            pick = int(np.argmax(held))
            if held[pick] < 0:
                break
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
    radius = _radius(reached, outliers)
    return _answer(
        np.sort(picks), reached, radius, min(float(steps[succeeded]), radius), outliers, 0.0
    )


def _answer(
    indices: np.ndarray,
    reached: np.ndarray | None,
    radius: float,
    lower_bound: float,
    outliers: int,
    tolerance: float,
) -> Robust:
    far = np.zeros(0, np.int64) if reached is None else np.flatnonzero(reached > radius)
    assert len(far) <= outliers
    status = "optimal" if radius <= lower_bound * (1 + tolerance) else "limit"
    return Robust(indices, radius, lower_bound, far, status)


def _radius(reached: np.ndarray, outliers: int) -> float:
    """The largest distance when `outliers` points are left out."""
    if outliers >= len(reached):
        return 0.0
    return float(np.partition(reached, len(reached) - 1 - outliers)[len(reached) - 1 - outliers])


def _list_pairs(
    matrix: Points, existing: np.ndarray, low: float, high: float, most: int
) -> tuple[_Pairs | None, float]:
    """All pairs that matter at any radius from `low` to `high`, and `low`; None: too many."""
    if len(existing):
        floor = np.float32(np.square(low * (1 - 1e-6)))
        to_existing = np.sqrt(sq_to_nearest(matrix, existing, floor).astype(np.float64))
    else:
        to_existing = np.full(matrix.N, np.inf)
    reach = np.minimum(to_existing, high)
    wanted = np.flatnonzero(to_existing > low)
    mean = jnp.asarray(matrix.mean.astype(np.float32))
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    count = 0
    for start in range(0, matrix.N, TILE):
        candidates = matrix.take(slice(start, start + TILE))
        for first in range(0, len(wanted), TILE):
            rows = wanted[first : first + TILE]
            block = matrix.take(rows)
            limit = (reach[rows] * (1 + 1e-3)).astype(np.float32)
            near = np.asarray(_may_reach(block, candidates, mean, limit))
            who, whom = np.nonzero(near)
            count += len(who)
            if count > most:
                return None, low
            own, theirs = np.asarray(block), np.asarray(candidates)
            for part in range(0, len(who), TILE):
                a, b = who[part : part + TILE], whom[part : part + TILE]
                distance = np.sqrt(sq_accurate_host(own[a] - theirs[b]).astype(np.float64))
                inside = distance <= reach[rows[a]]
                found.append((rows[a][inside], start + b[inside], distance[inside]))
    point, center, distance = (np.concatenate(part) for part in zip(*found, strict=True))
    return _Pairs(to_existing, point, center, distance), low


@jax.jit
def _may_reach(
    block: jax.Array, candidates: jax.Array, mean: jax.Array, limit: jax.Array
) -> jax.Array:
    """Which pairs [A, B] may be within limit [A]: by lower bounds, so none is missed."""
    a, b = block - mean[None, :], candidates - mean[None, :]
    keep = 1 - matmul_slack(block.shape[1])
    lower = keep * sq_norms(a)[:, None] + keep * sq_norms(b)[None, :]
    lower -= 2 * jnp.dot(a, b.T, precision=jax.lax.Precision.HIGHEST)
    return lower <= jnp.square(limit)[:, None]


def _distances(pairs: _Pairs, centers: np.ndarray) -> np.ndarray:
    """Distance [N] to the nearest center, new or existing (new ones as far as pairs tell)."""
    reached = pairs.to_existing.copy()
    chosen = np.isin(pairs.center, centers)
    np.minimum.at(reached, pairs.point[chosen], pairs.distance[chosen])
    return reached


def _next_distance(pairs: _Pairs, radius: float, high: float) -> float:
    """The smallest distance above `radius` that could be a radius."""
    beyond = [d[d > radius].min(initial=high) for d in (pairs.distance, pairs.to_existing)]
    return float(min(high, *beyond))


def _cover(
    pairs: _Pairs, radius: float, num_picks: int, outliers: int, max_nodes: int
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


def _solve(covers: csc_array, outliers: int, *, integral: bool, max_nodes: int) -> Any:
    """Fewest centers that cover all rows but `outliers`, by HiGHS."""
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
