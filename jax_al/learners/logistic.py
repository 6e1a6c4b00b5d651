"""The loss of multinomial logistic regression over blocks of examples, and its minimum."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jax_al.learners.epoch import losses_and_hits
from jax_al.learners.inputs import Normalizer, normalize
from jax_al.types import Examples, Fit

BLOCK = 256  # examples whose loss is summed together
SMALL = 3e-7  # the largest slope at which a fit counts as converged: near float32's own noise
_STEPS = 20  # of a line search, after which it has found nothing


class Head(NamedTuple):
    """One linear layer."""

    kernel: jax.Array  # float32 [F, C]
    bias: jax.Array  # float32 [C]


def flat(inputs: jax.Array, normalizer: Normalizer) -> jax.Array:
    """Returns the standardised inputs [B, ...] as rows, float32 [B, F]."""
    return normalize(inputs, normalizer).reshape(inputs.shape[0], -1)


def log_probs_of(head: Head, rows: jax.Array) -> jax.Array:
    """Returns float32 [B, C] of `rows` float32 [B, F]."""
    return jax.nn.log_softmax(rows @ head.kernel + head.bias[None])


def mean_fit(head: Head, blocks: Examples, normalizer: Normalizer) -> Fit:
    """Returns the weighted loss and accuracy on all examples."""

    def sums(inputs, labels, weights):
        losses, hits = losses_and_hits(log_probs_of(head, flat(inputs, normalizer)), labels)
        return (weights * losses).sum(), (weights * hits).sum(), weights.sum()

    loss, hits, weight = sum_of_blocks(sums, blocks)
    return Fit(loss / weight, hits / weight)


def value_and_grad(
    head: Head, blocks: Examples, normalizer: Normalizer, penalty: jax.Array | float
) -> tuple[jax.Array, Head]:
    """Returns the weighted mean of the losses in nats plus penalty / 2 |W|^2, and its gradient."""
    # A thin kernel lies across the rows it multiplies: along them both products take 2.5 times as
    # long on a CPU, by 10 classes and 1,280 numbers.
    turned = head._replace(kernel=head.kernel.T)

    def block(inputs, labels, weights):
        rows = flat(inputs, normalizer)

        def loss(turned):
            scores = jnp.einsum("bf,cf->bc", rows, turned.kernel) + turned.bias[None]
            losses, _ = losses_and_hits(jax.nn.log_softmax(scores), labels)
            return (weights * losses).sum()

        return *jax.value_and_grad(loss)(turned), weights.sum()

    loss, grad, weight = sum_of_blocks(block, blocks)
    weight = jnp.where(weight > 0, weight, 1.0)  # all that there is may be left out
    grad = jax.tree.map(lambda leaf: leaf / weight, grad)
    value = loss / weight + penalty / 2 * (head.kernel**2).sum()
    return value, Head(grad.kernel.T + penalty * head.kernel, grad.bias)


def in_blocks(examples: Examples) -> Examples:
    """Returns the arrays of `examples` as [blocks, BLOCK, ...], what is not there as zeros.

    There are two blocks at least: XLA compiles a loop over a single one to other last bits.
    """
    room = max(2 * BLOCK - examples.labels.size, -examples.labels.size % BLOCK)
    is_there = jnp.arange(examples.labels.size + room) < examples.count

    def blocks(array):
        padded = jnp.pad(array, ((0, room), *((0, 0),) * (array.ndim - 1)))
        there = is_there.reshape(-1, *(1,) * (array.ndim - 1))
        padded = jnp.where(there, padded, jnp.zeros((), array.dtype))
        return padded.reshape(-1, BLOCK, *array.shape[1:])

    inputs, labels, weights, rows = map(blocks, examples[:4])
    return Examples(inputs, labels, weights, rows, examples.count)


def sum_of_blocks(function: Callable[..., Any], blocks: Examples) -> Any:
    """Returns the sum of `function(inputs, labels, weights)` over what `in_blocks` returned.

    Blocks are of one size, and only as many are visited as hold examples: so neither the bits nor
    the time depend on the capacity L.
    """

    def block(i):
        return function(blocks.inputs[i], blocks.labels[i], blocks.weights[i])

    like = jax.eval_shape(block, jnp.int32(0))
    zero = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
    return lax.fori_loop(
        0, num_blocks(blocks), lambda i, total: jax.tree.map(jnp.add, total, block(i)), zero
    )


def num_blocks(blocks: Examples) -> jax.Array:
    """Returns how many of the blocks of `in_blocks` hold examples, int32 []."""
    return (blocks.count + BLOCK - 1) // BLOCK


def minimum(
    value_and_grad: Callable[[Head], tuple[jax.Array, Head]],
    start: Head,
    max_iterations: int,
    small: float = SMALL,
) -> Head:
    """Returns where a function is least, by L-BFGS from `start` on (Liu & Nocedal 1989).

    It ends where no slope is above `small`, after `max_iterations`, or where a line search finds
    nothing better: values are equal in float32 then, and the next search would find nothing too.
    """
    search = optax.scale_by_zoom_linesearch(_STEPS, initial_guess_strategy="one")
    optimizer = optax.lbfgs(linesearch=search)

    # The line search asks for the gradient, and a loop over blocks has none of its own.
    @jax.custom_vjp
    def objective(head):
        return value_and_grad(head)[0]

    objective.defvjp(
        value_and_grad, lambda grad, cotangent: (jax.tree.map(lambda g: cotangent * g, grad),)
    )
    from_state = optax.value_and_grad_from_state(objective)

    def is_to_go_on(carry):
        iteration, _, state, slope = carry
        has_found = state[-1].info.num_linesearch_steps < _STEPS
        return (iteration < max_iterations) & (slope > small) & has_found

    def step(carry):
        iteration, head, state, _ = carry
        # optax mixes dtypes, which strict promotion (our tests) forbids.
        with jax.numpy_dtype_promotion("standard"):
            value, grad = from_state(head, state=state)
            updates, state = optimizer.update(
                grad, state, head, value=value, grad=grad, value_fn=objective
            )
            head = optax.apply_updates(head, updates)
        return iteration + 1, head, state, optax.tree.norm(grad, ord=np.inf)

    first = (jnp.int32(0), start, optimizer.init(start), jnp.float32(np.inf))
    return lax.while_loop(is_to_go_on, step, first)[1]
