"""What data, files and strategies are known by, in hashes that last: others are told on resume."""

import functools
import hashlib
import inspect
import os
import re
from pathlib import Path

import numpy as np

from jax_al.drivers.remade import outside_learner
from jax_al.features.jimm import PREFIX
from jax_al.features.model_files import model_files
from jax_al.features.named import FromFile
from jax_al.features.pool import FeaturePool
from jax_al.learners import MakeLearner
from jax_al.learners.naming import described
from jax_al.outside import function_named, source_hash
from jax_al.pools.rows import base_of
from jax_al.types import Benchmark, Pool, Strategy

_ROWS = 16  # that stand for all: who makes a file anew changes most of them


def examples_of(pool: Pool) -> str:
    """Returns the type and shape of the examples of a pool and, of numbers, a hash of a few.

    What another pool, or a file that was made anew, differs in. Of images the shape has to do:
    another version of a decoder gives other last bits.
    """
    pool = base_of(pool)
    return f"{kind_of(pool)} {sample_of(pool, len(pool))}".strip()


def sample_of(pool: Pool, size: int) -> str:
    """Returns a hash of a few of the first `size` examples of a pool, "" of images."""
    pool = base_of(pool)
    if pool.spec.is_image:
        return ""
    rows = np.unique(np.linspace(0, size - 1, min(_ROWS, size)).astype(np.int64))
    read = np.ascontiguousarray(pool.read(rows), np.float32)
    return hashlib.sha256(read.tobytes()).hexdigest()[:16]


def feature_files_of(*pools: Pool | None) -> str:
    """Returns hashes of the files that hold the features of some pools, "" where none do."""
    named = [
        path
        for pool in pools
        if isinstance(pool, FeaturePool)
        for one in pool.fitted
        if isinstance(one.features, FromFile)
        for path in (one.features.path, one.features.ids)
        if path is not None
    ]
    return " ".join(map(file_hash, named))


def file_hash(path: str) -> str:
    """Returns a hash of the bytes of a file."""
    whole = Path(path).expanduser()
    about = os.stat(whole)
    return _file_hash(whole, about.st_size, about.st_mtime_ns)


@functools.lru_cache  # each part of a run asks, and a file of features may be large
def _file_hash(path: Path, size: int, changed: int) -> str:
    del size, changed
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


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


def sources(learner: MakeLearner, oracle: str) -> dict[str, str]:
    """Returns what a learner and an oracle that are named "module:function" are told apart by.

    Args:
      learner: the maker; one that was given as such has its source in its name.
      oracle: its name.
    """
    found = {}
    if name := outside_learner(described(learner)):
        found["learner"] = described(function_named("learner", name))
    if re.fullmatch(r"[\w.]+:\w+", oracle):
        found["oracle"] = described(function_named("oracle", oracle))
    return found


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
        found["embedding"] = file_hash(strategy.embedding)
    if strategy.embedding.startswith(PREFIX):
        found["embedding"] = model_files(strategy.embedding.removeprefix(PREFIX)).digest()
    return found
