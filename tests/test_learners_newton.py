"""Where L-BFGS leaves off: fewer labels than numbers, rare classes, little curvature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import jax_al as al
from jax_al.learners.inputs import Normalizer
from jax_al.learners.linear import linear
from jax_al.learners.logistic import Head, in_blocks, minimum, value_and_grad
from jax_al.learners.newton import refined
from jax_al.types import Examples

C = 10


def problem(count, width, is_rare):
    """Rows and 200 more, their classes, seven of ten rare if asked, and how the classes weigh."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((count + 200, width)).astype(np.float32)
    scores = 3 * x @ rng.standard_normal((width, C)) / np.sqrt(width)
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1).astype(np.int32)
    if is_rare:
        y = np.where(y > 3, 0, y)
    y[:C] = np.arange(C)
    sizes = np.bincount(y[:count], minlength=C)
    return x, y, (count / (C * sizes))[y[:count]] if is_rare else np.ones(count)


@pytest.mark.parametrize("penalty", [0.01, 0.1])
@pytest.mark.parametrize("is_rare", [False, True])
@pytest.mark.parametrize(("count", "width"), [(20, 256), (20, 1280), (100, 256), (300, 20)])
def test_the_answer_is_that_of_scikit_learn(count, width, is_rare, penalty):
    x, y, weights = problem(count, width, is_rare)
    pool = al.arrays(x)
    made = linear(penalty=penalty, class_weights="balanced" if is_rare else None)
    learner = made(pool.spec, C)
    context, key = learner.prepare(pool), jax.random.key(0)
    examples = Examples(
        jnp.asarray(x[:count]),
        jnp.asarray(y[:count]),
        jnp.ones(count),
        jnp.arange(count),
        jnp.int32(count),
    )
    training = learner.begin(key, learner.init(key, context), examples, context)
    state, _ = learner.finish(jax.jit(learner.advance)(training, examples, context))
    inputs = (x - x.mean(axis=0, dtype=np.float64)) / x.std(axis=0, dtype=np.float64)
    theirs = LogisticRegression(
        C=1 / (penalty * weights.sum()), solver="newton-cg", tol=1e-10, max_iter=10_000
    )
    theirs.fit(inputs[:count], y[:count], sample_weight=weights)
    found = learner.predict(state, jnp.asarray(x)).log_probs
    np.testing.assert_allclose(found, theirs.predict_log_proba(inputs), atol=1e-3)


def test_a_search_that_finds_nothing_ends_and_newton_goes_on_from_there():
    """20 rows of 1,280 numbers, whose loss is less than float32 can tell apart."""
    x, y, weights = problem(20, 1280, is_rare=True)
    examples = Examples(*map(jnp.asarray, (x[:20], y[:20], np.float32(weights))), None, 20)
    blocks = in_blocks(examples._replace(rows=jnp.arange(20), count=jnp.int32(20)))
    plain = Normalizer(jnp.zeros(1280), jnp.ones(1280))
    asked = []

    def objective(head):
        jax.debug.callback(lambda: asked.append(1))
        return value_and_grad(head, blocks, plain, 0.01)

    def length(head):
        return float(jnp.sqrt(sum((leaf**2).sum() for leaf in objective(head)[1])))

    zero = Head(jnp.zeros((1280, C)), jnp.zeros(C))
    stalled = jax.jit(lambda: minimum(objective, zero, 200))()
    jax.effects_barrier()
    assert len(asked) < 200  # where each search in vain would ask twenty times
    small = jnp.float32(1e-3 * 0.01 / np.sqrt(1280))
    assert length(stalled) > small
    best = jax.jit(lambda: refined(lambda head: objective(head)[1], stalled, small))()
    assert length(best) < 0.1 * length(stalled)
    here = jax.jit(lambda: refined(lambda head: objective(head)[1], best, jnp.float32(1)))()
    jax.tree.map(np.testing.assert_array_equal, here, best)  # short enough: as it was


def test_of_a_parabola_the_minimum_is_found_to_the_last_digits():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((30, 30))
    curvature = root @ root.T + 0.1 * np.eye(30)
    there = rng.standard_normal(30)
    slope = jnp.float32(curvature @ there)
    found = refined(lambda x: jnp.float32(curvature) @ x - slope, jnp.zeros(30), jnp.float32(0))
    np.testing.assert_allclose(found, there, atol=1e-4)
