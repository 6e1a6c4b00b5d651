"""Active transfer learning: a small model that predicts where the network is wrong."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.sparse.linalg import cg

from jax_al.geometry.clustering import in_blocks
from jax_al.strategies.choosing import check_number
from jax_al.strategies.parts import highest_in_parts
from jax_al.strategies.present import moments_present
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy

NEWTON_STEPS = 8  # with fewer after the first part, the picks of `atlas` are not the exact ones
BIAS_PENALTY = 1e-6  # keeps the Newton step finite where every target is 0
INNER_STEPS = 100  # of conjugate gradients, at most, for a Newton step
INNER_TOLERANCE = 1e-4  # of the gradient that such a step need not account for
SHORTER = tuple(0.5**i for i in range(8))  # of a Newton step; the best one is taken


def active_transfer(*, penalty: float = 1.0) -> Strategy:
    """Picks the points at which a second model expects the network to be wrong.

    A logistic regression on the standardised `head_inputs` is trained on the labeled points to
    predict 1 - p(true label); the picks are the unlabeled points for which it says most. It
    minimises sum_i cross-entropy_i + `penalty` / 2 |w|^2 (scikit-learn's C = 1 / `penalty`), by
    Newton's method with conjugate gradients. `info` holds the mean `target` over the labeled
    points.

    R. Monarch 2021, *Human-in-the-Loop Machine Learning*, chapter 5 (active transfer learning
    for uncertainty sampling). Needs `head_inputs` and `log_probs`; random while there is no label.
    Greedy. O((N + L) D), the L as often as there are inner steps; memory O(N + (L + Q) D): only
    labeled points are copied.

    Not as in the book: it trains on held-out validation data, and on right or wrong as a label;
    here no label is set apart, all being bought ones, and the network has been fit to them, so
    it is rarely wrong: the soft target still tells which it finds hard. Published code
    (pytorch_active_learning) trains class 1 = right, takes 1 - exp(log p_1) for `prob_correct`
    and ranks by 1 - `prob_correct`: by being right. Here the highest expected error comes first.
    """
    return transfer(penalty, 1)


def transfer(penalty: float, rounds: int) -> Strategy:
    """Returns the strategy that trains the second model for each of `rounds` parts of the budget.

    In later parts what was picked before counts as labeled and right (target 0).
    """
    check_number("penalty", penalty, above=0)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        features, log_probs = signals.head_inputs, signals.log_probs
        assert features is not None
        assert log_probs is not None
        owned = jnp.maximum(pool.order, 0)
        truth = jnp.maximum(pool.labels[owned], 0)
        target = -jnp.expm1(jnp.minimum(log_probs[owned, truth], 0.0))
        target = jnp.where(pool.order == NOTHING, 0.0, target)
        mean_target = target.sum() / jnp.maximum(pool.num_labeled, 1).astype(jnp.float32)
        target = jnp.concatenate([target, jnp.zeros(budget)])
        mean, scale = standard(features, pool.excluded)

        def score(_part, weights, _, picks):
            rows = jnp.concatenate([pool.order, picks])
            counts = (rows != NOTHING).astype(jnp.float32)
            known = (features[jnp.maximum(rows, 0)] - mean[None, :]) * scale[None, :]
            weights = fit_logistic(known, target, counts, penalty, NEWTON_STEPS, weights)
            return project(features, mean, weights[1:] * scale), weights

        level = jnp.clip(mean_target, 1e-6, 1 - 1e-6)
        weights = jnp.zeros(mean.size + 1).at[0].set(jnp.log(level) - jnp.log1p(-level))
        picks, scores = highest_in_parts(query_key, score, weights, pool, budget, rounds)
        return Query(picks, {"target": mean_target}, scores=scores)

    return strategy(
        select,
        needs={"head_inputs", "log_probs"},
        seeded=False,
        needs_label=True,
        uses_labels=True,
    )


def standard(features: jax.Array, excluded: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns mean [D] and scale [D] such that (`features` - mean) scale has deviation 1, or 0.

    It has 0 where a feature is constant.

    Args:
      features: float32 [N, D].
      excluded: bool [N], the rows that these are no statistics of.
    """
    mean, deviation = moments_present(features, excluded)
    # What is excluded is 0 and no maximum.
    is_constant = deviation <= 1e-6 * jnp.abs(features).max(axis=0)
    return mean, jnp.where(is_constant, 0.0, 1 / jnp.where(is_constant, 1.0, deviation))


def project(features: jax.Array, mean: jax.Array, weights: jax.Array) -> jax.Array:
    """Returns (`features` - `mean`) . `weights` float32 [N], with no copy of `features`."""

    def block(start, size):
        rows = lax.dynamic_slice_in_dim(features, start, size)
        # Row by row: a matrix product rounds equal rows otherwise at the end of a tile.
        return ((rows - mean[None, :]) * weights[None, :]).sum(axis=1)

    return in_blocks(block, features.shape[0])


def fit_logistic(
    points: jax.Array,
    target: jax.Array,
    counts: jax.Array,
    penalty: float,
    steps: jax.Array | int,
    weights: jax.Array,
) -> jax.Array:
    """Returns the weights float32 [1 + D], bias first, of a logistic regression.

    Newton's method, as scikit-learn's "newton-cg": no D x D matrix exists, and none is factorised.
    (On a CPU, LAPACK's threads would wait for each other on busy cores: 250 ms a step, not 5.)

    Args:
      points: float32 [L, D].
      target: float32 [L], probabilities.
      counts: float32 [L], how often each point counts.
      penalty: of the squared weights, not of the bias.
      steps: of Newton's method, each as long as the best of SHORTER.
      weights: float32 [1 + D], where to start.
    """
    points = jnp.concatenate([jnp.ones((points.shape[0], 1)), points], axis=1)
    ridge = jnp.full(points.shape[1], penalty).at[0].set(BIAS_PENALTY)

    def objective(logits, weights):
        losses = jax.nn.softplus(logits) - target[:, None] * logits
        return times(counts, losses) + times(ridge, jnp.square(weights)) / 2

    def step(_, weights):
        logits = times(points, weights)
        probs = jax.nn.sigmoid(logits)
        gradient = times(counts * (probs - target), points) + ridge * weights
        curvature = counts * probs * jax.nn.sigmoid(-logits)
        diagonal = times(curvature, jnp.square(points)) + ridge
        full, _ = cg(
            lambda v: times(curvature * times(points, v), points) + ridge * v,
            gradient,
            tol=INNER_TOLERANCE,
            maxiter=INNER_STEPS,
            M=lambda v: v / diagonal,
        )
        tried = weights[:, None] - full[:, None] * jnp.array(SHORTER)[None, :]
        values = objective(times(points, tried), tried)
        best = tried[:, jnp.where(jnp.isfinite(values), values, jnp.inf).argmin()]
        return jnp.where(jnp.isfinite(best).all(), best, weights)

    return lax.fori_loop(0, steps, step, weights)


def times(a: jax.Array, b: jax.Array) -> jax.Array:
    """Returns the product of matrices, in full float32 on every device."""
    return jnp.matmul(a, b, precision=lax.Precision.HIGHEST)
