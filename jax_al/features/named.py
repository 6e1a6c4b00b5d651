"""Features by name: a chain of what is applied one after the other."""

import functools
import inspect
import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

from jax_al.errors import UsageError, did_you_mean
from jax_al.features.columns import columns
from jax_al.features.jimm import PREFIX, jimm
from jax_al.features.lite import DEPTHS, lite
from jax_al.features.patches import patches
from jax_al.features.pixels_pca import pixels_pca_features
from jax_al.outside import function_named
from jax_al.types import Features

MAKERS: dict[str, Callable[..., Features]] = {
    "patches": patches,
    "pixels_pca": pixels_pca_features,
    **{name: functools.partial(lite, name) for name in DEPTHS},
}
AFTER = ("pca", "whiten", "standardise", "l2norm")  # options of any features: see `columns`


class FromFile(NamedTuple):
    """Features that another tool has written; they hold for the rows of one pool only."""

    path: str  # of a .npy file
    ids: str | None = None  # of a .npy file with the id of each row; None: rows go by their order


Chain = tuple[Features | FromFile, ...]


def features_named(name: str, **options: Any) -> Chain:
    """Returns what makes the features called `name`.

    Args:
      name: "patches", "pixels_pca", "lite0", "lite1", "lite2", "jimm:PATH_OR_NAME",
        "module:function" of what returns Features, or the path of a .npy file.
      **options: of these features; and `pca`, `whiten`, `standardise`, `l2norm`, of what follows.

    Raises:
      UsageError: there are no such features, or no such option, or it is out of its range.
    """
    after = {key: options.pop(key) for key in AFTER if key in options}
    if name == "pixels_pca":
        options, after = options | after, {}
    return (_made(name, options), *followed(after))


def followed(after: dict[str, Any]) -> Chain:
    """Returns what the options of AFTER say, which may be nothing."""
    made = columns(**after)
    return (made,) if any(value not in (None, False) for value in after.values()) else ()


def _made(name: str, options: dict[str, Any]) -> Features | FromFile:
    if name.endswith(".npy"):
        _check(name, options, ("ids",))
        for path in (name, *options.values()):
            if not isinstance(path, str | os.PathLike):
                raise UsageError(f"ids is {path!r}, but must be the path of a .npy file.")
            if not pathlib.Path(path).is_file():
                raise UsageError(f"features names {path}, and there is no such file.")
        return FromFile(name, **options)
    if name.startswith(PREFIX):  # before what is named module:function
        _check(name, options, ("size",))
        return jimm(name.removeprefix(PREFIX), **options)
    if ":" in name:
        function = function_named("features", name)
        try:
            inspect.signature(function).bind(**options)
        except TypeError as error:
            raise UsageError(
                f"The features {name!r} are called with "
                f"({', '.join(f'{option}=' for option in options)}), which does not fit: {error}."
            ) from error
        made = function(**options)
        if not isinstance(made, Features):
            raise UsageError(
                f"{name!r} must return Features, but returned a {type(made).__name__}."
            )
        return made
    if name in ("random_net", "model"):
        raise UsageError(
            f"{name} is an embedding that the learner makes, for strategies alone (NAME@{name}): "
            f"as features take {', '.join(MAKERS)} or the path of a .npy file."
        )
    if name not in MAKERS:
        near = did_you_mean(name, MAKERS)
        raise UsageError(f"There are no features {name!r}: {near} Or name a .npy file.")
    _check(name, options, tuple(inspect.signature(MAKERS[name]).parameters))
    return MAKERS[name](**options)


def _check(name: str, options: dict[str, Any], known: tuple[str, ...]) -> None:
    for option in options:
        if option not in known:
            names = {*known, *AFTER}
            raise UsageError(f"{name} has no option {option!r}: {did_you_mean(option, names)}")
