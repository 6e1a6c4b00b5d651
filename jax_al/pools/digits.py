"""scikit-learn's digits: 1,797 images of 8x8, embedded, no network needed."""

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.cache import Split
from jax_al.pools.decode import resize_square
from jax_al.pools.splits import Source

TEST_SIZE = 500
_SEED = 1797  # a constant, so that every run and every machine sees the same split


def digits(image_size: int | None) -> Source:
    """Returns the digits: 1,297 "train" and 500 "test", drawn once and for ever."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # Values are whole numbers 0..16; times 15 they are whole numbers 0..240: linear and exact.
    images = (bunch.images * 15).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int32)
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
        classes=tuple(map(str, bunch.target_names)),
        rows=lambda split: [(split, range(len(positions(split))))],
        read=read,
    )
