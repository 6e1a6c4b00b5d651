"""Multinomial logistic regression on the standardised inputs, fitted to convergence."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jax_al.errors import UsageError
from jax_al.learners.epoch import losses_and_hits
from jax_al.learners.inputs import Normalizer, by_column, normalize
from jax_al.learners.naming import called
from jax_al.types import Examples, Fit, Learner, Outputs, Spec

_BLOCK = 128  # examples whose loss is summed together
_SMALL = 3e-7  # the largest slope at which a fit counts as converged: near float32's own noise


class Head(NamedTuple):
    """One linear layer."""

    kernel: jax.Array  # float32 [F, C]
    bias: jax.Array  # float32 [C]


class State(NamedTuple):
    """All that the regression needs to predict."""

    head: Head
    normalizer: Normalizer


class Training(NamedTuple):
    """A fit under way."""

    state: State
    fit: Fit


def linear(*, penalty: float = 1e-2, max_iterations: int = 200) -> Callable[[Spec, int], Learner]:
    """Returns logistic regression on flat inputs, whatever their shape, to be made for a pool.

    It minimises sum(w l) / sum(w) + penalty / 2 * |W|^2: the weighted mean of the negative
    log-likelihood in nats, and the squares of the kernel W [F, C]; the bias goes free. That is
    scikit-learn's LogisticRegression with C = 1 / (penalty * sum(w)). The inputs are flattened and
    standardised, each number over the whole pool. The minimum is the only one, so a fit begins
    where the State it is given is (at zero where untrained) and one `advance` is all of it: L-BFGS
    (Liu & Nocedal 1989) until no slope is above 3e-7. Embedding and head inputs are the
    standardised inputs. It has no stochastic draws.

    Args:
      penalty: the weight of the squares, above 0, as without any the minimum may not exist.
      max_iterations: where to stop if the slopes do not get there.

    Raises:
      UsageError: an option is out of its range.
    """
    if type(penalty) not in (int, float) or not 0 < penalty < np.inf:
        raise UsageError(f"penalty is {penalty!r}, but must be a positive number.")
    if type(max_iterations) is not int or max_iterations < 1:
        raise UsageError(
            f"max_iterations is {max_iterations!r}, but must be a whole number, at least 1."
        )

    def make(spec: Spec, num_classes: int) -> Learner:
        width = int(np.prod(spec.shape))

        def init(init_key: jax.Array, normalizer: Normalizer) -> State:
            del init_key
            head = Head(jnp.zeros((width, num_classes)), jnp.zeros(num_classes))
            return State(head, normalizer)

        def begin(
            train_key: jax.Array, state: State, examples: Examples, normalizer: Normalizer
        ) -> Training:
            del train_key, examples
            nothing = jnp.zeros((), jnp.float32)
            return Training(State(state.head, normalizer), Fit(nothing, nothing))

        def advance(training: Training, examples: Examples, normalizer: Normalizer) -> Training:
            blocks = _in_blocks(examples)
            objective = _objective(blocks, normalizer, penalty)
            head = _minimum(objective, training.state.head, max_iterations)
            return Training(State(head, normalizer), _mean(head, blocks, normalizer))

        def finish(training: Training) -> tuple[State, Fit]:
            return training.state, training.fit

        def predict(state: State, inputs: jax.Array) -> Outputs:
            flat = _flat(inputs, state.normalizer)
            return Outputs(_log_probs(state.head, flat), flat, flat)

        return Learner(by_column, init, begin, advance, 1, finish, predict)

    return called(make, "linear", penalty=penalty, max_iterations=max_iterations)


def _flat(inputs: jax.Array, normalizer: Normalizer) -> jax.Array:
    return normalize(inputs, normalizer).reshape(inputs.shape[0], -1)


def _log_probs(head: Head, flat: jax.Array) -> jax.Array:
    return jax.nn.log_softmax(flat @ head.kernel + head.bias[None])


def _mean(head: Head, blocks: Examples, normalizer: Normalizer) -> Fit:
    """Returns the weighted loss and accuracy on all examples."""

    def sums(inputs, labels, weights):
        losses, hits = losses_and_hits(_log_probs(head, _flat(inputs, normalizer)), labels)
        return (weights * losses).sum(), (weights * hits).sum(), weights.sum()

    loss, hits, weight = _sum_of_blocks(sums, blocks)
    return Fit(loss / weight, hits / weight)


def _objective(
    blocks: Examples, normalizer: Normalizer, penalty: float
) -> Callable[[Head], jax.Array]:
    """Returns the function to minimise; it brings its gradient along, as its loop has none."""

    def value_and_grad(head):
        def block(inputs, labels, weights):
            def loss(head):
                log_probs = _log_probs(head, _flat(inputs, normalizer))
                return (weights * losses_and_hits(log_probs, labels)[0]).sum()

            return *jax.value_and_grad(loss)(head), weights.sum()

        loss, grad, weight = _sum_of_blocks(block, blocks)
        grad = jax.tree.map(lambda leaf: leaf / weight, grad)
        value = loss / weight + penalty / 2 * (head.kernel**2).sum()
        return value, grad._replace(kernel=grad.kernel + penalty * head.kernel)

    @jax.custom_vjp
    def objective(head):
        return value_and_grad(head)[0]

    objective.defvjp(
        value_and_grad, lambda grad, cotangent: (jax.tree.map(lambda g: cotangent * g, grad),)
    )
    return objective


def _in_blocks(examples: Examples) -> Examples:
    """Returns the arrays of `examples` as [blocks, _BLOCK, ...], what is not there as zeros."""
    room = -examples.labels.size % _BLOCK
    is_there = jnp.arange(examples.labels.size + room) < examples.count

    def blocks(array):
        padded = jnp.pad(array, ((0, room), *((0, 0),) * (array.ndim - 1)))
        there = is_there.reshape(-1, *(1,) * (array.ndim - 1))
        padded = jnp.where(there, padded, jnp.zeros((), array.dtype))
        return padded.reshape(-1, _BLOCK, *array.shape[1:])

    inputs, labels, weights, rows = map(blocks, examples[:4])
    return Examples(inputs, labels, weights, rows, examples.count)


def _sum_of_blocks(function: Callable[..., Any], blocks: Examples) -> Any:
    """Returns the sum of `function(inputs, labels, weights)` over what `_in_blocks` returned.

    Blocks are of one size, and only as many are visited as hold examples: so neither the bits nor
    the time depend on the capacity L.
    """

    def block(i):
        return function(blocks.inputs[i], blocks.labels[i], blocks.weights[i])

    like = jax.eval_shape(block, jnp.int32(0))
    zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
    num_blocks = (blocks.count + _BLOCK - 1) // _BLOCK
    return lax.fori_loop(
        0, num_blocks, lambda i, total: jax.tree.map(jnp.add, total, block(i)), zero
    )


def _minimum(objective: Callable[[Head], jax.Array], start: Head, max_iterations: int) -> Head:
    """Returns where `objective` is least, by L-BFGS from `start` on."""
    optimizer = optax.lbfgs()
    value_and_grad = optax.value_and_grad_from_state(objective)

    def is_to_go_on(carry):
        iteration, _, _, slope = carry
        return (iteration < max_iterations) & (slope > _SMALL)

    def step(carry):
        iteration, head, state, _ = carry
        # optax mixes dtypes, which strict promotion (our tests) forbids.
        with jax.numpy_dtype_promotion("standard"):
            value, grad = value_and_grad(head, state=state)
            updates, state = optimizer.update(
                grad, state, head, value=value, grad=grad, value_fn=objective
            )
            head = optax.apply_updates(head, updates)
        return iteration + 1, head, state, optax.tree.norm(grad, ord=np.inf)

    first = (jnp.int32(0), start, optimizer.init(start), jnp.float32(np.inf))
    return lax.while_loop(is_to_go_on, step, first)[1]
