"""Features of a network that was trained on ImageNet: EfficientNet-Lite, see `lite_network`.

In one program, on the device: images uint8 are resized (bilinearly, whatever their proportions,
and smoothed first where they shrink), brought to (pixel - 127) / 128, and put through the network;
the mean of the last feature maps over all places is what comes out.
"""

import functools
from typing import Any

import jax

from jax_al.features.lite_network import network, strides_of
from jax_al.features.lite_weights import folded, weights_file
from jax_al.features.options import count
from jax_al.features.seen import check_images, in_chunks, spec_of, squared
from jax_al.features.torch_file import read_tensors
from jax_al.types import Features, Pool, Spec

DEPTHS = {"lite0": 1.0, "lite1": 1.1, "lite2": 1.2}  # made for 224, 240 and 260 pixels a side
_PIXELS = 8 * 96 * 96  # put through the network together, so that they stay in the cache
_VERSION = 1  # another one where the numbers change: what is cached is made anew


def lite(name: str, *, size: int = 96) -> Features:
    """Returns features of images uint8 [H, W, 1 or 3]: float32 [B, 1280], not negative.

    Nothing is learned from the pool: the State is the weights.

    Args:
      name: "lite0", "lite1" or "lite2".
      size: pixels a side that the network sees; the time goes with its square.

    Raises:
      UsageError: `size` is out of its range; by `fit`: the examples are no images, or the package
        with the weights is not installed.
    """
    count("size", size, least=32)
    strides = strides_of(DEPTHS[name])

    def fit(pool: Pool) -> dict[str, Any]:
        check_lite(name, pool.spec)
        return folded(read_tensors(weights_file(name)), len(strides))

    def apply(state: dict[str, Any], images: Any) -> jax.Array:
        check_images(name, spec_of(images))
        return apply_network(state, images, size=size, strides=strides)

    return Features(f"{name}(size={size}, version={_VERSION})", fit, apply, is_learned=False)


@functools.partial(jax.jit, static_argnames=("size", "strides"))
def apply_network(
    weights: dict[str, jax.Array], images: jax.Array, *, size: int, strides: tuple[int, ...]
) -> jax.Array:
    """Returns the features float32 [B, F] of images uint8 [B, H, W, 1 or 3], a few at a time.

    Args:
      weights: see `lite_network`.
      images: of any size.
      size: pixels a side that the network sees.
      strides: see `network`.
    """
    together = max(1, _PIXELS // size**2)
    return in_chunks(lambda some: network(weights, _seen(some, size), strides), images, together)


def _seen(images: jax.Array, size: int) -> jax.Array:
    """What the network sees of `images`: float32 [B, size, size, 3]."""
    return (squared(images, size) - 127) / 128


def check_lite(name: str, spec: Spec) -> None:
    """Makes sure that a network can look at examples of `spec`, and that its weights are there.

    Raises:
      UsageError: they are no images of 1 or 3 channels, or the package is not installed.
    """
    weights_file(name)
    check_images(name, spec)
