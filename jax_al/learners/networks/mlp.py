"""A multilayer perceptron: hidden layers on flat inputs, each with dropout."""

import math

import jax
from flax import nnx

from jax_al.errors import UsageError
from jax_al.learners.networks.network import (
    Model,
    answer,
    check_rate,
    check_widths,
    dropout,
    pure,
)
from jax_al.types import Outputs


class MLP(nnx.Module):
    """Hidden layers with ReLU and dropout; the embedding is the last one before both."""

    def __init__(
        self,
        *,
        size: int,
        num_classes: int,
        widths: tuple[int, ...],
        dropout_rate: float,
        rngs: nnx.Rngs,
    ):
        he = nnx.initializers.he_normal()
        self.hidden = nnx.List(
            nnx.Linear(before, after, kernel_init=he, rngs=rngs)
            for before, after in zip((size, *widths), widths, strict=False)
        )
        self.head = nnx.Linear(widths[-1], num_classes, rngs=rngs)
        self.dropout_rate = dropout_rate

    def __call__(self, inputs: jax.Array, key: jax.Array | None, one_mask: bool) -> Outputs:
        x = inputs.reshape(inputs.shape[0], -1)
        for i, layer in enumerate(self.hidden):
            embedding = layer(x)
            layer_key = None if key is None else jax.random.fold_in(key, i)
            x = dropout(nnx.relu(embedding), self.dropout_rate, layer_key, one_mask)
        return answer(self.head, embedding, x)


def mlp(
    *, shape: tuple[int, ...], num_classes: int, widths: tuple[int, ...], dropout_rate: float
) -> Model:
    """Returns a multilayer perceptron for inputs of `shape`; D is the last of `widths`.

    Args:
      shape: of an example; it is flattened.
      num_classes: C.
      widths: units of one or two hidden layers.
      dropout_rate: after each of them.

    Raises:
      UsageError: an option is out of its range.
    """
    if not isinstance(widths, tuple | list) or len(widths) not in (1, 2):
        raise UsageError(
            f"widths is {widths!r}, but must be one or two whole numbers from 1 on, in brackets."
        )
    check_widths("widths", widths, len(widths))
    check_rate("dropout_rate", dropout_rate)
    return pure(
        lambda rngs: MLP(
            size=math.prod(shape),
            num_classes=num_classes,
            widths=tuple(widths),
            dropout_rate=dropout_rate,
            rngs=rngs,
        )
    )
