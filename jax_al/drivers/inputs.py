"""A pool as a look wants it: on the device, whole where it fits, else in blocks of one size."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import numpy as np

from jax_al.errors import UsageError
from jax_al.types import Pool

RESIDENT = ("auto", "yes", "no")
CHUNKS = 8  # of a block: a loop over them is the same code as the loop over a whole pool
HOST_BYTES = 2**30  # a pool up to this size is kept in the memory of a CPU


class Block(NamedTuple):
    """Some rows in a row, on the device."""

    start: int
    count: int  # type: ignore[assignment]  # rows that are real; the rest repeats the last one
    inputs: jax.Array  # [R, ...]


class Inputs:
    """The examples of `pool`, block by block, the next one read while the present one is used.

    Args:
      pool: any.
      chunk_size: examples that a program looks at together; a block is CHUNKS of them.
      resident: "yes" keeps the whole pool on the device, "no" never, "auto" where it fits into
        half of an accelerator's memory, or into HOST_BYTES on a CPU. The results are the same.
    """

    def __init__(self, pool: Pool, chunk_size: int, resident: str = "auto") -> None:
        self.pool = pool
        size = len(pool) * int(np.prod(pool.spec.shape)) * pool.spec.dtype.itemsize
        self.is_resident = resident == "yes" or (resident == "auto" and size <= _room())
        rows = len(pool) if self.is_resident else min(len(pool), CHUNKS * chunk_size)
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
        return Block(start, stop - start, jax.device_put(found))


def check_resident(resident: str) -> None:
    """Makes sure that `resident` is one of RESIDENT.

    Raises:
      UsageError: it is not.
    """
    if resident not in RESIDENT:
        raise UsageError(f"data.resident is {resident!r}, but must be {', '.join(RESIDENT)}.")


def _room() -> int:
    """Bytes that a pool may take on the device."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        return HOST_BYTES
    return int((device.memory_stats() or {}).get("bytes_limit", 0)) // 2
