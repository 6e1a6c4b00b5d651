"""What all networks share: two pure functions around Flax NNX layers.

`nnx.split` and `nnx.merge` stay inside this file, so the rest of the package sees nested
dictionaries of arrays, which JAX transforms and Orbax stores as they are. No module keeps a random
state: dropout draws from the key of the call.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer

from jax_al.errors import UsageError
from jax_al.types import Outputs

Params = dict[str, Any]  # nested, of float32 arrays


class Model(NamedTuple):
    """A network as pure functions.

    `init(key)` returns new parameters. `apply(params, images, key=None, one_mask=False)` takes
    normalised images float32 [B, H, W, Cin]; dropout is on exactly when it is given a key. Every
    image has a mask of its own, as training wants it, or with `one_mask` all have the same: then
    the key names one sampled network, whatever the batch.
    """

    init: Callable[[jax.Array], Params]
    apply: Callable[..., Outputs]


def dropout(x: jax.Array, rate: float, key: jax.Array | None, one_mask: bool) -> jax.Array:
    """Drops entries of `x` [B, ...] at `rate` and scales the rest up; none without a key.

    `one_mask` drops the same ones in every image.
    """
    if key is None or rate == 0:
        return x
    keep = 1 - rate
    kept = jax.random.bernoulli(key, keep, (1, *x.shape[1:]) if one_mask else x.shape)
    return jnp.where(kept, x / keep, jnp.zeros((), x.dtype))


def uniform(fan_in: int) -> Initializer:
    """Returns the initializer of weights and biases alike: uniform within +-1 / sqrt(`fan_in`).

    It is PyTorch's, with a third of the variance of Flax's. In the experiment this reproduces it
    decides: with Flax's, Adam at 0.001 drives the network to a constant answer on Flowers-102.
    """
    limit = fan_in**-0.5

    def init(key, shape, dtype=jnp.float32, out_sharding=None):
        return jax.random.uniform(key, shape, dtype, -limit, limit, out_sharding=out_sharding)

    return init


def pure(build: Callable[[nnx.Rngs], nnx.Module]) -> Model:
    """Makes the pure functions of the module that `build` returns."""
    graph, _ = nnx.split(nnx.eval_shape(lambda: build(nnx.Rngs(0))))

    def init(key: jax.Array) -> Params:
        return nnx.to_pure_dict(nnx.state(build(nnx.Rngs(key)), nnx.Param))

    def apply(
        params: Params, images: jax.Array, key: jax.Array | None = None, one_mask: bool = False
    ) -> Outputs:
        return nnx.merge(graph, params)(images, key, one_mask)

    return Model(init, apply)


def answer(head: nnx.Linear, embedding: jax.Array, features: jax.Array) -> Outputs:
    """Returns the outputs of a network, the last layer computed in the dtype of its weights."""
    features = features.astype(head.kernel.dtype)
    log_probs = nnx.log_softmax(head(features))
    return Outputs(log_probs, embedding.astype(log_probs.dtype), features)


def in_dtype(model: Model, dtype: jnp.dtype) -> Model:
    """Returns `model` computing in `dtype`, its parameters, last layer and outputs in float32.

    The last layer is small and decides what strategies see: in bfloat16, with 8 bits, many
    probabilities would be equal.
    """

    def apply(params: Params, images: jax.Array, *args: Any, **kwargs: Any) -> Outputs:
        low = jax.tree.map(lambda leaf: leaf.astype(dtype), params) | {"head": params["head"]}
        return model.apply(low, images.astype(dtype), *args, **kwargs)

    return Model(model.init, apply)


def check_images(model: str, image_shape: tuple[int, int, int], least: int) -> None:
    """Makes sure that images are at least `least` pixels high and wide.

    Raises:
      UsageError: they are smaller.
    """
    if min(image_shape[:2]) < least:
        raise UsageError(
            f"The network {model!r} needs images of at least {least}x{least} pixels, and these are "
            f"{image_shape[0]}x{image_shape[1]}: read them at {least} pixels a side or more."
        )


def check_at_least_one(option: str, value: Any) -> None:
    """Makes sure that `value` is a whole number from 1 on.

    Raises:
      UsageError: it is not.
    """
    if not _is_width(value):
        raise UsageError(f"{option} is {value!r}, but must be a whole number, at least 1.")


def check_widths(option: str, widths: Any, count: int) -> None:
    """Makes sure that `widths` are `count` whole numbers from 1 on.

    Raises:
      UsageError: they are not.
    """
    if not (_is_row(widths, count) and all(map(_is_width, widths))):
        raise UsageError(
            f"{option} is {widths!r}, but must be {count} whole numbers from 1 on, in brackets."
        )


def check_rates(option: str, rates: Any, count: int) -> None:
    """Makes sure that `rates` are `count` dropout rates.

    Raises:
      UsageError: they are not.
    """
    if not (_is_row(rates, count) and all(map(_is_rate, rates))):
        raise UsageError(
            f"{option} is {rates!r}, but must be {count} number(s) from 0 to below 1, in brackets."
        )


def check_rate(option: str, rate: Any) -> None:
    """Makes sure that `rate` is a dropout rate.

    Raises:
      UsageError: it is not.
    """
    if not _is_rate(rate):
        raise UsageError(f"{option} is {rate!r}, but must be a number from 0 to below 1.")


def _is_row(value: Any, count: int) -> bool:
    return isinstance(value, tuple | list) and len(value) == count


def _is_width(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_rate(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1
