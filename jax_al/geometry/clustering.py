"""k-means inside a jitted program: static shapes, traced number of clusters, one seed (vmap it).

Rows are looked at in blocks, so no N x K array exists and no copy of the pool. Distances are
squared Euclidean in the matmul form |a|^2 + |b|^2 - 2ab of float32 rows from which a vector amid
them is taken, as the rounding grows with |a|^2 + |b|^2. Those in `Clusters` are sums of squared
differences.

Rows may be left out in two ways. Those outside a `mask` do not count, but are assigned to clusters
like the others. Those that `exclude` names are as if they were absent: they may hold anything, NaN
too, and what is said of them means nothing. A mask that excludes nobody changes no bit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.kcenter.distances import matmul_slack
from jax_al.geometry.rounding import coarse
from jax_al.geometry.vectors import Points, inner, mean_of, rows_at, rows_from, shape_of
from jax_al.types import NOTHING

ROWS = 1024  # rows looked at together
MAX_BLOCK = 2**24  # distances held at a time: 64 MiB; with many clusters a block has fewer rows
DRAWS = 128  # candidates for a seed drawn together
# Of |a|^2 + |b|^2: two centers are equally near to a row if their distances differ by no more,
# which rounding could do in up to some thousand columns. On grids such ties are many.
EQUAL = 2.0**-18


class Seeds(NamedTuple):
    """Rows drawn as the first centers."""

    rows: jax.Array  # int32 [K], distinct; NOTHING at the end where no more are left
    assignments: jax.Array  # int32 [N], the nearest of them to every row, ties to the lowest
    sq_distances: jax.Array  # float32 [N], to it; 0 where rounding cannot tell them apart


class Clusters(NamedTuple):
    """Where k-means stopped."""

    assignments: jax.Array  # int32 [N], the nearest center of every row, masked ones too
    centers: jax.Array  # float32 [K, D]; rows of clusters that do not exist mean nothing
    sizes: jax.Array  # int32 [K], rows that count; 0 where there is no cluster
    sq_distances: jax.Array  # float32 [N], to the center it is assigned to
    inertia: jax.Array  # float32 [], sum of the squared distances of the rows that count


def kmeans(
    key: jax.Array,
    points: Points,
    num_clusters: jax.Array | int,
    *,
    max_clusters: int,
    iterations: int,
    mask: jax.Array | None = None,
    exclude: jax.Array | None = None,
) -> Clusters:
    """k-means++ seeds (`seed_clusters`), then Lloyd's algorithm (`lloyd`).

    To be called under `jit`; `vmap` works. O(N K D) for the seeds and for each iteration, memory
    O(N + K D). There are fewer clusters than asked for where fewer distinct rows count.

    Args:
      key: decides the seeds.
      points: float32 [N, D], finite but for excluded rows.
      num_clusters: int32 [], may be traced; at most `max_clusters`.
      max_clusters: K, static.
      iterations: at most so many updates of the centers.
      mask: bool [N], the rows that count (None: all); the others are only assigned.
      exclude: bool [N], the rows that are as if they were absent (None: none).
    """
    seeds = seed_clusters(
        key, points, num_clusters, max_clusters=max_clusters, mask=mask, exclude=exclude
    )
    rows = jnp.maximum(seeds.rows, 0)
    if exclude is not None:  # row 0 would stand where there is no seed, and may be no number
        rows = jnp.where(seeds.rows == NOTHING, jnp.argmin(exclude).astype(jnp.int32), rows)
    return lloyd(
        points,
        rows_at(points, rows),
        seeds.rows != NOTHING,
        iterations=iterations,
        mask=mask,
        exclude=exclude,
        nearest=(seeds.assignments, seeds.sq_distances),
    )


def seed_clusters(
    key: jax.Array,
    points: Points,
    num_clusters: jax.Array | int,
    *,
    max_clusters: int,
    mask: jax.Array | None = None,
    exclude: jax.Array | None = None,
) -> Seeds:
    """Draws rows by the law of k-means++ and tells which of them is nearest to each row.

    The first uniformly, each further one in proportion to its squared distance to the nearest
    one drawn (Arthur & Vassilvitskii 2007). The law is exact, but the distances of all rows are
    brought up to date only once in DRAWS candidates: these are drawn from the old distances,
    which are too large, and each is accepted with probability new / old. Rows nearer to a seed
    than rounding can tell are the same point and not drawn.

    Args: as for `kmeans`.
    """
    N, D = shape_of(points)
    # Whatever the clusters there is room for, so that a run with room for more sees the same seeds.
    K, draws = max_clusters, DRAWS
    counts = _counts(N, mask, exclude)
    wanted = jnp.minimum(jnp.asarray(num_clusters, jnp.int32), max_clusters)
    mean = mean_of(points, exclude)
    slack = 2 * matmul_slack(D)  # relative to |a|^2, as a and b are near where it matters

    def centred(rows):
        found = rows_at(points, rows) - mean[None, :]
        return found, jnp.square(found).sum(axis=1)

    def join(nearest, rows, slots):
        """The `nearest` seed and distance of each row, with `rows` as seeds of number `slots`."""
        seeds, theirs = centred(rows)
        theirs = jnp.where(slots < K, theirs, jnp.inf)

        def block(start, size):
            a = rows_from(points, start, size) - mean[None, :]
            own = jnp.square(a).sum(axis=1)
            partial = theirs[None, :] - 2 * inner(a, seeds)
            which, least = _first_nearest(partial, own, theirs, slots, K)
            least = jnp.where(least + own > slack * own, least + own, 0.0)
            which_before, least_before = (lax.dynamic_slice(a, (start,), (size,)) for a in nearest)
            is_nearer = (1 + EQUAL) * least + EQUAL * own < least_before
            which = jnp.where(is_nearer, which, which_before)
            return which, jnp.minimum(least, least_before)

        return in_blocks(block, N)

    def weights(nearest):
        return jnp.where(counts, nearest[1], 0.0)

    def more(carry):
        nearest, _, found, _ = carry
        return (found < wanted) & (weights(nearest).max() > 0)

    def draw(carry):
        nearest, seeds, found, key = carry
        key, draw_key, accept_key = jax.random.split(key, 3)
        rows = _draw(draw_key, weights(nearest), draws)
        block, own = centred(rows)
        apart = own[:, None] + own[None, :] - 2 * inner(block, block)
        apart = jnp.where(
            (apart > slack * own[:, None]) & (rows[:, None] != rows[None, :]), apart, 0.0
        )
        old = nearest[1][rows]
        chance = jax.random.uniform(accept_key, (draws,))

        def decide(j, carry):
            new, seeds, found, slots = carry
            accept = (chance[j] * old[j] < new[j]) & (found < wanted)
            slot = jnp.where(accept, found, K)
            seeds = seeds.at[slot].set(rows[j], mode="drop")
            new = jnp.where(accept, jnp.minimum(new, apart[:, j]), new)
            return new, seeds, found + accept.astype(jnp.int32), slots.at[j].set(slot)

        carry = old, seeds, found, jnp.full(draws, K, jnp.int32)
        _, seeds, found, slots = lax.fori_loop(0, draws, decide, carry)
        return join(nearest, rows, slots), seeds, found, key

    first_key, key = jax.random.split(key)
    first = _draw(first_key, counts.astype(jnp.float32), 1)
    some = counts.any() & (wanted > 0)
    seeds = jnp.full(K, NOTHING, jnp.int32).at[0].set(jnp.where(some, first[0], NOTHING))
    nearest = jnp.zeros(N, jnp.int32), jnp.full(N, jnp.inf)
    nearest = join(nearest, first, jnp.where(some, 0, K)[None])
    carry = nearest, seeds, some.astype(jnp.int32), key
    nearest, seeds, _, _ = lax.while_loop(more, draw, carry)
    return Seeds(seeds, *nearest)


def lloyd(
    points: Points,
    centers: jax.Array,
    exists: jax.Array,
    *,
    iterations: int,
    mask: jax.Array | None = None,
    exclude: jax.Array | None = None,
    nearest: tuple[jax.Array, jax.Array] | None = None,
) -> Clusters:
    """Assigns rows to the nearest center and moves centers to the mean, until nothing changes.

    A cluster left empty moves to the row farthest from its center, the next to the second
    farthest, as in scikit-learn; unless that distance is 0. Of equally far rows the lowest comes
    first.

    Args:
      points: float32 [N, D], finite but for excluded rows.
      centers: float32 [K, D], where to start, finite.
      exists: bool [K], the centers that are real.
      iterations: at most so many updates of the centers.
      mask: bool [N], the rows that count (None: all); the others are only assigned.
      exclude: bool [N], the rows that are as if they were absent (None: none).
      nearest: what `nearest_center` says of `centers`, where it is known.
    """
    N, K = shape_of(points)[0], centers.shape[0]
    counts = _counts(N, mask, exclude)
    mean = mean_of(points, exclude)
    if nearest is None:
        nearest = nearest_center(points, centers, exists, exclude)

    def move(assignments, distances, centers):
        sizes = jnp.zeros(K, jnp.int32).at[assignments].add(counts.astype(jnp.int32))
        empty = exists & (sizes == 0)
        far, rows = lax.top_k(coarse(jnp.where(counts, distances, 0.0)), min(K, N))
        rank = jnp.minimum(jnp.cumsum(empty) - 1, far.size - 1)
        target = jnp.where(empty & (far[rank] > 0), rows[rank], N)
        moved = assignments.at[target].set(jnp.arange(K, dtype=jnp.int32), mode="drop")
        sums, sizes = _sums(points, mean, jnp.where(counts, moved, K), K)
        means = mean[None, :] + sums / jnp.maximum(sizes, 1)[:, None]
        return jnp.where(sizes[:, None] > 0, means, centers)

    def step(carry):
        centers, assignments, distances, done, _ = carry
        centers = move(assignments, distances, centers)
        new, distances = nearest_center(points, centers, exists, exclude)
        done += 1
        changed = new != assignments
        if exclude is not None:
            changed &= ~exclude
        return centers, new, distances, done, changed.any()

    carry = centers, *nearest, jnp.int32(0), exists.any()
    carry = lax.while_loop(lambda carry: carry[4] & (carry[3] < iterations), step, carry)
    centers, assignments = carry[:2]

    def accurate(start, size):
        rows = rows_from(points, start, size)
        own = centers[lax.dynamic_slice(assignments, (start,), (size,))]
        return jnp.square(rows - own).sum(axis=1)

    sq_distances = in_blocks(accurate, N)
    sizes = jnp.zeros(K, jnp.int32).at[assignments].add(counts.astype(jnp.int32))
    inertia = jnp.where(counts, sq_distances, 0.0).sum()
    return Clusters(assignments, centers, sizes, sq_distances, inertia)


def nearest_center(
    points: Points, centers: jax.Array, exists: jax.Array, exclude: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Returns the nearest center int32 [N] of each row, ties to the lowest, and sq distances [N].

    Distances are those of the matmul form. Without any center the answer is K - 1 and infinity.
    Centers [K, D] must be finite, those too that do not exist; excluded rows, bool [N], need not.
    """
    N, K = shape_of(points)[0], centers.shape[0]
    mean = mean_of(points, exclude)
    b = centers - mean[None, :]
    theirs = jnp.where(exists, jnp.square(b).sum(axis=1), jnp.inf)
    numbers = jnp.arange(K, dtype=jnp.int32)

    def block(start, size):
        a = rows_from(points, start, size) - mean[None, :]
        partial = theirs[None, :] - 2 * inner(a, b)
        own = jnp.square(a).sum(axis=1)
        nearest, least = _first_nearest(partial, own, theirs, numbers, K - 1)
        return nearest, jnp.maximum(least + own, 0.0)

    return in_blocks(block, N, width=K)


