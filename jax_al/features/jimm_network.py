"""Image encoders that the package jax-image-models builds and fills with published weights.

What it computes is held to what `config.json` says: it leaves a tensor whose name it does not know
at random, and takes some numbers from its own code and not from the config. Both are refused here.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_al.errors import UsageError
from jax_al.features.model_files import ModelFiles, model_files

_HALF = (0.5, 0.5, 0.5)
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


class Family(NamedTuple):
    """Models of one `model_type`."""

    model: str  # the class of jax-image-models
    scaling: tuple[tuple[float, ...], tuple[float, ...]]  # mean and deviation of pixels of 0..1
    section: str | None  # of the config, which speaks of the image encoder; None: all of it
    computed: dict[str, tuple[Any, ...]]  # by the fields of the section: what it may say


FAMILIES = {
    "vit": Family(
        "VisionTransformer", (_HALF, _HALF), None,
        {"hidden_act": ("gelu", "quick_gelu"), "layer_norm_eps": (1e-12,)},
    ),
    "clip": Family(
        "CLIPVisionModel", _CLIP, "vision_config",
        {"hidden_act": ("quick_gelu",), "layer_norm_eps": (1e-5,)},
    ),
    "siglip": Family(
        "SigLIPVisionModel", (_HALF, _HALF), "vision_config",
        {"hidden_act": ("gelu_pytorch_tanh",), "layer_norm_eps": (1e-6,)},
    ),
    "dinov2": Family(
        "DINOv2Model", _IMAGENET, None,
        {"hidden_act": ("gelu",), "layer_norm_eps": (1e-6,), "use_swiglu_ffn": (False,)},
    ),
    "dinov3_vit": Family("DINOv3Model", _IMAGENET, None, {}),  # takes all from the config
}  # fmt: skip
_HEADS = 12  # of attention, where a config does not say


class Network(NamedTuple):
    """An encoder as a function, and its weights."""

    function: Callable[[dict[str, jax.Array], jax.Array], jax.Array]  # see `encoder`
    weights: dict[str, np.ndarray]  # float32, by their places
    size: int  # pixels a side of what it sees
    mean: tuple[float, ...]  # of each channel, of pixels of 0..1
    std: tuple[float, ...]


def family_of(files: ModelFiles) -> Family:
    """Returns what kind of model `files` hold.

    Raises:
      UsageError: none that jax-image-models computes.
    """
    kind = files.config.get("model_type")
    if kind not in FAMILIES:
        raise UsageError(
            f"jimm:{files.name} is of the type {kind!r} by its config.json, and jax-image-models "
            f"has {', '.join(FAMILIES)}."
        )
    family = FAMILIES[kind]
    section = _section(files, family)
    for field, may_be in family.computed.items():
        if field in section and section[field] not in may_be:
            raise UsageError(
                f"jimm:{files.name} has {field} {section[field]!r} by its config.json, and "
                f"jax-image-models computes {' or '.join(map(repr, may_be))} in a {kind}."
            )
    return family


@functools.lru_cache(maxsize=1)  # as hundreds of megabytes are read, and `apply` asks each time
def encoder(name: str, digest: str, size: int | None) -> Network:
    """Returns the encoder of a model, whose `function` is pure and wants `in_one_mesh` around it.

    `function(weights, x float32 [B, size, size, 3])` returns float32 [B, F], what comes before a
    projection or a classifier: the class token behind the last norm, of SigLIP what its pooling
    head makes of all.

    Args:
      name: of the model, see `model_files`.
      digest: of its files, by which what was loaded is known again.
      size: pixels a side of what it sees; None: what the model was made for. The embeddings of
        positions are interpolated to it, see `_resized`.

    Raises:
      UsageError: the package cannot load the files, or does not use all that it needs; `size` is no
        multiple of the patches' size.
    """
    from flax import nnx

    del digest
    found = model_files(name)
    family = family_of(found)
    model = _loaded(found, family, 0)
    _check_filled(found, model, _loaded(found, family, 1))
    heads = _section(found, family).get("num_attention_heads", _HEADS)
    if heads != model.num_heads:
        raise UsageError(
            f"jimm:{found.name} has {heads} heads of attention by its config.json, and "
            f"jax-image-models would compute {model.num_heads}."
        )
    size = size or model.img_size
    if size % model.patch_size:
        raise UsageError(
            f"size is {size}, but must be a multiple of {model.patch_size}, the patches of "
            f"jimm:{found.name}."
        )
    if size != model.img_size and not model.use_rope:
        tokens = np.asarray(model.position_embeddings[...])
        model.position_embeddings = nnx.Param(_resized(tokens, size // model.patch_size))
    graph, params, *rest = nnx.split(model, nnx.Param, ...)
    places, tree = jax.tree_util.tree_flatten_with_path(params)
    chance, rest_tree = jax.tree.flatten(rest)  # of dropout, which is off
    names = [jax.tree_util.keystr(place) for place, _ in places]

    def function(weights: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        params = jax.tree.unflatten(tree, [weights[name] for name in names])
        return nnx.merge(graph, params, *jax.tree.unflatten(rest_tree, chance))(x)

    weights = {name: np.asarray(leaf) for name, (_, leaf) in zip(names, places, strict=True)}
    mean, std = (
        tuple(found.preprocessor.get(f"image_{word}", default))
        for word, default in zip(("mean", "std"), family.scaling, strict=True)
    )
    return Network(function, weights, size, mean, std)


def in_one_mesh() -> Any:
    """Returns a context in which the package's models compute, on the first device.

    They name the axes that arrays are shared out along and want a mesh to be there.
    """
    kind = (jax.sharding.AxisType.Explicit,)
    return jax.set_mesh(jax.make_mesh((1,), ("one",), kind, devices=jax.devices()[:1]))


def _section(files: ModelFiles, family: Family) -> dict[str, Any]:
    return files.config.get(family.section, {}) if family.section else files.config


def _loaded(files: ModelFiles, family: Family, seed: int) -> Any:
    """The image encoder, begun at random by `seed` and filled from the files."""
    import jimm
    from flax import nnx
    from jimm.common.sharding import NoSharding

    try:
        with in_one_mesh():
            model = getattr(jimm, family.model).from_pretrained(
                str(files.directory), rngs=nnx.Rngs(seed), sharding=NoSharding()
            )
    except Exception as error:  # whatever a file that does not fit comes to
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(f"jax-image-models cannot load jimm:{files.name}: {said}") from error
    model.eval()
    return model.encoder


def _check_filled(files: ModelFiles, model: Any, other: Any) -> None:
    """Refuses what was left at random: it differs between two seeds."""
    from flax import nnx

    found = nnx.to_flat_state(nnx.state(model, nnx.Param))
    others = nnx.to_flat_state(nnx.state(other, nnx.Param))
    left = [
        ".".join(map(str, place))
        for (place, x), (_, y) in zip(found, others, strict=True)
        if not np.array_equal(x[...], y[...])
    ]
    if left:
        raise UsageError(
            f"jimm:{files.name} lacks weights that jax-image-models needs, or has them by other "
            f"names, {len(left)} in all: {left[0]} would stay random."
        )


def _resized(tokens: np.ndarray, side: int) -> np.ndarray:
    """Embeddings of positions [1, n, D] interpolated to side x side places, as transformers does.

    Bicubically, with a = -0.75 and no smoothing (PyTorch's `interpolate`); a first one that stands
    for no place (the class token's) stays.
    """
    old = math.isqrt(tokens.shape[1])
    first, grid = np.split(tokens[0].astype(np.float64), [tokens.shape[1] - old * old])
    grid = grid.reshape(old, old, -1)
    across = _cubic(old, side)
    grid = np.einsum("ai,bj,ijd->abd", across, across, grid, optimize=True)
    return np.concatenate([first, grid.reshape(side * side, -1)])[None].astype(np.float32)


def _cubic(old: int, new: int, a: float = -0.75) -> np.ndarray:
    """What each of `new` places takes from each of `old` ones, float64 [new, old] (Keys 1981)."""
    place = (np.arange(new) + 0.5) * old / new - 0.5
    low = np.floor(place).astype(int)
    weights = np.zeros((new, old))
    for tap in range(-1, 3):
        far = np.abs(place - (low + tap))
        near = ((a + 2) * far - (a + 3)) * far**2 + 1
        beyond = ((far - 5) * far + 8) * far * a - 4 * a
        share = np.where(far <= 1, near, beyond)
        np.add.at(weights, (np.arange(new), np.clip(low + tap, 0, old - 1)), share)
    return weights
