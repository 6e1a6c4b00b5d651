"""What a learner is called on record: another one is told from it when a run goes on."""

import functools
import re
from collections.abc import Callable
from typing import Any

from jax_al.outside import source_hash
from jax_al.types import Learner, Spec


def called(
    make: Callable[[Spec, int], Learner], name: str, **options: Any
) -> Callable[[Spec, int], Learner]:
    """Returns `make` with a name that holds all its options, as in "linear(penalty=0.01)"."""
    given = ", ".join(f"{option}={_written(value)}" for option, value in sorted(options.items()))
    make.__qualname__ = f"{name}({given})"
    return make


def described(make: Any) -> str:
    """Returns what a function that makes a part is called, with its options or its source."""
    if isinstance(make, functools.partial):
        given = [*map(_written, make.args)]
        given += [f"{name}={_written(value)}" for name, value in sorted(make.keywords.items())]
        return f"{described(make.func)} of ({', '.join(given)})"
    name = getattr(make, "__qualname__", type(make).__qualname__)
    if (getattr(make, "__module__", "") or "").startswith("jax_al."):  # None: made by exec
        return name
    return f"{name}, source {source_hash(make)}"


def _without_places(text: str) -> str:
    """Returns `text` without the places in memory that Python writes of objects."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def _written(value: Any) -> str:
    """Returns what stands for an option: the same in every process.

    Of an object that has no words of its own, its class with its source, and its plain attributes.
    """
    text = repr(value)
    if type(value).__repr__ is not object.__repr__:
        return _without_places(text)
    plain = {
        name: one
        for name, one in sorted(getattr(value, "__dict__", {}).items())
        if isinstance(one, bool | int | float | str | None)
    }
    given = "".join(f", {name}={one!r}" for name, one in plain.items())
    return f"{_without_places(text)[:-1]}, source {source_hash(type(value))}{given}>"
