"""Diverse gradients: k-means++ on gradient embeddings, kept as two factors."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.rounding import UNIT
from jax_al.strategies.choosing import at_random, highest
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy

CENTER_BLOCK = 32  # new centers joined to the whole pool by one matmul: [N, 32] is temporary
MAX_REFUSALS = 64  # proposals refused before the weights are brought up to date


def badge() -> Strategy:
    """Samples points whose last-layer gradients are large and differ, by k-means++.

    The gradient embedding of a point is g = (p - onehot(argmax p)) outer h: the gradient of the
    cross-entropy to the network's own guess, with respect to the last layer's weights, h being
    the features that layer sees (no bias, as in the authors' code). The first pick is the
    unlabeled point with the largest norm (of several, by chance); then a point is drawn with
    probability proportional to its squared distance to the nearest pick (k-means++: Arthur &
    Vassilvitskii 2007), never twice. Where all that is left coincides with picks, the rest is
    drawn uniformly; `info` holds how many (`random_picks`). The score of a pick is its distance to
    the nearest pick before it, of the first its norm.

    Ash, Zhang, Krishnamurthy, Langford & Agarwal 2020, arXiv 1906.03671, Algorithm 1. Needs
    `head_inputs` and `log_probs`; random while there is no label. Seeded. O(N Q (C + D)) time and
    O(N) memory beside the signals: inner products factorise,
    <g_i, g_j> = <e_i, e_j> <h_i, h_j>, so the N x (C D) array is never made, and the law is
    drawn from exactly, by refusal: proposals come from out-of-date distances, which are upper
    bounds, and are accepted at the ratio of the true to the old squared distance.

    Not as in k-means++: Arthur & Vassilvitskii draw the first pick uniformly; the largest norm is
    what the authors' code begins with (`init_centers`).

    Published code: scikit-activeml (1.0.1) starts its running minimum at the squared norms, so
    the origin counts as a center for ever and confident points are hardly drawn. The authors'
    loop draws again until an index is new, for ever where the rest coincides; others return the
    repeated index. All compute 1 - p of the top class, which is 0 for p above 1 - 2^-24; here it
    is the sum of the other probabilities. Distances below what float32 can tell from zero count
    as zero.
    """
    return strategy(_select, needs={"head_inputs", "log_probs"}, needs_label=True)


class Factors(NamedTuple):
    """Gradient embeddings g_i = residual_i outer features_i, never multiplied out."""

    residuals: jax.Array  # float32 [N, C]
    features: jax.Array  # float32 [N, D]
    sq_norms: jax.Array  # float32 [N], of g


def gradient_factors(log_probs: jax.Array, features: jax.Array) -> Factors:
    """Returns the factors of the gradient embeddings."""
    probs = jnp.exp(log_probs)
    is_top = jnp.arange(probs.shape[1])[None, :] == log_probs.argmax(axis=1)[:, None]
    others = jnp.where(is_top, 0.0, probs)
    residuals = jnp.where(is_top, -others.sum(axis=1, keepdims=True), others)
    sq_norms = jnp.square(residuals).sum(axis=1) * jnp.square(features).sum(axis=1)
    return Factors(residuals, features, sq_norms)


def sq_distances(points: Factors, centers: Factors) -> jax.Array:
    """Squared distances [R, K] between gradient embeddings; what is within rounding of 0 is 0."""
    E, H = points.residuals, points.features
    inner = jnp.matmul(E, centers.residuals.T, precision=lax.Precision.HIGHEST)
    inner *= jnp.matmul(H, centers.features.T, precision=lax.Precision.HIGHEST)
    total = points.sq_norms[:, None] + centers.sq_norms[None, :]
    # Sums of D terms are off by some sqrt(D) units; a few times that is taken for zero.
    slack = 4 * (math.sqrt(H.shape[1]) + math.sqrt(E.shape[1]) + 4) * UNIT
    found = total - 2 * inner
    return jnp.where(found > slack * total, found, 0.0)


def _select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
    assert signals.head_inputs is not None
    assert signals.log_probs is not None
    factors = gradient_factors(signals.log_probs, signals.head_inputs)
    draw_key, rest_key, first_key = jax.random.split(query_key, 3)
    first = highest(first_key, factors.sq_norms, pool, 1)[0]
    picks, reached, num_drawn = d2_sample(draw_key, first, factors, pool, budget)
    # What coincides with picks has no distance to be drawn by.
    taken = pool.labeled.at[jnp.where(picks == NOTHING, pool.labeled.size, picks)].set(
        True, mode="drop"
    )
    rest = at_random(rest_key, pool._replace(labeled=taken), budget)
    slots = jnp.arange(budget, dtype=jnp.int32)
    indices = jnp.where(slots < num_drawn, picks, rest[jnp.maximum(slots - num_drawn, 0)])
    random_picks = (indices != NOTHING).sum() - num_drawn
    scores = jnp.where(indices == NOTHING, jnp.nan, jnp.sqrt(reached))
    return Query(indices, {"random_picks": random_picks.astype(jnp.float32)}, scores=scores)


def d2_sample(
    sample_key: jax.Array,
    first: jax.Array,
    factors: Factors,
    pool: PoolState,
    num_picks: int,
    *,
    block: int = CENTER_BLOCK,
    max_refusals: int = MAX_REFUSALS,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Draws selectable points by k-means++, from the row `first` int32 [] on.

    The weights are brought up to date after `block` picks or `max_refusals` refused proposals,
    whichever comes first; the law is the same whatever they are.

    Returns:
      int32 [Q], NOTHING from where on no selectable point is away from all picks; float32 [Q], the
      squared distance of each to the picks before it, of the first its squared norm, else 0; and
      how many were drawn, int32 [].
    """
    N = pool.labeled.size
    side = math.isqrt(N - 1) + 1  # proposals are drawn from groups of this many, then within one
    block = min(block, num_picks)
    slots = jnp.arange(block, dtype=jnp.int32)

    def at(rows):
        return jax.tree.map(lambda leaf: leaf[jnp.maximum(rows, 0)], factors)

    def away(points, picks, done, count):
        """Squared distances to the nearest of the picks at positions `done` to `count`."""
        found = sq_distances(points, at(lax.dynamic_slice(picks, (done,), (block,))))
        return jnp.where((slots < count - done)[None, :], found, jnp.inf).min(axis=1)

    def propose(key, groups, sums):
        """A point drawn in proportion to the weights `groups` [G, G], and a number in [0, 1)."""
        u = jax.random.uniform(key, (3,))
        row = _draw(u[0], sums)
        column = _draw(u[1], groups[row])
        return jnp.minimum(row * side + column, N - 1), u[2]

    def fill_block(carry):
        picks, reached, count, _, weights, tries = carry
        groups = jnp.pad(weights, (0, side * side - N)).reshape(side, side)
        sums = groups.sum(axis=1)
        done = count

        def is_open(carry):
            *_, count, refusals, _ = carry
            room = (count < num_picks) & (count - done < block)
            return room & (refusals < max_refusals) & (sums.max() > 0)

        def draw(carry):
            picks, reached, count, refusals, tries = carry
            point, u = propose(jax.random.fold_in(sample_key, tries), groups, sums)
            near = jnp.minimum(weights[point], away(at(point[None]), picks, done, count)[0])
            near = jnp.where((picks == point).any(), 0.0, near)
            accepted = u * weights[point] < near
            slot = jnp.where(accepted, count, picks.size)
            picks = picks.at[slot].set(point, mode="drop")
            reached = reached.at[slot].set(near, mode="drop")
            accepted = accepted.astype(jnp.int32)
            return picks, reached, count + accepted, refusals + 1 - accepted, tries + 1

        zero = jnp.int32(0)
        start = picks, reached, count, zero, tries
        picks, reached, count, _, tries = lax.while_loop(is_open, draw, start)
        weights = jnp.minimum(weights, away(factors, picks, done, count))
        weights = weights.at[jnp.where(picks < 0, N, picks)].set(0.0, mode="drop")
        return picks, reached, count, weights.max() > 0, weights, tries

    some = (first != NOTHING).astype(jnp.int32)
    picks = jnp.full(num_picks + block, NOTHING, jnp.int32).at[0].set(first)
    reached = jnp.zeros(num_picks + block).at[0].set(at(first).sq_norms)
    weights = sq_distances(factors, at(first[None]))[:, 0]
    weights = jnp.where(pool.selectable, weights, 0.0).at[jnp.maximum(first, 0)].set(0.0)
    carry = (picks, reached, some, weights.max() > 0, weights, jnp.int32(0))
    picks, reached, count, *_ = lax.while_loop(
        lambda c: (c[2] < num_picks) & c[3], fill_block, carry
    )
    return picks[:num_picks], reached[:num_picks], count


def _draw(u: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns an index int32 [] drawn in proportion to `weights`, by inversion."""
    cumulative = jnp.cumsum(weights)
    found = jnp.searchsorted(cumulative, u * cumulative[-1], side="right")
    return jnp.minimum(found, weights.size - 1).astype(jnp.int32)
