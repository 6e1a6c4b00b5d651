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
from jax_al.types import Examples, Fit, Learner, Outputs, Spec

# Parameters up to which the whole Hessian is used: 27 MB in a State, and 0.1 s to factorise.
EXACT = 2600


class State(NamedTuple):
    """The posterior: P = C (F + 1) parameters, those of a class together, its bias the last."""

    mean: regression.State
    # `root` R: R'R is the covariance of all parameters, float32 [P, P], lower triangular; where the
    # Hessian is diagonal, their standard deviations [C, F + 1].
    root: jax.Array
    # Of the parameters of each class: covariance [C, F + 1, F + 1], or variances [C, F + 1].
    covariance: jax.Array


class Training(NamedTuple):
    """A fit under way."""

    inner: regression.Training
    root: jax.Array
    covariance: jax.Array


def laplace(
    *,
    penalty: float | None = None,
    max_iterations: int = 200,
    class_weights: str | None = None,
) -> Callable[[Spec, int], Learner]:
    """Returns `linear` with a Gaussian posterior over its parameters, to be made for a pool.

    The last-layer Laplace approximation (MacKay 1992; Daxberger et al. 2021, arXiv 2106.14806) of a
    head on fixed features. The penalty of `linear` is a Gaussian prior: times n = sum(w), its loss
    is -log p(labels | W) + n penalty / 2 |W|^2. Around the minimum the precision is

        H = sum_i w_i (diag(p_i) - p_i p_i') (x) x_i x_i' + n penalty I,

    p_i the probabilities and x_i the standardised inputs with a 1 for the bias: the Gauss-Newton
    matrix, which for this model is the Hessian. The bias, free in the fit, has the kernel's prior
    here, as all biases may be shifted together without any loss. Up to EXACT parameters C (F + 1)
    the matrix is inverted whole, beyond only its diagonal is used.

    log_probs are not those of `linear` but corrected for the doubt in the logits (MacKay's probit
    approximation, for each class): softmax(z_c / sqrt(1 + pi / 8 v_c)), v_c the variance of z_c. A
    draw is a head of the posterior, one for the whole pool; there are any number. Embedding and
    head inputs are those of `linear`. Before any fit all draws are the same.

    Args:
      penalty: of `linear`; None: by cross-validation.
      max_iterations: of `linear`.
      class_weights: of `linear`.

    Raises:
      UsageError: an option is out of its range.
    """
    maker = regression.linear(penalty=penalty, max_iterations=max_iterations)
    check_class_weights(class_weights)

    def make(spec: Spec, num_classes: int) -> Learner:
        inner = maker(spec, num_classes)
        width = int(np.prod(spec.shape)) + 1
        is_exact = num_classes * width <= EXACT

        def unknown() -> tuple[jax.Array, jax.Array]:
            if not is_exact:
                return jnp.zeros((num_classes, width)), jnp.zeros((num_classes, width))
            size = num_classes * width
            return jnp.zeros((size, size)), jnp.zeros((num_classes, width, width))

        def init(init_key: jax.Array, normalizer: Normalizer) -> State:
            return State(inner.init(init_key, normalizer), *unknown())

        def begin(
            train_key: jax.Array, state: State, examples: Examples, normalizer: Normalizer
        ) -> Training:
            return Training(inner.begin(train_key, state.mean, examples, normalizer), *unknown())

        def advance(training: Training, examples: Examples, normalizer: Normalizer) -> Training:
            found = inner.advance(training.inner, examples, normalizer)
            posterior = exact_posterior if is_exact else diagonal_posterior
            head, blocks = found.state.head, in_blocks(examples)
            return Training(found, *posterior(head, blocks, normalizer, found.penalty))

        def finish(training: Training) -> tuple[State, Fit]:
            mean, fit = inner.finish(training.inner)
            return State(mean, training.root, training.covariance), fit

        def predict(state: State, inputs: jax.Array) -> Outputs:
            rows = flat(inputs, state.mean.normalizer)
            x, head = with_one(rows), state.mean.head
            logits = rows @ head.kernel + head.bias[None]
            if is_exact:
                turned = jnp.einsum("bf,cfg->bcg", x, state.covariance)
                variance = jnp.einsum("bcg,bg->bc", turned, x)
            else:
                variance = x**2 @ state.covariance.T
            log_probs = jax.nn.log_softmax(logits / jnp.sqrt(1 + np.pi / 8 * variance))
            return Outputs(log_probs, rows, rows)

        def sample(key: jax.Array, draw: jax.Array, state: State, inputs: jax.Array) -> jax.Array:
            noise = jax.random.normal(jax.random.fold_in(key, draw), (num_classes, width))
            if is_exact:
                change = (noise.reshape(-1) @ state.root).reshape(num_classes, width)
            else:
                change = noise * state.root
            head = state.mean.head
            drawn = Head(head.kernel + change[:, :-1].T, head.bias + change[:, -1])
            return log_probs_of(drawn, flat(inputs, state.mean.normalizer))

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
        )
        return with_class_weights(learner, class_weights, num_classes)

    given = {} if class_weights is None else {"class_weights": class_weights}
    return called(make, "laplace", penalty=penalty, max_iterations=max_iterations, **given)


def exact_posterior(
    head: Head, blocks: Examples, normalizer: Normalizer, penalty: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns `root` and `covariance` of a State from the whole Hessian at `head`."""
    num_classes, width = head.bias.size, head.kernel.shape[0] + 1
    size = num_classes * width

    def block(inputs, labels, weights):
        del labels
        rows = flat(inputs, normalizer)
        probs, x = jnp.exp(log_probs_of(head, rows)), with_one(rows)
        curvature = probs[:, :, None] * (jnp.eye(num_classes)[None] - probs[:, None, :])
        weighted = jnp.einsum("b,bcd,bf->cfbd", weights, curvature, x)
        return jnp.einsum("cfbd,bg->cfdg", weighted, x).reshape(size, size), weights.sum()

    hessian, weight = sum_of_blocks(block, blocks)
    factor = jnp.linalg.cholesky(hessian + penalty * weight * jnp.eye(size))
    root = solve_triangular(factor, jnp.eye(size), lower=True)
    of_class = root.reshape(size, num_classes, width)
    return root, jnp.einsum("pcf,pcg->cfg", of_class, of_class)


def diagonal_posterior(
    head: Head, blocks: Examples, normalizer: Normalizer, penalty: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Returns `root` and `covariance` of a State from the diagonal of the Hessian at `head`."""

    def block(inputs, labels, weights):
        del labels
        rows = flat(inputs, normalizer)
        probs = jnp.exp(log_probs_of(head, rows))
        curvature = weights[:, None] * probs * (1 - probs)
        return jnp.einsum("bc,bf->cf", curvature, with_one(rows) ** 2), weights.sum()

    hessian, weight = sum_of_blocks(block, blocks)
    variance = 1 / (hessian + penalty * weight)
    return jnp.sqrt(variance), variance


def with_one(rows: jax.Array) -> jax.Array:
    """Returns `rows` [B, F] with a 1 behind each, which the bias multiplies."""
    return jnp.concatenate([rows, jnp.ones((rows.shape[0], 1), rows.dtype)], axis=1)
