"""What parts from outside promise, as functions that check it; our own parts pass them too."""

import importlib
from typing import Any

_WHERE = {
    "check_learner": "jax_al.testing.learner",
    "check_oracle": "jax_al.testing.oracle",
    "check_pool": "jax_al.testing.pool",
    "check_strategy": "jax_al.testing.strategy",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'jax_al.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
