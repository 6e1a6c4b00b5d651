"""What a strategy answered, held to what it promises before anything is bought."""

from typing import Any

import numpy as np

from jax_al.errors import UsageError
from jax_al.types import NOTHING, UNKNOWN, Query


def real_rows(query: Query, selectable: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows of a query, int64 [wanted], and which of its places hold them, bool [Q].

    Args:
      query: of NumPy arrays.
      selectable: bool [N], as it was before the strategy could write into it.
      wanted: how many rows must come.

    Raises:
      UsageError: others came; what is bought cannot be returned.
    """
    indices = np.asarray(query.indices)
    real = indices != NOTHING
    rows = indices[real].astype(np.int64)
    in_range = bool(((rows >= 0) & (rows < selectable.size)).all())
    if not in_range or len(np.unique(rows)) != wanted or not selectable[rows].all():
        raise UsageError(
            f"The strategy gave a wrong query: {wanted} distinct selectable rows were wanted, and "
            f"it answered {indices.tolist()[:20]}; al.testing.check_strategy tells more."
        )
    return rows, real


def wrong_pseudo_labels(
    labels: Any, picked: np.ndarray, selectable: np.ndarray, num_classes: int
) -> str | None:
    """Returns what is wrong with pseudo-labels, as a sentence without its end; None: nothing.

    Args:
      labels: int32 [N].
      picked: int [Q], the rows of the same query, without NOTHING.
      selectable: bool [N].
      num_classes: C.
    """
    has_one = labels != UNKNOWN
    odd = np.unique(labels[has_one & ~((labels >= 0) & (labels < num_classes))]).tolist()
    if odd:
        return (
            f"pseudo_labels must be classes from 0 to {num_classes - 1}, or {UNKNOWN} for none, "
            f"and {odd[:20]} are among them"
        )
    is_taken = ~selectable
    is_taken[picked] = True
    given = np.flatnonzero(has_one & is_taken).tolist()
    if given:
        return (
            "labeled, excluded and picked points must have no pseudo-label, and rows "
            f"{given[:20]} do"
        )
    return None
