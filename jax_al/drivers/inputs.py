"""A pool as a look wants it: on the device, whole where it fits, else in blocks of one size."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from jax_al.errors import UsageError
from jax_al.types import Pool

RESIDENT = ("auto", "yes", "no")
CHUNKS = 8  # of a block: a loop over them is the same code as the loop over a whole pool
HOST_BYTES = 2**30  # a pool up to this size is kept in the memory of a CPU


class Block(NamedTuple):
    """Some rows in a row, on the device, or NumPy's for a learner on the host."""

    start: int
    count: int  # type: ignore[assignment]  # rows that are real; the rest repeats the last one
    inputs: Any  # [R, ...]


class Inputs:
    """The examples of `pool`, block by block, the next one read while the present one is used.

    Args:
      pool: any.
      chunk_size: examples that a program looks at together; a block is CHUNKS of them.
      resident: "yes" keeps the whole pool on the device, "no" never, "auto" where it fits into
        half of an accelerator's memory, or into HOST_BYTES on a CPU. The results are the same.
      on_host: whether blocks stay NumPy arrays, and come one by one whatever `resident` says.
      rounded: whether a pool of less than a block is filled up to a power of two, so that pools of
        many sizes share few programs.
    """

    def __init__(
        self,
        pool: Pool,
        chunk_size: int,
        resident: str = "auto",
        *,
        on_host: bool = False,
        rounded: bool = False,
    ) -> None:
        self.pool = pool
        self._put: Callable[[np.ndarray], Any] = np.asarray if on_host else jax.device_put
        size = len(pool) * math.prod(pool.spec.shape) * pool.spec.dtype.itemsize
        fits = resident == "yes" or (resident == "auto" and size <= room())
        self.is_resident = fits and not on_host
        least = 1 << (len(pool) - 1).bit_length() if rounded else len(pool)
        rows = len(pool) if self.is_resident else min(least, CHUNKS * chunk_size)
        self.rows = rows
        self._whole = jax.device_put(pool.read(slice(0, rows))) if self.is_resident else None

    @property
    def shape(self) -> jax.ShapeDtypeStruct:
        """Of the inputs of a block."""
        return jax.ShapeDtypeStruct((self.rows, *self.pool.spec.shape), self.pool.spec.dtype)

    def blocks(self) -> Iterator[Block]:
        """All blocks in order."""
        if self._whole is not None:
            yield Block(0, self.rows, self._whole)
            return
        starts = range(0, len(self.pool), self.rows)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(self._read, starts[0])
            for following in [*starts[1:], None]:
                block = coming.result()
                if following is not None:
                    coming = reader.submit(self._read, following)
                yield block

    def _read(self, start: int) -> Block:
        stop = min(start + self.rows, len(self.pool))
        found = self.pool.read(slice(start, stop))
        missing = self.rows - len(found)
        if missing:
            found = np.concatenate([found, np.repeat(found[-1:], missing, axis=0)])
        return Block(start, stop - start, self._put(found))


def check_resident(resident: str) -> None:
    """Makes sure that `resident` is one of RESIDENT.

    Raises:
      UsageError: it is not.
    """
    if resident not in RESIDENT:
        raise UsageError(f"resident is {resident!r}, but must be {', '.join(RESIDENT)}.")


def room() -> int:
    """Bytes that a pool may take on the device."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        return HOST_BYTES
    return int((device.memory_stats() or {}).get("bytes_limit", 0)) // 2
