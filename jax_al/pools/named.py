"""`al.benchmark`: that of `load.py`, whose mistakes are told in the words of Python.

There they are told as fields of a config, `data.pool_size`, as recipes have them.
"""

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Iterable
from typing import ParamSpec

from jax_al.errors import reworded
from jax_al.pools import load
from jax_al.types import Benchmark

_Given = ParamSpec("_Given")


def fields_told(
    names: Iterable[str], called: Callable[[str], str]
) -> contextlib.AbstractContextManager[None]:
    """Tells mistakes in the fields data.NAME by what the caller knows these as.

    Args:
      names: of the fields.
      called: returns what one is called there.
    """
    field = re.compile(rf"\bdata\.({'|'.join(names)})\b")
    return reworded(lambda text: field.sub(lambda found: called(found[1]), text))


def _as_arguments(function: Callable[_Given, Benchmark]) -> Callable[_Given, Benchmark]:
    names = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def told(*args: _Given.args, **options: _Given.kwargs) -> Benchmark:
        with fields_told(names, str):
            return function(*args, **options)

    return told


benchmark = _as_arguments(load.benchmark)
