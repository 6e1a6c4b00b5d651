"""LCMD: the point farthest from the center of the largest cluster (Holzmueller et al. 2022)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.clustering import in_blocks, nearest_center
from jax_al.geometry.rounding import coarse
from jax_al.geometry.vectors import inner, rows_from
from jax_al.strategies.choosing import tie_order
from jax_al.strategies.covering import HELD, rounding_slack, sq_distance
from jax_al.strategies.present import mean_present
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy

TOGETHER = 32  # likely picks that are compared with the whole pool at a time
REMEMBERED = 8  # times as many stay known, as those that were not picked mostly are so later


class Known(NamedTuple):
    """Distances of some likely picks to the whole pool; the oldest are forgotten."""

    rows: jax.Array  # int32 [K], -1 where none is known yet
    sq: jax.Array  # float32 [K, N]
    oldest: jax.Array  # int32 []


class Clusters(NamedTuple):
    """The centers so far, and which is nearest to each point."""

    sq: jax.Array  # float32 [N], squared distance to the nearest center; 0 for who is not offered
    nearest: jax.Array  # int32 [N], its slot: labeled points first, then picks
    offered: jax.Array  # bool [N]


def lcmd(*, embedding: str = "model") -> Strategy:
    """Picks, again and again, the point of the largest cluster that is farthest from its center.

    Largest cluster maximum distance (Holzmueller, Zaverkin, Kaestner & Steinwart 2022, arXiv
    2203.09410, section 4.2.7): labeled points and picks are centers, a point belongs to the
    nearest of them, the size of a cluster is the sum of its squared distances, and each pick
    becomes a center. So it is as diverse as `coreset`, but goes where the points are. Without any
    center the first pick is the point farthest from the origin, as in their code (`bmdal_reg`).
    Sizes and distances are equal if they are to 14 bits; chance decides between equals. The score
    of a pick is its distance to its center.

    They take it for regression, on gradient features and random projections of them; here it is
    done on the embedding. Needs `embedding`, no label. Greedy. O(N (L + Q) D) and more, as likely
    picks are compared with the pool in advance, in blocks, and a few of them in vain; memory O(N):
    REMEMBERED * TOGETHER distances, float32, for each point.
    """
    return strategy(_select, needs={"embedding"}, seeded=False, embedding=embedding)


def _select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
    points = signals.embedding
    assert points is not None
    (N, D), L = points.shape, pool.order.size
    B = min(TOGETHER, N)
    order, numbers = tie_order(query_key, N), jnp.arange(N, dtype=jnp.int32)
    lots = jnp.zeros(N, jnp.int32).at[order].set(numbers)
    mean = mean_present(points, pool.excluded)
    own = jnp.square(points - mean[None, :]).sum(axis=1)

    def distances(rows):
        """Squared distances [B, N] of some rows int32 [B] to all."""
        centers, theirs = points[rows] - mean[None, :], own[rows]

        def block(start, size):
            a = rows_from(points, start, size) - mean[None, :]
            mine = lax.dynamic_slice(own, (start,), (size,))
            return sq_distance(inner(a, centers), mine[:, None], theirs[None, :], D)

        return in_blocks(block, N, width=B).T

    def sums(clusters, sq):
        return jnp.zeros(L + budget + 1).at[clusters.nearest].add(sq)

    def best(clusters):
        """The next pick."""
        sizes = coarse(sums(clusters, clusters.sq))
        theirs = jnp.where(clusters.offered, sizes[clusters.nearest], -1.0)
        sq = jnp.where(theirs == theirs.max(), coarse(clusters.sq), -1.0)
        is_best = clusters.offered & (sq == sq.max(where=clusters.offered, initial=-1.0))
        return order[jnp.where(is_best, lots, N - 1).min()]

    def likely(clusters, known, row):
        """The next pick, and those that followed if each moved no other point, int32 [B].

        Of those whose distances are known the turn is over.
        """
        over = jnp.zeros(N, bool).at[known.rows].set(True, mode="drop", wrap_negative_indices=False)

        def after(j, carry):
            some, sq, sizes = carry
            row = some[j - 1]
            cluster = clusters.nearest[row]
            sizes = sizes.at[cluster].add(-jnp.maximum(sq[row], 0.0))
            sq = sq.at[row].set(-1.0)
            theirs = jnp.where(clusters.nearest == sizes.argmax(), sq, -1.0)
            # In a third of the time of argmax on a CPU.
            row = jnp.where(theirs == theirs.max(), numbers, 0).max()
            return some.at[j].set(row), sq, sizes

        sq = jnp.where(clusters.offered & ~over, clusters.sq, -1.0)
        carry = jnp.full(B, row), sq, sums(clusters, jnp.maximum(sq, 0.0))
        return lax.fori_loop(1, B, after, carry)[0]

    def learn(clusters, known, row):
        """The distances of the next pick and of some likely ones become known."""
        rows, at = likely(clusters, known, row), known.oldest
        return Known(
            lax.dynamic_update_slice(known.rows, rows, (at,)),
            lax.dynamic_update_slice(known.sq, distances(rows), (at, 0)),
            (at + B) % (REMEMBERED * B),
        )

    def join(clusters, new, slot, everywhere):
        is_nearer = (new < clusters.sq) | everywhere
        sq = jnp.where(clusters.offered, jnp.where(is_nearer, new, clusters.sq), 0.0)
        return clusters._replace(sq=sq, nearest=jnp.where(is_nearer, slot, clusters.nearest))

    def held(i, clusters):
        start = jnp.minimum(i * size, L - size)
        rows = lax.dynamic_slice(pool.order, (start,), (size,))
        is_there = (rows >= 0) & ~pool.excluded[jnp.maximum(rows, 0)]
        centers = points[jnp.maximum(rows, 0)]
        which, new = nearest_center(points, centers, is_there, pool.excluded)
        # Of one that is so near the square is as long as that of the point.
        new = jnp.where(new > rounding_slack(D) * 2 * own, new, 0.0)
        return join(clusters, new, start + which, False)

    def round_of(carry):
        clusters, known, picks, reached, count, row, _ = carry
        known = learn(clusters, known, row)

        def is_known(carry):
            clusters, *_, count, row = carry
            return (count < budget) & (known.rows == row).any() & clusters.offered.any()

        def buy(carry):
            clusters, picks, reached, count, row = carry
            is_first = cold & (count == 0)
            away = jnp.where(is_first, jnp.nan, jnp.sqrt(clusters.sq[row]))
            picks, reached = picks.at[count].set(row), reached.at[count].set(away)
            clusters = clusters._replace(offered=clusters.offered.at[row].set(False))
            at = (known.rows == row).argmax()
            clusters = join(clusters, known.sq[at], L + count, is_first)
            return clusters, picks, reached, count + 1, best(clusters)

        carry = lax.while_loop(is_known, buy, (clusters, picks, reached, count, row))
        clusters, picks, reached, count, row = carry
        return clusters, known, picks, reached, count, row, clusters.offered.any()

    sq = jnp.where(pool.selectable, jnp.inf, 0.0)
    clusters = Clusters(sq, jnp.zeros(N, jnp.int32), pool.selectable)
    size = min(HELD, L)
    if L:
        blocks = (pool.num_labeled + size - 1) // size
        clusters = lax.fori_loop(0, blocks, held, clusters)
    # No center that is there: all points are one cluster, whose center is the origin.
    cold = ~jnp.isfinite(clusters.sq).all()
    from_origin = jnp.where(pool.selectable, jnp.square(points).sum(axis=1), 0.0)
    clusters = clusters._replace(sq=jnp.where(cold, from_origin, clusters.sq))
    picks, reached = jnp.full(budget, NOTHING, jnp.int32), jnp.full(budget, jnp.nan)
    K = REMEMBERED * B
    known = Known(jnp.full(K, -1), jnp.zeros((K, N)), jnp.int32(0))
    row, is_left = best(clusters), pool.selectable.any()
    carry = clusters, known, picks, reached, jnp.int32(0), row, is_left
    _, _, picks, reached, *_ = lax.while_loop(
        lambda carry: (carry[4] < budget) & carry[-1], round_of, carry
    )
    return Query(picks, {}, scores=reached)
