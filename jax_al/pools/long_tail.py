"""Pools with a long tail: few classes that are common, many that are rare."""

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.subset import fixed_order


def long_tail_rows(labels: np.ndarray, num_classes: int, imbalance: float) -> np.ndarray:
    """Returns rows whose classes fall off exponentially, int64 and sorted; always the same ones.

    Class c keeps at most N / C * imbalance^(-c / (C - 1)) of its examples, cut to a whole number
    and at least one, as the long-tailed CIFAR of Cui et al. 2019, "Class-Balanced Loss Based on
    Effective Number of Samples": the first class has `imbalance` times as many as the last. What a
    larger imbalance keeps lies inside what a smaller one does.

    Args:
      labels: int [N].
      num_classes: C.
      imbalance: 1 or more.

    Raises:
      UsageError: `imbalance` is below 1 or no number.
    """
    is_number = type(imbalance) in (int, float) and np.isfinite(imbalance)
    if not is_number or imbalance < 1:
        raise UsageError(f"data.imbalance is {imbalance!r}, but must be a number, at least 1.")
    order, kept = fixed_order(len(labels)), []
    for label in range(num_classes):
        share = float(imbalance) ** (-label / max(1, num_classes - 1))
        most = max(1, int(len(labels) / num_classes * share + 1e-9))
        kept.append(order[labels[order] == label][:most])
    return np.sort(np.concatenate(kept))
