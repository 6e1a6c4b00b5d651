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
    order: jax.Array,
    num_picks: int,
    *,
    block: int,
    tie: float = 0.0,
) -> tuple[jax.Array, jax.Array, State]:
    """Picks, `num_picks` times, the point whose gain is the largest.

    To be called under `jit`; `vmap` works. What it picks is what plain greedy picks, as long as
    gains shrink and none is negative; where rounding makes one grow by an ulp, the order of
    near-equals may differ.

    Args:
      gains: (state, rows int32 [B]) -> float32 [B], the gain of each row, given what was picked.
      update: (state, row int32 []) -> state after picking that row.
      state: what has been picked so far, any pytree of arrays.
      bounds: float32 [N], at least the gain of each point; minus infinity for those not on offer.
      order: int32 [N], all rows: of points whose gains are equal, the first is picked.
      num_picks: Q.
      block: B, gains computed together.
      tie: share of the best gain by which another may be below it and still count as equal.

    Returns:
      int32 [Q], in pick order, NOTHING where nothing was on offer; the gain float32 [Q] that each
      had then, NaN for NOTHING; and the last state.
    """
    N, bounds = bounds.size, bounds[order]  # from here on by their place in the order
    block = min(block, N)

    def best_known(bounds, fresh):
        """The best gain that is known, the least that counts as it, and the first such place."""
        best = jnp.where(fresh, bounds, -jnp.inf).max()
        least = best - tie * jnp.abs(best) if tie else best
        return best, least, (fresh & (bounds >= least)).argmax()

    def is_open(carry):
        """Whether a point whose gain is not known could yet be better, or as good and earlier."""
        bounds, fresh = carry
        best, least, place = best_known(bounds, fresh)
        earlier = (bounds >= least) & (jnp.arange(N) < place)
        return (~fresh & ((bounds > best) | earlier)).any()

    def pick(q, carry):
        state, bounds, picks, values = carry

        def refresh(carry):
            bounds, fresh = carry
            _, places = lax.top_k(jnp.where(fresh, -jnp.inf, bounds), block)
            found = gains(state, order[places])
            found = jnp.where(jnp.isneginf(bounds[places]), -jnp.inf, found)
            # A fresh one may come along where few stale ones are left: its gain is the same.
            return bounds.at[places].set(found), fresh.at[places].set(True)

        # What is not on offer, and where there is nothing to gain any more, cannot change.
        bounds, fresh = lax.while_loop(is_open, refresh, (bounds, bounds <= 0))
        place = best_known(bounds, fresh)[2]
        exists = bounds[place] > -jnp.inf
        picked = update(state, order[place])
        state = jax.tree.map(lambda new, old: jnp.where(exists, new, old), picked, state)
        picks = picks.at[q].set(jnp.where(exists, order[place], NOTHING))
        values = values.at[q].set(jnp.where(exists, bounds[place], jnp.nan))
        return state, bounds.at[place].set(-jnp.inf), picks, values

    carry = state, bounds, jnp.full(num_picks, NOTHING, jnp.int32), jnp.full(num_picks, jnp.nan)
    state, _, picks, values = lax.fori_loop(0, num_picks, pick, carry)
    return picks, values, state
