"""Decoded images on disk, so that only the first start decodes them.

One uncompressed .npz per split: one file is replaced atomically, and zip keeps a CRC-32 of each
array that is checked whenever the array is read to its end.
"""

import contextlib
import hashlib
import io
import json
import os
import pathlib
import time
import uuid
import zipfile
from typing import Any, NamedTuple

import numpy as np
from absl import logging


class Split(NamedTuple):
    """The images of one split of a data set."""

    images: np.ndarray  # uint8 [N, H, W, C]
    labels: np.ndarray  # int32 [N]
    ids: np.ndarray | None  # str [N]


def cache_root(cache_dir: str | None) -> pathlib.Path:
    """Returns where the cache is: `cache_dir`, else $XDG_CACHE_HOME/jax_al or ~/.cache/jax_al."""
    if cache_dir is not None:
        return pathlib.Path(cache_dir).expanduser()
    xdg = os.environ.get("XDG_CACHE_HOME", "")
    root = pathlib.Path(xdg if os.path.isabs(xdg) else os.path.expanduser("~/.cache"))
    return root / "jax_al"


def fingerprint(prepared: pathlib.Path) -> list[tuple[str, int, int]]:
    """Names, sizes and times of the prepared files: other files, other pixels."""
    stats = [(path.name, path.stat()) for path in sorted(prepared.iterdir())]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def cache_path(root: pathlib.Path, key: dict[str, Any]) -> pathlib.Path:
    """Returns the file for a split that is all described by `key`."""
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    words = f"{key['dataset']}-{key['split']}-{key['image_size'] or 'original'}"
    readable = "".join(c if c.isalnum() or c in "-." else "_" for c in words)
    return root / f"{readable[:100]}-{digest}.npz"


def read_cache(path: pathlib.Path) -> Split | None:
    """Returns what `write_cache` wrote, or None if there is nothing whole; damage is a warning."""
    try:
        with zipfile.ZipFile(path) as archive:
            images, labels, ids = (_array(archive.read(f"{name}.npy")) for name in Split._fields)
        return Split(images, labels, ids if len(ids) else None)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # whatever is wrong with it, the remedy is the same
        logging.warning("Rebuilding the damaged cache %s (%s).", path, " ".join(str(error).split()))
        return None


def _array(data: bytes) -> np.ndarray:
    """The array of an .npy file, without copying it as `np.load` would."""
    stream = io.BytesIO(data)
    np.lib.format.read_magic(stream)
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape)


def write_cache(path: pathlib.Path, split: Split) -> None:
    """Writes the whole file or none; a failure costs a warning."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    # "No ids" is an array too: a file that lost its ids must not pass for one without.
    ids = np.empty(0, "U1") if split.ids is None else split.ids
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        try:
            with open(temporary, "wb") as file:
                np.savez(file, images=split.images, labels=split.labels, ids=ids)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        logging.warning("Going on without a cache of the decoded images: %s.", error)


def _remove_abandoned(path: pathlib.Path) -> None:
    """Removes what a process killed while writing left behind, an hour later."""
    for left in path.parent.glob(f"{path.name}.*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # its writer has just finished
            if time.time() - left.stat().st_mtime > 3600:
                left.unlink()
