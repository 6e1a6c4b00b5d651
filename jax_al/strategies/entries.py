"""Entries of a comparison: NAME, or NAME@EMBEDDING to look at another embedding.

A name may be that of a schedule, A:100,B.
"""

import pathlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from jax_al.errors import UsageError
from jax_al.strategies.table import make_strategy
from jax_al.types import Strategy

_NAME = re.compile(r"\w[\w.@:+, -]*")  # what may be a directory of its own, on any system of ours


def strategies_named(
    entries: Iterable[str], make: Callable[..., Strategy] = make_strategy, **options: Any
) -> dict[str, Strategy]:
    """Returns the strategies of some entries by the names of their parts.

    A features file stands in the name of a part by its own name, without directory and suffix; so
    does a model, "jimm:PATH_OR_NAME".

    Args:
      entries: NAME or NAME@EMBEDDING.
      make: makes a strategy of a name and its options.
      **options: go to all of them.

    Raises:
      UsageError: there is no such strategy or option, or two parts would have one name.
    """
    made: dict[str, Strategy] = {}
    for entry in entries:
        name, _, embedding = entry.partition("@")
        if re.search(r":\d+,", embedding):
            raise UsageError(
                f"{entry!r} names an embedding amid strategies that follow one another: it is that "
                "of all of them and stands at the end, A:100,B@EMBEDDING."
            )
        part = f"{name}@{_short(embedding)}" if embedding else entry
        if part in made:
            raise UsageError(f"Two of the strategies are called {part!r}: name each once.")
        made[part] = make(name, **options | ({"embedding": embedding} if embedding else {}))
    check_part_names(made)
    return made


def _short(embedding: str) -> str:
    """What an embedding is called in the name of a directory."""
    if embedding.endswith(".npy"):
        return pathlib.Path(embedding).stem
    kind, colon, path = embedding.partition(":")
    return f"{kind}{colon}{pathlib.Path(path).name}"


def check_part_names(names: Iterable[str]) -> None:
    """Makes sure that each of `names` can be a directory of its own.

    Raises:
      UsageError: one cannot.
    """
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UsageError(
                f"A part cannot be called {name!r}, as that is no name of a directory: use "
                "letters, digits, and . _ - + @ between them."
            )
