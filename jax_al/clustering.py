"""k-means inside a jitted program: static shapes, traced number of clusters, one seed (vmap it).

Rows are looked at in blocks, so no N x K array exists. Distances are squared Euclidean in the
matmul form |a|^2 + |b|^2 - 2ab of float32 rows from which the mean of the pool is taken, clamped
at 0; the distances that are returned are sums of squared differences.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.base import NOTHING

ROWS = 2048  # rows looked at together
WITHIN = 256  # rows compared together with other rows of their cluster
MAX_BLOCK = 2**24  # distances held at a time: 64 MiB; with many clusters a block has fewer rows
DRAWS = 128  # candidates for a seed drawn together


class Clusters(NamedTuple):
    """Where k-means stopped."""

    assignments: jax.Array  # int32 [N], the nearest center of every row, masked ones too
    centers: jax.Array  # float32 [K, D]; rows of clusters that do not exist mean nothing
    sizes: jax.Array  # int32 [K], rows that count; 0 where there is no cluster
    sq_distances: jax.Array  # float32 [N], to the center it is assigned to
    inertia: jax.Array  # float32 [], sum of the squared distances of the rows that count


def kmeans(
    key: jax.Array,
    points: jax.Array,
    num_clusters: jax.Array | int,
    *,
    max_clusters: int,
    iterations: int,
    mask: jax.Array | None = None,
) -> Clusters:
    """k-means++ seeds (`seed_clusters`), then Lloyd's algorithm (`lloyd`).

    To be called under `jit`; `vmap` works. O(N K D) for the seeds and for each iteration. There
    are fewer clusters than asked for where fewer distinct rows count.

    Args:
      key: decides the seeds.
      points: float32 [N, D], finite.
      num_clusters: int32 [], may be traced; at most `max_clusters`.
      max_clusters: K, static.
      iterations: at most so many updates of the centers.
      mask: bool [N], the rows that count (None: all); the others are only assigned.
    """
    seeds = seed_clusters(key, points, num_clusters, max_clusters=max_clusters, mask=mask)
    centers = points.at[seeds].get(mode="fill", fill_value=0.0, wrap_negative_indices=False)
    return lloyd(points, centers, seeds != NOTHING, iterations=iterations, mask=mask)


def seed_clusters(
    key: jax.Array,
    points: jax.Array,
    num_clusters: jax.Array | int,
    *,
    max_clusters: int,
    mask: jax.Array | None = None,
) -> jax.Array:
    """Draws rows int32 [K] by the law of k-means++; NOTHING at the end where none is left.

    The first uniformly, each further one in proportion to its squared distance to the nearest
    one drawn (Arthur & Vassilvitskii 2007). The law is exact, but the distances of all rows are
    brought up to date only once in DRAWS candidates: these are drawn from the old distances,
    which are too large, and each is accepted with probability new / old. Rows nearer to a seed
    than rounding can tell are the same point and not drawn.

    Args: as for `kmeans`.
    """
    N, D = points.shape
    K, draws = max_clusters, min(DRAWS, max(8, max_clusters))
    counts = jnp.ones(N, bool) if mask is None else mask
    wanted = jnp.minimum(jnp.asarray(num_clusters, jnp.int32), max_clusters)
    mean = points.mean(axis=0)
    slack = 4 * (D + 16) * 2.0**-24  # of the matmul form, relative to |a|^2 + |b|^2

    def centred(rows):
        found = points[rows] - mean[None, :]
        return found, jnp.square(found).sum(axis=1)

    def to_nearest(distances, rows, real):
        """`distances` [N], joined with those to the `rows` that are `real`."""
        seeds, theirs = centred(rows)
        theirs = jnp.where(real, theirs, jnp.inf)

        def block(start, size):
            a = lax.dynamic_slice(points, (start, 0), (size, D)) - mean[None, :]
            own = jnp.square(a).sum(axis=1)
            nearest = (theirs[None, :] - 2 * _dot(a, seeds)).min(axis=1) + own
            return jnp.where(nearest > slack * own, nearest, 0.0)

        distances = jnp.minimum(distances, in_blocks(block, N))
        return distances.at[rows].min(jnp.where(real, 0.0, jnp.inf))

    def more(carry):
        distances, _, found, _ = carry
        return (found < wanted) & (distances.max() > 0)

    def draw(carry):
        distances, seeds, found, key = carry
        key, draw_key, accept_key = jax.random.split(key, 3)
        rows = _draw(draw_key, distances, draws)
        block, own = centred(rows)
        apart = own[:, None] + own[None, :] - 2 * _dot(block, block)
        apart = jnp.where(
            (apart > slack * own[:, None]) & (rows[:, None] != rows[None, :]), apart, 0.0
        )
        chance = jax.random.uniform(accept_key, (draws,))

        def decide(j, carry):
            nearest, seeds, found, accepted = carry
            accept = (chance[j] * distances[rows[j]] < nearest[j]) & (found < wanted)
            seeds = seeds.at[jnp.where(accept, found, K)].set(rows[j], mode="drop")
            nearest = jnp.where(accept, jnp.minimum(nearest, apart[:, j]), nearest)
            return nearest, seeds, found + accept.astype(jnp.int32), accepted.at[j].set(accept)

        carry = distances[rows], seeds, found, jnp.zeros(draws, bool)
        _, seeds, found, accepted = lax.fori_loop(0, draws, decide, carry)
        return to_nearest(distances, rows, accepted), seeds, found, key

    first_key, key = jax.random.split(key)
    first = _draw(first_key, counts.astype(jnp.float32), 1)
    some = counts.any() & (wanted > 0)
    seeds = jnp.full(K, NOTHING, jnp.int32).at[0].set(jnp.where(some, first[0], NOTHING))
    distances = to_nearest(jnp.where(counts, jnp.inf, 0.0), first, jnp.ones(1, bool))
    carry = distances, seeds, some.astype(jnp.int32), key
    return lax.while_loop(more, draw, carry)[1]


def lloyd(
    points: jax.Array,
    centers: jax.Array,
    exists: jax.Array,
    *,
    iterations: int,
    mask: jax.Array | None = None,
) -> Clusters:
    """Assigns rows to the nearest center and moves centers to the mean, until nothing changes.

    A cluster left empty moves to the row farthest from its center, the next to the second
    farthest, as in scikit-learn; unless that distance is 0.

    Args:
      points: float32 [N, D], finite.
      centers: float32 [K, D], where to start.
      exists: bool [K], the centers that are real.
      iterations: at most so many updates of the centers.
      mask: bool [N], the rows that count (None: all); the others are only assigned.
    """
    N, K = points.shape[0], centers.shape[0]
    counts = jnp.ones(N, bool) if mask is None else mask
    mean = points.mean(axis=0)

    def move(assignments, distances, centers):
        sizes = jnp.zeros(K, jnp.int32).at[assignments].add(counts.astype(jnp.int32))
        empty = exists & (sizes == 0)
        far, rows = lax.top_k(jnp.where(counts, distances, 0.0), min(K, N))
        rank = jnp.minimum(jnp.cumsum(empty) - 1, far.size - 1)
        target = jnp.where(empty & (far[rank] > 0), rows[rank], N)
        moved = assignments.at[target].set(jnp.arange(K, dtype=jnp.int32), mode="drop")
        sums, sizes = _sums(points, mean, jnp.where(counts, moved, K), K)
        means = mean[None, :] + sums / jnp.maximum(sizes, 1)[:, None]
        return jnp.where(sizes[:, None] > 0, means, centers)

    def step(carry):
        centers, assignments, distances, done, _ = carry
        centers = move(assignments, distances, centers)
        new, distances = nearest_center(points, centers, exists)
        return centers, new, distances, done + 1, (new != assignments).any()

    carry = centers, *nearest_center(points, centers, exists), jnp.int32(0), exists.any()
    carry = lax.while_loop(lambda carry: carry[4] & (carry[3] < iterations), step, carry)
    centers, assignments = carry[:2]

    def accurate(start, size):
        rows = lax.dynamic_slice(points, (start, 0), (size, points.shape[1]))
        own = centers[lax.dynamic_slice(assignments, (start,), (size,))]
        return jnp.square(rows - own).sum(axis=1)

    sq_distances = in_blocks(accurate, N)
    sizes = jnp.zeros(K, jnp.int32).at[assignments].add(counts.astype(jnp.int32))
    inertia = jnp.where(counts, sq_distances, 0.0).sum()
    return Clusters(assignments, centers, sizes, sq_distances, inertia)


def nearest_center(
    points: jax.Array, centers: jax.Array, exists: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns the nearest center int32 [N] of each row, ties to the lowest, and sq distances [N].

    Distances are those of the matmul form. Where no center exists, the answer is 0 and infinity.
    """
    (N, D), K = points.shape, centers.shape[0]
    mean = points.mean(axis=0)
    b = centers - mean[None, :]
    theirs = jnp.where(exists, jnp.square(b).sum(axis=1), jnp.inf)
    numbers = jnp.arange(K, dtype=jnp.int32)

    def block(start, size):
        a = lax.dynamic_slice(points, (start, 0), (size, D)) - mean[None, :]
        partial = theirs[None, :] - 2 * _dot(a, b)
        own = jnp.square(a).sum(axis=1)
        least = partial.min(axis=1)
        # What argmin says, in half its time on a CPU.
        nearest = jnp.where(partial == least[:, None], numbers[None, :], K - 1).min(axis=1)
        return nearest, jnp.maximum(least + own, 0.0)

    return in_blocks(block, N, width=K)


