"""What TFDS borrows of TensorFlow while it prepares a data set, made of the standard library.

It opens and lists files, decodes names and encodes images. The stand-in is lent to TFDS for that
time, and only where TensorFlow is not installed.
"""

import contextlib
import glob
import importlib.util
import io
import os
import types
from collections.abc import Iterator
from typing import Any

import numpy as np


@contextlib.contextmanager
def stand_in() -> Iterator[list[str]]:
    """Lends TFDS, and nobody else, a stand-in for TensorFlow where that is not installed.

    Yields:
      A list that grows by the name of each thing TFDS asked for and the stand-in has not.
    """
    from tensorflow_datasets.core.utils import lazy_imports_utils

    missing: list[str] = []
    if importlib.util.find_spec("tensorflow") is not None:
        yield missing
        return
    # TFDS's modules share one lazy module, which keeps what it imported under this name;
    # sys.modules would show the stand-in to everybody.
    with replaced(vars(lazy_imports_utils.tensorflow), "_module", _tensorflow(missing)):
        yield missing


@contextlib.contextmanager
def replaced(table: dict[str, Any], key: str, value: Any) -> Iterator[None]:
    """Lets `table[key]` be `value` for a while."""
    absent = object()
    before = table.get(key, absent)
    table[key] = value
    try:
        yield
    finally:
        if before is absent:
            table.pop(key, None)
        else:
            table[key] = before


class _Names(types.SimpleNamespace):
    """A namespace that remembers what was asked of it in vain."""

    def __init__(self, path: str, missing: list[str], **names: Any):
        super().__init__(**names)
        self._path, self._missing = path, missing

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            self._missing.append(f"{self._path}.{name}")
        raise AttributeError(f"{self._path}.{name} needs TensorFlow")


def _tensorflow(missing: list[str]) -> _Names:
    def names(path: str, **members: Any) -> _Names:
        return _Names(path, missing, **members)

    gfile = names(
        "tf.io.gfile",
        GFile=_open,
        exists=os.path.exists,
        glob=glob.glob,
        isdir=os.path.isdir,
        listdir=os.listdir,
        walk=os.walk,
    )
    return names(
        "tf",
        io=names("tf.io", gfile=gfile),
        compat=names("tf.compat", as_text=_as_text),
        image=names("tf.image", encode_png=_encode_png, encode_jpeg=_encode_jpeg),
        executing_eagerly=lambda: True,  # so TFDS calls an encoder and then its .numpy()
    )


def _open(path: str | os.PathLike[str], mode: str = "r") -> Any:
    return open(path, mode, encoding=None if "b" in mode else "utf-8")


def _as_text(value: str | bytes, encoding: str = "utf-8") -> str:
    return value.decode(encoding) if isinstance(value, bytes) else value


def _encode_png(pixels: np.ndarray) -> types.SimpleNamespace:
    return _encode(pixels, format="PNG")


def _encode_jpeg(pixels: np.ndarray) -> types.SimpleNamespace:
    return _encode(pixels, format="JPEG", quality=95, subsampling="4:2:0")  # TensorFlow's defaults


def _encode(pixels: np.ndarray, **options: Any) -> types.SimpleNamespace:
    from PIL import Image

    if pixels.dtype != np.uint8:  # Pillow has no 16-bit color
        raise ImportError(f"an encoder of {pixels.dtype} pixels")
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, **options)
    return types.SimpleNamespace(numpy=buffer.getvalue)
