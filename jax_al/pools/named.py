"""`al.benchmark`: that of `load.py`, whose mistakes are told in the words of Python.

There they are told as fields of a config, `data.pool_size`, as the command line wants it.
"""

import functools
import inspect
import re
from collections.abc import Callable
from typing import ParamSpec

from jax_al.errors import UsageError
from jax_al.pools import load
from jax_al.types import Benchmark

_Given = ParamSpec("_Given")


def _as_arguments(function: Callable[_Given, Benchmark]) -> Callable[_Given, Benchmark]:
    """Returns `function` with `pool_size` in its messages where it says `data.pool_size`."""
    fields = re.compile(rf"\bdata\.({'|'.join(inspect.signature(function).parameters)})\b")

    @functools.wraps(function)
    def told(*args: _Given.args, **options: _Given.kwargs) -> Benchmark:
        try:
            return function(*args, **options)
        except UsageError as error:
            raise UsageError(fields.sub(r"\1", str(error))) from error

    return told


benchmark = _as_arguments(load.benchmark)
