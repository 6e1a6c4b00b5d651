"""Points whose class changes with a small change of their head inputs, spread by k-means."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.clustering import in_blocks, kmeans
from jax_al.geometry.vectors import Points, inner, unit_length
from jax_al.strategies.choosing import check_number, check_whole, highest, scores_of
from jax_al.strategies.members import take_turns
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy


def dropquery(*, draws: int = 3, rate: float = 0.75, iterations: int = 2) -> Strategy:
    """Picks, spread by k-means, points whose class most dropouts of their features change.

    The head inputs of each unlabeled point lose a share `rate` of their entries, at random, the
    rest scaled up, `draws` times; candidates are the points of which more than half of these have
    another class by the last layer than the whole has. They are clustered into Q, and the member
    nearest to each mean is picked. Where they are fewer than Q, the points of the next highest
    share follow, of equals by chance. The score is that share. Gupte, Aklilu, Nirschl & Yeung-Levy
    2024, arXiv 2401.14555, section 4, with their rate and number; for a linear head on the features
    of a foundation model.

    Their k-means runs to convergence. Needs `head_inputs`, `log_probs` and `head`; random while
    there is no label. Seeded. O(N F C) for a draw and O(N Q F) for the seeds of k-means and each
    iteration; memory O(N + Q F).

    Args:
      draws: 3 in the paper; an odd number leaves no tie.
      rate: of the entries dropped, .75 in the paper; rounded to 1/256.
      iterations: at most so many updates of the centers of k-means.
    """
    check_whole("draws", draws, 1)
    check_number("rate", rate, above=0, below=1)
    check_whole("iterations", iterations, 0)
    level = min(max(round(256 * rate), 1), 255)  # of 256 values of a byte

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points, log_probs, head = signals.head_inputs, signals.log_probs, signals.head
        assert points is not None
        assert log_probs is not None
        assert head is not None
        drop_key, pick_key = jax.random.split(query_key)
        F, whole = points.shape[1], log_probs.argmax(axis=1)

        def masks(row):
            # The key of a row, so that no other row has a say in it.
            return jax.random.bits(jax.random.fold_in(drop_key, row), (draws, F), jnp.uint8)

        def block(start, size):
            kept = jax.vmap(masks)(start + jnp.arange(size, dtype=jnp.int32)) >= level
            rows = lax.dynamic_slice(points, (start, 0), (size, F))[:, None, :]
            rows = jnp.where(kept, rows * (256 / (256 - level)), 0.0).reshape(size * draws, F)
            logits = inner(rows, head[:-1].T) + head[-1][None, :]
            others = logits.argmax(axis=1).reshape(size, draws)
            mine = lax.dynamic_slice(whole, (start,), (size,))
            return (others != mine[:, None]).mean(axis=1)

        # Blocks that stay in the cache: a query takes three quarters of what it takes with blocks
        # four times as long.
        share = in_blocks(block, points.shape[0], width=32 * draws * F)
        candidates = pool.selectable & (share > 0.5)
        return spread(pick_key, points, pool, budget, candidates, share, share, iterations)

    return strategy(select, needs={"head_inputs", "log_probs", "head"}, needs_label=True)


def alfa_mix(*, mixing: float = 0.2, iterations: int = 2) -> Strategy:
    """Picks, spread by k-means, points whose class changes when they are mixed with another's.

    The anchor of a class is the mean h* of the head inputs of its labeled points. An unlabeled
    point h, with the network's own guess y, is mixed with each anchor into a h* + (1 - a) h, a
    vector a of length at most `mixing` / sqrt(F) in the worst direction: to first order
    h + (mixing / sqrt(F)) |h* - h| g / |g|, g the gradient of the loss of y with respect to h
    (Parvaneh, Abbasnejad, Teney, Haffari, van den Hengel & Shi 2022, arXiv 2203.07034, equation 5,
    as in their code). Candidates are the points that have another class then. That the anchors
    differ in |h* - h| alone makes the farthest decide: along a line the points with class y are an
    interval. The candidates' directions are clustered into Q, and the member nearest to each mean
    is picked; where they are fewer than Q the rest is drawn at random (`random_picks` in `info`).
    The score is by how much, in logits, the class changed.

    Not as in their code: there `mixing` grows by itself, up to 1, until more than Q are candidates,
    and k-means runs to convergence. Needs `head_inputs`, `log_probs` and `head`, looks at the
    labels; random while there is none. Seeded. O(N F C), and O(N Q F) for the seeds of k-means and
    each iteration; memory O(N C + Q F).

    Args:
      mixing: above 0; their 0.2.
      iterations: at most so many updates of the centers of k-means.
    """
    check_number("mixing", mixing, above=0)
    check_whole("iterations", iterations, 0)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points, log_probs, head = signals.head_inputs, signals.log_probs, signals.head
        assert points is not None
        assert log_probs is not None
        assert head is not None
        step = mixing / jnp.sqrt(jnp.float32(points.shape[1]))
        over = overshoot(
            points, log_probs, head[:-1], step * farthest_anchor(points, pool, log_probs.shape[1])
        )
        candidates = pool.selectable & (over > 0)
        rest = jnp.zeros_like(over)
        directions = unit_length(points)
        query = spread(query_key, directions, pool, budget, candidates, rest, over, iterations)
        by_chance = (scores_of(over, query.indices) <= 0).sum().astype(jnp.float32)
        return query._replace(info={"random_picks": by_chance})

    return strategy(
        select, needs={"head_inputs", "log_probs", "head"}, needs_label=True, uses_labels=True
    )


def farthest_anchor(points: jax.Array, pool: PoolState, num_classes: int) -> jax.Array:
    """Returns the largest distance float32 [N] to the mean of the labeled points of a class."""
    rows = jnp.maximum(pool.order, 0)
    counts = (pool.order >= 0) & ~pool.excluded[rows]
    classes = jax.nn.one_hot(jnp.where(counts, pool.labels[rows], -1), num_classes)
    sizes = classes.sum(axis=0)
    sums = jnp.dot(classes.T, points[rows], precision=lax.Precision.HIGHEST)
    anchors = sums / jnp.maximum(sizes, 1)[:, None]

    def block(start, size):
        mine = lax.dynamic_slice_in_dim(points, start, size)
        own, theirs = jnp.square(mine).sum(axis=1), jnp.square(anchors).sum(axis=1)
        sq = own[:, None] + theirs[None, :] - 2 * inner(mine, anchors)
        return jnp.sqrt(jnp.where(sizes > 0, jnp.maximum(sq, 0.0), 0.0).max(axis=1))

    return in_blocks(block, points.shape[0], width=num_classes)


def overshoot(
    points: jax.Array, log_probs: jax.Array, kernel: jax.Array, length: jax.Array
) -> jax.Array:
    """Returns by how much another logit is above that of the guess, float32 [N], after a step.

    The step is `length` float32 [N] along the gradient, with respect to head inputs, of the loss of
    the guess. That is kernel u with u = p - onehot(guess), so that no vector of F is made.
    """
    is_top = jnp.arange(log_probs.shape[1])[None, :] == log_probs.argmax(axis=1)[:, None]
    # Only the direction counts, so that u may be divided by 1 - p: no square of a small p is 0.
    known = jnp.maximum(log_probs, jnp.finfo(jnp.float32).min)
    u = jnp.where(is_top, -1.0, jax.nn.softmax(jnp.where(is_top, -jnp.inf, known)))
    along = jnp.dot(u, inner(kernel.T, kernel.T), precision=lax.Precision.HIGHEST)  # of the logits
    norm = jnp.sqrt(jnp.maximum((along * u).sum(axis=1), 0.0))
    step = jnp.where(norm > 0, length / jnp.where(norm > 0, norm, 1.0), 0.0)
    moved = log_probs + step[:, None] * along
    mine = jnp.where(is_top, moved, -jnp.inf).max(axis=1)
    return jnp.where(is_top, -jnp.inf, moved).max(axis=1) - mine


def spread(
    pick_key: jax.Array,
    points: Points,
    pool: PoolState,
    budget: int,
    candidates: jax.Array,
    rest: jax.Array,
    scores: jax.Array,
    iterations: int,
) -> Query:
    """Returns the member nearest to the mean of each of Q clusters of the `candidates` bool [N].

    Where they are fewer, the highest of `rest` float32 [N] follow. `scores` are told of the picks.
    """
    N = pool.labeled.size
    K = min(budget, N)
    cluster_key, tie_key, rest_key = jax.random.split(pick_key, 3)
    found = kmeans(
        cluster_key, points, K, max_clusters=K, iterations=iterations, mask=candidates,
        exclude=pool.excluded,
    )  # fmt: skip
    turn = jnp.argsort(jnp.argsort(-found.sizes)).astype(jnp.int32)
    picks, _ = take_turns(tie_key, found.assignments, -found.sq_distances, candidates, turn, budget)
    taken = pool.labeled.at[jnp.where(picks == NOTHING, N, picks)].set(True, mode="drop")
    more = highest(rest_key, rest, pool._replace(labeled=taken), budget)
    count = (picks != NOTHING).sum()
    slots = jnp.arange(budget, dtype=jnp.int32)
    picks = jnp.where(slots < count, picks, more[jnp.maximum(slots - count, 0)])
    return Query(
        picks, {}, scores=scores_of(jnp.maximum(scores, jnp.finfo(jnp.float32).min), picks)
    )
