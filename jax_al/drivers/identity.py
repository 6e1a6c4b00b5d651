"""What a strategy brings from outside, in hashes that last: another one is told on resume."""

import hashlib
import inspect
from pathlib import Path

import numpy as np

from jax_al.features.jimm import PREFIX
from jax_al.features.model_files import model_files
from jax_al.outside import source_hash
from jax_al.pools.rows import base_of
from jax_al.types import Benchmark, Pool, Strategy

_ROWS = 16  # that stand for all: who makes a file anew changes most of them


def examples_of(pool: Pool) -> str:
    """Returns the type and shape of the examples of a pool and, of numbers, a hash of a few.

    What another pool, or a file that was made anew, differs in. Of images the shape has to do:
    another version of a decoder gives other last bits.
    """
    pool = base_of(pool)
    words = kind_of(pool)
    if pool.spec.is_image:
        return words
    rows = np.unique(np.linspace(0, len(pool) - 1, min(_ROWS, len(pool))).astype(np.int64))
    read = np.ascontiguousarray(pool.read(rows), np.float32)
    return f"{words} {hashlib.sha256(read.tobytes()).hexdigest()[:16]}"


def kind_of(pool: Pool) -> str:
    """Returns the type and shape of the examples of a pool."""
    return f"{pool.spec.dtype} {tuple(pool.spec.shape)}"


def test_of(benchmark: Benchmark) -> dict[str, str]:
    """Returns what says whether it is the same test set; nothing where there is none."""
    test, labels = benchmark.test, benchmark.test_labels
    if test is None:
        return {}
    told = "" if labels is None else hashlib.sha256(labels.astype(np.int64).tobytes()).hexdigest()
    return {"test": f"{len(test)} {examples_of(test)} {told[:16]}".strip()}


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
