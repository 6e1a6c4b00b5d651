"""Greedy covering: points such that every reference has one among them that is similar to it."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.clustering import in_blocks
from jax_al.geometry.lazy_greedy import lazy_greedy
from jax_al.geometry.rounding import UNIT
from jax_al.strategies.choosing import sample_present, tie_order
from jax_al.types import NOTHING, PoolState, Query

LAZY_BLOCK = 16  # gains worked out together; few are needed for a pick
# Times the budget are references, at least: each pick may cover one for good. On a mixture of
# 20,000 points 200 picks won .010, .031, .054 and .062 over random ones with 2, 4, 10 and 20.
LEAST = 10
# Similarities that are held, 512 MiB: to work them out again, the references are read again. With
# none held and all of 50,000 points for candidates, 1,000 picks at D = 1,280 took 54 s, so 11.
TABLE = 2**27
TIE = 1e-5  # of the best gain: by so much two sums of the same gains may differ
HELD = 512  # labeled rows looked at together


class Similarity(NamedTuple):
    """How alike two points are, 0 or more; of no pair is it more than of a point and itself."""

    prepare: Callable[[jax.Array], jax.Array]  # rows [R, D] -> [R, D], before anything else
    # From inner products [R, M] and squared lengths [R, 1] and [1, M] of prepared rows: [R, M].
    of: Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def greedy_cover(
    query_key: jax.Array,
    points: jax.Array,
    pool: PoolState,
    budget: int,
    similarity: Similarity,
    max_references: int,
    weights: jax.Array | None = None,
) -> Query:
    """Greedily maximises f(S) = sum_i w_i max_{j in S} s(i, j), S the labeled and the picked.

    Lazy greedy (Minoux 1978); chance decides between gains that are equal to a hundred-thousandth.
    What has nothing left to gain is drawn at random: `info` holds how many (`random_picks`).
    Candidates are all that may be picked, or as many of them, at random, as TABLE has room for, but
    no fewer than LEAST Q.

    Args:
      query_key: decides the samples, and between equals.
      points: float32 [N, D].
      pool: which are labeled, selectable, excluded.
      budget: Q.
      similarity: s.
      max_references: M, points i in the sum: a random sample of the pool if that is larger, but
        never fewer than LEAST Q.
      weights: w, float32 [N], 0 or more; None: 1.
    """
    N, L = points.shape[0], pool.order.size
    M, size = min(max(max_references, LEAST * budget), N), min(HELD, L)
    K = min(max(TABLE // M, LEAST * budget), N)
    sample_key, tie_key = jax.random.split(query_key)
    chosen = sample_present(sample_key, pool, M)
    # Nobody misses an excluded point.
    present = (~pool.excluded).astype(jnp.float32)
    weights = (present if weights is None else weights * present)[chosen][None, :]
    references = similarity.prepare(points[chosen])
    theirs = jnp.square(references).sum(axis=1)[None, :]
    order = tie_order(tie_key, N)
    candidates = order[jnp.argsort(~pool.selectable[order], stable=True)][:K]

    def similar(rows):
        prepared = similarity.prepare(points[rows])
        inner = jnp.dot(prepared, references.T, precision=lax.Precision.HIGHEST)
        return similarity.of(inner, jnp.square(prepared).sum(axis=1)[:, None], theirs)

    def more(best, near):
        return (weights * jnp.maximum(near - best[None, :], 0.0)).sum(axis=1)

    def held(i, best):
        rows = lax.dynamic_slice(pool.order, (jnp.minimum(i * size, L - size),), (size,))
        is_there = (rows >= 0) & ~pool.excluded[jnp.maximum(rows, 0)]
        near = similar(jnp.maximum(rows, 0))
        return jnp.maximum(best, jnp.where(is_there[:, None], near, 0.0).max(axis=0))

    best = jnp.zeros(M)
    if L:
        best = lax.fori_loop(0, (pool.num_labeled + size - 1) // size, held, best)
    has_table = K * M <= TABLE

    def block(start, size):
        near = similar(lax.dynamic_slice(candidates, (start,), (size,)))
        return more(best, near), near if has_table else ()

    gains, table = in_blocks(block, K, width=4 * M)

    def near(places):
        return table[places] if has_table else similar(candidates[places])

    places, scores, _ = lazy_greedy(
        lambda best, places: more(best, near(places)),
        lambda best, place: jnp.maximum(best, near(place[None])[0]),
        best,
        jnp.where(pool.selectable[candidates], gains, -jnp.inf),
        jnp.arange(K, dtype=jnp.int32),
        budget,
        block=LAZY_BLOCK,
        tie=TIE,
    )
    picks = jnp.where(places == NOTHING, NOTHING, candidates[places])
    by_chance = (scores <= 0).sum().astype(jnp.float32)
    return Query(picks, {"random_picks": by_chance}, scores=scores)


def rounding_slack(D: int) -> float:
    """How far rounding may take inner products of D numbers, relative to the squared lengths."""
    return 4 * (math.sqrt(D) + 4) * UNIT


def sq_distance(inner: jax.Array, own: jax.Array, theirs: jax.Array, D: int) -> jax.Array:
    """Returns |a|^2 + |b|^2 - 2ab; what rounding cannot tell from a point itself is at 0."""
    total = own + theirs
    sq = total - 2 * inner
    return jnp.where(sq > rounding_slack(D) * total, sq, 0.0)


def unit(rows: jax.Array) -> jax.Array:
    """Returns the directions of rows [R, D]; zeros stay zeros."""
    norms = jnp.sqrt(jnp.square(rows).sum(axis=1))
    return rows / jnp.where(norms > 0, norms, 1.0)[:, None]
