"""Multinomial logistic regression on the standardised inputs, fitted to convergence."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.errors import UsageError
from jax_al.learners.class_weights import check_class_weights, with_class_weights
from jax_al.learners.cross_validation import cross_validated
from jax_al.learners.inputs import Normalizer, by_column, by_one_scale
from jax_al.learners.logistic import (
    Head,
    flat,
    in_blocks,
    log_probs_of,
    mean_fit,
    minimum,
    value_and_grad,
)
from jax_al.learners.naming import called
from jax_al.learners.newton import refined
from jax_al.outside import plain
from jax_al.types import Examples, Fit, Learner, Outputs, Spec

SCALES = {"columns": by_column, "one": by_one_scale}
CLOSE = 1e-3  # a bound; what a fit is off by in log-probabilities is mostly a tenth of it


class State(NamedTuple):
    """All that the regression needs to predict."""

    head: Head
    normalizer: Normalizer


class Training(NamedTuple):
    """A fit under way."""

    state: State
    fit: Fit
    penalty: jax.Array  # float32 []


def linear(
    *,
    penalty: float | None = None,
    max_iterations: int = 200,
    class_weights: str | None = None,
    scale: str = "columns",
) -> Callable[[Spec, int], Learner]:
    """Returns logistic regression on flat inputs, whatever their shape, to be made for a pool.

    It minimises sum(w l) / sum(w) + penalty / 2 * |W|^2: the weighted mean of the negative
    log-likelihood in nats, and the squares of the kernel W [F, C]; the bias goes free. That is
    scikit-learn's LogisticRegression with C = 1 / (penalty * sum(w)), or twice that where two
    classes have labels, for which that has one vector of weights. The inputs are flattened and
    standardised over the whole pool, each number by itself or all by one scale. The minimum is the
    only one, so a fit begins where the State it is given is (at zero where untrained) and one
    `advance` is all of it: L-BFGS (Liu & Nocedal 1989) until no slope is above 3e-7 or its line
    search finds nothing, and steps of Newton's method from there where log-probabilities may still
    be off (see `refined`). Embedding and head inputs are the standardised inputs. It has no
    stochastic draws.

    Args:
      penalty: the weight of the squares, above 0, as without any the minimum may not exist. None:
        at every fit that of PENALTIES whose loss on labels left out is least, by cross-validation
        in FOLDS parts of the examples (see `cross_validated`).
      max_iterations: where to stop if the slopes do not get there, each of the two methods.
      class_weights: None; or "balanced": the weights times n / (k n_c), so that all classes weigh
        the same (see `balanced`), in the cross-validation, too.
      scale: "columns": each number gets deviation 1, as a table of different units needs; "one":
        all are divided by one number. After `pca` the first makes the smallest components as large
        as the largest, which costs a linear head much of its accuracy.

    Raises:
      UsageError: an option is out of its range.
    """
    penalty, max_iterations = plain(penalty), plain(max_iterations)
    if penalty is not None and (type(penalty) not in (int, float) or not 0 < penalty < np.inf):
        raise UsageError(f"penalty is {penalty!r}, but must be a positive number, or None.")
    if type(max_iterations) is not int or max_iterations < 1:
        raise UsageError(
            f"max_iterations is {max_iterations!r}, but must be a whole number, at least 1."
        )
    if scale not in SCALES:
        raise UsageError(f"scale is {scale!r}, but must be one of {', '.join(SCALES)}.")
    check_class_weights(class_weights)

    def make(spec: Spec, num_classes: int) -> Learner:
        width = int(np.prod(spec.shape))

        def init(init_key: jax.Array, normalizer: Normalizer) -> State:
            del init_key
            head = Head(jnp.zeros((width, num_classes)), jnp.zeros(num_classes))
            return State(head, normalizer)

        def begin(
            train_key: jax.Array, state: State, examples: Examples, normalizer: Normalizer
        ) -> Training:
            del train_key
            nothing = jnp.zeros((), jnp.float32)
            # Here, so that a learner made of this one can show `advance` more than has a label.
            chosen = penalty or cross_validated(in_blocks(examples), normalizer, num_classes)
            state = State(state.head, normalizer)
            return Training(state, Fit(nothing, nothing), jnp.float32(chosen))

        def advance(training: Training, examples: Examples, normalizer: Normalizer) -> Training:
            blocks = in_blocks(examples)

            def objective(head):
                return value_and_grad(head, blocks, normalizer, training.penalty)

            head = minimum(objective, training.state.head, max_iterations)
            # The loss curves by the penalty at least, so with a gradient of this length the head is
            # no further than CLOSE from the minimum, in scores of an example as long as most are.
            small = CLOSE * training.penalty / math.sqrt(width)
            head = refined(lambda head: objective(head)[1], head, small, max_iterations)
            fit = mean_fit(head, blocks, normalizer)
            return training._replace(state=State(head, normalizer), fit=fit)

        def finish(training: Training) -> tuple[State, Fit]:
            return training.state, training.fit

        def predict(state: State, inputs: jax.Array) -> Outputs:
            rows = flat(inputs, state.normalizer)
            return Outputs(log_probs_of(state.head, rows), rows, rows)

        def head(state: State) -> jax.Array:
            return jnp.concatenate([state.head.kernel, state.head.bias[None]])

        learner = Learner(SCALES[scale], init, begin, advance, 1, finish, predict, head=head)
        return with_class_weights(learner, class_weights, num_classes)

    # As in records from before there were these, where they are not used.
    given = {} if class_weights is None else {"class_weights": class_weights}
    given |= {} if scale == "columns" else {"scale": scale}
    return called(make, "linear", penalty=penalty, max_iterations=max_iterations, **given)
