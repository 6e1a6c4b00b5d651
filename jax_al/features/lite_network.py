"""EfficientNet-Lite without its classifier, as plain functions on a dictionary of arrays.

Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019), in
the form without squeeze-and-excitation and with ReLU6 (efficientnet/lite of tensorflow/tpu). It is
no Flax module, as nothing is trained here and a State of features is a dictionary anyway. Batch
norms are within the convolutions already, see `lite_weights`.

A convolution "NAME" has "NAME.kernel" [kh, kw, Cin, Cout] and "NAME.bias" [Cout]; there are "stem",
"head" and, of block i, "i.expand" (where it is), "i.depthwise" [kh, kw, 1, C] and "i.project".
"""

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import lax

Weights = Mapping[str, jax.Array]

# Of each stage: its blocks and the stride of the first. All else can be seen from the weights.
_STAGES = ((1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1))
_EXACT = lax.Precision.HIGHEST  # no less than float32 on accelerators too, as features are kept


def strides_of(depth: float) -> tuple[int, ...]:
    """Returns the stride of each block of a network of this depth; 1.0 is that of lite0.

    The first stage and the last one are the same at every depth.
    """
    inner = [(math.ceil(depth * blocks), stride) for blocks, stride in _STAGES[1:-1]]
    stages = [_STAGES[0], *inner, _STAGES[-1]]
    return tuple(s for blocks, stride in stages for s in (stride, *[1] * (blocks - 1)))


def network(weights: Weights, images: jax.Array, strides: tuple[int, ...]) -> jax.Array:
    """Returns what a classifier would see, float32 [B, F]: the mean over all places.

    Args:
      weights: see above.
      images: float32 [B, H, W, 3], (pixel - 127) / 128 of pixels 0..255.
      strides: of each block.
    """
    x = _relu6(_full(weights, "stem", images, 2))
    for i, stride in enumerate(strides):
        before = x
        if f"{i}.expand.kernel" in weights:
            x = _relu6(_pointwise(weights, f"{i}.expand", x))
        x = _relu6(_depthwise(weights, f"{i}.depthwise", x, stride))
        x = _pointwise(weights, f"{i}.project", x)
        if stride == 1 and x.shape == before.shape:
            x = x + before
    return _relu6(_pointwise(weights, "head", x)).mean(axis=(1, 2))


def _relu6(x: jax.Array) -> jax.Array:
    return jnp.clip(x, 0.0, 6.0)


def _pointwise(weights: Weights, name: str, x: jax.Array) -> jax.Array:
    kernel, bias = weights[f"{name}.kernel"], weights[f"{name}.bias"]
    rows = jnp.dot(x.reshape(-1, x.shape[-1]), kernel[0, 0], precision=_EXACT)
    return rows.reshape(*x.shape[:-1], -1) + bias[None, None, None]


def _full(weights: Weights, name: str, x: jax.Array, stride: int) -> jax.Array:
    kernel, bias = weights[f"{name}.kernel"], weights[f"{name}.bias"]
    found = lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=_EXACT,
    )
    return found + bias[None, None, None]


def _depthwise(weights: Weights, name: str, x: jax.Array, stride: int) -> jax.Array:
    """Adds up shifted images: on a CPU XLA's grouped convolution makes all eight times slower."""
    kernel, bias = weights[f"{name}.kernel"], weights[f"{name}.bias"]
    size, _, _, C = kernel.shape
    places = zip(_shifted(x, size, stride), kernel.reshape(size * size, 1, 1, 1, C), strict=True)
    return sum((x * w for x, w in places), bias[None, None, None])


def _shifted(x: jax.Array, size: int, stride: int) -> list[jax.Array]:
    """What each weight of a kernel [size, size] sees of `x`, row by row; "SAME" of TensorFlow."""
    pads = lax.padtype_to_pads(x.shape[1:3], (size, size), (stride, stride), "SAME")
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    height, width = (side - size + 1 for side in x.shape[1:3])
    return [
        x[:, i : i + height : stride, j : j + width : stride]
        for i in range(size)
        for j in range(size)
    ]
