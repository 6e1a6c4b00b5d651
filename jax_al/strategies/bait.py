"""BAIT: the batch whose Fisher information best covers that of the pool."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy as jsp
from jax import lax

from jax_al.errors import UsageError
from jax_al.strategies.choosing import at_random, check_number, check_whole
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy

OVERSAMPLE = 2  # times the budget is picked before the least useful are given back
LEAST = 10  # times the budget are candidates, at least: of 2 Q the forward pass would take all
STIFF = 1e5  # |h|^2 / regularizer from which rounding of updates adds up, also in float64
RENEWED = 8  # updates after which all is then worked out anew
CHUNK = 512  # points whose [C, D] products are held at a time


def bait(
    *,
    regularizer: float = 1.0,
    max_candidates: int = 5000,
    max_parameters: int = 6000,
    averaged: bool = False,
) -> Strategy:
    """Picks the batch that best covers the pool's Fisher information of the last layer.

    Minimises tr(M^-1 F), where F is the mean Fisher information I(x) over the unlabeled
    candidates and M = `regularizer` 1 + the sum of I(x) over labeled and picked points: 2 Q points
    are picked greedily, then Q of them dropped greedily, each time the one missed least. The
    score of a pick is what the trace fell by when it was added.
    I(x) = (diag p - p p^T) kron h h^T = V_x V_x^T has rank C - 1, with V_x = h kron P and
    P = diag(s) (1 - s s^T), s = sqrt(p); h are the features, without a bias.

    Ash, Goel, Krishnamurthy & Kakade 2021, arXiv 2106.09675, Algorithm 1. Needs `head_inputs` and
    `log_probs`; random while there is no label. Greedy; seeded in that above `max_candidates`
    unlabeled points that many are drawn at random (10 Q, if that is more), to pick from and to
    estimate F, and in that chance decides between equals.

    By Woodbury a pick changes the trace by tr((1 + A_x)^-1 B_x), A_x = V_x^T M^-1 V_x and
    B_x = V_x^T M^-1 F M^-1 V_x, which are kept, C x C for each candidate, and updated: for R
    candidates a pick costs O(R C^2 (C + D) + C^3 D^2), not O(R C (C D)^2) as in the authors' code.
    Before that O(R (C D)^2 + (C D)^3) once, and again after every 8 picks where the largest
    |h|^2 is more than 10^5 times `regularizer`. In float64, as 3 Q updates in a row lose what
    float32 holds; memory O(R (C^2 + D) + (C D)^2), and more than `max_parameters` weights C D
    are refused.

    The authors' code takes F over labeled points too and averages over the n labeled ones: these
    get weight n / (n + Q), together, and each pick Q / (n + Q): Q times that of a label owned.
    Here every label counts once, as in the information that would be owned, unless `averaged`.

    Args:
      regularizer: added to the diagonal of M.
      max_candidates: points to pick from, at most; never fewer than 10 Q.
      max_parameters: C D, at most.
      averaged: weigh as the authors' code does.
    """
    check_number("regularizer", regularizer, above=0)
    check_whole("max_candidates", max_candidates, 1)
    check_whole("max_parameters", max_parameters, 1)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        assert signals.head_inputs is not None
        assert signals.log_probs is not None
        size = signals.log_probs.shape[1] * signals.head_inputs.shape[1]
        if size > max_parameters:
            raise UsageError(
                f"max_parameters is {max_parameters}, and bait keeps matrices of (C D)^2 numbers, "
                f"where C D is {size}: more than that."
            )
        drawn = at_random(
            query_key, pool, min(pool.labeled.size, max(max_candidates, LEAST * budget))
        )

        # A batch of seeds goes one by one: their matrices would not fit side by side, and vmap of a
        # traced branch (`random_without_labels`) forgets that float64 was allowed in it.
        @jax.custom_batching.sequential_vmap
        def one_seed(features, log_probs, pool, drawn):
            # Updates take numbers as large as |h|^2 down to 1 and below: too far for float32.
            with jax.enable_x64(True):
                return _select(features, log_probs, pool, drawn, budget, regularizer, averaged)

        return one_seed(signals.head_inputs, signals.log_probs, pool, drawn)

    return strategy(select, needs={"head_inputs", "log_probs"}, needs_label=True)


class Points(NamedTuple):
    """Candidates, as the factors of V_x = features kron root, and what a change would do."""

    features: jax.Array  # float64 [R, D]
    roots: jax.Array  # float64 [R, C, C], P with P P^T = diag p - p p^T
    near: jax.Array  # float64 [R, C, C], A_x = V_x^T M^-1 V_x
    worth: jax.Array  # float64 [R, C, C], B_x = V_x^T M^-1 F M^-1 V_x


def _select(
    features: jax.Array,
    log_probs: jax.Array,
    pool: PoolState,
    drawn: jax.Array,
    budget: int,
    regularizer: float,
    averaged: bool,
) -> Query:
    (N, C), D, R = log_probs.shape, features.shape[1], drawn.size
    candidates = jnp.where(drawn == NOTHING, N, drawn)  # in an order that chance has made
    exists = candidates < N

    def factors(rows):
        rows = jnp.clip(rows, 0, N - 1)
        s = jnp.exp(log_probs[rows].astype(jnp.float64) / 2)
        projection = jnp.eye(C)[None] - s[:, :, None] * s[:, None, :]
        return features[rows].astype(jnp.float64), s[:, :, None] * projection

    h, P = factors(candidates)
    num_left = exists.sum(dtype=jnp.int32)
    target = fisher(h, P, exists) / jnp.maximum(num_left, 1).astype(jnp.float64)
    owned_h, owned_P = factors(pool.order)
    owned = fisher(owned_h, owned_P, pool.order != NOTHING)
    if averaged:
        n, left = (count.astype(jnp.float64) for count in (pool.num_labeled, pool.selectable.sum()))
        target = (owned + left * target) / jnp.maximum(n + left, 1.0)
        owned, P = owned / (n + budget), P * jnp.sqrt(budget / (n + budget))
    base = owned + regularizer * jnp.eye(C * D)
    is_stiff = jnp.square(h).sum(axis=1).max(where=exists, initial=0.0) > STIFF * regularizer

    def worked_out(h, P, owned):
        """M^-1 and the points, those that are `owned` counted as such."""
        M = base + fisher(h, P, owned)
        inverse = jsp.linalg.cho_solve(jsp.linalg.cho_factor(M), jnp.eye(C * D))
        worth = sandwich(h, P, _mm(inverse, target, inverse))
        return inverse, Points(h, P, sandwich(h, P, inverse), worth)

    def changed(count, inverse, points, row, sign, owned):
        """The same after one more is owned or dropped, `count` changes before it."""
        return lax.cond(
            is_stiff & (count % RENEWED == RENEWED - 1),
            lambda: worked_out(points.features, points.roots, owned),
            lambda: update(inverse, target, points, row, sign),
        )

    num_picks = min(OVERSAMPLE * budget, R)
    num_forward = jnp.minimum(num_picks, num_left)
    num_kept = jnp.minimum(budget, num_left)

    def add(q, carry):
        inverse, points, free, picks, gains = carry
        gain = change(points, 1.0)
        best = _best_to_rounding(jnp.where(free, gain, -jnp.inf))
        free = free.at[best].set(False)
        inverse, points = changed(q, inverse, points, best, 1.0, exists & ~free)
        return inverse, points, free, picks.at[q].set(best), gains.at[q].set(gain[best])

    picks, gains = jnp.zeros(num_picks, jnp.int32), jnp.zeros(num_picks)
    start = *worked_out(h, P, jnp.zeros(R, bool)), exists, picks, gains
    inverse, points, _, picks, gains = lax.fori_loop(0, num_forward, add, start)
    picked = jax.tree.map(lambda leaf: leaf[picks], points)
    kept = jnp.arange(num_picks, dtype=jnp.int32) < num_forward

    def drop(q, carry):
        inverse, picked, kept = carry
        worst = _best_to_rounding(jnp.where(kept, -change(picked, -1.0), -jnp.inf))
        kept = kept.at[worst].set(False)
        inverse, picked = changed(q, inverse, picked, worst, -1.0, kept)
        return inverse, picked, kept

    _, _, kept = lax.fori_loop(0, num_forward - num_kept, drop, (inverse, picked, kept))
    slot = jnp.where(kept, jnp.cumsum(kept) - 1, budget)
    indices = jnp.full(budget, NOTHING, jnp.int32).at[slot].set(candidates[picks], mode="drop")
    scores = jnp.full(budget, jnp.nan, jnp.float32)
    scores = scores.at[slot].set(gains.astype(jnp.float32), mode="drop")
    return Query(indices, {"num_candidates": num_left.astype(jnp.float32)}, scores=scores)


def fisher(features: jax.Array, roots: jax.Array, mask: jax.Array) -> jax.Array:
    """Returns the sum of I(x) [C D, C D] over the points in `mask`."""
    C, D = roots.shape[1], features.shape[1]
    kernels = jnp.where(mask[:, None, None], roots @ jnp.swapaxes(roots, 1, 2), 0.0)

    def add(total, chunk):
        h, kernel = chunk

        def one_class(weights):
            columns = (weights[:, :, None] * h[:, None, :]).reshape(-1, C * D)
            return _mm(h.T, columns)

        return total + lax.map(one_class, jnp.swapaxes(kernel, 0, 1)), None

    total, _ = lax.scan(add, jnp.zeros((C, D, C * D)), _chunks((features, kernels)))
    return total.reshape(C * D, C * D)


def sandwich(features: jax.Array, roots: jax.Array, middle: jax.Array) -> jax.Array:
    """Returns V_x^T `middle` V_x [R, C, C] for a symmetric `middle` [C D, C D]."""
    C, D = roots.shape[1], features.shape[1]
    blocks = middle.reshape(C, D, C * D)

    def some(chunk):
        h, P = chunk

        def one_class(block):
            return (_mm(h, block).reshape(-1, C, D) * h[:, None, :]).sum(axis=2)

        inner = jnp.moveaxis(lax.map(one_class, blocks), 0, 1)
        return jnp.swapaxes(P, 1, 2) @ inner @ P

    found = lax.map(some, _chunks((features, roots)))
    return found.reshape(-1, C, C)[: features.shape[0]]


def change(points: Points, sign: float) -> jax.Array:
    """How much the trace falls (`sign` 1, adding) or grows (-1, dropping) by each point [R]."""
    C = points.near.shape[1]
    solved = jnp.linalg.solve(jnp.eye(C)[None] + sign * points.near, points.worth)
    found = jnp.trace(solved, axis1=1, axis2=2)
    return jnp.where(jnp.isfinite(found), found, -sign * float(jnp.finfo(jnp.float32).max))


def update(
    inverse: jax.Array, target: jax.Array, points: Points, row: jax.Array, sign: float
) -> tuple[jax.Array, Points]:
    """Adds (`sign` 1) or drops (-1) the point at `row`: M^-1, A and B after that."""
    C, D = points.roots.shape[1], points.features.shape[1]
    V = (points.roots[row][:, None, :] * points.features[row][None, :, None]).reshape(C * D, C)
    K = _mm(inverse, V)
    FK = _mm(target, K)
    G = _mm(inverse, FK)
    S = jnp.linalg.inv(jnp.eye(C) + sign * points.near[row])
    S = (S + S.T) / 2
    inverse = inverse - sign * _mm(K, S, K.T)

    def seen(matrix):
        """V_x^T `matrix` [R, C, C]."""
        columns = jnp.swapaxes(matrix.reshape(C, D, C), 0, 1).reshape(D, C * C)
        inner = _mm(points.features, columns).reshape(-1, C, C)
        return jnp.swapaxes(points.roots, 1, 2) @ inner

    W, Z = seen(K), seen(G)
    WS = W @ S
    near = points.near - sign * (WS @ jnp.swapaxes(W, 1, 2))
    cross = WS @ jnp.swapaxes(Z, 1, 2)
    worth = points.worth - sign * (cross + jnp.swapaxes(cross, 1, 2))
    worth = worth + WS @ _mm(K.T, FK) @ jnp.swapaxes(WS, 1, 2)
    return inverse, points._replace(near=near, worth=worth)


def _best_to_rounding(values: jax.Array) -> jax.Array:
    """The position int32 [] of the highest of `values`, of equals the first.

    Equal to seven digits is equal: so much rests on the order in which numbers were summed.
    """
    return lax.argmax(values.astype(jnp.float32), 0, jnp.int32)


def _chunks(leaves: Any) -> Any:
    """Cuts the first axis into pieces of CHUNK, padded with zeros."""

    def cut(leaf):
        size = min(CHUNK, leaf.shape[0])
        num = -(-leaf.shape[0] // size)
        padding = [(0, num * size - leaf.shape[0])] + [(0, 0)] * (leaf.ndim - 1)
        return jnp.pad(leaf, padding).reshape(num, size, *leaf.shape[1:])

    return jax.tree.map(cut, leaves)


def _mm(*factors: jax.Array) -> jax.Array:
    product = factors[0]
    for factor in factors[1:]:
        product = jnp.matmul(product, factor, precision=lax.Precision.HIGHEST)
    return product
