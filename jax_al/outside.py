"""From outside: parts named "module:function" and known by their source; names, paths, options."""

import hashlib
import importlib
import inspect
import os
from pathlib import Path
from typing import Any

import numpy as np

from jax_al.errors import UsageError, did_you_mean


def function_named(kind: str, name: str, made: type | None = None) -> Any:
    """Returns the function that `name` says.

    Args:
      kind: what it makes, for the sentence: "strategy".
      name: "module:function", of a module on Python's path.
      made: the type of what it makes; one that is there already will do.

    Raises:
      UsageError: there is no such module or function, or the module cannot be imported.
    """
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        is_missing = isinstance(error, ModuleNotFoundError) and (
            error.name is not None and f"{module_name}.".startswith(f"{error.name}.")
        )
        reason = (
            f"there is no module {error.name!r}; is its folder on PYTHONPATH?"
            if is_missing
            else f"importing {module_name!r} failed: {' '.join(str(error).split())}."
        )
        raise UsageError(f"The {kind} {name!r} cannot be loaded: {reason}") from error
    except ValueError as error:  # an empty or a relative name
        raise UsageError(
            f"The {kind} {name!r} cannot be loaded: {module_name!r} is no name of a module."
        ) from error
    function = getattr(module, function_name, None)
    if made is not None and isinstance(function, made):
        return function
    if not callable(function):
        functions = [
            key
            for key, value in inspect.getmembers(module)
            if (inspect.isfunction(value) and value.__module__ == module_name)
            or (made is not None and isinstance(value, made))
        ]
        hint = did_you_mean(function_name, functions) if functions else "it has none."
        raise UsageError(
            f"The {kind} {name!r} cannot be loaded: {module_name!r} has no function "
            f"{function_name!r}: {hint}"
        )
    return function


def check_not_masked(what: str, array: Any) -> None:
    """Makes sure that no value of an array of NumPy's is masked: what lies below would be taken.

    Args:
      what: it holds, for the sentence, a plural: "points".
      array: anything.

    Raises:
      UsageError: some are.
    """
    if np.ma.is_masked(array):
        raise UsageError(f"{what} hold masked values: fill them, or leave rows out.")


def plain(value: Any) -> Any:
    """Returns a number of NumPy's, or some in brackets, as Python's, which are written down."""
    if isinstance(value, tuple | list):
        return type(value)(map(plain, value))
    return value.item() if isinstance(value, np.generic) else value


def is_text(name: Any) -> bool:
    """Whether `name` is a text that UTF-8 can hold: half of a surrogate pair is in no file."""
    try:
        str.encode(name)
    except (TypeError, UnicodeEncodeError):
        return False
    return True


def expanded(path: Any, what: str = "path") -> Path:
    """Returns a path of somebody's, with the home directory in place of a ~ at its beginning.

    Raises:
      UsageError: it is no path, or there is no such user.
    """
    if not isinstance(path, str | os.PathLike) or path == "" or "\0" in str(path):
        raise UsageError(f"{what} is {path!r}, but must be a path.")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(f"There is no home directory for {path}.") from error


def source_hash(function: Any) -> str:
    """Returns a hash of the source of a function or a class, "unknown" where there is none."""
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt, or no function
        return "unknown"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
