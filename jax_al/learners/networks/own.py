"""A module of the user's as pure functions: plain Flax NNX, with its own dropout layers."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx, traverse_util

from jax_al.errors import UsageError
from jax_al.learners.networks.network import Model, Params
from jax_al.types import Outputs

# Called as module(shape, num_classes, rngs=nnx.Rngs): a class or any function that makes one.
ModuleMaker = Callable[..., nnx.Module]


def own_model(module: ModuleMaker, shape: tuple[int, ...], num_classes: int) -> tuple[Model, bool]:
    """Returns the pure functions of `module`, and whether it has dropout.

    Args:
      module: called as `module(shape, num_classes, rngs=rngs)`; what it returns takes inputs
        float32 [B, *shape] and returns logits [B, C], which are then embedding and head inputs
        too, or `Outputs`.
      shape: of one example.
      num_classes: C.

    Raises:
      UsageError: it is no such module, or it keeps more than parameters and random streams (as
        batch norm does, whose answer for one example depends on others).
    """

    def build(rngs: nnx.Rngs) -> nnx.Module:
        made = module(shape, num_classes, rngs=rngs)
        if not isinstance(made, nnx.Module):
            raise UsageError(
                "What `network` is given must return a flax.nnx.Module, and it returned an object "
                f"of type {type(made).__name__}."
            )
        return made

    skeleton = nnx.eval_shape(lambda: build(nnx.Rngs(0)))
    graph, *states = nnx.split(skeleton, nnx.Param, nnx.RngState, ...)
    _, streams, rest = states
    others = {type(variable).__name__ for _, variable in nnx.to_flat_state(rest)}
    if others:
        raise UsageError(
            f"The module {type(skeleton).__name__} keeps {', '.join(sorted(others))} beside its "
            "parameters, which no fit here updates: use a layer without (GroupNorm or LayerNorm "
            "in place of BatchNorm)."
        )
    stream_leaves = list(nnx.to_flat_state(streams))

    def init(key: jax.Array) -> Params:
        return nnx.to_pure_dict(nnx.state(build(nnx.Rngs(key)), nnx.Param))

    def apply(
        params: Params, inputs: jax.Array, key: jax.Array | None = None, one_mask: bool = False
    ) -> Outputs:
        merged = nnx.merge(graph, params, _streams(stream_leaves, key))
        merged.set_attributes(deterministic=key is None, raise_if_not_found=False)
        if one_mask:  # one for all of the batch
            merged.set_attributes(nnx.Dropout, broadcast_dims=(0,), raise_if_not_found=False)
        return _outputs(merged(inputs))

    model = Model(init, apply)
    _check_answer(model, type(skeleton).__name__, shape, num_classes)
    layers = (node for _, node in nnx.iter_graph(skeleton) if isinstance(node, nnx.Dropout))
    return model, any(layer.rate > 0 for layer in layers)


def _streams(leaves: list[tuple[tuple, nnx.Variable]], key: jax.Array | None) -> dict[str, Any]:
    """Returns all random streams anew, each with a key of its own made from `key`."""
    key = jax.random.key(0) if key is None else key  # which is never drawn from then
    values = {
        path: jax.random.fold_in(key, i)
        if isinstance(variable, nnx.RngKey)
        else jnp.zeros((), jnp.uint32)
        for i, (path, variable) in enumerate(leaves)
    }
    return traverse_util.unflatten_dict(values)


def _outputs(answer: Any) -> Outputs:
    if isinstance(answer, Outputs):
        return answer
    logits = answer.astype(jnp.float32)
    return Outputs(nnx.log_softmax(logits), logits, logits)


def _check_answer(model: Model, name: str, shape: tuple[int, ...], num_classes: int) -> None:
    """Makes sure, without computing, that a batch of two is answered by [2, C]."""

    def answer(key: jax.Array) -> jax.Array:
        return model.apply(model.init(key), jnp.zeros((2, *shape))).log_probs

    found = jax.eval_shape(answer, jax.random.key(0)).shape
    if found != (2, num_classes):
        raise UsageError(
            f"The module {name} answers a batch of 2 with the shape {found}, but must with "
            f"(2, {num_classes}), a logit for each class."
        )
