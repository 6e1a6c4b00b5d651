"""Facility location: every point close to a pick (Wei et al. 2015; Mirzasoleiman et al. 2020)."""

import math

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.errors import UsageError
from jax_al.geometry.clustering import in_blocks
from jax_al.geometry.lazy_greedy import lazy_greedy
from jax_al.geometry.rounding import UNIT
from jax_al.strategies.choosing import check_whole, sample_present, tie_order
from jax_al.strategies.present import mean_present
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy

SIMILARITIES = ("cosine", "euclidean")
# Gains worked out together. Few gains are needed for a pick: with 64 a query takes half as long
# again (50,000 embeddings of CIFAR-10, 1,000 picks).
LAZY_BLOCK = 16
LEAST = 10  # times the budget are references, at least: each pick may cover one for good
TIE = 1e-5  # of the best gain: by so much two sums of the same gains may differ


def facility_location(
    *, similarity: str = "cosine", max_references: int = 2048, embedding: str = "model"
) -> Strategy:
    """Picks points such that every point has one among picked and labeled ones that is similar.

    Greedy maximisation of f(S) = sum_i max_{j in S} s(i, j), S the labeled and the picked points:
    submodular and growing, so within (1 - 1/e) of the best (Nemhauser, Wolsey & Fisher 1978).
    For active learning: Wei, Iyer & Bilmes 2015, "Submodularity in data subset selection and
    active learning" (there among the most uncertain points, with no labeled ones in
    S). The sum runs over the whole pool. Lazy greedy (Minoux 1978); chance decides between gains
    that are equal to a hundred-thousandth. Picks that gain nothing any more are drawn at random:
    `info` holds how many (`random_picks`).

    - "cosine": s = max(0, cosine of the angle between the embeddings).
    - "euclidean": s = c - |x_i - x_j| with a c that no distance exceeds: what is left is the sum
      of distances to the nearest pick, so this is greedy k-medoids (BUILD of PAM). It is also
      the objective of CRAIG (Mirzasoleiman, Bilmes & Leskovec 2020, arXiv 1906.01827).

    Needs `embedding`, no label. Seeded: by the order among equals and, where M < N, by the sample
    over which the sum runs. With M references O(N M D) to begin with,
    then O(M D) for each gain that is worked out again, few for most picks; memory O(N + M D).

    Args:
      similarity: "cosine" or "euclidean".
      max_references: M, points in the sum; a random sample of the pool if that is larger. Never
        fewer than 10 Q: once each has a pick of its own there is nothing more to gain.
      embedding: whose embedding.
    """
    if similarity not in SIMILARITIES:
        raise UsageError(
            f"similarity is {similarity!r}; it must be {' or '.join(map(repr, SIMILARITIES))}."
        )
    check_whole("max_references", max_references, 1)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points = signals.embedding
        assert points is not None
        (N, D), M = points.shape, min(max(max_references, LEAST * budget), points.shape[0])
        counts = ~pool.excluded
        sample_key, tie_key = jax.random.split(query_key)
        chosen = sample_present(sample_key, pool, M)
        mean = mean_present(points, pool.excluded)[None, :]
        from_mean = jnp.square(points - mean).sum(axis=1)
        scale = jnp.sqrt(from_mean.max(where=counts, initial=0.0))  # c / 2

        def prepared(rows):
            if similarity == "euclidean":
                return rows - mean
            norms = jnp.sqrt(jnp.square(rows).sum(axis=1))
            return rows / jnp.where(norms > 0, norms, 1.0)[:, None]

        # No point is similar to an excluded one: a vector of zeros, infinitely far away.
        counted = counts[chosen]
        references = jnp.where(counted[:, None], prepared(points[chosen]), 0.0)
        theirs = jnp.where(counted, jnp.square(references).sum(axis=1), jnp.inf)[None, :]
        # What rounding cannot tell from a point itself is as similar as that: nothing to gain.
        slack = 4 * (math.sqrt(D) + 4) * UNIT

        def similar(rows):
            inner = jnp.dot(rows, references.T, precision=lax.Precision.HIGHEST)
            if similarity == "cosine":
                return jnp.where(inner > 1 - slack, 1.0, jnp.maximum(inner, 0.0))
            total = jnp.square(rows).sum(axis=1)[:, None] + theirs
            sq = total - 2 * inner
            near = jnp.maximum(2 * scale - jnp.sqrt(jnp.where(sq > slack * total, sq, 0.0)), 0.0)
            return jnp.where(counted[None, :], near, 0.0)

        def more(best, rows):
            return jnp.maximum(similar(rows) - best[None, :], 0.0).sum(axis=1)

        def update(best, row):
            return jnp.maximum(best, similar(prepared(points[row][None, :]))[0])

        def held(i, best):
            rows = lax.dynamic_slice(pool.order, (jnp.minimum(i * size, L - size),), (size,))
            near = similar(prepared(points[jnp.maximum(rows, 0)]))
            return jnp.maximum(best, jnp.where(rows[:, None] >= 0, near, 0.0).max(axis=0))

        L = pool.order.size
        size = min(512, L)
        best = jnp.zeros(M)
        if L:
            best = lax.fori_loop(0, (pool.num_labeled + size - 1) // size, held, best)

        def block(start, size):
            return more(best, prepared(lax.dynamic_slice(points, (start, 0), (size, D))))

        start = in_blocks(block, N, width=4 * M)
        picks, scores, best = lazy_greedy(
            lambda best, rows: more(best, prepared(points[rows])),
            update,
            best,
            jnp.where(pool.selectable, start, -jnp.inf),
            tie_order(tie_key, N),
            budget,
            block=LAZY_BLOCK,
            tie=TIE,
        )
        by_chance = (scores <= 0).sum().astype(jnp.float32)
        return Query(picks, {"random_picks": by_chance}, scores=scores)

    return strategy(select, needs={"embedding"}, embedding=embedding)
