"""Any strategy, asked once, on plain arrays."""

import functools
import inspect
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.errors import UsageError
from jax_al.geometry.kcenter.rows import check_rows, name_rows
from jax_al.strategies.absent import zero_excluded
from jax_al.strategies.answers import real_rows
from jax_al.strategies.draws import SAMPLED, draw_statistics
from jax_al.strategies.plain_arrays import (
    SUMS_TO_ONE,
    as_labels,
    as_signals,
    check_values,
    count_points,
    described,
    whole,
)
from jax_al.strategies.schedule import is_schedule, stages_of
from jax_al.strategies.table import make_strategy
from jax_al.types import NOTHING, UNKNOWN, PoolState, Query, Signals, Strategy

PROBABILITIES = frozenset(Signals._fields) - {"embedding", "head_inputs", "true_labels", "head"}


class Picked(NamedTuple):
    """Which points to label next."""

    rows: np.ndarray  # int64 [Q], distinct, neither labeled nor excluded, in pick order
    scores: np.ndarray | None  # float32 [Q], why each was picked: its score or its distance
    info: dict[str, float]  # what the strategy tells of its answer


def select(
    strategy: str | Strategy,
    *,
    budget: int,
    labeled: Any = None,
    labels: Any = None,
    exclude: Any = None,
    seed: int = 0,
    num_points: int | None = None,
    options: Mapping[str, Any] | None = None,
    **signals: Any,
) -> Picked:
    """Picks the points that a strategy would label next.

        select("margin", budget=50, labeled=rows, log_probs=lp)
        select("typiclust", budget=50, embedding=x, exclude=broken, seed=0)

    Where no row is labeled, a strategy that goes by probabilities alone takes them as they are;
    another that must know a label draws at random, and says so (`random_fallback` in `info` is 1).
    It is asked as for the first time: of earlier queries, which `ceal` counts, nothing is known.
    Compiled once for a strategy, its options and the shapes, as labels grow for each power of two.

    Args:
      strategy: a name, "module:function" for one from outside, or a `Strategy`.
      budget: Q, points wanted; fewer are picked where fewer are left.
      labeled: rows that have a label, in any order, or a mask bool [N].
      labels: int [len(labeled)], their classes, from 0; for strategies that look at them. With a
        mask, in the order of the rows.
      exclude: rows that are as if absent, or a mask bool [N]; their signals may be anything.
      seed: decides what the strategy leaves to chance.
      num_points: N, where nothing else tells it.
      options: of a strategy that is named.
      signals: fields of `jax_al.types.Signals`: `embedding` [N, D], `log_probs` [N, C], ...;
        `sampled_probs` [T, N, C] does for all of the `mc_` ones.

    Returns:
      `Picked`.

    Raises:
      UsageError: a signal is missing, unknown, of the wrong shape or holds what it cannot; rows out
        of range, repeated, or both labeled and excluded; a budget below 1; a bad option; a
        strategy of one's own answers with other rows than it may.
    """
    made = _made(strategy, dict(options or {}))
    name = repr(strategy) if isinstance(strategy, str) else "the strategy"
    if made.lookahead:
        raise UsageError(
            f"{name} refits a learner on what it tries, so only a run with a simulated oracle can "
            "ask it: al.run, or jax-al compare."
        )
    budget, seed = whole("budget", budget, 1), whole("seed", seed, 0)
    given: dict[str, Any] = as_signals(signals, inspect.signature(select).parameters)
    for need in sorted(made.needs - given.keys()):
        if not (need in SAMPLED and "sampled_probs" in given):
            instead = ", or sampled_probs instead" if need in SAMPLED - {"sampled_probs"} else ""
            raise UsageError(f"{name} needs {need}: {described(need)}{instead}.")
    N = count_points(given, {"labeled": labeled, "exclude": exclude}, num_points)
    rows, absent = check_rows("labeled", labeled, N), check_rows("exclude", exclude, N)
    both = np.intersect1d(rows, absent)
    if both.size:
        raise UsageError(
            f"labeled and exclude both name {name_rows(both.tolist())}: leave out one of them."
        )
    excluded = np.zeros(N, bool)
    excluded[absent] = True
    C = next((a.shape[-1] for s, a in given.items() if s in ("log_probs", "mc_probs")), None)
    for signal, values in given.items():
        check_values(signal, values, excluded, C)
        if signal in SUMS_TO_ONE:  # a hair below 0, which is let pass, has no logarithm
            given[signal] = np.maximum(values, 0)
    if labels is not None:
        known = as_labels(labels, len(rows), C)
    elif made.uses_labels and len(rows):
        raise UsageError(f"{name} needs labels: int [{len(rows)}], the class of each labeled row.")
    else:
        known = np.full(len(rows), UNKNOWN, np.int32)
    pool = _pool(N, rows, known, excluded)
    # Whoever has probabilities has a network that has learned something.
    if made.needs <= PROBABILITIES and not made.uses_labels:
        pool = pool._replace(num_labeled=jnp.int32(max(1, len(rows))))
    looked_at = made.needs if made.needs <= given.keys() else made.needs | {"sampled_probs"}
    wanted = Signals(**{signal: given[signal] for signal in looked_at & given.keys()})
    if absent.size:
        wanted = zero_excluded(wanted, excluded)
    ask = _ask(made) if made.on_host else _program(made)
    selectable = np.array(pool.selectable)
    query = ask(jax.random.key(seed), wanted, pool, min(budget, N))
    rows, real = real_rows(query, selectable, min(budget, int(selectable.sum())))
    return Picked(
        rows,
        None if query.scores is None else np.asarray(query.scores, np.float32)[real],
        {key: float(value) for key, value in query.info.items()},
    )


