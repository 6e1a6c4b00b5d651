"""Decoded images on disk, so that only the first start decodes them.

A directory per split: the images, which are mapped and never read whole; labels and ids; and a
manifest, which is written last. It is written under another name and renamed when it is whole.
"""

import contextlib
import errno
import hashlib
import io
import json
import math
import os
import pathlib
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from jax_al.durable import durable, sync_directory

# How rename says that there is a directory with something in it, or a file.
_IN_THE_WAY = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
_SMALL = ("labels.npy", "ids.npy")


class Split(NamedTuple):
    """The images of one split of a data set, or of a part of it; arrays are read-only."""

    images: np.ndarray  # uint8 [N, H, W, C], mapped where there is a cache
    labels: np.ndarray  # int32 [N]
    ids: np.ndarray | None  # str [N]


def fingerprint(prepared: pathlib.Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the prepared files: other files, other pixels."""
    stats = [(path.name, path.stat()) for path in sorted(prepared.iterdir())]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def cache_path(root: pathlib.Path, key: dict[str, Any]) -> pathlib.Path:
    """Returns the directory for a split that is all described by `key`."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    words = f"{key['dataset']}-{key['split']}-{key['image_size'] or 'original'}"
    readable = "".join(c if c.isalnum() or c in "-." else "_" for c in words)
    return root / f"{readable[:100]}-{digest}"


def cached(path: pathlib.Path, size: int, decode: Callable[[], Iterator[Split]]) -> Split:
    """Returns the split that is cached at `path`, and puts it there first if need be.

    Args:
      path: see `cache_path`.
      size: N.
      decode: returns the split block by block; called again, if the cache cannot be written, to
        fill an array in memory.
    """
    found = read_cache(path)
    if found is not None:
        return found
    try:
        return write_cache(path, size, decode())
    except OSError as error:
        logging.warning("Going on without a cache of the decoded images: %s.", error)
        return _in_memory(size, decode())


def read_cache(path: pathlib.Path) -> Split | None:
    """Returns what `write_cache` wrote, or None if there is nothing whole; damage is a warning."""
    if not path.exists():
        return None
    try:
        return _open(path)
    except Exception as error:  # whatever is wrong with it, the remedy is the same
        logging.warning("Rebuilding the damaged cache %s (%s).", path, " ".join(str(error).split()))
        return None


def write_cache(path: pathlib.Path, size: int, blocks: Iterator[Split]) -> Split:
    """Writes the whole directory or none, and returns it as `read_cache` does.

    Raises:
      OSError: it cannot be written.
    """
    temporary = _beside(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    try:
        temporary.mkdir()
        _write(temporary, size, blocks)
        return _publish(temporary, path)
    finally:
        _remove(temporary)


# --- one directory ------------------------------------------------------------------------------


def _open(directory: pathlib.Path) -> Split:
    manifest = json.loads((directory / "manifest.json").read_text())
    header = _header(manifest["shape"])
    with open(directory / "images.npy", "rb") as file:
        whole = len(header) + math.prod(manifest["shape"])
        if file.read(len(header)) != header or os.fstat(file.fileno()).st_size != whole:
            raise ValueError("images.npy is not what was written")
        images = np.memmap(file, np.uint8, "r", len(header), tuple(manifest["shape"]))
    labels, ids = (_small(directory / name, manifest["sha256"][name]) for name in _SMALL)
    return Split(images.view(np.ndarray), labels, ids if len(ids) else None)


def _header(shape: Sequence[int]) -> bytes:
    """The first bytes of a .npy file of uint8."""
    buffer = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


def _small(path: pathlib.Path, digest: str) -> np.ndarray:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{path.name} is not what was written")
    return _frozen(np.load(io.BytesIO(data), allow_pickle=False))


def _write(directory: pathlib.Path, size: int, blocks: Iterator[Split]) -> None:
    labels: list[np.ndarray] = []
    ids: list[np.ndarray] = []
    shape: list[int] = []
    # Written and not mapped while it grows: a full disk is then an error, not a bus error.
    with durable(directory / "images.npy") as file:
        for block in blocks:
            if not shape:
                shape = [size, *block.images.shape[1:]]
                file.write(_header(shape))
            file.write(np.ascontiguousarray(block.images).data)
            labels.append(block.labels)
            # "No ids" is an array too: a cache that lost its ids must not pass for one without.
            ids.append(np.empty(0, "U1") if block.ids is None else block.ids)
    digests = {}
    for name, parts in zip(_SMALL, (labels, ids), strict=True):
        buffer = io.BytesIO()
        np.save(buffer, np.concatenate(parts), allow_pickle=False)
        digests[name] = hashlib.sha256(buffer.getvalue()).hexdigest()
        with durable(directory / name) as file:
            file.write(buffer.getvalue())
    with durable(directory / "manifest.json") as file:
        file.write(json.dumps({"shape": shape, "sha256": digests}).encode())
    sync_directory(directory)


def _in_memory(size: int, blocks: Iterator[Split]) -> Split:
    images: np.ndarray | None = None
    labels: list[np.ndarray] = []
    ids: list[np.ndarray] = []
    for block in blocks:
        if images is None:
            images = np.empty((size, *block.images.shape[1:]), np.uint8)
        start = sum(map(len, labels))
        images[start : start + len(block.images)] = block.images
        labels.append(block.labels)
        if block.ids is not None:
            ids.append(block.ids)
    assert images is not None  # a split has one image at least
    names = _frozen(np.concatenate(ids)) if ids else None
    return Split(_frozen(images), _frozen(np.concatenate(labels)), names)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


# --- files --------------------------------------------------------------------------------------


def _beside(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")


def _publish(temporary: pathlib.Path, path: pathlib.Path) -> Split:
    """Renames into place, unless another process was faster; what is damaged there is replaced."""
    split = _open(temporary)  # a mapping outlives the name of its file
    while True:
        try:
            os.rename(temporary, path)
            sync_directory(path.parent)
            return split
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
        with contextlib.suppress(Exception):
            return _open(path)
        aside = _beside(path)
        with contextlib.suppress(FileNotFoundError):  # another process is replacing it too
            os.rename(path, aside)
        _remove(aside)


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_abandoned(path: pathlib.Path) -> None:
    """Removes what a process killed while writing left behind, an hour after its last write."""
    for left in path.parent.glob(f"{path.name}.*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # its writer has just finished
            newest = max(file.stat().st_mtime for file in (left, *left.glob("*")))
            if time.time() - newest > 3600:
                _remove(left)
