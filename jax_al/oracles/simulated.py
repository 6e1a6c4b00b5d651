"""The oracle: the one place that knows the truth, so no strategy can see a label not bought."""

from collections.abc import Callable

import numpy as np

INITIAL = ("random", "class_balanced")

Oracle = Callable[[np.ndarray], np.ndarray]  # pool indices int [Q] -> labels int32 [Q]


def simulated_oracle(labels: np.ndarray) -> Oracle:
    """Returns an oracle that answers from `labels` int32 [N], as a benchmark does."""
    return lambda indices: labels[indices]


def initial_indices(
    rng: np.random.Generator, how: str, labels: np.ndarray, size: int
) -> np.ndarray:
    """Chooses the points labeled before the first episode.

    Args:
      rng: the source of chance, made from the seed of the run.
      how: "random" (uniform without replacement) or "class_balanced" (as equal class counts as
        the pool allows, which only a simulation can do: it looks at the truth).
      labels: int32 [N], the truth.
      size: how many points, at most N.

    Returns:
      int64 [size], distinct pool indices.
    """
    shuffled = rng.permutation(labels.size)
    if how == "random":
        return shuffled[:size]
    # Deal the classes like cards: everyone's first point, then everyone's second, and so on. The
    # classes of an incomplete last deal are random because the sort is stable on a shuffled pool.
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, first, counts = np.unique(labels[by_class], return_index=True, return_counts=True)
    rank_in_class = np.arange(labels.size) - np.repeat(first, counts)
    chance = rng.random(labels.size)
    return by_class[np.lexsort((chance, rank_in_class))][:size]
