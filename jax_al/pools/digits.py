"""scikit-learn's digits: 1,797 images of 8x8, embedded, no network needed."""

import importlib.util
import pathlib

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.cache import Split
from jax_al.pools.decode import resize_square
from jax_al.pools.splits import Source

TEST_SIZE = 500
_SEED = 1797  # a constant, so that every run and every machine sees the same split


def digits(image_size: int | None) -> Source:
    """Returns the digits: 1,297 "train" and 500 "test", drawn once and for ever."""
    table = _table()
    # Values are whole numbers 0..16; times 15 they are whole numbers 0..240: linear and exact.
    images = (table[:, :-1] * 15).astype(np.uint8).reshape(-1, 8, 8, 1)
    labels = table[:, -1].astype(np.int32)
    order = np.random.RandomState(_SEED).permutation(len(labels))
    splits = {"train": np.sort(order[TEST_SIZE:]), "test": np.sort(order[:TEST_SIZE])}

    def positions(split: str) -> np.ndarray:
        if split not in splits:
            raise UsageError(f"digits has no split {split!r}; its splits are train and test.")
        return splits[split]

    def read(split: str) -> Split:
        chosen = images[positions(split)]
        if image_size is not None:
            chosen = np.stack([resize_square(image, image_size) for image in chosen])
        return Split(images=chosen, labels=labels[positions(split)], ids=None)

    return Source(
        name="digits",
        version="1.0.0",
        classes=tuple(map(str, range(10))),
        rows=lambda split: [(split, range(len(positions(split))))],
        read=read,
    )


def _table() -> np.ndarray:
    """Returns the digits, a row each: 64 values, then the class.

    It is the file that `load_digits` reads; importing scikit-learn for it takes a second.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
    file = pathlib.Path(package.origin).parent / "datasets/data/digits.csv.gz"
    return np.loadtxt(file, delimiter=",", dtype=np.int64)
