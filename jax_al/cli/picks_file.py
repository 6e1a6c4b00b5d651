"""Matrices and row numbers that come in as files, and picks that go out as one."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from jax_al.durable import replacing, write_atomically
from jax_al.errors import UsageError
from jax_al.pools.arrays import blocks_of
from jax_al.types import Pool


def load(path: Path) -> np.ndarray:
    """Returns the array in a .npy file, mapped and not read.

    Raises:
      UsageError: there is none.
    """
    try:
        array = np.load(path, mmap_mode="r")
    except FileNotFoundError as error:
        raise UsageError(f"{path} does not exist") from error
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path} is not a readable .npy array") from error
    if not isinstance(array, np.ndarray):
        raise UsageError(f"{path} holds several arrays; one .npy array is wanted")
    return array


def place_of(
    flag: str,
    out: Path,
    others: Iterable[Path | None],
    kinds: Sequence[str] = (".csv", ".npy", ""),
) -> Path:
    """Returns where `out` leads, found out before work that may take hours.

    Args:
      flag: by which it is named.
      out: a file that is to be written; a link is written through, so that it stays one.
      others: files that are read or written too, and must not be written over.
      kinds: suffixes that it may have.

    Raises:
      UsageError: it cannot be written.
    """
    if out.is_symlink():
        try:
            out = out.resolve()
        except (OSError, RuntimeError) as error:  # the latter before Python 3.13
            raise UsageError(f"{out} is a link that leads nowhere") from error
    if out.suffix.lower() not in kinds:
        wanted = " or ".join(f"a {kind} file" for kind in kinds if kind)
        raise UsageError(f"{flag} is {out}, but must be {wanted}")
    for path in others:
        if path is not None and path.resolve() == out.resolve():
            raise UsageError(f"{path} is another file of this command; name one more for {flag}")
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent} is not a directory to write {out.name} to")
    if out.exists() and not out.is_file():
        raise UsageError(f"{out} is not a file that picks could be written to")
    partial = out.with_name(f".{out.name}.{'0' * 8}.tmp")  # as long as that of the real one
    try:
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror})") from error
    return out


def save_picks(out: Path, rows: np.ndarray, values: np.ndarray | None, name: str) -> None:
    """Writes row numbers in pick order: NAME.csv as a table, NAME.npy and NAME as an array.

    Args:
      out: from `place_of`.
      rows: int64 [Q].
      values: float [Q], why each was picked, a column of the table; or None.
      name: of that column.

    Raises:
      OSError: it could not be written; then nothing is there.
    """
    if out.suffix.lower() != ".csv":
        save_array(out, rows)
        return
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(["order", "row", *([name] if values is not None else [])])
    for order, row in enumerate(rows.tolist()):
        writer.writerow([order, row, *([f"{values[order]:.9g}"] if values is not None else [])])
    _write(out, content.getvalue().encode())


def save_array(out: Path, array: np.ndarray) -> None:
    """Writes a .npy file, whole or not at all.

    Raises:
      OSError: it could not be written; then nothing is there.
    """
    # Not straight to the file: NumPy then writes past Python, and a small array that a full disk
    # has cut short goes unnoticed.
    content = io.BytesIO()
    np.save(content, array)
    _write(out, content.getvalue())


def save_rows(out: Path, pool: Pool) -> None:
    """Writes the examples of `pool`, float32 [N, F], as a .npy file, whole or not at all.

    Raises:
      OSError: it could not be written; then nothing is there.
    """
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(pool), *pool.spec.shape)}
    try:
        with replacing(out) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for rows in blocks_of(len(pool), 4 * math.prod(pool.spec.shape)):
                file.write(pool.read(rows).data)
    except OSError as error:
        raise OSError(f"{out} could not be written ({error.strerror or error})") from error


def _write(out: Path, content: bytes) -> None:
    try:
        write_atomically(out, content)
    except OSError as error:
        raise OSError(f"{out} could not be written ({error.strerror or error})") from error
