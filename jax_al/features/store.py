"""What was computed once, on disk: States as .npz, which carries checksums, and tables as .npy.

A table is written block by block as NAME.part, with a line for each block in NAME.sums: whoever
comes after a kill goes on behind the last block whose checksum is right. When it is whole it gets
its name. One process writes it, others wait for that one. Tables are mapped; when one is opened it
is read through once, 1.4 GB a second, as a bit that has changed on the disk would show nowhere.
"""

import contextlib
import io
import os
import pathlib
import zlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from absl import logging

from jax_al.durable import sync_directory, write_atomically
from jax_al.pools.turns import turn

State = dict[str, np.ndarray]
Blocks = Callable[[int], Iterable[np.ndarray]]  # from a row on, float32 [n, F] each


def kept_state(path: pathlib.Path | None, make: Callable[[], State]) -> State:
    """Returns the State in the file `path`, and puts it there first if need be; None: no file."""
    if path is None:
        return make()
    if path.exists():
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file}
        except Exception as error:  # whatever is wrong with it, the remedy is the same
            _tell_of_damage(path, error)
    made, content = make(), io.BytesIO()
    np.savez(content, allow_pickle=False, **made)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content.getvalue())
    except OSError as error:
        _tell_of_no_cache(error)
    return made


def kept_table(path: pathlib.Path | None, size: int, blocks: Blocks) -> np.ndarray:
    """Returns the table float32 [N, F] in the file `path`, mapped, computed first if need be.

    Args:
      path: where it is kept; None: it is made in memory.
      size: N, at least 1.
      blocks: returns what the rows from a given one on come to, in order and in blocks.
    """
    if path is None:
        return _in_memory(size, blocks)
    found = whole_table(path, size)
    if found is not None:
        return found
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            found = whole_table(path, size)  # another process may have made it
            if found is None:
                path.unlink(missing_ok=True)  # nothing that is damaged stays without its checksums
                found = _written(path, size, blocks)
            return found
    except OSError as error:
        _tell_of_no_cache(error)
        return _in_memory(size, blocks)


def whole_table(path: pathlib.Path, size: int) -> np.ndarray | None:
    """Returns the table float32 [N, F] in the file `path`, mapped; None: it is not there whole."""
    if not path.exists():
        return None
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
        if table.ndim != 2 or table.dtype != np.float32 or len(table) != size:
            raise ValueError("it holds something else")
        if os.path.getsize(path) != table.offset + table.nbytes:
            raise ValueError("it is not as long as what was written")
        sums = path.with_suffix(".sums")  # tables of earlier versions have none
        if sums.exists() and _finished(path, sums)[0] != size:
            raise ValueError("it is not what was written")
        return table.view(np.ndarray)
    except Exception as error:  # whatever is wrong with it, the remedy is the same
        _tell_of_damage(path, error)
        return None


@contextlib.contextmanager
def _alone(path: pathlib.Path) -> Iterator[None]:
    """Lets one process at a time make what `path` names."""
    lock = path.with_suffix(".lock")
    with turn(lock, path.name):
        yield
        lock.unlink(missing_ok=True)  # whoever has opened it finds what was made


def _written(path: pathlib.Path, size: int, blocks: Blocks) -> np.ndarray:
    part, sums = path.with_suffix(".part"), path.with_suffix(".sums")
    done, length, lines = _finished(part, sums)
    try:
        mode = "r+b" if done else "wb"
        # What is told stays there, so that another kill before the next block loses nothing.
        with open(part, mode) as file, open(sums, mode) as told:
            for kept, end in ((file, length), (told, sum(map(len, lines)))):
                kept.truncate(end)
                kept.seek(end)
            for block in blocks(done) if done < size else ():
                content = b"" if done else _header(size, block.shape[1])
                content += np.ascontiguousarray(block, np.float32).tobytes()
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                told.write(b"%d %d %d\n" % (len(block), len(content), zlib.crc32(content)))
                told.flush()
                done += len(block)
            os.fsync(told.fileno())
        os.replace(part, path)
        sync_directory(path.parent)
    except OSError:  # a full disk is needed for other things
        for left in (part, sums):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
        raise
    found = whole_table(path, size)
    if found is None:
        raise OSError(f"{path} cannot be read back")
    return found


def _finished(part: pathlib.Path, sums: pathlib.Path) -> tuple[int, int, list[bytes]]:
    """Rows and bytes at the beginning of `part` that are as `sums` says, and its lines on them."""
    done, length, lines = 0, 0, []
    try:
        with open(part, "rb") as file:
            for line in sums.read_bytes().splitlines(keepends=True):
                rows, size, checksum = map(int, line.split())
                if not line.endswith(b"\n") or zlib.crc32(file.read(size)) != checksum:
                    break
                done, length = done + rows, length + size
                lines.append(line)
    except (FileNotFoundError, ValueError):
        pass
    return done, length, lines


def _header(size: int, width: int) -> bytes:
    """The first bytes of a .npy file of float32 [size, width]."""
    buffer = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (size, width)}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


def _in_memory(size: int, blocks: Blocks) -> np.ndarray:
    found, done = np.empty((0, 0), np.float32), 0
    for block in blocks(0):
        if not done:
            found = np.empty((size, block.shape[1]), np.float32)
        found[done : done + len(block)] = block
        done += len(block)
    found.flags.writeable = False
    return found


def _tell_of_damage(path: pathlib.Path, error: Exception) -> None:
    logging.warning("Making the damaged cache %s again (%s).", path, " ".join(str(error).split()))


def _tell_of_no_cache(error: OSError) -> None:
    logging.warning("Going on without a cache of the features: %s.", error)
