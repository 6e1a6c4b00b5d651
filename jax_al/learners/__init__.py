"""Learners: what fits and predicts, and the table that names them."""

import inspect
from collections.abc import Callable
from typing import Any

from jax_al.errors import UsageError, did_you_mean
from jax_al.learners.calibrated import calibrated
from jax_al.learners.ensemble import ensemble
from jax_al.learners.host import host_learner
from jax_al.learners.image_networks import cnn, resnet18, vgg16
from jax_al.learners.laplace import laplace
from jax_al.learners.linear import linear
from jax_al.learners.mlp import mlp
from jax_al.learners.naming import called
from jax_al.learners.network import MakeLearner, network
from jax_al.learners.propagate import propagate
from jax_al.learners.training_options import TrainingOptions
from jax_al.learners.wrapping import WRAPPED, apart, own_options, wrapped_by
from jax_al.outside import function_named
from jax_al.types import Learner, Spec

__all__ = [
    "LEARNERS",
    "WRAPPERS",
    "MakeLearner",
    "TrainingOptions",
    "calibrated",
    "cnn",
    "ensemble",
    "host_learner",
    "laplace",
    "learner_named",
    "learner_options",
    "linear",
    "make_learner",
    "mlp",
    "network",
    "propagate",
    "resnet18",
    "vgg16",
]

# Each takes options, all of which have defaults, and returns (spec, number of classes) -> Learner.
LEARNERS: dict[str, Callable[..., MakeLearner]] = {
    "cnn": cnn,
    "laplace": laplace,
    "linear": linear,
    "mlp": mlp,
    "resnet18": resnet18,
    "vgg16": vgg16,
}
# Each takes another learner's (spec, number of classes) -> Learner, and options with defaults. An
# option of one of these has no name that an option of LEARNERS has, since they come together.
WRAPPERS: dict[str, Callable[..., MakeLearner]] = {
    "calibrated": calibrated,
    "ensemble": ensemble,
    "propagate": propagate,
}


def make_learner(name: str, spec: Spec, num_classes: int, **options: Any) -> Learner:
    """Returns the learner of that name; see `learner_named`, whose errors are raised.

    Args:
      name: of LEARNERS or WRAPPERS, or "module:function".
      spec: of the pool.
      num_classes: C.
      **options: of the learner.
    """
    return learner_named(name, **options)(spec, num_classes)


def learner_named(name: str, **options: Any) -> MakeLearner:
    """Returns the function of (Spec, number of classes) that makes the learner of that name.

    Args:
      name: of LEARNERS, or "module:function", a function of yours that is called with
        `(spec, num_classes, **options)` and returns a `Learner`; or of WRAPPERS.
      **options: of the learner. Of one of WRAPPERS: `learner`, the name of the one it is made of,
        and the options of both.

    Raises:
      UsageError: there is no such learner or option, or an option is out of its range. When the
        learner is made: it is not for pools of this spec.
    """
    if ":" in name:
        return _from_outside(name, options)
    if name not in LEARNERS | WRAPPERS:
        raise UsageError(
            f"There is no learner {name!r}: {did_you_mean(name, LEARNERS | WRAPPERS)} One of yours "
            "is named 'module:function'."
        )
    if name in WRAPPERS:
        inner = wrapped_by(name, options, WRAPPERS)
        own, rest = apart(WRAPPERS[name], options)
        if inner in LEARNERS:
            _check_names(f"{name}({inner})", rest, learner_options(name, inner))
        return WRAPPERS[name](learner_named(inner, **rest), **own)
    _check_names(name, options, learner_options(name))
    return LEARNERS[name](**options)


def _check_names(name: str, options: dict[str, Any], known: dict[str, Any]) -> None:
    for option in sorted(options.keys() - known.keys()):
        raise UsageError(
            f"The learner {name!r} has no option {option!r}: {did_you_mean(option, known)}"
        )


def learner_options(name: str, learner: str = WRAPPED) -> dict[str, Any]:
    """Returns the options of a learner of LEARNERS with their defaults.

    Args:
      name: its name; or that of one of WRAPPERS, whose options are its own and those of `learner`.
      learner: of LEARNERS, what is wrapped.
    """
    if name in WRAPPERS:
        return {"learner": learner} | own_options(WRAPPERS[name]) | learner_options(learner)
    parameters = inspect.signature(LEARNERS[name]).parameters.values()
    takes_training = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    own = {one.name: one.default for one in parameters if one.kind is not one.VAR_KEYWORD}
    return own | (TrainingOptions()._asdict() if takes_training else {})


def _from_outside(name: str, options: dict[str, Any]) -> MakeLearner:
    function = function_named("learner", name)

    def make(spec: Spec, num_classes: int) -> Learner:
        try:
            signature = inspect.signature(function)
            signature.bind(spec, num_classes, **options)
        except TypeError as error:
            if signature.parameters.keys() >= options.keys() and all(
                one.default is not one.empty for one in signature.parameters.values()
            ):
                raise UsageError(_makes_makers(name)) from error
            raise UsageError(
                f"The learner {name!r} is called with (spec, num_classes"
                f"{''.join(f', {option}=' for option in options)}), which does not fit: {error}."
            ) from error
        learner = function(spec, num_classes, **options)
        if not isinstance(learner, Learner):
            if inspect.isroutine(learner):
                raise UsageError(_makes_makers(name))
            raise UsageError(
                f"{name!r} must return a jax_al.types.Learner, not a {type(learner).__name__}."
            )
        return learner

    return called(make, name, **options)


def _makes_makers(name: str) -> str:
    module, _, function = name.partition(":")
    return (
        f"{name!r} must take (spec, num_classes) and return a jax_al.types.Learner; if it takes "
        f"options and returns such a function, as al.linear() does, write mine = {function}() in "
        f"{module} and name '{module}:mine'."
    )
