"""MaxHerding: every point near to a pick, by a Gaussian kernel; weighted by doubt or not."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.strategies.choosing import check_number, check_whole
from jax_al.strategies.covering import HELD, Similarity, greedy_cover, sq_distance, unit
from jax_al.strategies.strategy import strategy
from jax_al.strategies.uncertainty import margin_score
from jax_al.types import PoolState, Query, Signals, Strategy

BANDWIDTH = 1.0  # of directions, whose distances go up to 2: the authors', for every data set


def max_herding(
    *, bandwidth: float = BANDWIDTH, max_references: int = 2048, embedding: str = "model"
) -> Strategy:
    """Picks points such that every point has one near it, by a Gaussian kernel on directions.

    Greedy maximisation of the generalised coverage (1 / N) sum_i max_{j in S} k(x_i, x_j), S the
    labeled and the picked points, k(a, b) = exp(-|a - b|^2 / `bandwidth`^2), embeddings scaled to
    length 1: `facility_location` with another similarity. Bae, Noh & Sutherland 2024, arXiv
    2407.12212, algorithm 1, with the bandwidth of their code. A score is what the pick adds to the
    sum of the references.

    Needs `embedding`, no label; made for few labels and self-supervised or pretrained features.
    Seeded: by the order among equals and, in a large pool, by the samples that stand for it, as in
    `facility_location` (theirs is one of 35,000 points, candidates and references alike).
    O(K M D) for K candidates and M references.

    Args:
      bandwidth: above 0; directions are at most 2 apart.
      max_references: M, points in the sum; a random sample of the pool if that is larger. Never
        fewer than 10 Q.
      embedding: whose embedding.
    """
    check_number("bandwidth", bandwidth, above=0)
    check_whole("max_references", max_references, 1)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points = signals.embedding
        assert points is not None
        similar = gaussian(points.shape[1], bandwidth)
        return greedy_cover(query_key, points, pool, budget, similar, max_references)

    return strategy(select, needs={"embedding"}, embedding=embedding)


def uncertainty_herding(
    *, temperature: float = 1.0, max_references: int = 2048, embedding: str = "model"
) -> Strategy:
    """Picks points such that every doubtful point has one near it, by a kernel that narrows.

    `max_herding` of (1 / N) sum_i u_i max_{j in S} k(x_i, x_j), the uncertainty coverage, with
    u = 1 - (p_(1) - p_(2)), p_(1) and p_(2) the two largest of the probabilities p^(1/T), made to
    add up to 1 again. The bandwidth of k is the smallest distance above 0 between two labeled
    points (`info` holds it), so that with few labels it is herding and with many it comes close to
    `margin`. While fewer than two labeled points differ it is 1; while there is no label every u is
    1. Bae, Oliveira & Sutherland 2024, arXiv 2412.20644, section 3, as in their code.

    Not as in the paper: there T is fitted in every episode, to the least calibration error of a
    network trained without a share of the labels. Here it is an option, as a strategy sees no
    model, and a fit to labels it was trained on would find it surer than it should be. The learner
    `calibrated` fits it as the paper does, and wants 1 here: on features of CIFAR-10 twenty seeds
    could tell no difference to 1 without it (benchmarks/results/temperature.md).

    Needs `embedding` and `log_probs`. Seeded, and sampled, as `max_herding`. O(K M D) for K
    candidates and M references, O(L^2 D) for the bandwidth.

    Args:
      temperature: T, above 0; above 1 takes confidence away.
      max_references: M, as in `max_herding`. A narrow kernel reaches none but the references
        themselves: then the most doubtful of the sample are picked.
      embedding: whose embedding.
    """
    check_number("temperature", temperature, above=0)
    check_whole("max_references", max_references, 1)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points, log_probs = signals.embedding, signals.log_probs
        assert points is not None
        assert log_probs is not None
        bandwidth = least_distance(points, pool)
        bandwidth = jnp.where(jnp.isfinite(bandwidth), bandwidth, BANDWIDTH)
        doubt = 1 + margin_score(jax.nn.log_softmax(log_probs / temperature))
        weights = jnp.where(pool.num_labeled > 0, doubt, 1.0)
        similar = gaussian(points.shape[1], bandwidth)
        query = greedy_cover(query_key, points, pool, budget, similar, max_references, weights)
        return query._replace(info=query.info | {"bandwidth": bandwidth})

    return strategy(select, needs={"embedding", "log_probs"}, embedding=embedding)


def gaussian(D: int, bandwidth: jax.Array | float) -> Similarity:
    """Returns exp(-|a - b|^2 / bandwidth^2) of directions in D dimensions."""

    def of(inner, own, theirs):
        sq = sq_distance(inner, own, theirs, D)
        # The square of a small bandwidth is 0, and nothing is near but a point itself.
        return jnp.exp(-jnp.where(sq > 0, sq / (bandwidth * bandwidth), 0.0))

    return Similarity(unit, of)


def least_distance(points: jax.Array, pool: PoolState) -> jax.Array:
    """Returns the smallest distance above 0 between directions of labeled points, float32 [].

    Infinity where no two of them differ by more than rounding could.
    """
    L, D = pool.order.size, points.shape[1]
    if not L:
        return jnp.array(jnp.inf, jnp.float32)
    size = min(HELD, L)
    rows = jnp.maximum(pool.order, 0)
    is_there = (pool.order >= 0) & ~pool.excluded[rows]
    labeled = unit(points[rows])
    lengths = jnp.square(labeled).sum(axis=1)

    def look(i, least):
        start = jnp.minimum(i * size, L - size)
        mine, own, mine_is_there = (
            lax.dynamic_slice_in_dim(x, start, size) for x in (labeled, lengths, is_there)
        )
        inner = jnp.dot(mine, labeled.T, precision=lax.Precision.HIGHEST)
        sq = sq_distance(inner, own[:, None], lengths[None, :], D)
        differ = mine_is_there[:, None] & is_there[None, :] & (sq > 0)
        return jnp.minimum(least, jnp.where(differ, sq, jnp.inf).min())

    blocks = (pool.num_labeled + size - 1) // size
    return jnp.sqrt(lax.fori_loop(0, blocks, look, jnp.array(jnp.inf, jnp.float32)))
