"""What a strategy answered, held to what it promises before anything is bought."""

import numpy as np

from jax_al.errors import UsageError
from jax_al.types import NOTHING, Query


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
