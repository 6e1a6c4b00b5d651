"""How networks are trained: the options that all of them share, their defaults and their ranges."""

import math
from collections.abc import Collection
from typing import Any, NamedTuple

from jax_al.errors import UsageError, did_you_mean
from jax_al.learners.class_weights import check_class_weights
from jax_al.learners.optimizers import OPTIMIZERS, SCHEDULES
from jax_al.outside import plain


class TrainingOptions(NamedTuple):
    """The defaults are those of the experiment that this project reproduces."""

    epochs: int = 10  # passes over the labeled set
    optimizer: str = "adam"  # a name of OPTIMIZERS
    weight_decay: float = 0.0  # decoupled: this much of a parameter per step, times the step size
    schedule: str = "step"  # of the step size; or "cosine": half a cosine over the epochs
    lr: float = 1e-3  # step size
    gamma: float = 0.1  # factor of the step decay
    lr_step_epochs: int = 10  # epochs between decays
    batch_size: int = 32  # examples per gradient step
    augment: bool = False  # shift and mirror images at random
    class_weights: str | None = None  # or "balanced": n / (k n_c), so that classes weigh the same
    validation_share: float = 0.0  # of the labeled set, held out: the epoch best on it is kept


_LATER = ("class_weights", "validation_share")  # since 0.3.0
_WHOLE = ("epochs", "lr_step_epochs", "batch_size")
_POSITIVE = ("lr", "gamma")
_ALSO = {"learning_rate": "lr", "step_size": "lr"}  # other words for them
_CHOICES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}


def training_options(
    learner: str, options: dict[str, Any], others: Collection[str] = ()
) -> TrainingOptions:
    """Returns the defaults with `options` in their place.

    Args:
      learner: its name, for messages.
      options: those given.
      others: names of the options that `learner` has besides.

    Raises:
      UsageError: there is no such option, or it may not have that value.
    """
    known = {*TrainingOptions._fields, *others}
    for name in sorted(options.keys() - known):
        hint = did_you_mean(_ALSO.get(name, name), known)
        raise UsageError(f"The learner {learner!r} has no option {name!r}: {hint}")
    chosen = TrainingOptions(**{name: plain(value) for name, value in options.items()})
    for name in _WHOLE:
        value = getattr(chosen, name)
        if type(value) is not int or value < 1:
            raise UsageError(f"{name} is {value!r}, but must be a whole number, at least 1.")
    for name in _POSITIVE:
        value = getattr(chosen, name)
        if not (_is_number(value) and value > 0):
            raise UsageError(f"{name} is {value!r}, but must be a positive number.")
    if not (_is_number(chosen.weight_decay) and chosen.weight_decay >= 0):
        raise UsageError(
            f"weight_decay is {chosen.weight_decay!r}, but must be a number from 0 on."
        )
    for name, choices in _CHOICES.items():
        value = getattr(chosen, name)
        if value not in choices:
            raise UsageError(f"{name} is {value!r}: {did_you_mean(str(value), choices)}")
    if not isinstance(chosen.augment, bool):
        raise UsageError(f"augment is {chosen.augment!r}, but must be True or False.")
    check_class_weights(chosen.class_weights)
    share = chosen.validation_share
    if not (_is_number(share) and 0 <= share < 1):
        raise UsageError(f"validation_share is {share!r}, but must be a number from 0 to below 1.")
    return chosen


def on_record(options: TrainingOptions) -> dict[str, Any]:
    """Returns what a learner's name tells of `options`.

    Those that came later only where they are used: a session that began without them goes on.
    """
    given = options._asdict()
    defaults = TrainingOptions()._asdict()
    return {
        name: value
        for name, value in given.items()
        if name not in _LATER or value != defaults[name]
    }


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
