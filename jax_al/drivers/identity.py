"""What a strategy brings from outside, in hashes that last: another one is told on resume."""

import hashlib
import inspect
from pathlib import Path

from jax_al.features.jimm import PREFIX
from jax_al.features.model_files import model_files
from jax_al.outside import source_hash
from jax_al.types import Strategy


def fingerprints(strategy: Strategy) -> dict[str, str]:
    """Returns hashes of what a strategy brings from outside: its source, its features' files."""
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
    if strategy.embedding.startswith(PREFIX):
        found["embedding"] = model_files(strategy.embedding.removeprefix(PREFIX)).digest()
    return found
