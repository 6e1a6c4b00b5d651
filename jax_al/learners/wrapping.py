"""Learners made of another learner, by name: which of options that come together are whose."""

import inspect
from collections.abc import Callable, Collection
from typing import Any

from jax_al.errors import UsageError
from jax_al.types import Learner, Spec

WRAPPED = "linear"  # what is wrapped where nothing else is named


def own_options(wrap: Callable[..., Any]) -> dict[str, Any]:
    """Returns the options of `wrap`, called as `wrap(learner, **options)`, with their defaults."""
    _, *options = inspect.signature(wrap).parameters.values()
    return {option.name: option.default for option in options}


def wrapped_by(name: str, options: dict[str, Any], wrappers: Collection[str]) -> str:
    """Returns the name of the learner that the learner called `name` is made of, else `name`.

    Args:
      name: of a learner, or of one of `wrappers`.
      options: of it; `learner` names what is wrapped, WRAPPED where it is not there.
      wrappers: the names of all functions from learner to learner.

    Raises:
      UsageError: it is itself made of another.
    """
    if name not in wrappers:
        return name
    inner = options.get("learner", WRAPPED)
    if not isinstance(inner, str):
        raise UsageError(f"learner is {inner!r}, but must be the name of a learner.")
    if inner in wrappers:
        raise UsageError(
            f"learner is {inner!r}, which is itself made of another: write {name} of {inner} as a "
            "function (spec, num_classes) of yours, and name it 'module:function'."
        )
    return inner


def apart(
    wrap: Callable[..., Any], options: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns those of `options` that are of `wrap`, and those of what it wraps."""
    names = own_options(wrap).keys()
    own = {name: value for name, value in options.items() if name in names}
    rest = {name: value for name, value in options.items() if name not in {"learner", *names}}
    return own, rest


def compiled(
    learner: Callable[[Spec, int], Learner], spec: Spec, num_classes: int, instead: str
) -> Learner:
    """Returns what `learner` makes, to be wrapped in a program.

    Args:
      learner: makes what is wrapped.
      spec: of the pool.
      num_classes: C.
      instead: the sentence for one that works on the host.

    Raises:
      UsageError: it works on the host.
    """
    made = learner(spec, num_classes)
    if made.on_host:
        raise UsageError(instead)
    return made
