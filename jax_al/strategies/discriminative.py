"""Discriminative active learning (Gissin & Shalev-Shwartz 2019, arXiv 1907.06347)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jax_al.geometry.clustering import in_blocks
from jax_al.geometry.rounding import coarse
from jax_al.strategies.choosing import check_number, check_whole
from jax_al.strategies.parts import highest_in_parts
from jax_al.strategies.present import moments_present
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy

BATCH = 256  # half of it labeled, half not
STOP = 0.98  # accuracy of the classifier at which it has learned enough

Params = list[tuple[jax.Array, jax.Array]]  # weights and biases of each layer


def discriminative(
    *,
    sub_batches: int = 10,
    steps: int = 1000,
    width: int = 128,
    lr: float = 1e-3,
    embedding: str = "model",
) -> Strategy:
    """Picks the points a classifier is surest are not among the labeled ones.

    Gissin & Shalev-Shwartz 2019, arXiv 1907.06347, algorithm 1: a binary classifier learns to
    tell labeled from unlabeled embeddings, and the points it finds most certainly unlabeled are
    picked; in `sub_batches` parts, as equal as can be, after each of which what was picked counts
    as labeled and a fresh classifier is trained. Ranked by the logit, which does not saturate;
    logits that agree to 14 bits are equal, and chance decides.

    Where we differ: the published code has three hidden layers of 256, up to 1,000 epochs and
    ten unlabeled points for each labeled one, out of which it also picks; ours has two of
    `width`, at most `steps` steps of Adam on batches of which one half is labeled (which does
    what its class weights do), drawn from all of the pool, and picks from all of the pool. Both
    stop at 98% accuracy, so that what is like the labeled points stays uncertain; ours takes a
    running mean over batches. The embedding is scaled to mean 0 and variance 1. The code divides
    the budget by 20 and, below 20, never ends; ours makes fewer parts.

    Needs `embedding` and one label (random sampling until then). Seeded. For each part
    O(N width (D + width)), and for its training the same with 256 `steps` in place of N; memory
    O(N).

    Args:
      sub_batches: parts of a query, 10 or 20 in the published code.
      steps: of Adam, at most, for each part, where the classifier does not come to 98% before.
      width: units in each of the two hidden layers.
      lr: learning rate.
      embedding: whose embedding.
    """
    for name, value in (("sub_batches", sub_batches), ("steps", steps), ("width", width)):
        check_whole(name, value, 1)
    check_number("lr", lr, above=0)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points = signals.embedding
        assert points is not None
        N, D = points.shape
        classifier_key, tie_key = jax.random.split(query_key)
        mean, std = moments_present(points, pool.excluded)
        std = jnp.where(std > 0, std, 1.0)

        def scaled(rows):
            return (rows - mean[None, :]) / std[None, :]

        def score(part, state, marked, _):
            init_key, train_key = jax.random.split(jax.random.fold_in(classifier_key, part))
            params = _init(init_key, D, width)
            params = _train(train_key, params, points, scaled, marked, steps, lr)

            def block(start, size):
                rows = scaled(lax.dynamic_slice(points, (start, 0), (size, D)))
                return coarse(_logits(params, rows))

            return in_blocks(block, N), state

        picks, scores = highest_in_parts(tie_key, score, (), pool, budget, sub_batches)
        return Query(picks, {}, scores=scores)

    return strategy(select, needs={"embedding"}, embedding=embedding, needs_label=True)


def _init(key: jax.Array, D: int, width: int) -> Params:
    sizes = (D, width, width, 1)
    keys = jax.random.split(key, 3)
    he = jax.nn.initializers.he_normal()
    pairs = zip(keys, sizes, sizes[1:], strict=False)
    return [(he(k, (a, b)), jnp.zeros(b)) for k, a, b in pairs]


def _logits(params: Params, rows: jax.Array) -> jax.Array:
    """How surely each row is unlabeled: float32 [R], the log of the odds."""
    for weights, bias in params[:-1]:
        rows = jax.nn.relu(_times(rows, weights) + bias[None, :])
    weights, bias = params[-1]
    return _times(rows, weights)[:, 0] + bias[0]


def _times(rows: jax.Array, weights: jax.Array) -> jax.Array:
    return jnp.dot(rows, weights, precision=lax.Precision.HIGHEST)


def _train(
    key: jax.Array,
    params: Params,
    points: jax.Array,
    scaled: Callable[[jax.Array], jax.Array],
    pool: PoolState,
    steps: int,
    lr: float,
) -> Params:
    """Trains on as many labeled as unlabeled points, until the accuracy is that of STOP.

    Args:
      key: decides the batches.
      params: where to start from.
      points: float32 [N, D].
      scaled: what the classifier sees of rows [R, D].
      pool: which points are labeled, and which selectable.
      steps: at most so many.
      lr: learning rate.
    """
    optimizer = optax.adam(lr)
    # Sorted, the labeled points come first, the excluded ones last: a draw from either set is a
    # number in a range.
    order = jnp.argsort(jnp.where(pool.labeled, 0, jnp.where(pool.selectable, 1, 2)), stable=True)
    count = pool.labeled.sum().astype(jnp.float32)
    present = count + pool.selectable.sum().astype(jnp.float32)
    is_unlabeled = jnp.arange(BATCH) >= BATCH // 2
    target = is_unlabeled.astype(jnp.float32)

    def loss(params, rows):
        logits = _logits(params, rows)
        right = ((logits > 0) == is_unlabeled).astype(jnp.float32).mean()
        return optax.sigmoid_binary_cross_entropy(logits, target).mean(), right

    def step(carry):
        params, state, done, accuracy = carry
        share = jax.random.uniform(jax.random.fold_in(key, done), (BATCH,))
        low = jnp.where(is_unlabeled, count, 0.0)
        high = jnp.where(is_unlabeled, present - count, count)
        # With every point labeled there is none to draw, and none to pick either.
        place = jnp.minimum(low + jnp.floor(share * high), present - 1)
        rows = scaled(points[order[place.astype(jnp.int32)]])
        (_, right), grads = jax.value_and_grad(loss, has_aux=True)(params, rows)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes float32 and int32
            updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state, done + 1, 0.9 * accuracy + 0.1 * right

    def more(carry):
        return (carry[2] < steps) & (carry[3] < STOP)

    carry = params, optimizer.init(params), jnp.int32(0), jnp.float32(0.5)
    return lax.while_loop(more, step, carry)[0]
