"""The optimizers and the schedules of the learning rate, by name."""

import math
from typing import Any

import jax
import optax

# Their moments have the usual constants of their papers: Adam (Kingma & Ba 2015) 0.9 and 0.999;
# RMSProp (Tieleman & Hinton 2012) 0.9; SGD with Nesterov's momentum (Sutskever et al. 2013) 0.9.
OPTIMIZERS = {
    "adam": optax.scale_by_adam,
    "rmsprop": optax.scale_by_rms,
    "sgd": lambda: optax.trace(decay=0.9, nesterov=True),
}
SCHEDULES = ("step", "cosine")


def make_optimizer(name: str, weight_decay: float) -> optax.GradientTransformation:
    """Returns what turns gradients into steps, before the learning rate and the minus.

    Args:
      name: one of OPTIMIZERS.
      weight_decay: how much of each weight is added to its step: decoupled from the moments
        (Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", algorithm 2). Not of
        vectors, which are biases and the scales of norms: it makes no sense to pull these to 0
        (He et al. 2019, "Bag of Tricks for Image Classification", section 3.1).
    """
    scaled = OPTIMIZERS[name]()
    if weight_decay == 0:
        return scaled
    decayed = optax.add_decayed_weights(weight_decay, mask=_are_weights)
    return optax.chain(scaled, decayed)


def _are_weights(params: Any) -> Any:
    return jax.tree.map(lambda values: values.ndim > 1, params)


def learning_rate(
    schedule: str, lr: float, gamma: float, lr_step_epochs: int, epochs: int, epoch: int
) -> float:
    """Returns the rate of `epoch` (from 0).

    "step" multiplies `lr` by `gamma` every `lr_step_epochs`. "cosine" falls from `lr` towards zero
    over the `epochs` along half a cosine (Loshchilov & Hutter 2017, "SGDR", equation 5, without
    restarts); the others do not matter then.
    """
    if schedule == "cosine":
        return lr * 0.5 * (1 + math.cos(math.pi * epoch / epochs))
    return lr * gamma ** (epoch // lr_step_epochs)
