"""Learners and features made again from their names, as `naming.called` and `Features.name` say.

Such a name is NAME(OPTION=VALUE, ...), where the values are plain ones; `learner` of a wrapper is
again such a name, as text.
"""

import ast
import re
from collections.abc import Callable
from typing import Any

from jax_al.errors import UsageError
from jax_al.features.columns import columns
from jax_al.features.lite import DEPTHS, lite
from jax_al.features.patches import patches
from jax_al.learners import LEARNERS, WRAPPERS, MakeLearner, learner_named
from jax_al.learners.naming import described
from jax_al.outside import function_named
from jax_al.types import Features

_FEATURES: dict[str, Callable[..., Features]] = {"columns": columns, "patches": patches}
_PIXELS = "pixels_pca of "  # which differ from columns in their fit alone
_LONGEST = 10_000  # characters of a name


def predicting(make: MakeLearner) -> str:
    """Returns the name of a learner that predicts as what `make` makes, with the same State.

    It is that of `make`, but for `propagate`, of which the learner that it teaches is named: what
    it spreads labels over is not needed to predict.

    Raises:
      UsageError: it cannot be made again by its name.
    """
    module, name = getattr(make, "__module__", ""), getattr(make, "__qualname__", "")
    try:
        if module.startswith("jax_al."):
            return _predicting(described(make))
        if name.isidentifier() and function_named("learner", f"{module}:{name}") is make:
            return f"{module}:{name}()"
        raise ValueError(name)
    except ValueError as error:
        raise UsageError(
            f"The learner {described(make)} cannot be made again by its name, as a file of the "
            "model needs: write it as a function (spec, num_classes) of a module of yours."
        ) from error


def learner_made(name: str, *, allow_outside: bool) -> MakeLearner:
    """Returns what makes the learner of that name.

    Args:
      name: as `predicting` returned it.
      allow_outside: whether a module that is not ours may be imported for it.

    Raises:
      UsageError: it is of a module that is not ours, and that is not allowed.
      ValueError: it is no such name.
    """
    word, options = _parsed(name)
    if ":" in word:
        if not allow_outside:
            raise UsageError(
                f"the learner {word!r} is a function of somebody's, which would be run: pass "
                "allow_outside=True if you trust the file"
            )
        return learner_named(word, **options)
    if word in WRAPPERS:
        inner = learner_made(options.pop("learner"), allow_outside=allow_outside)
        return WRAPPERS[word](inner, **options)
    if word not in LEARNERS:
        raise ValueError(f"there is no learner {word!r}")
    return LEARNERS[word](**options)


def outside_learner(name: str) -> str:
    """Returns the "module:function" of which a learner of that name is, or is made; else ""."""
    try:
        word, options = _parsed(name)
    except ValueError:  # given as such, and so called by its source
        return ""
    return word if ":" in word else outside_learner(str(options.get("learner", "")))


def features_made(name: str) -> Features:
    """Returns our features of that name.

    Raises:
      ValueError: they are not ours, or of another version.
    """
    word, options = _parsed(name.removeprefix(_PIXELS))
    options.pop("version", None)
    if word in DEPTHS:
        made = lite(word, **options)
    elif word in _FEATURES:
        made = _FEATURES[word](**options)
    else:
        raise ValueError(f"there are no features {word!r}")
    if made.name != name.removeprefix(_PIXELS):
        raise ValueError(f"the features {name} are called {made.name} in this version of jax_al")
    return made._replace(name=name)


def _predicting(name: str) -> str:
    word, options = _parsed(name)
    if word == "propagate":
        return _predicting(options["learner"])
    if word in WRAPPERS:
        options["learner"] = _predicting(options["learner"])
    elif word not in LEARNERS and ":" not in word:
        raise ValueError(f"there is no learner {word!r}")
    return f"{word}({', '.join(f'{option}={value!r}' for option, value in options.items())})"


def _parsed(name: str) -> tuple[str, dict[str, Any]]:
    """Returns what stands before the brackets of a name, and the options in them."""
    match = re.fullmatch(r"([\w.:]+)\((.*)\)", name, re.DOTALL)
    if match is None or len(name) > _LONGEST:
        raise ValueError(f"{name[:80]!r} is no name with options")
    try:
        call = ast.parse(f"_({match[2]})", mode="eval").body
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{name[:80]!r} is no name with options") from error
    if not isinstance(call, ast.Call) or call.args or any(one.arg is None for one in call.keywords):
        raise ValueError(f"{name[:80]!r} is no name with options")
    return match[1], {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