def fold_within(
    points: jax.Array,
    assignments: jax.Array,
    members: jax.Array,
    fold: Callable[[Any, jax.Array, jax.Array], Any],
    empty: Any,
    *,
    num_clusters: int,
) -> Any:
    """Compares every member of a cluster with every other, tile by tile.

    Rows are sorted by cluster, so that a block of them meets few strangers: O(D) for each of the
    sum of |cluster|^2 pairs, and for up to 3 WITHIN strangers of each row.

    Args:
      points: float32 [N, D].
      assignments: int32 [N], below K = `num_clusters`.
      members: bool [N]; the others are compared with nothing.
      fold: (carry, squared distances [R, W], bool [R, W] which are of the same cluster and not
        the row itself) -> carry, pytrees of arrays with one entry a row.
      empty: pytree of scalars or arrays: the carry of one row before it has met any.
      num_clusters: K.

    Returns:
      the last carry of every row, `empty` for those that are not members.
    """
    N, K = points.shape[0], num_clusters
    size = min(WITHIN, N)
    mean = points.mean(axis=0)
    labels = jnp.where(members, assignments, K)
    order = jnp.argsort(labels)
    labels = labels[order]
    starts = jnp.searchsorted(labels, jnp.arange(K + 1, dtype=jnp.int32)).astype(jnp.int32)

    def rows_at(start):
        a = points[lax.dynamic_slice(order, (start,), (size,))] - mean[None, :]
        position = start + jnp.arange(size, dtype=jnp.int32)
        return a, jnp.square(a).sum(axis=1), position, lax.dynamic_slice(labels, (start,), (size,))

    def block(i, out):
        start = jnp.minimum(i * size, N - size)
        a, own, here, mine = rows_at(start)
        low, high = starts[mine[0]], starts[jnp.minimum(mine[-1] + 1, K)]

        def tile(t, carry):
            first = low + t * size
            b, theirs, there, label = rows_at(jnp.minimum(first, N - size))
            sq_distances = own[:, None] + theirs[None, :] - 2 * _dot(a, b)
            same = (mine[:, None] == label[None, :]) & (here[:, None] != there[None, :])
            new = same & (there >= first)[None, :]
            return fold(carry, jnp.maximum(sq_distances, 0.0), new)

        carry = jax.tree.map(lambda e: jnp.broadcast_to(e, (size, *jnp.shape(e))), empty)
        carry = lax.fori_loop(0, (high - low + size - 1) // size, tile, carry)
        return jax.tree.map(
            lambda whole, part: lax.dynamic_update_slice_in_dim(whole, part, start, 0), out, carry
        )

    out = jax.tree.map(lambda e: jnp.broadcast_to(e, (N, *jnp.shape(e))), empty)
    out = lax.fori_loop(0, (starts[K] + size - 1) // size, block, out)
    met = labels < K
    return jax.tree.map(
        lambda whole, e: (
            jnp.broadcast_to(e, whole.shape).at[jnp.where(met, order, N)].set(whole, mode="drop")
        ),
        out,
        empty,
    )


def take_turns(
    assignments: jax.Array,
    scores: jax.Array,
    offered: jax.Array,
    turn: jax.Array,
    budget: int,
    last: jax.Array | None = None,
) -> jax.Array:
    """Picks from each cluster its best point, then from each its second best, and so on.

    Args:
      assignments: int32 [N], the cluster of each point.
      scores: float32 [N], higher = wanted more; ties to the lowest index.
      offered: bool [N], the points that may be picked.
      turn: int32 [K], distinct: which cluster is first, second, ...
      budget: Q.
      last: bool [K], clusters to pick from only when the others are empty.

    Returns:
      int32 [Q], distinct, NOTHING at the end where fewer are offered.
    """
    N, K = assignments.size, turn.size
    labels = jnp.where(offered, assignments, K)
    order = jnp.lexsort((-scores, labels))
    labels = labels[order]
    rank = jnp.arange(N, dtype=jnp.int32) - jnp.searchsorted(labels, labels).astype(jnp.int32)
    keys = [jnp.append(turn, K)[labels], rank]
    if last is not None:
        keys.append(jnp.append(last, False)[labels])
    best = jnp.lexsort((*keys, labels == K))[:budget]
    picks = jnp.where(labels[best] < K, order[best], NOTHING).astype(jnp.int32)
    return jnp.pad(picks, (0, budget - picks.size), constant_values=NOTHING)


def in_blocks(function: Callable[[jax.Array, int], Any], N: int, *, width: int = 1) -> Any:
    """Returns what `function` says of all rows, asked block by block.

    Args:
      function: (first row, rows) -> pytree of arrays with one entry a row.
      N: rows in all.
      width: numbers that `function` holds for a row; blocks get smaller where it is large.
    """
    size = max(1, min(ROWS, MAX_BLOCK // width, N))
    shapes = jax.eval_shape(lambda: function(jnp.int32(0), size))
    out = jax.tree.map(lambda s: jnp.zeros((N, *s.shape[1:]), s.dtype), shapes)

    def step(i, out):
        start = jnp.minimum(i * size, N - size)  # the last block overlaps the one before it
        return jax.tree.map(
            lambda whole, part: lax.dynamic_update_slice_in_dim(whole, part, start, 0),
            out,
            function(start, size),
        )

    return lax.fori_loop(0, -(-N // size), step, out)


def _sums(
    points: jax.Array, mean: jax.Array, segments: jax.Array, K: int
) -> tuple[jax.Array, jax.Array]:
    """Sums float32 [K, D] of the rows, less the mean, and sizes; segment K is left out."""
    N, D = points.shape
    size = min(ROWS, N)

    def step(i, carry):
        sums, sizes = carry
        start = jnp.minimum(i * size, N - size)
        rows = lax.dynamic_slice(points, (start, 0), (size, D)) - mean[None, :]
        which = lax.dynamic_slice(segments, (start,), (size,))
        seen = start + jnp.arange(size, dtype=jnp.int32) < i * size
        which = jnp.where(seen, K, which)
        # Summed per block first: long float32 sums lose digits.
        sums += jnp.zeros((K, D)).at[which].add(rows, mode="drop")
        return sums, sizes.at[which].add(1.0, mode="drop")

    return lax.fori_loop(0, -(-N // size), step, (jnp.zeros((K, D)), jnp.zeros(K)))


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.dot(a, b.T, precision=lax.Precision.HIGHEST)


def _draw(key: jax.Array, weights: jax.Array, draws: int) -> jax.Array:
    """Rows int32 [draws], independent, in proportion to `weights` float32 [N]."""
    coarse, fine = jax.random.uniform(key, (2, draws))
    # A float32 sum over a million weights could not tell the last ones apart.
    with jax.enable_x64(True):
        cumulated = jnp.cumsum(weights.astype(jnp.float64))
        share = coarse.astype(jnp.float64) + fine.astype(jnp.float64) * 2.0**-23
        level = share * cumulated[-1]
        rows = jnp.searchsorted(cumulated, level, side="right").astype(jnp.int32)
        return jnp.minimum(rows, jnp.int32(weights.size - 1))
