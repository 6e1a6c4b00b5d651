"""Oracles: who answers."""

import inspect
from typing import Any

from jax_al.errors import UsageError, did_you_mean
from jax_al.oracles.people import people
from jax_al.oracles.simulated import simulated
from jax_al.outside import function_named
from jax_al.types import Benchmark, Oracle

NAMES = ("people", "simulated")


def make_oracle(name: str, benchmark: Benchmark, **options: Any) -> Oracle:
    """Returns the oracle of that name.

    Args:
      name: "simulated", "people", or "module:function" of one's own, which is called with
        `benchmark` and `options`; `jax_al.testing.oracle` checks what it returns.
      benchmark: the pool, and its truth where there is one.
      options: of the oracle.

    Raises:
      UsageError: there is none of that name, an option is unknown or out of range, or the truth
        that it needs is missing.
    """
    check_oracle(name, benchmark)
    if ":" in name:
        return _called(function_named("oracle", name), name, benchmark, **options)
    if name == "people":
        return _called(people, name, **options)
    return _called(simulated, name, benchmark.truth, **options)


def check_oracle(name: str, benchmark: Benchmark) -> None:
    """Makes sure that there is an oracle of that name for this benchmark, without making it.

    Raises:
      UsageError: there is none, or the truth that it needs is missing.
    """
    if ":" in name:
        function_named("oracle", name)
    elif name not in NAMES:
        raise UsageError(f"There is no oracle {name!r}; {did_you_mean(name, NAMES)}")
    elif name == "simulated" and benchmark.truth is None:
        raise UsageError(
            f"The pool {benchmark.name!r} has no labels to simulate answers from; "
            "let people answer, by config.oracle=people or in an al.Session."
        )


def _called(make: Any, name: str, *args: Any, **options: Any) -> Oracle:
    try:
        inspect.signature(make).bind(*args, **options)
    except TypeError as error:
        raise UsageError(f"The oracle {name!r} cannot be made: {error}.") from error
    made = make(*args, **options)
    if not (hasattr(made, "ask") and hasattr(made, "collect")):
        raise UsageError(
            f"{name!r} returned a {type(made).__name__}, which has no ask and collect; return an "
            "oracle."
        )
    return made
