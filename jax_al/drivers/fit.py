"""The fit: what a learner is trained on, put on the device once, and the loop over `advance`."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.drivers.programs import Programs
from jax_al.types import NOTHING, UNKNOWN, Examples, Fit, Learner, Pool, Spec


def gather(pool: Pool, rows: Sequence[int], labels: Sequence[int], capacity: int) -> Examples:
    """Returns the labeled examples as NumPy arrays, padded at the end to L = `capacity`.

    Args:
      pool: where they are read from.
      rows: of the pool, distinct, at most L.
      labels: one for each.
      capacity: L.
    """
    count = len(rows)
    inputs = np.zeros((capacity, *pool.spec.shape), pool.spec.dtype)
    if count:
        inputs[:count] = pool.read(np.asarray(rows, np.int64))
    padded_rows, padded_labels = np.full(capacity, NOTHING), np.full(capacity, UNKNOWN)
    padded_rows[:count], padded_labels[:count] = rows, labels
    leaves: tuple[Any, ...] = (
        inputs,
        padded_labels.astype(np.int32),
        (np.arange(capacity) < count).astype(np.float32),
        padded_rows.astype(np.int32),
        np.int32(count),
    )
    return Examples(*leaves)


class Shapes(NamedTuple):
    """Those of a fit."""

    examples: Examples
    state: Any
    training: Any


def shapes_of(learner: Learner, context: Any, spec: Spec, capacity: int) -> Shapes:
    """Traces how a fit of up to L = `capacity` examples begins; nothing is computed.

    Raises:
      UsageError: the learner cannot be fitted.
    """
    key = jax.random.key(0)

    def of(shape: tuple[int, ...], dtype: Any) -> Any:
        return jax.ShapeDtypeStruct(shape, dtype)

    examples = Examples(
        of((capacity, *spec.shape), spec.dtype),
        of((capacity,), np.int32),
        of((capacity,), np.float32),
        of((capacity,), np.int32),
        of((), np.int32),
    )
    state = jax.eval_shape(learner.init, key, context)
    training = jax.eval_shape(learner.begin, key, state, examples, context)
    return Shapes(examples, state, training)


def compile_ahead(
    programs: Programs, learner: Learner, context: Any, spec: Spec, capacity: int
) -> Any:
    """Compiles what a fit of up to L = `capacity` examples needs; returns the shapes of a State."""
    key = jax.random.key(0)
    examples, state, training = shapes_of(learner, context, spec, capacity)
    programs.get("init", learner, learner.init, key, context)
    programs.get("begin", learner, learner.begin, key, state, examples, context)
    programs.get("advance", learner, learner.advance, training, examples, context, donated=0)
    programs.get("finish", learner, learner.finish, training)
    return state


def start(programs: Programs, learner: Learner, key: jax.Array, context: Any) -> Any:
    """Returns an untrained State."""
    if learner.on_host:
        return learner.init(key, context)
    return programs.get("init", learner, learner.init, key, context)(key, context)


def fit(
    programs: Programs,
    learner: Learner,
    train_key: jax.Array,
    state: Any,
    examples: Examples,
    context: Any,
    on_step: Callable[[], None] = lambda: None,
) -> tuple[Any, Fit]:
    """Trains on `examples`, of which there is at least one.

    Args:
      programs: where the compiled functions are kept.
      learner: what is trained.
      train_key: decides all chance of the fit.
      state: where to start from.
      examples: of capacity L; the shapes, and so the programs, depend on L alone.
      context: of the learner, of the pool.
      on_step: called after each `advance`.

    Returns:
      The State at the end, and how it went.
    """
    if learner.on_host:
        count = int(examples.count)
        whole = Examples(*(leaf[:count] if leaf.ndim else leaf for leaf in examples))
        training = learner.begin(train_key, state, whole, context)
        for _ in range(learner.steps):
            training = learner.advance(training, whole, context)
            on_step()
        return learner.finish(training)
    examples = jax.tree.map(jnp.asarray, examples)
    given = train_key, state, examples, context
    training = programs.get("begin", learner, learner.begin, *given)(*given)
    advance = programs.get(
        "advance", learner, learner.advance, training, examples, context, donated=0
    )
    for _ in range(learner.steps):
        training = advance(training, examples, context)
        # One step at a time, so that Ctrl-C and the progress bar need not wait for a fit.
        jax.block_until_ready(training)
        on_step()
    return programs.get("finish", learner, learner.finish, training)(training)
