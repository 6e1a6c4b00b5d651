"""Opens, and where needed downloads and prepares, a TFDS data set without TensorFlow.

TFDS reads and writes array_record by itself, but while preparing it borrows a handful of
TensorFlow's functions: to open and list files, to decode names, to encode images.
`prepared_builder` lends it a stand-in made of the standard library and Pillow, for that time and
only where TensorFlow is not installed.
"""

import contextlib
import difflib
import glob
import importlib.util
import io
import logging
import os
import types
import urllib.error
from collections.abc import Iterator
from typing import Any

import numpy as np

from jax_al.errors import UsageError

_INSTALL = "pip install 'jax_al[prepare]'"
_RETRIES = 4  # three seconds; TFDS's own ten make someone without a network wait for minutes


def prepared_builder(name: str, data_dir: str | None) -> Any:
    """Opens a TFDS image-classification data set by name, downloading and preparing it if need be.

    Args:
      name: TFDS's name, such as "cifar10", "cifar10:3.0.2" or "cmaterdb/bangla".
      data_dir: where TFDS keeps prepared data; None means $TFDS_DATA_DIR, then TFDS's default.

    Returns:
      A `tfds.core.DatasetBuilder` whose data is on disk.

    Raises:
      UsageError: there is no such data set, it is of another kind, it cannot be had, or what is
        on disk was never finished.
    """
    builder = _builder(name, data_dir)
    _check_features(builder)
    if builder.data_path.exists():
        _check_complete(builder)
    else:
        _prepare(builder)
    return builder


def split_rows(builder: Any, split: str) -> list[tuple[str, range]]:
    """Looks up which rows a split stands for.

    Args:
      builder: what `prepared_builder` returned.
      split: a split's name, or TFDS's slicing or sum of some, such as "train[:10%]".

    Returns:
      (name of a whole split, rows of it), in the order in which they are read; a range may be
      empty.

    Raises:
      UsageError: there is no such split.
    """
    import tensorflow_datasets as tfds

    splits = builder.info.splits
    try:
        parts = tfds.core.ReadInstruction.from_spec(split).to_absolute(splits)
    except (AssertionError, KeyError, NotImplementedError, ValueError) as error:
        raise _unreadable(builder, split, error) from error
    # TFDS's None stands for the beginning or the end, its 0 for nothing but 0.
    return [
        (part.splitname, range(splits[part.splitname].num_examples)[part.from_ : part.to])
        for part in parts
    ]


def data_source(builder: Any, split: str) -> Any:
    """Opens a split of prepared data.

    Args:
      builder: what `prepared_builder` returned.
      split: a split's name, or TFDS's slicing of one such as "train[:10%]".

    Returns:
      A sequence of records (dicts by feature) whose images are still encoded bytes.

    Raises:
      UsageError: there is no such split, or the data is in a format that cannot be read.
    """
    import tensorflow_datasets as tfds

    # Images are decoded here, to the declared number of channels and always by Pillow: TFDS
    # decodes by OpenCV where that is installed, and JPEG pixels then differ between machines.
    features = builder.info.features
    decoders = {
        key: tfds.decode.SkipDecoding()
        for key in features
        if isinstance(features[key], tfds.features.Image)
    }
    try:
        return builder.as_data_source(split, decoders=decoders)
    except NotImplementedError as error:
        raise UsageError(
            f"{builder.name} is prepared as {builder.info.file_format.value} in "
            f"{builder.data_dir}, which cannot be read without TensorFlow: set data.data_dir to "
            "another directory, and it is prepared there as array_record."
        ) from error
    except (AssertionError, KeyError, ValueError) as error:
        raise _unreadable(builder, split, error) from error


def _unreadable(builder: Any, split: str, error: Exception) -> UsageError:
    return UsageError(
        f"Split {split!r} of {builder.name} cannot be read; its splits are "
        f"{', '.join(builder.info.splits)} ({one_line(error)})."
    )


