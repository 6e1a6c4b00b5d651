"""What a learner says of classes: held to be probabilities before anything is bought by them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jax_al.errors import UsageError
from jax_al.strategies.plain_arrays import LEEWAY

_LOOKED_AT = 1000  # rows: whoever forgets a log_softmax forgets it for all


def check_classes_of(found: Mapping[str, Any], num_classes: int) -> None:
    """Makes sure that `log_probs`, if found at all, has a column for each of C classes.

    Args:
      found: signals by name; shapes are enough.
      num_classes: C.

    Raises:
      UsageError: it has not.
    """
    if "log_probs" in found and found["log_probs"].shape[1:] != (num_classes,):
        raise UsageError(
            "The log_probs of the learner have a shape of "
            f"{list(found['log_probs'].shape[1:])} for each example, but must have one of "
            f"[{num_classes}], a number for each class."
        )


def check_log_probs(found: Mapping[str, Any], num_classes: int, excluded: np.ndarray) -> None:
    """Makes sure that `log_probs` float32 [N, C], if found at all, are logarithms of probabilities.

    Args:
      found: signals by name.
      num_classes: C.
      excluded: bool [N], rows that may hold anything.

    Raises:
      UsageError: they are not.
    """
    check_classes_of(found, num_classes)
    if "log_probs" not in found:
        return
    with np.errstate(over="ignore"):
        sums = np.exp(np.asarray(found["log_probs"])[:_LOOKED_AT]).sum(axis=1)
    off = ~(np.abs(sums - 1) <= LEEWAY) & ~excluded[: len(sums)]
    if off.any():
        row = int(np.argmax(off))
        raise UsageError(
            "The log_probs of the learner are no logarithms of probabilities: those of row "
            f"{row} add up to {sums[row]:.3g} and not to 1; jax.nn.log_softmax makes some of "
            "logits."
        )
