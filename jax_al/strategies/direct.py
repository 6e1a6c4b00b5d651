"""DIRECT: points around the threshold that separates each class from the rest."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.strategies.choosing import highest_in_order, tie_order
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy


def direct() -> Strategy:
    """Picks around the best threshold of every class, as many for a rare class as for a common one.

    For class k all points are ranked by p_k - max_c p_c, of equals by p_k, highest first. The first
    half of the budget goes to where the threshold may be: points drawn at random between the last
    labeled point of class k above every other label and the first other label below every point of
    class k. The second half goes to the points nearest in rank, above and below in turn, to the
    threshold at which most labels are on the right side. Both halves are cut into equal parts, the
    class with the fewest labels first, of equals by chance; what a class finds no point for goes to
    the second half. The score of a pick is its p_k - max_c p_c. Nuggehalli, Zhang, Jain & Nowak
    2023, arXiv 2312.09196, section 4, and their code in LabelBench; for imbalanced classes and
    labels with noise.

    Not as in the paper: there the first half is labeled in rounds that narrow the interval, so that
    the second half knows their labels; a query here is answered as a whole, so that its one round
    is the first and the threshold is that of the labels before. They spend the first half on some
    of the rarest classes, here all have a part.

    Needs `log_probs`, looks at the labels; random while there is none. Seeded.
    O(min(C, Q) N log N), memory O(N C).
    """
    return strategy(_select, needs={"log_probs"}, needs_label=True, uses_labels=True)


def _select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
    log_probs = signals.log_probs
    assert log_probs is not None
    N, C = log_probs.shape
    most = -(-budget // C)  # for one class, in one half
    tie_key, lot_key, class_key = jax.random.split(query_key, 3)
    ties, probs = tie_order(tie_key, N), jnp.exp(log_probs)
    margins = probs - probs.max(axis=1, keepdims=True)
    owned = pool.labeled & ~pool.excluded
    present = (~pool.excluded).sum(dtype=jnp.int32)
    classes = jnp.where(owned, pool.labels, C)
    counts = jnp.zeros(C, jnp.int32).at[classes].add(1, mode="drop")
    rarest = jnp.lexsort((jax.random.bits(class_key, (C,)), counts))

    def ranked(k):
        """Rank int32 [N] of every point for class k, and the labels in that order: 1, -1 or 0."""
        keys = -probs[ties, k], -margins[ties, k], pool.excluded[ties]
        order = ties[jnp.lexsort(keys)]
        sides = jnp.where(owned, jnp.where(pool.labels == k, 1, -1), 0)[order]
        return jnp.zeros(N, jnp.int32).at[order].set(jnp.arange(N, dtype=jnp.int32)), sides

    def buy(i, carry, share, wanted):
        """The next picks, for the i-th rarest class: at most `share`, of the highest `wanted`."""
        picks, scores, taken, count = carry
        k = rarest[i]
        wish = wanted(*ranked(k), i)
        left = pool._replace(labeled=taken)
        new = highest_in_order(ties, wish, left, most)
        is_new = (jnp.arange(most) < share(i)) & (new != NOTHING)
        is_new &= jnp.isfinite(wish[jnp.maximum(new, 0)])
        slots = jnp.where(is_new, count + jnp.cumsum(is_new, dtype=jnp.int32) - 1, budget)
        picks = picks.at[slots].set(new, mode="drop")
        scores = scores.at[slots].set(margins[jnp.maximum(new, 0), k], mode="drop")
        taken = taken.at[jnp.where(is_new, new, N)].set(True, mode="drop")
        return picks, scores, taken, count + is_new.sum(dtype=jnp.int32)

    def within(rank, sides, i):
        """Lots for those in the interval of class k, minus infinity for the others."""
        places = jnp.arange(N, dtype=jnp.int32)
        first_other = jnp.where(sides < 0, places, N).min()
        start = jnp.where((sides > 0) & (places < first_other), places, 0).max()
        last_own = jnp.where(sides > 0, places, -1).max()
        end = jnp.where((sides < 0) & (places > last_own), places, present - 1).min()
        lots = jax.random.uniform(jax.random.fold_in(lot_key, i), (N,))
        return jnp.where((rank >= start) & (rank <= end), lots, -jnp.inf)

    def around(rank, sides, i):
        """Minus the turn in which a point comes, walking away from the threshold of class k."""
        above = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(sides)])
        threshold = (2 * above - above[-1]).argmax().astype(jnp.int32)
        turn = jnp.where(rank < threshold, 2 * (threshold - 1 - rank), 2 * (rank - threshold) + 1)
        return -turn.astype(jnp.float32)

    half = budget // 2
    start = (
        jnp.full(budget, NOTHING, jnp.int32),
        jnp.full(budget, jnp.nan),
        pool.labeled,
        jnp.int32(0),
    )
    # Where they are fewer than the classes, the last ones have no part.
    carry = lax.fori_loop(
        0, min(C, half), lambda i, carry: buy(i, carry, lambda i: _part(half, i, C), within), start
    )
    rest = budget - carry[3]
    carry = lax.fori_loop(
        0,
        jnp.minimum(C, rest),
        lambda i, carry: buy(i, carry, lambda i: _part(rest, i, C), around),
        carry,
    )
    return Query(carry[0], {}, scores=carry[1])


def _part(total: jax.Array | int, i: jax.Array, count: int) -> jax.Array:
    """The i-th of `count` parts of `total`, which differ by one at most, the larger ones first."""
    return total // count + (i < total % count).astype(jnp.int32)
