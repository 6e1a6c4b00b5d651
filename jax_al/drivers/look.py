"""The look: what a learner says of every example of a pool, un-augmented, in fixed chunks.

One program looks at a block, chunk by chunk in a loop; a pool that is resident is one block. What a
chunk yields does not depend on the block it lies in, so the bits are the same either way.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.drivers.inputs import CHUNKS, HOST_BYTES, Inputs
from jax_al.drivers.programs import Programs
from jax_al.geometry.kcenter.points import LARGEST
from jax_al.strategies.draws import SAMPLED, draw_statistics
from jax_al.types import Learner

FINE = "fine"  # bool [B]: whether geometry can be done with what was found of a row


def map_chunks(function: Callable[[jax.Array], Any], inputs: jax.Array, chunk_size: int) -> Any:
    """Applies `function(inputs [B, ...])` to all N inputs, B at a time.

    The last chunk is padded by repeating the last input, and what it yields for the padding is
    cut off, so that every input counts once whatever N.

    Returns:
      What `function` returns, its arrays [B, ...] put together to [N, ...].
    """
    num_inputs = inputs.shape[0]
    chunk_size = min(chunk_size, num_inputs)
    num_chunks = -(-num_inputs // chunk_size)

    def one_chunk(chunk: jax.Array) -> Any:
        rows = chunk * chunk_size + jnp.arange(chunk_size)
        return function(jnp.take(inputs, rows, axis=0, mode="clip"))

    chunks = lax.map(one_chunk, jnp.arange(num_chunks))
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:num_inputs], chunks)


def look_at(
    learner: Learner, needs: frozenset[str], chunk_size: int, num_draws: int
) -> Callable[[jax.Array, Any, jax.Array], dict[str, jax.Array]]:
    """Returns the function of (key, State, inputs [R, ...]) that finds what is in `needs`.

    Args:
      learner: whose predictions and draws.
      needs: names of fields of `Signals` that a learner makes.
      chunk_size: looks at an input done together; peak memory grows with it.
      num_draws: T.

    The function returns arrays [R, ...] by name, examples first (`sampled_probs` [R, T, C]), and
    FINE.
    """
    drawn = needs & SAMPLED

    def one_chunk(key: jax.Array, state: Any, batch: jax.Array) -> dict[str, jax.Array]:
        found: dict[str, jax.Array] = {}
        if needs - drawn:
            outputs = learner.predict(state, batch)
            found = {name: getattr(outputs, name) for name in needs - drawn}
        if drawn:
            assert learner.sample is not None
            sample = learner.sample
            # All draws of a chunk at once: what comes before the first dropout is the same for all
            # of them and computed once. T x N x C exists only where it is asked for whole.
            log_probs = jax.vmap(lambda draw: sample(key, draw, state, batch))(
                jnp.arange(num_draws, dtype=jnp.int32)
            )
            found |= draw_statistics(log_probs, drawn)
        found[FINE] = _are_fine(found)
        return found

    at_once = _drawn_at_once(chunk_size, num_draws) if drawn else chunk_size

    def look(key: jax.Array, state: Any, inputs: jax.Array) -> dict[str, jax.Array]:
        return map_chunks(lambda batch: one_chunk(key, state, batch), inputs, at_once)

    return look


def look_over(
    programs: Programs,
    learner: Learner,
    inputs: Inputs,
    needs: frozenset[str],
    key: jax.Array,
    state: Any,
    *,
    chunk_size: int,
    num_draws: int,
    scratch: Path | None = None,
) -> dict[str, Any]:
    """Returns what is in `needs` of the whole pool of `inputs`, arrays [N, ...], and FINE.

    They are on the device where the pool is; where the pool comes in blocks they are NumPy arrays,
    and beyond HOST_BYTES mapped from a file without a name in the directory `scratch`.
    """
    run: Callable[..., dict[str, Any]]
    if learner.on_host:
        run = _host_look(learner, needs, num_draws)
    else:
        state = jax.device_put(state)  # once, not with every block
        look = look_at(learner, needs, chunk_size, num_draws)
        variant = (learner, needs, chunk_size, num_draws)
        run = programs.get("look", variant, look, key, state, inputs.shape)
    if inputs.is_resident:
        (block,) = inputs.blocks()
        return run(key, state, block.inputs)
    found: dict[str, Any] = {}
    for block in inputs.blocks():
        part = run(key, state, block.inputs)
        if not found:
            found = _room_for(part, len(inputs.pool), scratch)
        for name, values in part.items():
            found[name][block.start : block.start + block.count] = np.asarray(values)[: block.count]
    return found


def compile_ahead(
    programs: Programs,
    learner: Learner,
    inputs: Inputs,
    needs: frozenset[str],
    key: jax.Array,
    state: Any,
    chunk_size: int,
    num_draws: int,
) -> dict[str, jax.ShapeDtypeStruct]:
    """Compiles a look, given the shapes of a State; returns the shapes of what it will find."""
    look = look_at(learner, needs, chunk_size, num_draws)
    variant = (learner, needs, chunk_size, num_draws)
    programs.get("look", variant, look, key, state, inputs.shape)
    N, found = len(inputs.pool), jax.eval_shape(look, key, state, inputs.shape)
    shapes = {
        name: jax.ShapeDtypeStruct((N, *x.shape[1:]), x.dtype)
        for name, x in found.items()
        if name != FINE
    }
    if "sampled_probs" in shapes:
        _, T, C = shapes["sampled_probs"].shape
        shapes["sampled_probs"] = jax.ShapeDtypeStruct((T, N, C), np.float32)
    return shapes


def is_large(values: Any) -> bool:
    """Whether an array of this shape and type, found in blocks, is kept in a file."""
    return int(np.prod(values.shape)) * np.dtype(values.dtype).itemsize > HOST_BYTES // 4


def _drawn_at_once(chunk_size: int, num_draws: int) -> int:
    """How many inputs, each drawn T = `num_draws` times, make a chunk.

    They divide a block, so that a row has the same place in its chunk wherever blocks begin.
    """
    most = max(1, chunk_size // num_draws)
    return next(size for size in range(most, 0, -1) if CHUNKS * chunk_size % size == 0)


def _are_fine(found: dict[str, jax.Array]) -> jax.Array:
    """Whether the numbers of each row are finite and no larger than distances can be made of."""
    # Log probabilities may be of any size: no distance is made of them.
    fine = [
        (jnp.isfinite(x) if name == "log_probs" else jnp.abs(x) <= LARGEST)
        .reshape(x.shape[0], -1)
        .all(axis=1)
        for name, x in found.items()
    ]
    return jnp.stack(fine).all(axis=0)


def _room_for(part: dict[str, Any], num_rows: int, scratch: Path | None) -> dict[str, Any]:
    """Arrays for the whole pool, of the types of one block's."""
    room: dict[str, Any] = {}
    for name, values in part.items():
        whole = jax.ShapeDtypeStruct((num_rows, *values.shape[1:]), np.dtype(values.dtype))
        if is_large(whole):
            with tempfile.TemporaryFile(dir=scratch) as file:
                room[name] = np.memmap(file, whole.dtype, "w+", shape=whole.shape)
        else:
            room[name] = np.empty(whole.shape, whole.dtype)
    return room


def _host_look(
    learner: Learner, needs: frozenset[str], num_draws: int
) -> Callable[..., dict[str, Any]]:
    """The same for a learner that is never traced."""
    drawn = needs & SAMPLED

    def look(key: jax.Array, state: Any, inputs: Any) -> dict[str, Any]:
        inputs, found = np.asarray(inputs), {}
        if needs - drawn:
            outputs = learner.predict(state, inputs)
            found = {name: np.asarray(getattr(outputs, name)) for name in needs - drawn}
        if drawn:
            assert learner.sample is not None
            log_probs = np.stack(
                [learner.sample(key, draw, state, inputs) for draw in range(num_draws)]  # type: ignore[arg-type]
            )
            found |= jax.tree.map(np.asarray, draw_statistics(jnp.asarray(log_probs), drawn))
        found[FINE] = np.asarray(_are_fine(jax.tree.map(jnp.asarray, found)))
        return found

    return look
