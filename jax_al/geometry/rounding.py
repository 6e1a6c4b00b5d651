"""What rounding may not decide."""

import jax
from jax import lax


def coarse(scores: jax.Array) -> jax.Array:
    """Returns float32 numbers rounded to 14 bits: sums of equal terms are equal in any order."""
    return lax.reduce_precision(scores, exponent_bits=8, mantissa_bits=14)
