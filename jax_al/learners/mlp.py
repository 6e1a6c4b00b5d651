"""A multilayer perceptron as a learner."""

from typing import Any

import jax.numpy as jnp

from jax_al.learners import networks
from jax_al.learners.image_networks import check_compute_dtype, last_layer
from jax_al.learners.naming import called
from jax_al.learners.network import MakeLearner, learner_of
from jax_al.learners.networks.network import in_dtype
from jax_al.learners.training_options import on_record, training_options
from jax_al.outside import plain
from jax_al.types import Learner, Spec


def mlp(
    *,
    widths: tuple[int, ...] = (256,),
    dropout_rate: float = 0.5,
    compute_dtype: str = "float32",
    **training: Any,
) -> MakeLearner:
    """Returns a multilayer perceptron on flat inputs, whatever their shape, to be made for a pool.

    One or two hidden layers with ReLU, and dropout after each (Srivastava et al. 2014). The inputs
    are standardised over the pool, each column of a table, each channel of images, and flattened.
    Its embedding is the last hidden layer before the ReLU. A stochastic draw is a mask of the
    dropout, one for the whole pool (Gal & Ghahramani 2016, arXiv 1506.02142).

    Args:
      widths: units of the hidden layers; the last is D.
      dropout_rate: after each of them; strategies of stochastic draws need it above 0.
      compute_dtype: "float32", or "bfloat16" for accelerators: all but the last layer.
      **training: see `TrainingOptions`.

    Raises:
      UsageError: an option is unknown or out of its range; at once, or, where it depends on the
        pool, when the learner is made.
    """
    sizes: dict[str, Any] = {"widths": plain(widths), "dropout_rate": plain(dropout_rate)}
    options = training_options("mlp", training, {"compute_dtype", *sizes})
    check_compute_dtype(compute_dtype)

    def make(spec: Spec, num_classes: int) -> Learner:
        model = networks.mlp(shape=spec.shape, num_classes=num_classes, **sizes)
        if compute_dtype != "float32":
            model = in_dtype(model, jnp.dtype(compute_dtype))
        made = learner_of(model, spec, num_classes, options, has_dropout=dropout_rate > 0)
        return made._replace(head=last_layer)

    return called(make, "mlp", compute_dtype=compute_dtype, **sizes, **on_record(options))
