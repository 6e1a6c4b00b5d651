"""A small made-up split, whole and in blocks."""

import numpy as np

from jax_al.pools.cache import Split

SPLIT = Split(
    images=np.random.default_rng(0).integers(0, 256, (30, 40, 40, 1), np.uint8),
    labels=np.arange(30, dtype=np.int32),
    ids=np.array(["a", "bc", *map(str, range(28))]),
)


def blocks():
    for rows in (slice(0, 12), slice(12, 24), slice(24, 30)):
        yield Split(*(array[rows] for array in SPLIT))
