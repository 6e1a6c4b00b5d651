"""The content of a pool as a few letters: what was made of it is found again by them."""

import hashlib
import math

from jax_al.pools.arrays import blocks_of
from jax_al.types import Pool


def digest(pool: Pool) -> str:
    """Returns a hash of shape, dtype, number and all numbers of the examples of `pool`, in order.

    One streamed pass. Ids do not count: they change no number that is made of an example.
    """
    spec = pool.spec
    found = hashlib.sha256(repr((len(pool), tuple(spec.shape), spec.dtype.str)).encode())
    for block in blocks_of(len(pool), math.prod(spec.shape) * spec.dtype.itemsize):
        found.update(pool.read(block).data)
    return found.hexdigest()
