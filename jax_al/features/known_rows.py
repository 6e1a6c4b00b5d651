"""Features that were computed for another pool, as of a folder before it grew.

Where nothing is learned from a pool, the features of an example are a function of it alone. So
beside a table of such features lies TABLE.MAKER.keys, a hash of each example, and the next pool
has from the tables of the same maker what they hold already.
"""

import contextlib
import hashlib
import io
from pathlib import Path

import numpy as np

from jax_al.durable import write_atomically
from jax_al.features.store import whole_table
from jax_al.pools.arrays import blocks_of
from jax_al.types import Pool

_BYTES = 16  # of a hash, which is the first half of a SHA-256

# Tables float32 [M, F], and for each row of a pool where it lies in that one, or -1, int64 [N].
Known = list[tuple[np.ndarray, np.ndarray]]


def known_rows(path: Path, maker: str, pool: Pool) -> Known:
    """Returns what is known of the features of `pool`, and keeps the hashes for the next one.

    Args:
      path: of the table of its features, which is not there yet.
      maker: letters that stand for what computes them: name, options and State.
      pool: of the examples.
    """
    keys = _keys(pool)
    left: dict[bytes, list[int]] = {}  # rows that are not found yet, by their hash
    for row, key in enumerate(keys):
        left.setdefault(key.tobytes(), []).append(row)
    known = []
    for other in sorted(path.parent.glob(f"*.{maker}.keys")):
        theirs = _read(other)
        if not len(theirs):  # its table may be whole
            continue
        table = whole_table(path.with_name(other.name.split(".")[0] + ".npy"), len(theirs))
        if table is None:
            continue
        places = np.full(len(pool), -1, np.int64)
        for place, key in enumerate(theirs):
            places[left.pop(key.tobytes(), [])] = place
        if (places >= 0).any():
            known.append((table, places))
    content = io.BytesIO()
    np.save(content, keys, allow_pickle=False)
    with contextlib.suppress(OSError):  # then nothing of the table can be written either
        write_atomically(path.with_name(f"{path.stem}.{maker}.keys"), content.getvalue())
    return known


def _keys(pool: Pool) -> np.ndarray:
    """Returns a hash of each example, uint8 [N, _BYTES]."""
    found = np.empty((len(pool), _BYTES), np.uint8)
    row_bytes = int(np.prod(pool.spec.shape)) * pool.spec.dtype.itemsize
    for block in blocks_of(len(pool), row_bytes):
        for row, example in enumerate(pool.read(block), block.start):
            hashed = hashlib.sha256(np.ascontiguousarray(example).data).digest()
            found[row] = np.frombuffer(hashed[:_BYTES], np.uint8)
    return found


def _read(path: Path) -> np.ndarray:
    """Returns the hashes in a file; none of one that is damaged."""
    try:
        keys = np.load(path, allow_pickle=False)
        if keys.dtype == np.uint8 and keys.ndim == 2 and keys.shape[1] == _BYTES:
            return keys
    except Exception:
        pass  # whatever is wrong with it, the features are computed
    return np.empty((0, _BYTES), np.uint8)
