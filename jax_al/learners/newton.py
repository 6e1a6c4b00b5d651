"""The minimum of a convex function to the last digits that float32 has.

A line search compares values, and near a minimum these are equal long before the gradient is zero:
L-BFGS stalls there, or its slopes are small while directions of little curvature are still far off.
Steps of Newton's method need no values. Each solves H d = g by conjugate gradients, H as products
alone, and is halved until the gradient has become shorter, which a Newton direction promises for a
convex function (Nocedal & Wright 2006, ch. 7).
"""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
import optax
from jax import lax

_MOST = 10  # steps
_PRODUCTS = 100  # with the Hessian, for a step
_PRECISE = 0.03  # how small the residual of a step is beside the gradient
_HALVINGS = 8  # of a step

Point = TypeVar("Point")


def refined(
    gradient: Callable[[Point], Point], start: Point, small: jax.Array, most: int = _MOST
) -> Point:
    """Returns a point near `start` where the gradient of a strictly convex function is shorter.

    It ends where the gradient is no longer than `small`, or no step makes it shorter: there is
    float32's noise.

    Args:
      gradient: of the function, a tree of float32 arrays as points are.
      start: near the minimum; returned as it is where the gradient is short enough.
      small: Euclidean length of the gradient, float32 [].
      most: steps at most, no more than 10.
    """

    def is_to_go_on(carry):
        number, _, _, length, is_shorter = carry
        return (number < min(most, _MOST)) & (length > small) & is_shorter

    def step(carry):
        number, point, slope, length, _ = carry

        def times_hessian(direction):
            return jax.jvp(gradient, (point,), (direction,))[1]

        with jax.numpy_dtype_promotion("standard"):  # which `cg` wants
            direction, _ = jax.scipy.sparse.linalg.cg(
                times_hessian, slope, tol=_PRECISE, maxiter=_PRODUCTS
            )

        def is_too_long(tried):
            share, _, _, new = tried
            return ~(new < length) & (share > 0.5**_HALVINGS)

        def halved(tried):
            share = tried[0] / 2
            there = jax.tree.map(lambda x, d: x - share * d, point, direction)
            slope = gradient(there)
            return share, there, slope, optax.tree.norm(slope)

        twice = jnp.float32(2), point, slope, length  # halved, that is the step itself
        _, *found, new = lax.while_loop(is_too_long, halved, twice)
        is_shorter = new < length
        point, slope = jax.tree.map(
            lambda x, before: jnp.where(is_shorter, x, before), tuple(found), (point, slope)
        )
        return number + 1, point, slope, jnp.where(is_shorter, new, length), is_shorter

    slope = gradient(start)
    first = jnp.int32(0), start, slope, optax.tree.norm(slope), jnp.bool_(True)
    return lax.while_loop(is_to_go_on, step, first)[1]
