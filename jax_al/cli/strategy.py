"""The strategy that a config names, its mistakes told in the words of the command line."""

import contextlib
import inspect
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from jax_al.errors import UsageError
from jax_al.strategies import STRATEGIES, make_strategy
from jax_al.types import Strategy


@contextlib.contextmanager
def prefixed(prefix: str, names: Collection[str]) -> Iterator[None]:
    """Puts `prefix` before the message of a UsageError that begins with one of `names`.

    Functions speak of their own arguments ("beta is -1; ..."), which on the command line are
    fields of the config ("config.strategy_args.beta is -1; ...").
    """
    try:
        yield
    except UsageError as error:
        if str(error).split(" ", 1)[0] in names:
            raise UsageError(f"{prefix}{error}") from error
        raise


def strategy_from(name: str, options: Mapping[str, Any]) -> Strategy:
    """Returns the strategy that a config names, made with the options of `strategy_args`.

    Raises:
      UsageError: there is no such strategy or option, or a value cannot be used; an option is
        named as a field of the config.
    """
    maker = STRATEGIES.get(name)  # one from outside is not in the table
    known = inspect.signature(maker).parameters if maker else {}
    with prefixed("config.strategy_args.", options.keys() | known.keys()):
        return make_strategy(name, **options)
