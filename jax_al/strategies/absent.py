"""What signals say of excluded points: nothing."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jax_al.types import NOT_OF_POINTS, Signals


def zero_excluded(signals: Signals, excluded: Any) -> Signals:
    """Returns `signals` with 0 in place of what they say of excluded points, bool [N].

    Whoever asks a strategy owes it that, as an excluded point may be a broken one and hold NaN,
    which no factor of 0 takes out of a sum. It is done before a query, not within: there it would
    be a copy of the embedding, also where nobody is excluded. NumPy arrays give NumPy arrays; one
    that is mapped from a file stays as it is: who `reads_files` reads around what is excluded.
    """
    choose: Any = np.where if isinstance(excluded, np.ndarray) else jnp.where

    def present(name: str, values: Any) -> Any:
        if isinstance(values, np.memmap) or name in NOT_OF_POINTS:
            return values
        axis = 1 if name == "sampled_probs" else 0
        shape = [1] * values.ndim
        shape[axis] = excluded.size
        return choose(excluded.reshape(shape), 0, values)

    given = {name: values for name, values in signals._asdict().items() if values is not None}
    return Signals(**{name: present(name, values) for name, values in given.items()})
