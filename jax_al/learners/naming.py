"""What a learner is called on record: another one is told from it when a run goes on."""

from collections.abc import Callable
from typing import Any

from jax_al.types import Learner, Spec


def called(
    make: Callable[[Spec, int], Learner], name: str, **options: Any
) -> Callable[[Spec, int], Learner]:
    """Returns `make` with a name that holds all its options, as in "linear(penalty=0.01)"."""
    given = ", ".join(f"{option}={value!r}" for option, value in sorted(options.items()))
    make.__qualname__ = f"{name}({given})"
    return make
