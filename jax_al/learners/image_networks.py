"""Our own networks as learners: functions of a spec and a number of classes."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jax_al.errors import UsageError, did_you_mean
from jax_al.learners import networks
from jax_al.learners.naming import called
from jax_al.learners.network import MakeLearner, State, describe, learner_of
from jax_al.learners.networks.network import Model, in_dtype
from jax_al.learners.training_options import on_record, training_options
from jax_al.outside import plain
from jax_al.types import Learner, Spec

COMPUTE_DTYPES = ("float32", "bfloat16")


def cnn(
    *,
    widths: tuple[int, int] = (32, 64),
    embedding_size: int = 128,
    dropout_rates: tuple[float, float] = (0.25, 0.5),
    compute_dtype: str = "float32",
    **training: Any,
) -> MakeLearner:
    """Returns the small convolutional network, to be made for a pool of images.

    Args:
      widths: output channels of the two convolutions.
      embedding_size: D, the width of the hidden layer.
      dropout_rates: after the pooling and after the hidden layer.
      compute_dtype: "float32", or "bfloat16" for accelerators: all but the last layer.
      **training: see `TrainingOptions`.

    Raises:
      UsageError: an option is unknown or out of its range; at once, or, where it depends on the
        pool, when the learner is made.
    """
    sizes = {"widths": widths, "embedding_size": embedding_size, "dropout_rates": dropout_rates}
    return _image_network("cnn", networks.cnn, sizes, compute_dtype, training)


def vgg16(
    *,
    width: int = 64,
    embedding_size: int = 512,
    dropout_rates: tuple[float, float] = (0.5, 0.5),
    compute_dtype: str = "float32",
    **training: Any,
) -> MakeLearner:
    """Returns VGG-16 for small images, to be made for a pool of images.

    Args:
      width: channels of the first convolutions; 64 is the paper's, less is cheaper.
      embedding_size: D, the width of the hidden layer.
      dropout_rates: before and after the hidden layer.
      compute_dtype: "float32", or "bfloat16" for accelerators: all but the last layer.
      **training: see `TrainingOptions`.

    Raises:
      UsageError: as `cnn`.
    """
    sizes = {"width": width, "embedding_size": embedding_size, "dropout_rates": dropout_rates}
    return _image_network("vgg16", networks.vgg16, sizes, compute_dtype, training)


def resnet18(
    *,
    width: int = 64,
    dropout_rates: tuple[float] = (0.0,),
    compute_dtype: str = "float32",
    **training: Any,
) -> MakeLearner:
    """Returns ResNet-18 for small images, to be made for a pool of images.

    Args:
      width: channels of the first convolution; 64 is the paper's, less is cheaper.
      dropout_rates: one, before the last layer; strategies that look at stochastic draws need it
        above 0, the paper has none.
      compute_dtype: "float32", or "bfloat16" for accelerators: all but the last layer.
      **training: see `TrainingOptions`.

    Raises:
      UsageError: as `cnn`.
    """
    sizes = {"width": width, "dropout_rates": dropout_rates}
    return _image_network("resnet18", networks.resnet18, sizes, compute_dtype, training)


def _image_network(
    name: str,
    build: Callable[..., Model],
    sizes: dict[str, Any],
    compute_dtype: str,
    training: dict[str, Any],
) -> MakeLearner:
    sizes = {option: plain(value) for option, value in sizes.items()}
    options = training_options(name, training, {"compute_dtype", *sizes})
    check_compute_dtype(compute_dtype)

    def make(spec: Spec, num_classes: int) -> Learner:
        if len(spec.shape) != 3:
            raise UsageError(
                f"The learner {name!r} needs images [H, W, channels], and an example of this pool "
                f"is {describe(spec)}: take the learner 'linear' or 'mlp'."
            )
        model = build(image_shape=spec.shape, num_classes=num_classes, **sizes)
        if compute_dtype != "float32":
            model = in_dtype(model, jnp.dtype(compute_dtype))
        has_dropout = any(rate > 0 for rate in sizes["dropout_rates"])
        made = learner_of(model, spec, num_classes, options, has_dropout=has_dropout)
        return made._replace(head=last_layer)

    return called(make, name, compute_dtype=compute_dtype, **sizes, **on_record(options))


def check_compute_dtype(compute_dtype: str) -> None:
    """Makes sure that `compute_dtype` is one of COMPUTE_DTYPES.

    Raises:
      UsageError: it is not.
    """
    if compute_dtype not in COMPUTE_DTYPES:
        hint = did_you_mean(str(compute_dtype), COMPUTE_DTYPES)
        raise UsageError(f"compute_dtype is {compute_dtype!r}: {hint}")


def last_layer(state: State) -> jax.Array:
    """Returns the head of a State whose network has one by this name, see `Learner.head`."""
    last = state.params["head"]
    return jnp.concatenate([last["kernel"], last["bias"][None]])
