"""The choice: a strategy asked, in a program or on the host, and its answer checked."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.drivers.programs import Programs
from jax_al.errors import UsageError
from jax_al.geometry.kcenter import cover_radius_traced
from jax_al.strategies.absent import zero_excluded
from jax_al.strategies.answers import real_rows, wrong_pseudo_labels
from jax_al.strategies.numbers import bad_rows, refuse_bad_rows
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy


class Chosen(NamedTuple):
    """A query as NumPy arrays, what is left of it of those that are real."""

    rows: np.ndarray  # int64 [Q], in pick order
    scores: np.ndarray | None  # float32 [Q]
    info: dict[str, float]
    pseudo_labels: np.ndarray | None  # int32 [N]


def choose(
    programs: Programs,
    strategy: Strategy,
    select_key: jax.Array,
    signals: Signals,
    pool: PoolState,
    budget: int,
    wanted: int,
    num_classes: int,
) -> Chosen:
    """Asks `strategy`.

    Args:
      programs: where the compiled functions are kept.
      strategy: which.
      select_key: decides its chance.
      signals: what it needs, on the device or, mapped from a file, on the host.
      pool: the state of the pool.
      budget: Q, the size that the program is compiled for.
      wanted: how many rows must come: Q, or what is left.
      num_classes: C.

    Raises:
      UsageError: the signals are larger than the device and the strategy cannot read files, or
        hold what is no number; or the answer breaks the contract.
    """
    mapped = {name: x for name, x in signals._asdict().items() if isinstance(x, np.memmap)}
    check_mapped(strategy, mapped)
    any_excluded = bool(strategy.needs) and bool(np.asarray(pool.excluded).any())
    if strategy.on_host or mapped:
        # What is mapped stays so: as a plain array its type would not tell.
        seen, state = jax.tree.map(np.asanyarray, (signals, pool))
        if any_excluded:
            seen = zero_excluded(seen, state.excluded)
        refuse_bad_rows(bad_rows(seen, state.excluded))
        query = strategy.select(select_key, seen, state, budget)
    else:
        signals = jax.tree.map(jnp.asarray, signals)
        if any_excluded:
            broken = signals, pool.excluded
            signals = programs.get("absent", strategy.needs, zero_excluded, *broken)(*broken)
        given = select_key, signals, pool
        select = programs.get("select", (strategy, budget), _selecting(strategy, budget), *given)
        query, bad = select(*given)
        refuse_bad_rows(bad)
    if signals.embedding is not None and not mapped and "cover_radius" not in query.info:
        measured = jax.tree.map(jnp.asarray, (query.indices, signals.embedding, pool))
        cover = programs.get("cover", None, cover_radius, *measured)
        query = query._replace(info=query.info | {"cover_radius": cover(*measured)})
    return _checked(jax.tree.map(np.asarray, query), pool, wanted, num_classes)


def check_mapped(strategy: Strategy, mapped: Mapping[str, Any]) -> None:
    """Makes sure that `strategy` can do with signals in files.

    Args:
      strategy: which.
      mapped: those signals by name; shapes are enough.

    Raises:
      UsageError: it cannot.
    """
    if mapped and not strategy.reads_files:
        size = sum(int(np.prod(x.shape)) * np.dtype(x.dtype).itemsize for x in mapped.values())
        raise UsageError(
            f"This strategy would hold {', '.join(mapped)} of the whole pool in memory, {size:,} "
            "bytes: choose coreset or one that scores rows by log_probs, a smaller pool, or "
            "data.resident=yes on a machine with more memory."
        )


def compile_ahead(
    programs: Programs, strategy: Strategy, signals: Signals, pool: PoolState, budget: int
) -> None:
    """Compiles what `choose` needs, given shapes."""
    key = jax.random.key(0)
    if strategy.on_host:
        indices = jax.ShapeDtypeStruct((budget,), np.int32)
        has_radius = False
    else:
        select = _selecting(strategy, budget)
        programs.get("select", (strategy, budget), select, key, signals, pool)
        query, _ = jax.eval_shape(select, key, signals, pool)
        indices, has_radius = query.indices, "cover_radius" in query.info
    if signals.embedding is not None and not has_radius:
        programs.get("cover", None, cover_radius, indices, signals.embedding, pool)


def _selecting(
    strategy: Strategy, budget: int
) -> Callable[[jax.Array, Signals, PoolState], tuple[Query, dict[str, jax.Array]]]:
    def selecting(key, signals, pool):
        # In the same program: the signals are read anyway.
        query = strategy.select(key, signals, pool, budget)
        return query, bad_rows(signals, pool.excluded)

    return selecting


def cover_radius(picks: jax.Array, embedding: jax.Array, pool: PoolState) -> jax.Array:
    """Returns the cover radius, float32 [], when `picks` int32 [Q] are labeled too."""
    room = jnp.full(picks.size, NOTHING, jnp.int32)
    centers = jnp.concatenate([pool.order, room])
    centers = lax.dynamic_update_slice(centers, picks, (pool.num_labeled,))
    num_centers = pool.num_labeled + (picks != NOTHING).sum(dtype=jnp.int32)
    return cover_radius_traced(embedding, centers, num_centers, pool.excluded)


def _checked(query: Query, pool: PoolState, wanted: int, num_classes: int) -> Chosen:
    """Returns the real part of `query`."""
    selectable = np.asarray(pool.selectable)
    rows, real = real_rows(query, selectable, wanted)
    scores = None if query.scores is None else np.asarray(query.scores)[real]
    info = {name: float(value) for name, value in query.info.items()}
    pseudo_labels: Any = query.pseudo_labels
    if pseudo_labels is not None:
        wrong = wrong_pseudo_labels(pseudo_labels, rows, selectable, num_classes)
        if wrong is not None:
            raise UsageError(
                f"The strategy gave a wrong query: {wrong}; al.testing.check_strategy tells more."
            )
    return Chosen(rows, scores, info, pseudo_labels)
