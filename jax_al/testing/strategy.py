"""The contract of a strategy, as a function."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_al.errors import UsageError
from jax_al.strategies.answers import wrong_pseudo_labels
from jax_al.testing import made_up
from jax_al.types import NOTHING, PoolState, Signals, Strategy

N, BUDGET = 24, 4
SOME = np.array([7, 0, 11, 6])  # labeled
ABSENT = np.array([2, 9, 13, 20, 23])  # excluded
NOBODY = np.zeros(0, int)
SITUATIONS = {
    "points in general position": made_up.general,
    "every point four times": made_up.duplicates,
    "all points alike": made_up.alike,
    "a network sure of everything": made_up.saturated,
}

Ask = Callable[[int, Signals, PoolState, int], Any]  # a Query of NumPy arrays


class Case(NamedTuple):
    """One question."""

    words: str  # that say what is special about it
    signals: Signals
    pool: PoolState
    budget: int


def check_strategy(
    strategy: Strategy, *, num_classes: int = 4, seeds: Sequence[int] = (0, 1)
) -> None:
    """Holds a strategy to the contract, on small made-up pools of 24 points.

    It answers with `budget` distinct points that are neither labeled nor excluded, fewer only
    where fewer are left, whatever the pool: duplicates, one label, none, none left. Its `info` is
    finite numbers. It works under `jit` (unless `on_host`), the same key gives the same answer,
    and what it says of itself is true: `seeded=False`, `pseudo_labels`, `uses_labels`. Room for
    more labels changes nothing. What is excluded is as if it were absent: without chance,
    excluding points gives what deleting them gives; with chance, whatever such a point looks
    like changes nothing.

    A few programs are compiled, which takes seconds; a `select` that is jitted already, with a
    static budget, is asked as it is.

    Args:
      strategy: the one to try.
      num_classes: C, 2 or more.
      seeds: of the made-up signals and the keys.

    Raises:
      AssertionError: it breaks a promise, which the message names.
    """
    _check_fields(strategy)
    ask = _asker(strategy)
    for seed in seeds:
        for case in _cases(seed, num_classes):
            query = ask(seed, case.signals, case.pool, case.budget)
            _check_query(query, case)
        _check_chance(strategy, ask, seed, num_classes)
        _check_labels(strategy, ask, seed, num_classes)
        _check_excluded(strategy, ask, seed, num_classes)


def _check_fields(strategy: Strategy) -> None:
    _hold(isinstance(strategy, Strategy), f"{strategy!r} must be a Strategy")
    unknown = set(strategy.needs) - set(Signals._fields)
    _hold(not unknown, f"needs must name signals, and names {sorted(unknown)}")


def _asker(strategy: Strategy) -> Ask:
    """Asks with NumPy arrays, and answers with such."""
    ask: Callable[..., Any] = strategy.select
    if not strategy.on_host and not hasattr(ask, "lower"):  # the mark of what is jitted already
        ask = jax.jit(ask, static_argnums=3)

    def asker(seed: int, signals: Signals, pool: PoolState, budget: int) -> Any:
        needed = Signals(**{name: getattr(signals, name) for name in strategy.needs})
        try:
            query = ask(jax.random.key(seed), *jax.tree.map(_read_only, (needed, pool)), budget)
        except UsageError as error:  # such as what is no query
            raise AssertionError(str(error)) from error
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise AssertionError(
                "select writes into an array that it was given, which in a run may be read-only: "
                "copy it first."
            ) from error
        return jax.tree.map(np.asarray, query)

    return asker


def _read_only(array: Any) -> np.ndarray:
    """The same numbers, as a run gives them: JAX's own, which nobody may write into."""
    seen = np.asarray(array).view()
    seen.flags.writeable = False
    return seen


def _pool(labeled: np.ndarray, excluded: np.ndarray = NOBODY, capacity: int = N) -> PoolState:
    return made_up.pool_of(N, labeled, labeled % 2, excluded, capacity)


def _cases(seed: int, num_classes: int) -> Iterator[Case]:
    pools = {
        "no label": _pool(NOBODY),
        "one label": _pool(np.array([3])),
        "some labels": _pool(SOME),
        "labels of one class": _pool(2 * SOME),
        "one point left": _pool(np.arange(1, N)),
        "excluded points": _pool(SOME, ABSENT),
        "excluded points and no label": _pool(NOBODY, ABSENT),
        "one point that is neither labeled nor excluded": _pool(np.arange(3, N), np.array([0, 2])),
    }
    for (words, make), (more, pool) in itertools.product(SITUATIONS.items(), pools.items()):
        yield Case(f"{words}, {more}", make(seed, N, num_classes), pool, BUDGET)
    two = made_up.general(seed, N, 2)
    large = "a budget above what is left, two classes"
    for rows in (NOBODY, SOME, np.arange(N)):
        yield Case(f"{large}, {len(rows)} of {N} labeled", two, _pool(rows), N + 3)
    yield Case(f"{large}, excluded points", two, _pool(SOME, ABSENT), N + 3)


