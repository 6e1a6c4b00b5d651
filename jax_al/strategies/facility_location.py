"""Facility location: every point close to a pick (Wei et al. 2015; Mirzasoleiman et al. 2020)."""

import jax
import jax.numpy as jnp

from jax_al.errors import UsageError
from jax_al.strategies.choosing import check_whole
from jax_al.strategies.covering import (
    Similarity,
    greedy_cover,
    rounding_slack,
    sq_distance,
    unit,
)
from jax_al.strategies.present import mean_present
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy

SIMILARITIES = ("cosine", "euclidean")


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

    Needs `embedding`, no label. Seeded: by the order among equals and, in a large pool, by the
    samples: of the M references in the sum, and of the K candidates, all of the pool or as many as
    make K M = 2^27, but no fewer than 10 Q. O(K M D) to begin with, then O(M) for each gain that is
    worked out again, few for most picks; memory O(N + M D) and the K M similarities, if there are
    no more than 2^27 (else O(M D) for each gain).

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
    made = _cosine if similarity == "cosine" else _euclidean

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points = signals.embedding
        assert points is not None
        similar = made(points, pool.excluded)
        return greedy_cover(query_key, points, pool, budget, similar, max_references)

    return strategy(select, needs={"embedding"}, embedding=embedding)


def _cosine(points: jax.Array, excluded: jax.Array) -> Similarity:
    del excluded
    # What rounding cannot tell from a point itself is as similar as that: nothing to gain.
    alike = 1 - rounding_slack(points.shape[1])

    def of(inner, own, theirs):
        return jnp.where(inner > alike, 1.0, jnp.maximum(inner, 0.0))

    return Similarity(unit, of)


def _euclidean(points: jax.Array, excluded: jax.Array) -> Similarity:
    mean = mean_present(points, excluded)[None, :]
    from_mean = jnp.square(points - mean).sum(axis=1)
    most = 2 * jnp.sqrt(from_mean.max(where=~excluded, initial=0.0))  # c

    def of(inner, own, theirs):
        return jnp.maximum(most - jnp.sqrt(sq_distance(inner, own, theirs, points.shape[1])), 0.0)

    return Similarity(lambda rows: rows - mean, of)
