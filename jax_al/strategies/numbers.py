"""Numbers that no strategy can reckon with, looked for in one place."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter.points import LARGEST
from jax_al.types import NOT_OF_POINTS, NOTHING, Signals

UNBOUNDED = frozenset(
    {"embedding", "head_inputs", "head"}
)  # signals that may hold any other number


def bad_rows(signals: Signals, excluded: Any) -> dict[str, Any]:
    """Returns for each signal of points the first row that none could reckon with, int32 [].

    That is one that holds NaN, infinity (but for log_probs, where minus infinity is a probability
    of 0) or, in an embedding, a number beyond LARGEST; NOTHING where there is none. Excluded rows,
    bool [N], may hold anything, and what is mapped from a file is not read. NumPy arrays give
    NumPy arrays.
    """
    xp: Any = np if isinstance(excluded, np.ndarray) else jnp

    def first(name: str, values: Any) -> Any:
        rows = xp.moveaxis(values, 1, 0) if name == "sampled_probs" else values
        if name in UNBOUNDED:
            is_bad = ~(abs(rows) <= LARGEST)
        elif name == "log_probs":
            is_bad = ~(rows < xp.inf)
        else:
            is_bad = ~xp.isfinite(rows)
        is_bad = is_bad.reshape(excluded.size, -1).any(axis=1) & ~excluded
        return xp.where(is_bad.any(), is_bad.argmax(), NOTHING).astype(np.int32)

    return {
        name: first(name, values)
        for name, values in signals._asdict().items()
        if values is not None
        and name not in NOT_OF_POINTS | {"true_labels"}
        and not isinstance(values, np.memmap)
    }


def refuse_bad_rows(found: dict[str, Any]) -> None:
    """Holds that no signal has such a row.

    Raises:
      UsageError: one has, which is named.
    """
    for name, row in found.items():
        if row != NOTHING:
            beyond = f" or a number beyond {LARGEST:g}" if name in UNBOUNDED else ""
            infinity = "plus infinity" if name == "log_probs" else "infinity"
            raise UsageError(
                f"{name} holds NaN, {infinity}{beyond} in row {row}: no strategy can reckon with "
                "it. If one example is broken, exclude it; if many are, look at where the signal "
                "comes from (a network that has diverged wants a smaller learning rate)."
            )
