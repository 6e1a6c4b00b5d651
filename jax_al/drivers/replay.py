"""From the record to what a strategy may know of the pool."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jax_al.session.fold import Record
from jax_al.types import NOTHING, UNKNOWN, PoolState, empty_pool, label_points


def replay(
    record: Record, labels_owned: Sequence[int], num_points: int, capacity: int
) -> PoolState:
    """Returns the state of a pool of N = `num_points`, with room for L = `capacity` labels.

    The rows are those of `record.order`, `labels_owned` what a learner knows them as. At full
    capacity whatever the count, so that no episode brings a new shape to compile for.
    """
    excluded = np.zeros(num_points, bool)
    # Whoever was decided and has not joined, without a class or answered late; what is held out.
    excluded[list(record.decisions.keys() - set(record.order) | record.held_out.keys())] = True
    rows, labels = np.full(capacity, NOTHING, np.int32), np.full(capacity, UNKNOWN, np.int32)
    rows[: len(record.order)] = record.order
    labels[: len(record.order)] = labels_owned
    state = label_points(
        empty_pool(num_points, capacity, excluded), jnp.asarray(rows), jnp.asarray(labels)
    )
    return state._replace(
        num_initial=jnp.int32(record.num_initial), num_queries=jnp.int32(record.num_queries)
    )