def one_line(error: BaseException) -> str:
    """The error's message on one line, without a full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _prepare(builder: Any) -> None:
    import tensorflow_datasets as tfds

    config = tfds.download.DownloadConfig(try_download_gcs=False)
    with _few_retries(), stand_in() as missing:
        try:
            builder.download_and_prepare(file_format="array_record", download_config=config)
        except Exception as error:
            sentence = _explain(builder, error, missing)
            if sentence is None:
                raise
            raise UsageError(sentence) from error


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
    with _replaced(vars(lazy_imports_utils.tensorflow), "_module", _tensorflow(missing)):
        yield missing


# --- opening ------------------------------------------------------------------------------------


def _builder(name: str, data_dir: str | None) -> Any:
    import tensorflow_datasets as tfds

    # TFDS reads the variable only once, when it is imported.
    root = data_dir or os.environ.get("TFDS_DATA_DIR") or None
    try:
        return tfds.builder(name, data_dir=root and os.path.expanduser(root))
    except tfds.core.registered.DatasetNotFoundError as error:
        known = ["digits", *tfds.list_builders(with_community_datasets=False)]
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
        raise UsageError(
            f"There is no data set named {name!r}; the nearest name is {nearest!r}."
        ) from error
    except ImportError as error:
        raise UsageError(
            f"TFDS cannot open {name!r} without another package ({one_line(error)}); "
            f"if that is TensorFlow, {_INSTALL} brings it."
        ) from error
    except (AssertionError, OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"TFDS cannot open {name!r}: {one_line(error)}.") from error


def _check_features(builder: Any) -> None:
    import tensorflow_datasets as tfds

    features = builder.info.features
    names = features.keys() if isinstance(features, tfds.features.FeaturesDict) else ()
    wanted = {"image": tfds.features.Image, "label": tfds.features.ClassLabel}
    for key, kind in wanted.items():
        if key not in names or not isinstance(features[key], kind):
            raise UsageError(
                f"{builder.name} is no image-classification data set: "
                f"it has no {kind.__name__} feature named {key!r}."
            )
    image = features["image"]
    if image.np_dtype != np.uint8 or image.shape[-1] not in (1, 3, 4, None):
        raise UsageError(
            f"{builder.name} has images of type {np.dtype(image.np_dtype)} and {image.shape[-1]} "
            "channels; only uint8 images of 1, 3 or 4 channels can be used."
        )


def _check_complete(builder: Any) -> None:
    directory = builder.data_path
    problem = None
    if not (directory / "dataset_info.json").exists():
        problem = "it has no dataset_info.json"
    else:
        for split in builder.info.splits.values():
            for filename in split.filenames:
                if not (directory / filename).exists():
                    problem = f"it has no {filename}"
    if problem:
        raise UsageError(
            f"The prepared data of {builder.name} in {directory} is incomplete ({problem}): "
            "delete that directory and prepare it again."
        )


# --- the stand-in -------------------------------------------------------------------------------


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


# --- what can go wrong --------------------------------------------------------------------------


def _explain(builder: Any, error: Exception, missing: list[str]) -> str | None:
    """The sentence for a failed preparation; None if no user can mend it."""
    import requests
    from tensorflow_datasets.core.download import download_manager, extractor, util

    what = f"{builder.name} {builder.version}"
    message = one_line(error)
    needed = missing[-1] if missing else None
    if isinstance(error, ImportError):
        needed = message
    if needed:
        return (
            f"Preparing {what} needs TensorFlow or another package ({needed}): "
            f"{_INSTALL} brings TensorFlow, which is needed for this only once."
        )
    offline = (requests.RequestException, urllib.error.URLError, util.DownloadError)
    if isinstance(error, offline):
        url = getattr(getattr(error, "request", None), "url", None)
        return (
            f"{what} is not prepared in {builder.data_dir}, and downloading "
            f"{url or 'it'} failed ({message if url is None else type(error).__name__}): connect "
            "to the network and try again, or point data.data_dir or TFDS_DATA_DIR to a "
            "directory in which TFDS has prepared it as array_record."
        )
    damaged = (download_manager.NonMatchingChecksumError, extractor.ExtractError)
    if isinstance(error, (*damaged, OSError)):
        return f"Preparing {what} in {builder.data_dir} failed: {message}."
    if isinstance(error, AssertionError) and builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        return f"{what} has to be downloaded by hand: {message}."
    return None


@contextlib.contextmanager
def _few_retries() -> Iterator[None]:
    from tensorflow_datasets.core.download import downloader

    noisy = logging.getLogger("urllib3.connectionpool")  # warns once per retry
    with (
        _replaced(vars(downloader), "MAX_RETRIES", _RETRIES),
        _replaced(vars(noisy), "disabled", True),
    ):
        yield


@contextlib.contextmanager
def _replaced(table: dict[str, Any], key: str, value: Any) -> Iterator[None]:
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
