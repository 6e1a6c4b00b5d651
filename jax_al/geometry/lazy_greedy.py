"""Exact greedy maximisation of a submodular gain, computing few of the gains.

A gain only shrinks as more is picked, so one worked out earlier is an upper bound of today's: a
point whose old gain is below somebody's present one need not be looked at (Minoux 1978,
*Accelerated greedy algorithms for maximizing submodular set functions*).
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.types import NOTHING

State = TypeVar("State")


def lazy_greedy(
    gains: Callable[[State, jax.Array], jax.Array],
    update: Callable[[State, jax.Array], State],
    state: State,
    bounds: jax.Array,
    num_picks: int,
    *,
    block: int,
) -> tuple[jax.Array, State]:
    """Picks, `num_picks` times, the point whose gain is the largest; ties to the lowest index.

    To be called under `jit`; `vmap` works. What it picks is what plain greedy picks, as long as
    gains shrink; where rounding makes one grow by an ulp, the order of near-equals may differ.

    Args:
      gains: (state, rows int32 [B]) -> float32 [B], the gain of each row, given what was picked.
      update: (state, row int32 []) -> state after picking that row.
      state: what has been picked so far, any pytree of arrays.
      bounds: float32 [N], at least the gain of each point; minus infinity for those not on offer.
      num_picks: Q.
      block: B, gains computed together.

    Returns:
      int32 [Q], in pick order, NOTHING where nothing was on offer; and the last state.
    """
    N = bounds.size
    block = min(block, N)

    def is_stale(carry):
        bounds, fresh = carry
        top = bounds.argmax()
        return ~fresh[top] & (bounds[top] > -jnp.inf)

    def pick(q, carry):
        state, bounds, picks = carry

        def refresh(carry):
            bounds, fresh = carry
            _, rows = lax.top_k(jnp.where(fresh, -jnp.inf, bounds), block)
            found = jnp.where(jnp.isneginf(bounds[rows]), -jnp.inf, gains(state, rows))
            # A fresh row may come along where few stale ones are left: its gain is the same.
            return bounds.at[rows].set(found), fresh.at[rows].set(True)

        bounds, _ = lax.while_loop(is_stale, refresh, (bounds, jnp.zeros(N, bool)))
        row = bounds.argmax().astype(jnp.int32)
        exists = bounds[row] > -jnp.inf
        picked = update(state, row)
        state = jax.tree.map(lambda new, old: jnp.where(exists, new, old), picked, state)
        picks = picks.at[q].set(jnp.where(exists, row, NOTHING))
        return state, bounds.at[row].set(-jnp.inf), picks

    picks = jnp.full(num_picks, NOTHING, jnp.int32)
    state, _, picks = lax.fori_loop(0, num_picks, pick, (state, bounds, picks))
    return picks, state