def _first_nearest(
    partial: jax.Array, own: jax.Array, theirs: jax.Array, numbers: jax.Array, none: int
) -> tuple[jax.Array, jax.Array]:
    """Returns the lowest number of a nearest center int32 [R], to EQUAL, and the least [R].

    Args:
      partial: float32 [R, K], |b|^2 - 2 ab, what differs between the centers b of a row a.
      own: float32 [R], |a|^2.
      theirs: float32 [K], |b|^2; infinite where there is no center.
      numbers: int32 [K], of the centers.
      none: where no center is.
    """
    least = partial.min(axis=1)
    # A comparison and a minimum take half the time of argmin on a CPU.
    is_least = partial - EQUAL * theirs[None, :] <= (least + EQUAL * own)[:, None]
    return jnp.where(is_least, numbers[None, :], none).min(axis=1), least


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


def _counts(N: int, mask: jax.Array | None, exclude: jax.Array | None) -> jax.Array:
    """Which rows count, bool [N]."""
    counts = jnp.ones(N, bool) if mask is None else mask
    return counts if exclude is None else counts & ~exclude


def _sums(
    points: Points, mean: jax.Array, segments: jax.Array, K: int
) -> tuple[jax.Array, jax.Array]:
    """Sums float32 [K, D] of the rows, less the mean, and sizes; segment K is left out."""
    N, D = shape_of(points)
    size = min(ROWS, N)

    def step(i, carry):
        sums, sizes = carry
        start = jnp.minimum(i * size, N - size)
        rows = rows_from(points, start, size) - mean[None, :]
        which = lax.dynamic_slice(segments, (start,), (size,))
        seen = start + jnp.arange(size, dtype=jnp.int32) < i * size
        which = jnp.where(seen, K, which)
        # Summed per block first: long float32 sums lose digits.
        sums += jnp.zeros((K, D)).at[which].add(rows, mode="drop")
        return sums, sizes.at[which].add(1.0, mode="drop")

    return lax.fori_loop(0, -(-N // size), step, (jnp.zeros((K, D)), jnp.zeros(K)))


def _draw(key: jax.Array, weights: jax.Array, draws: int) -> jax.Array:
    """Rows int32 [draws], independent, in proportion to `weights` float32 [N]."""
    large, small = jax.random.uniform(key, (2, draws))
    # A float32 sum over a million weights could not tell the last ones apart.
    with jax.enable_x64(True):
        cumulated = jnp.cumsum(weights.astype(jnp.float64))
        share = large.astype(jnp.float64) + small.astype(jnp.float64) * 2.0**-23
        level = share * cumulated[-1]
        rows = jnp.searchsorted(cumulated, level, side="right").astype(jnp.int32)
        return jnp.minimum(rows, jnp.int32(weights.size - 1))
