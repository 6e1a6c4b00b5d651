"""What a network sees of an image: a square of three channels."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.errors import UsageError
from jax_al.types import Spec


def squared(images: jax.Array, size: int) -> jax.Array:
    """Returns images of any size as squares, float32 [B, size, size, 3] of 0..255.

    Resized bilinearly, whatever their proportions, and smoothed first where they shrink; a single
    channel stands for all three.

    Args:
      images: uint8 [B, H, W, 1 or 3].
      size: pixels a side.
    """
    shape = (len(images), size, size, images.shape[3])
    x = jax.image.resize(
        images.astype(jnp.float32), shape, "linear", precision=lax.Precision.HIGHEST
    )
    return jnp.broadcast_to(x, (*shape[:3], 3))


def in_chunks(function, images: jax.Array, together: int) -> jax.Array:
    """Returns what `function` makes of images [B, ...], float32 [B, F], a few at a time.

    Args:
      function: of images [together, ...], which looks at each by itself.
      images: any number.
      together: how many, so that they stay in the cache.
    """
    B = len(images)
    together = min(B, together)
    extra = -B % together  # images that are there only to fill up the last chunk
    padded = jnp.pad(images, ((0, extra), *((0, 0),) * (images.ndim - 1)))
    found = lax.map(function, padded.reshape(-1, together, *images.shape[1:]))
    return found.reshape(B + extra, -1)[:B]


def spec_of(examples: Any) -> Spec:
    """Returns what each of `examples` [B, ...] is."""
    return Spec(tuple(examples.shape[1:]), np.dtype(examples.dtype))


def check_images(name: str, spec: Spec) -> None:
    """Makes sure that a network can look at examples of `spec`.

    Raises:
      UsageError: they are no images of 1 or 3 channels.
    """
    if not (spec.is_image and spec.shape[2] in (1, 3)):
        raise UsageError(
            f"{name} looks at images of 1 or 3 channels, and these examples are {spec.dtype} "
            f"{spec.shape}: take other features, or none."
        )
