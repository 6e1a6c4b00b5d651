"""What a learner is called on record: another one is told from it when a run goes on."""

from collections.abc import Callable
from typing import Any

from jax_al.outside import source_hash
from jax_al.types import Learner, Spec


def called(
    make: Callable[[Spec, int], Learner], name: str, **options: Any
) -> Callable[[Spec, int], Learner]:
    """Returns `make` with a name that holds all its options, as in "linear(penalty=0.01)"."""
    given = ", ".join(f"{option}={value!r}" for option, value in sorted(options.items()))
    make.__qualname__ = f"{name}({given})"
    return make


def described(make: Any) -> str:
    """Returns what a function that makes a learner is called, with its options or its source."""
    name = getattr(make, "__qualname__", type(make).__qualname__)
    if getattr(make, "__module__", "").startswith("jax_al."):
        return name
    return f"{name}, source {source_hash(make)}"