def _check_query(query: Any, case: Case) -> None:
    words, pool, budget = case.words, case.pool, case.budget
    selectable = np.flatnonzero(pool.selectable)
    count = min(budget, len(selectable))
    picks = query.indices
    is_vector = bool(picks.shape == (budget,) and np.issubdtype(picks.dtype, np.integer))
    _hold(is_vector, f"indices must be int32 [{budget}], not {picks.dtype} {picks.shape}", words)
    real = picks[:count].tolist()
    _hold(NOTHING not in real, f"{count} points are left and must be picked, not {real}", words)
    _hold(len(set(real)) == count, f"picks must be distinct, and are {real}", words)
    wrong = sorted(set(real) - set(selectable.tolist()))
    _hold(not wrong, f"picks must be neither labeled nor excluded, and {wrong} are", words)
    rest = picks[count:].tolist()
    _hold(set(rest) <= {NOTHING}, f"where no point is left stands NOTHING, not {rest}", words)
    for name, value in query.info.items():
        is_number = np.shape(value) == () and np.isfinite(value)
        _hold(is_number, f"info[{name!r}] must be a finite number, and is {value}", words)
    if query.scores is not None:
        shape = np.shape(query.scores)
        _hold(shape == (budget,), f"scores must be [{budget}], not {shape}", words)
    if query.pseudo_labels is not None:
        assert case.signals.log_probs is not None  # all signals are made up
        C = case.signals.log_probs.shape[1]
        odd = wrong_pseudo_labels(
            query.pseudo_labels, picks[:count], np.asarray(pool.selectable), C
        )
        _hold(odd is None, str(odd), words)


def _check_chance(strategy: Strategy, ask: Ask, seed: int, num_classes: int) -> None:
    signals, pool = made_up.general(seed, N, num_classes), _pool(SOME)
    picks = [ask(key, signals, pool, BUDGET).indices for key in (0, 0, 1, 2)]
    _hold(_same(*picks[:2]), "the same key must give the same query")
    if not strategy.seeded:
        _hold(_same(*picks), "seeded is False, so every key must give the same query")


def _check_labels(strategy: Strategy, ask: Ask, seed: int, num_classes: int) -> None:
    signals = made_up.general(seed, N, num_classes)
    plain = ask(seed, signals, _pool(SOME), BUDGET).indices
    narrow = ask(seed, signals, _pool(SOME, capacity=len(SOME)), BUDGET).indices
    _hold(_same(plain, narrow), f"room for more labels (L = {N}, not 4) must change no pick")
    if not strategy.uses_labels:
        others = made_up.pool_of(N, SOME, np.arange(4) % num_classes, NOBODY, N)
        picks = ask(seed, signals, others, BUDGET).indices
        _hold(_same(plain, picks), "uses_labels is False, so what the labels are changes no pick")


def _check_excluded(strategy: Strategy, ask: Ask, seed: int, num_classes: int) -> None:
    signals, pool = made_up.general(seed, N, num_classes), _pool(SOME, ABSENT)
    plain = ask(seed, signals, pool, BUDGET).indices
    for others in (made_up.filled(signals, 0), made_up.take(signals, np.roll(np.arange(N), 5))):
        strange = made_up.replaced(signals, ABSENT, others)
        picks = ask(seed, strange, pool, BUDGET).indices
        _hold(_same(plain, picks), "what an excluded point looks like must change no pick")
    if strategy.seeded:
        return  # with other positions chance is another
    left = np.setdiff1d(np.arange(N), ABSENT)
    rows = np.searchsorted(left, SOME)
    smaller = made_up.pool_of(len(left), rows, SOME % 2, NOBODY, N)
    signals = made_up.take(signals, left)
    picks = left[ask(seed, signals, smaller, BUDGET).indices]
    promise = "excluding points must give what deleting them gives"
    _hold(_same(plain, picks), f"{promise}: {picks.tolist()}, not {plain.tolist()}")


def _same(first: np.ndarray, *others: np.ndarray) -> bool:
    return all(np.array_equal(first, other) for other in others)


def _hold(holds: Any, promise: str, words: str = "") -> None:
    if not holds:
        raise AssertionError(f"{promise} ({words})." if words else f"{promise}.")
