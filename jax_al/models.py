"""Networks, each behind two pure functions.

Flax NNX holds the layers; `nnx.split` and `nnx.merge` stay inside this file, so the rest of the
package sees nested dictionaries of arrays, which JAX transforms and Orbax stores as they are.
No module keeps a random state: dropout draws from the key of the call.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer

from jax_al.base import Outputs, UsageError, did_you_mean
from jax_al.convolution import convolve, max_pool

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


class CNN(nnx.Module):
    """Two convolutions and one hidden layer, whose values before the ReLU are the embedding.

    There is no ReLU between the second convolution and the pooling: so it is in the experiment
    that this network reproduces.
    """

    def __init__(
        self,
        *,
        image_shape: tuple[int, int, int],
        num_classes: int,
        widths: tuple[int, int],
        embedding_size: int,
        dropout_rates: tuple[float, float],
        rngs: nnx.Rngs,
    ):
        H, W, C = image_shape
        features = ((H - 4) // 2) * ((W - 4) // 2) * widths[1]

        def conv(inputs: int, outputs: int) -> nnx.Conv:
            init = _uniform(3 * 3 * inputs)
            return nnx.Conv(
                inputs,
                outputs,
                kernel_size=(3, 3),
                padding="VALID",
                conv_general_dilated=convolve,
                kernel_init=init,
                bias_init=init,
                rngs=rngs,
            )

        def linear(inputs: int, outputs: int) -> nnx.Linear:
            init = _uniform(inputs)
            return nnx.Linear(inputs, outputs, kernel_init=init, bias_init=init, rngs=rngs)

        self.conv1 = conv(C, widths[0])
        self.conv2 = conv(widths[0], widths[1])
        self.hidden = linear(features, embedding_size)
        self.dropout_rates = dropout_rates
        self.head = linear(embedding_size, num_classes)

    def __call__(self, images: jax.Array, key: jax.Array | None, one_mask: bool) -> Outputs:
        key1, key2 = (None, None) if key is None else jax.random.split(key)
        x = nnx.relu(self.conv1(images))
        x = max_pool(self.conv2(x))
        x = dropout(x, self.dropout_rates[0], key1, one_mask)
        embedding = self.hidden(x.reshape(x.shape[0], -1))
        features = dropout(nnx.relu(embedding), self.dropout_rates[1], key2, one_mask)
        return Outputs(nnx.log_softmax(self.head(features)), embedding, features)


def dropout(x: jax.Array, rate: float, key: jax.Array | None, one_mask: bool) -> jax.Array:
    """Drops entries of `x` [B, ...] at `rate` and scales the rest up; none without a key.

    `one_mask` drops the same ones in every image.
    """
    if key is None or rate == 0:
        return x
    keep = 1 - rate
    kept = jax.random.bernoulli(key, keep, (1, *x.shape[1:]) if one_mask else x.shape)
    return jnp.where(kept, x / keep, jnp.zeros((), x.dtype))


def cnn(
    *,
    image_shape: tuple[int, int, int],
    num_classes: int,
    widths: tuple[int, int],
    embedding_size: int,
    dropout_rates: tuple[float, float],
) -> Model:
    """Returns the small convolutional network for images of `image_shape` (H, W, Cin).

    Args:
      image_shape: height, width and channels; height and width at least 6.
      num_classes: C.
      widths: output channels of the two convolutions.
      embedding_size: D, the width of the hidden layer.
      dropout_rates: after the pooling and after the hidden layer.
    """
    if min(image_shape[:2]) < 6:
        raise UsageError(
            f"The model 'cnn' needs images of at least 6x6 pixels, and these are "
            f"{image_shape[0]}x{image_shape[1]}: set config.data.image_size to 6 or more."
        )

    if len(widths) != 2 or min(widths) < 1:
        raise UsageError(f"config.model.widths is {widths}, but must be two numbers from 1 on.")
    if embedding_size < 1:
        raise UsageError(
            f"config.model.embedding_size is {embedding_size}, but must be at least 1."
        )
    if len(dropout_rates) != 2 or not all(0 <= rate < 1 for rate in dropout_rates):
        raise UsageError(
            f"config.model.dropout_rates is {dropout_rates}, but must be two numbers from 0 to "
            "below 1."
        )
    return _model(
        lambda rngs: CNN(
            image_shape=image_shape,
            num_classes=num_classes,
            widths=widths,
            embedding_size=embedding_size,
            dropout_rates=dropout_rates,
            rngs=rngs,
        )
    )


MODELS: dict[str, Callable[..., Model]] = {"cnn": cnn}


def make_model(
    name: str, image_shape: tuple[int, int, int], num_classes: int, **options: Any
) -> Model:
    """Returns the model called `name`, `options` being the arguments of its function in MODELS."""
    if name not in MODELS:
        raise UsageError(f"There is no model {name!r}: {did_you_mean(name, MODELS)}")
    known = inspect.signature(MODELS[name]).parameters.keys() - {"image_shape", "num_classes"}
    for option in sorted(options.keys() - known):
        raise UsageError(
            f"The model {name!r} has no option {option!r}: {did_you_mean(option, known)}"
        )
    for option in sorted(known - options.keys()):
        raise UsageError(
            f"The model {name!r} needs the option {option!r}: set config.model.{option}."
        )
    return MODELS[name](image_shape=image_shape, num_classes=num_classes, **options)


def _uniform(fan_in: int) -> Initializer:
    """Returns the initializer of weights and biases alike: uniform within +-1 / sqrt(`fan_in`).

    It is PyTorch's, with a third of the variance of Flax's. In the experiment this reproduces it
    decides: with Flax's, Adam at 0.001 drives the network to a constant answer on Flowers-102.
    """
    limit = fan_in**-0.5

    def init(key, shape, dtype=jnp.float32, out_sharding=None):
        return jax.random.uniform(key, shape, dtype, -limit, limit, out_sharding=out_sharding)

    return init


def _model(build: Callable[[nnx.Rngs], nnx.Module]) -> Model:
    """Makes the pure functions of the module that `build` returns."""
    graph, _ = nnx.split(nnx.eval_shape(lambda: build(nnx.Rngs(0))))

    def init(key: jax.Array) -> Params:
        return nnx.to_pure_dict(nnx.state(build(nnx.Rngs(key)), nnx.Param))

    def apply(
        params: Params, images: jax.Array, key: jax.Array | None = None, one_mask: bool = False
    ) -> Outputs:
        return nnx.merge(graph, params)(images, key, one_mask)

    return Model(init, apply)
