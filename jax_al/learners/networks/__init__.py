"""The networks, and the table that names them."""

import inspect
from collections.abc import Callable
from typing import Any

from jax_al.errors import UsageError, did_you_mean
from jax_al.learners.networks.cnn import cnn
from jax_al.learners.networks.mlp import mlp
from jax_al.learners.networks.network import Model, Params, in_dtype
from jax_al.learners.networks.resnet import resnet18
from jax_al.learners.networks.vgg import vgg16

__all__ = ["MODELS", "Model", "Params", "in_dtype", "make_model", "mlp"]

MODELS: dict[str, Callable[..., Model]] = {"cnn": cnn, "resnet18": resnet18, "vgg16": vgg16}


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
