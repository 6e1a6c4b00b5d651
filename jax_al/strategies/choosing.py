"""What strategies share: taking the highest, chance before there is any label, option checks."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.errors import UsageError
from jax_al.types import NOTHING, UNKNOWN, PoolState, Query, Signals

MOST_INT32 = 2**31 - 1  # what fits into the integers of a compiled program
LARGEST_OPTION = 1e15  # beyond it, squares and products of options overflow float32

Select = Callable[[jax.Array, Signals, PoolState, int], Query]


def tie_order(key: jax.Array, num_points: int) -> jax.Array:
    """Returns all rows int32 [N], shuffled: of equals, the one that comes first is taken.

    The order of the pool would not do: folders are sorted by class.
    """
    # One sort, where `jax.random.permutation` makes two from 1,625 points on; that of a million
    # points some pairs have the same bits, and come by row, shows nowhere.
    return jnp.argsort(jax.random.bits(key, (num_points,))).astype(jnp.int32)


def highest(key: jax.Array, scores: jax.Array, pool: PoolState, budget: int) -> jax.Array:
    """Returns the selectable points with the highest of `scores` float32 [N], best first.

    Chance decides between equals. A score of NaN counts as the lowest. Where fewer than `budget`
    points are left, the end of the answer int32 [Q] is NOTHING.

    Only who is equal to the last pick may be in or out, so nothing of the size of the pool is
    sorted: an eighth of the time of shuffling it at N = 50,000, a fortieth at a million.
    """
    scores = _comparable(scores, jnp.asarray(pool.selectable))  # on the host it may be NumPy's
    size = min(budget, scores.size)
    if not size:
        return jnp.full(budget, NOTHING, jnp.int32)
    edge = _top(scores, size)[0][-1]
    # 29 bits as a positive number of float32, the one type whose top_k is fast on a CPU.
    bits = (jax.random.bits(key, scores.shape) >> 3) + jnp.uint32(0x00800000)
    lots = lax.bitcast_convert_type(bits, jnp.float32)
    rank = jnp.where(scores > edge, jnp.inf, jnp.where(scores == edge, lots, -jnp.inf))
    rows = _top(rank, size)[1]
    rows = rows[jnp.lexsort((-lots[rows], -scores[rows]))]
    rows = jnp.where(jnp.isneginf(scores[rows]), NOTHING, rows).astype(jnp.int32)
    return jnp.pad(rows, (0, budget - size), constant_values=NOTHING)


def _top(values: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    # Without the barrier XLA sorts all of it wherever only a part of the answer is used.
    return lax.optimization_barrier(lax.top_k(values, size))


def highest_in_order(
    order: jax.Array, scores: jax.Array, pool: PoolState, budget: int
) -> jax.Array:
    """As `highest`; of equals, the one that comes first in `order` int32 [N]."""
    offered = jnp.asarray(pool.selectable)
    places = _first_highest(jnp.asarray(scores)[order], offered[order], budget)
    return jnp.where(places == NOTHING, NOTHING, order[places])


def _first_highest(scores: jax.Array, offered: jax.Array, budget: int) -> jax.Array:
    best, places = lax.top_k(_comparable(scores, offered), min(budget, scores.size))
    places = jnp.where(jnp.isneginf(best), NOTHING, places).astype(jnp.int32)
    return jnp.pad(places, (0, budget - places.size), constant_values=NOTHING)


def _comparable(scores: jax.Array, offered: jax.Array) -> jax.Array:
    """Returns scores float32 [N] that `top_k` can compare, minus infinity for who is not offered.

    It takes -0.0 for less than 0.0.
    """
    lowest, highest = (float(x) for x in (jnp.finfo(jnp.float32).min, jnp.finfo(jnp.float32).max))
    scores = jnp.asarray(scores).astype(jnp.float32)
    scores = jnp.nan_to_num(scores, nan=lowest, posinf=highest, neginf=lowest)
    return jnp.where(offered, jnp.where(scores == 0, 0.0, scores), -jnp.inf)


def by_score(key: jax.Array, scores: jax.Array, pool: PoolState, budget: int) -> Query:
    """Returns the query of the selectable points with the highest scores, best first.

    Where fewer than `budget` points are left, the end of the query is NOTHING. A score of NaN
    counts as the lowest.

    Args:
      key: decides the order among equal scores.
      scores: float32 [N], higher = wanted more.
      pool: which points are selectable.
      budget: Q.
    """
    indices = highest(key, scores, pool, budget)
    return Query(indices, {}, scores=scores_of(scores, indices))


def scores_of(scores: jax.Array, indices: jax.Array) -> jax.Array:
    """Returns those of `scores` float32 [N] that belong to `indices`, NaN for NOTHING."""
    return jnp.where(indices == NOTHING, jnp.nan, scores[jnp.maximum(indices, 0)])


def at_random(key: jax.Array, pool: PoolState, budget: int) -> jax.Array:
    """Returns selectable points, uniformly and without replacement, as `highest` does."""
    # A permutation holds no ties, unlike 32-bit noise on a pool of 50,000, and up to 2^24 points
    # each of its numbers is one of float32.
    order = jax.random.permutation(key, pool.labeled.size)
    return _first_highest(order.astype(jnp.float32), pool.selectable, budget)


def sample_present(key: jax.Array, pool: PoolState, size: int) -> jax.Array:
    """Returns `size` points int32 [M], labeled or not, drawn uniformly without replacement.

    Where that is the whole pool nothing is drawn: they come in order. Excluded ones come last,
    and only where the others are fewer than `size`.
    """
    N = pool.labeled.size
    order = jnp.arange(N) if size == N else jax.random.permutation(key, N)
    return order[jnp.argsort(pool.excluded[order], stable=True)][:size]


def answering(select: Select, *, pseudo_labels: bool = False) -> Select:
    """Holds that `select` answers with a `Query`; what else it may be, nothing here could use.

    Args:
      select: asked.
      pseudo_labels: whether its queries must bring some, or must bring none.

    Raises:
      UsageError: it does not.
    """

    @functools.wraps(select)
    def wrapped(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        query: Any = select(query_key, signals, pool, budget)
        wrong = None
        if not isinstance(query, Query):
            wrong = "an array" if hasattr(query, "shape") else f"a {type(query).__name__}"
        elif not isinstance(query.info, dict):
            wrong = f"one whose info is a {type(query.info).__name__}"
        elif not hasattr(query.indices, "dtype"):
            wrong = f"one whose indices are a {type(query.indices).__name__}, and no array"
        elif (kind := np.dtype(jnp.result_type(query.indices))).kind not in "iu":
            wrong = f"one whose indices are {kind}"
        elif jnp.shape(query.indices) != (budget,):
            wrong = f"one whose indices are of shape {list(jnp.shape(query.indices))}"
        elif query.scores is not None and np.shape(query.scores) != (budget,):
            wrong = f"one whose scores are of shape {list(np.shape(query.scores))}"
        elif unlike := _unlike_pseudo_labels(query.pseudo_labels, pseudo_labels, pool.labeled.size):
            wrong = unlike
        elif others := [name for name, value in query.info.items() if not _is_number(value)]:
            wrong = f"one whose info[{others[0]!r}] is no number"
        if wrong is not None:
            raise UsageError(
                f"A strategy must return a Query of int32 [{budget}] rows and a dict, as by_score "
                f"makes it, and this one returned {wrong}."
            )
        return query

    return wrapped


def _unlike_pseudo_labels(labels: Any, are_promised: bool, num_points: int) -> str | None:
    """Returns what a query is whose pseudo-labels are none of int32 [N], or not as promised.

    What they may be is for `answers.wrong_pseudo_labels`: here they may be traced.
    """
    if (labels is not None) != are_promised:
        if are_promised:
            return "one without pseudo_labels, though it is made with pseudo_labels=True"
        return "one with pseudo_labels, though it is not made with pseudo_labels=True"
    if labels is None:
        return None
    kind = getattr(labels, "dtype", None)
    if kind is None or not jnp.issubdtype(kind, jnp.integer):
        return f"one whose pseudo_labels are {kind or type(labels).__name__}, not int32"
    if np.shape(labels) != (num_points,):
        shape = list(np.shape(labels))
        return f"one whose pseudo_labels are of shape {shape}, not [{num_points}], one a point"
    return None


def _is_number(value: Any) -> bool:
    """Whether `value` is one number: of Python, of NumPy, or traced."""
    if isinstance(value, bool | int | float):
        return True
    kind = getattr(value, "dtype", str)
    is_number = any(jnp.issubdtype(kind, one) for one in (jnp.number, jnp.bool_))
    return np.shape(value) == () and is_number


def random_without_labels(select: Select, *, on_host: bool = False) -> Select:
    """Makes a strategy that must know a label fall back to random sampling while there is none.

    Its `info` says so: `random_fallback` is 1 then, else 0. The strategy's own query is not worked
    out then (under `vmap` it is, for nothing): its `info` reads 0 and its scores are NaN. `on_host`
    nothing is known of them, and they are missing.
    """
    if on_host:
        return _random_without_labels_on_host(select)

    @functools.wraps(select)
    def wrapped(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        select_key, random_key = jax.random.split(query_key)

        def informed() -> Query:
            return select(select_key, signals, pool, budget)

        like: Query = jax.eval_shape(informed)

        def blind() -> Query:
            guesses, scores = like.pseudo_labels, like.scores
            return Query(
                at_random(random_key, pool, budget),
                {name: jnp.float32(0) for name in like.info},
                None if guesses is None else jnp.full(guesses.shape, UNKNOWN, jnp.int32),
                None if scores is None else jnp.full(scores.shape, jnp.nan),
            )

        is_blind = pool.num_labeled == 0
        query = lax.cond(is_blind, blind, informed)
        return query._replace(info=query.info | {"random_fallback": is_blind.astype(jnp.float32)})

    return wrapped


def _random_without_labels_on_host(select: Select) -> Select:
    @functools.wraps(select)
    def wrapped(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        select_key, random_key = jax.random.split(query_key)
        is_blind: Any = np.float32(pool.num_labeled == 0)
        if is_blind:
            picks: Any = np.asarray(at_random(random_key, pool, budget))
            query = Query(picks, {})
        else:
            query = select(select_key, signals, pool, budget)
        return query._replace(info=query.info | {"random_fallback": is_blind})

    return wrapped


def check_number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float = LARGEST_OPTION,
    below: float | None = None,
) -> None:
    """Holds the option `name` to be a finite number within these bounds, those that are given.

    Raises:
      UsageError: it is not.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if (
        not (is_number and abs(value) <= max(most, LARGEST_OPTION))  # false for NaN, too
        or (least is not None and value < least)
        or (above is not None and value <= above)
        or value > most
        or (below is not None and value >= below)
    ):
        is_too_large = is_number and most < value < math.inf
        shown = most if is_too_large or most < LARGEST_OPTION else None
        raise _refusal(name, value, "number", least, above, shown, below)


def check_whole(name: str, value: Any, least: int, most: int = MOST_INT32) -> None:
    """Holds the option `name` to be a whole number from `least` to `most`.

    Raises:
      UsageError: it is not.
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or value < least or value > most:
        is_too_many = is_whole and value > most
        shown = most if is_too_many or most < MOST_INT32 else None
        raise _refusal(name, value, "whole number", least, None, shown, None)


def _refusal(
    name: str,
    value: Any,
    kind: str,
    least: float | None,
    above: float | None,
    most: float | None,
    below: float | None,
) -> UsageError:
    words = {"{} or more": least, "above {}": above, "at most {}": most, "below {}": below}
    given = {text: limit for text, limit in words.items() if limit is not None}
    limits = " and ".join(
        text.format(f"{limit:g}" if isinstance(limit, float) else limit)
        for text, limit in given.items()
    )
    wanted = f"a {kind}, {limits}" if limits else f"a {kind}"
    return UsageError(f"{name} is {value!r}; it must be {wanted}.")
