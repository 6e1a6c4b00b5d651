"""What else logistic regression could have found: the Laplace approximation of its posterior."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from jax_al.learners import linear as regression
from jax_al.learners.class_weights import check_class_weights, with_class_weights
from jax_al.learners.inputs import Normalizer
from jax_al.learners.logistic import Head, flat, in_blocks, log_probs_of, sum_of_blocks
from jax_al.learners.naming import called
from jax_al.outside import plain
from jax_al.types import Examples, Fit, Learner, Outputs, Spec

# Parameters up to which the whole Hessian is used: 16 MB in a State, some seconds to factorise.
EXACT = 2000


class State(NamedTuple):
    """The posterior: P = C (F + 1) parameters, those of a class together, its bias the last."""

    mean: regression.State
    # R: R'R is the covariance of all parameters, float32 [P, P], lower triangular; where only the
    # diagonal of the Hessian is used, their standard deviations, [C, F + 1].
    root: jax.Array


class Training(NamedTuple):
    """A fit under way."""

    inner: regression.Training
    root: jax.Array


def laplace(
    *,
    penalty: float | None = None,
    max_iterations: int = 200,
    class_weights: str | None = None,
    scale: str = "columns",
) -> Callable[[Spec, int], Learner]:
    """Returns `linear` with a Gaussian posterior over its parameters, to be made for a pool.

    The last-layer Laplace approximation (MacKay 1992; Daxberger et al. 2021, arXiv 2106.14806) of a
    head on fixed features. The penalty of `linear` is a Gaussian prior: times n = sum(w), its loss
    is -log p(labels | W) + n penalty / 2 |W|^2. Around the minimum the precision is

        H = sum_i w_i (diag(p_i) - p_i p_i') (x) x_i x_i' + n penalty I,

    p_i the probabilities and x_i the standardised inputs with a 1 for the bias: the Gauss-Newton
    matrix, which for this model is the Hessian. The bias, free in the fit, has the kernel's prior
    here, as all biases may be shifted together without any loss. Up to EXACT parameters C (F + 1)
    the matrix is inverted whole, the prior being no weaker than float32's rounding in it; beyond
    only its diagonal is used.

    A draw is a head of this posterior, one for the whole pool; there are any number. What it
    predicts, embedding and head inputs are those of `linear`, the mode: corrected for the doubt
    (MacKay's probit approximation, or the mean of draws) the probabilities are worse where features
    outnumber labels (docs/learners.md). Before any fit all draws are the same.

    Args:
      penalty: of `linear`; None: by cross-validation.
      max_iterations: of `linear`.
      class_weights: of `linear`.
      scale: of `linear`.

    Raises:
      UsageError: an option is out of its range.
    """
    penalty, max_iterations = plain(penalty), plain(max_iterations)
    maker = regression.linear(penalty=penalty, max_iterations=max_iterations, scale=scale)
    check_class_weights(class_weights)

    def make(spec: Spec, num_classes: int) -> Learner:
        inner = maker(spec, num_classes)
        width = int(np.prod(spec.shape)) + 1
        size = num_classes * width
        is_exact = size <= EXACT
        shape = (size, size) if is_exact else (num_classes, width)

        def init(init_key: jax.Array, normalizer: Normalizer) -> State:
            return State(inner.init(init_key, normalizer), jnp.zeros(shape))

        def begin(
            train_key: jax.Array, state: State, examples: Examples, normalizer: Normalizer
        ) -> Training:
            begun = inner.begin(train_key, state.mean, examples, normalizer)
            return Training(begun, jnp.zeros(shape))

        def advance(training: Training, examples: Examples, normalizer: Normalizer) -> Training:
            found = inner.advance(training.inner, examples, normalizer)
            root = exact_root if is_exact else diagonal_root
            head, blocks = found.state.head, in_blocks(examples)
            return Training(found, root(head, blocks, normalizer, found.penalty))

        def finish(training: Training) -> tuple[State, Fit]:
            mean, fit = inner.finish(training.inner)
            return State(mean, training.root), fit

        def predict(state: State, inputs: jax.Array) -> Outputs:
            return inner.predict(state.mean, inputs)

        def sample(key: jax.Array, draw: jax.Array, state: State, inputs: jax.Array) -> jax.Array:
            noise = jax.random.normal(jax.random.fold_in(key, draw), (num_classes, width))
            if is_exact:
                change = (noise.reshape(-1) @ state.root).reshape(num_classes, width)
            else:
                change = noise * state.root
            head = state.mean.head
            drawn = Head(head.kernel + change[:, :-1].T, head.bias + change[:, -1])
            return log_probs_of(drawn, flat(inputs, state.mean.normalizer))

        def head(state: State) -> jax.Array:
            assert inner.head is not None
            return inner.head(state.mean)

        learner = Learner(
            inner.prepare,
            init,
            begin,
            advance,
            inner.steps,
            finish,
            predict,
            sample=sample,
            draws=None,
            head=head,
        )
        return with_class_weights(learner, class_weights, num_classes)

    given = {} if class_weights is None else {"class_weights": class_weights}
    given |= {} if scale == "columns" else {"scale": scale}
    return called(make, "laplace", penalty=penalty, max_iterations=max_iterations, **given)


def exact_root(
    head: Head, blocks: Examples, normalizer: Normalizer, penalty: jax.Array
) -> jax.Array:
    """Returns `root` of a State from the whole Hessian at `head`."""
    num_classes, width = head.bias.size, head.kernel.shape[0] + 1
    size = num_classes * width

    def block(inputs, labels, weights):
        del labels
        rows = flat(inputs, normalizer)
        probs, x = jnp.exp(log_probs_of(head, rows)), with_one(rows)
        # diag(p) - p p', its diagonal as sums of what is beside it: 1 - p would be 0 of the sure.
        pairs = probs[:, :, None] * probs[:, None, :] * (1 - jnp.eye(num_classes))[None]
        curvature = pairs.sum(axis=2)[:, :, None] * jnp.eye(num_classes)[None] - pairs
        weighted = jnp.einsum("b,bcd,bf->cfbd", weights, curvature, x)
        return jnp.einsum("cfbd,bg->cfdg", weighted, x).reshape(size, size), weights.sum()

    hessian, weight = sum_of_blocks(block, blocks)
    # What rounding may have taken away: a penalty below it would leave a matrix without a root.
    lost = size * jnp.finfo(jnp.float32).eps * hessian.diagonal().max()
    prior = jnp.maximum(penalty * weight, lost)
    factor = jnp.linalg.cholesky(hessian + prior * jnp.eye(size))
    return solve_triangular(factor, jnp.eye(size), lower=True)


def diagonal_root(
    head: Head, blocks: Examples, normalizer: Normalizer, penalty: jax.Array
) -> jax.Array:
    """Returns `root` of a State from the diagonal of the Hessian at `head`."""

    def block(inputs, labels, weights):
        del labels
        rows = flat(inputs, normalizer)
        probs = jnp.exp(log_probs_of(head, rows))
        curvature = weights[:, None] * probs * (1 - probs)
        return jnp.einsum("bc,bf->cf", curvature, with_one(rows) ** 2), weights.sum()

    hessian, weight = sum_of_blocks(block, blocks)
    return 1 / jnp.sqrt(hessian + penalty * weight)


def with_one(rows: jax.Array) -> jax.Array:
    """Returns `rows` [B, F] with a 1 behind each, which the bias multiplies."""
    return jnp.concatenate([rows, jnp.ones((rows.shape[0], 1), rows.dtype)], axis=1)
