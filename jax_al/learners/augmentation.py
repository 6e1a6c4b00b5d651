"""Random changes of images during training; nothing outside `advance` reaches them."""

import jax
import jax.numpy as jnp
from jax import lax


def augmented(augment_key: jax.Array, batch: jax.Array) -> jax.Array:
    """Shifts every image by up to an eighth of each side, 1 at least, and mirrors half of them.

    Args:
      augment_key: decides the shifts and the mirrors.
      batch: [B, H, W, channels]; the border is filled by reflection.

    Returns:
      The changed images, same shape and dtype.
    """
    shift_key, mirror_key = jax.random.split(augment_key)
    size, height, width, channels = batch.shape
    down, across = max(1, height // 8), max(1, width // 8)
    padded = jnp.pad(batch, ((0, 0), (down, down), (across, across), (0, 0)), mode="reflect")
    ends = jnp.array([[2 * down + 1, 2 * across + 1]])
    shifts = jax.random.randint(shift_key, (size, 2), 0, ends)
    mirrored = jax.random.bernoulli(mirror_key, 0.5, (size,))

    def one_image(image, shift, mirror):
        crop = lax.dynamic_slice(image, (shift[0], shift[1], 0), (height, width, channels))
        return jnp.where(mirror, crop[:, ::-1], crop)

    return jax.vmap(one_image)(padded, shifts, mirrored)