def _made(strategy: str | Strategy, options: dict[str, Any]) -> Strategy:
    if isinstance(strategy, Strategy):
        if options:
            raise UsageError("options are for a strategy that is named; this one is made already.")
        return strategy
    if not isinstance(strategy, str):
        raise UsageError(f"strategy is {strategy!r}; it must be a name or a Strategy.")
    names = [name for name, _ in stages_of(strategy)] if is_schedule(strategy) else [strategy]
    # What is made anew is compiled anew. (From outside: its module may have been loaded again.)
    is_outside = any(":" in name for name in names)
    if is_outside or not all(isinstance(value, Hashable) for value in options.values()):
        return make_strategy(strategy, **options)
    return _named(strategy, tuple((key, type(value), value) for key, value in options.items()))


@functools.lru_cache(maxsize=64)
def _named(name: str, options: tuple[tuple[str, type, Any], ...]) -> Strategy:
    return make_strategy(name, **{key: value for key, _, value in options})


@functools.lru_cache(maxsize=64)
def _program(made: Strategy) -> Callable[..., Query]:
    return jax.jit(_ask(made), static_argnums=3)


def _ask(made: Strategy) -> Callable[..., Query]:
    def ask(key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        given = {name: values for name, values in signals._asdict().items() if values is not None}
        if missing := made.needs - given.keys():
            given |= draw_statistics(jnp.log(given["sampled_probs"]), missing)
        return made.select(key, Signals(**{need: given[need] for need in made.needs}), pool, budget)

    return ask


def _pool(N: int, rows: np.ndarray, labels: np.ndarray, excluded: np.ndarray) -> PoolState:
    """The state of a pool before its first query, in NumPy; L is a power of two."""
    count = len(rows)
    labeled, told = np.zeros(N, bool), np.full(N, UNKNOWN, np.int32)
    labeled[rows], told[rows] = True, labels
    order = np.full(1 << max(0, count - 1).bit_length(), NOTHING, np.int32)
    order[:count] = rows
    number: Any = np.int32
    return PoolState(
        *(labeled, excluded, told, order),  # type: ignore[arg-type]
        num_labeled=number(count),
        num_initial=number(count),
        num_queries=number(0),
    )
