"""Who a learner or a strategy is, in words that last: another one is told from it on resume."""

import hashlib
import inspect
from pathlib import Path
from typing import Any

from jax_al.outside import source_hash
from jax_al.types import Strategy


def described(make: Any) -> str:
    """Returns what a function that makes a learner is called, with its options or its source."""
    name = getattr(make, "__qualname__", type(make).__qualname__)
    if getattr(make, "__module__", "").startswith("jax_al."):
        return name
    return f"{name}, source {source_hash(make)}"


def fingerprints(strategy: Strategy) -> dict[str, str]:
    """Returns hashes of what a strategy brings from outside: its source, its features file."""
    found = {}
    sources = [
        source_hash(select)
        for part in strategy.parts or (strategy,)
        if not ((select := inspect.unwrap(part.select)).__module__ or "").startswith("jax_al.")
    ]  # no module: made by exec
    if sources:
        found["strategy"] = ",".join(sources)
    if strategy.embedding.endswith(".npy"):
        with open(Path(strategy.embedding).expanduser(), "rb") as file:
            found["embedding"] = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    return found
