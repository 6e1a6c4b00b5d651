"""A query bought in parts: what was picked counts as labeled from the next part on."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.strategies.choosing import highest_in_order, scores_of, tie_order
from jax_al.types import NOTHING, PoolState

State = TypeVar("State")


def parts(total: int, count: int) -> list[int]:
    """Cuts `total` into `count` sizes that differ by at most one, the larger ones first.

    None is empty: where `total` is smaller than `count` there are `total` parts of one.
    """
    count = max(1, min(total, count))
    each, rest = divmod(total, count)
    return [each + 1] * rest + [each] * (count - rest)


def highest_in_parts(
    key: jax.Array,
    score: Callable[[jax.Array, State, PoolState, jax.Array], tuple[jax.Array, State]],
    state: State,
    pool: PoolState,
    budget: int,
    count: int,
) -> tuple[jax.Array, jax.Array]:
    """Returns the points with the highest scores, scored anew for each of the `parts`.

    `score` is compiled once, for parts of any size. Chance decides between equals; NOTHING at the
    end where fewer than Q = `budget` points are left.

    Args:
      key: decides the order among equal scores.
      score: (part int32 [], state, pool, picks int32 [Q]) -> scores float32 [N], state. `picks`
        holds what was picked so far, then NOTHING; in `pool.labeled`, and there only, it is marked.
      state: what `score` is given for the first part, any pytree of arrays.
      pool: before the query.
      budget: Q.
      count: parts asked for; less where the budget is smaller.

    Returns:
      The points int32 [Q], and the score float32 [Q] each had when it was picked.
    """
    N, sizes = pool.labeled.size, parts(budget, count)
    ends, largest = jnp.cumsum(jnp.array(sizes, jnp.int32)), sizes[0]
    order = tie_order(key, N)

    def buy(part, carry):
        state, labeled, picks, theirs = carry
        marked = pool._replace(labeled=labeled)
        scores, state = score(part, state, marked, picks[:budget])
        size = jnp.array(sizes, jnp.int32)[part]
        # One size fits all parts: a smaller one leaves its last place to the next.
        new = highest_in_order(order, scores, marked, largest)
        new = jnp.where(jnp.arange(largest) < size, new, NOTHING)
        labeled = labeled.at[jnp.where(new == NOTHING, N, new)].set(True, mode="drop")
        start = (ends[part] - size,)
        picks = lax.dynamic_update_slice(picks, new, start)
        theirs = lax.dynamic_update_slice(theirs, scores_of(scores, new), start)
        return state, labeled, picks, theirs

    picks = jnp.full(budget + 1, NOTHING, jnp.int32)
    carry = state, pool.labeled, picks, jnp.full(budget + 1, jnp.nan)
    _, _, picks, theirs = lax.fori_loop(0, len(sizes), buy, carry)
    return picks[:budget], theirs[:budget]
