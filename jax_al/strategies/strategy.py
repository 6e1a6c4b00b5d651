"""How a function becomes a strategy: the one door that every query goes through."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.errors import UsageError, did_you_mean
from jax_al.strategies.choosing import Select, random_without_labels
from jax_al.types import PoolState, Query, Signals, Strategy

BEHIND = "behind_the_door"  # attribute of a `select`: that which sees excluded points as they are


def strategy(
    select: Select,
    *,
    needs: Iterable[str],
    seeded: bool = True,
    embedding: str = "model",
    pseudo_labels: bool = False,
    on_host: bool = False,
    reads_files: bool = False,
    needs_label: bool = False,
    uses_labels: bool = False,
) -> Strategy:
    """Returns the strategy that asks `select` which points are next.

    `select` sees 0 in place of every signal of an excluded point: whatever it was, NaN too, it
    reaches nobody (but see `reads_files`). That such a point is not there, is in no mean and no
    cluster, is up to `select`, which finds it in `pool.excluded`; `by_score` picks no such point.
    What the strategy promises here is held by `jax_al.testing.check_strategy`.

    Args:
      select: (key, `Signals`, `PoolState`, budget) -> `Query`; pure. Traced, with a static budget,
        unless `on_host`.
      needs: names of the fields of `Signals` it looks at.
      seeded: whether the answer depends on the key; if not, the key decides nothing but ties.
      embedding: what `signals.embedding` is, where it is needed: "model", "random_net",
        "pixels_pca" or a .npy file.
      pseudo_labels: whether its queries bring some.
      on_host: never traced: it is given NumPy arrays and answers with them.
      reads_files: whether, untraced, it also takes signals that are mapped from a file (np.memmap),
        excluded points as they are, and answers with NumPy arrays.
      needs_label: while there is no label it is not asked, and points are drawn at random.
      uses_labels: whether it looks at what the labels are, and not only at which points have one.

    Raises:
      UsageError: `needs` names what is no signal.
    """
    if isinstance(needs, str):
        raise UsageError(f"needs is {needs!r}; it must be a set of names: {{{needs!r}}}.")
    needs = frozenset(needs)
    for name in sorted(needs - set(Signals._fields)):
        raise UsageError(f"needs names {name!r}: {did_you_mean(name, Signals._fields)}")
    if needs_label:
        select = random_without_labels(select, on_host=on_host)
    return Strategy(
        needs=needs,
        select=_without_excluded(select, on_host, reads_files),
        seeded=seeded,
        embedding=embedding,
        pseudo_labels=pseudo_labels,
        on_host=on_host,
        reads_files=reads_files,
        uses_labels=uses_labels,
    )


def _without_excluded(select: Select, on_host: bool, reads_files: bool) -> Select:
    choose: Callable[..., Any] = np.where if on_host else jnp.where

    @functools.wraps(select)
    def wrapped(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        def present(name, values):
            if reads_files and isinstance(values, np.memmap):
                return values  # more than memory holds; `select` reads around what is excluded
            excluded = pool.excluded
            if name == "sampled_probs":
                return choose(excluded[None, :, None], 0, values)
            return choose(excluded.reshape(-1, *[1] * (values.ndim - 1)), 0, values)

        given = {name: values for name, values in signals._asdict().items() if values is not None}
        seen = Signals(**{name: present(name, values) for name, values in given.items()})
        return select(query_key, seen, pool, budget)

    setattr(wrapped, BEHIND, select)
    return wrapped
