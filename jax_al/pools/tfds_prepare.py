"""Opens, and where needed downloads and prepares, a TFDS data set without TensorFlow.

TFDS reads and writes array_record by itself, but while preparing it borrows a handful of
TensorFlow's functions, which `stand_in` lends it.
"""

import contextlib
import difflib
import logging
import os
import sys
import tempfile
import types
import urllib.error
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.stand_in import replaced, stand_in

_INSTALL = "pip install 'jax_al[prepare]'"
_RETRIES = 4  # three seconds; TFDS's own ten make someone without a network wait for minutes


class Keys(NamedTuple):
    """Names of the features that are used."""

    image: str
    label: str


def prepared_builder(
    name: str, data_dir: str | None, image_key: str | None = None, label_key: str | None = None
) -> Any:
    """Opens a TFDS image-classification data set by name, downloading and preparing it if need be.

    Args:
      name: TFDS's name, such as "cifar10", "cifar10:3.0.2" or "cmaterdb/bangla".
      data_dir: where TFDS keeps prepared data; None means $TFDS_DATA_DIR, then TFDS's default.
      image_key: see `find_keys`.
      label_key: see `find_keys`.

    Returns:
      A `tfds.core.DatasetBuilder` whose data is on disk.

    Raises:
      UsageError: there is no such data set, it is of another kind, it cannot be had, or what is
        on disk was never finished.
    """
    builder = _builder(name, data_dir)
    find_keys(builder, image_key, label_key)
    if builder.data_path.exists():
        _check_complete(builder)
    else:
        _prepare(builder)
    return builder


def find_keys(builder: Any, image_key: str | None, label_key: str | None) -> Keys:
    """Finds the features that hold the image and its class.

    Args:
      builder: a `tfds.core.DatasetBuilder`.
      image_key: the name of an Image feature; None: "image", or else the only one there is.
      label_key: the name of a ClassLabel feature; None: "label", or else the only one there is.

    Raises:
      UsageError: there is no such feature, or more than one, or images are of another kind.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    if not isinstance(features, tfds.features.FeaturesDict):
        features = {}
    image = _find_key(builder.name, features, tfds.features.Image, "image", image_key)
    label = _find_key(builder.name, features, tfds.features.ClassLabel, "label", label_key)
    kind = features[image]
    if kind.np_dtype != np.uint8 or kind.shape[-1] not in (1, 3, 4, None):
        raise UsageError(
            f"{builder.name} has images of type {np.dtype(kind.np_dtype)} and {kind.shape[-1]} "
            "channels; only uint8 images of 1, 3 or 4 channels can be used."
        )
    return Keys(image, label)


def _find_key(name: str, features: Any, kind: type, default: str, key: str | None) -> str:
    there = [one for one in features if isinstance(features[one], kind)]
    wanted = default if key is None else key
    if wanted in there:
        return wanted
    if key is None and default not in features and len(there) == 1:
        return there[0]
    choice = f"set data.{default}_key to one of {', '.join(map(repr, there))}"
    problem = f"it has no {kind.__name__} feature named {wanted!r}"
    if there:
        raise UsageError(f"{name} can be used, but {problem}: {choice}.")
    raise UsageError(f"{name} is no image-classification data set: {problem}.")


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
    with _few_retries(), _bars_that_go(), stand_in() as missing:
        try:
            builder.download_and_prepare(file_format="array_record", download_config=config)
        except Exception as error:
            sentence = _explain(builder, error, missing)
            if sentence is None:
                raise
            raise UsageError(sentence) from error


# --- opening ------------------------------------------------------------------------------------


def _builder(name: str, data_dir: str | None) -> Any:
    import tensorflow_datasets as tfds

    # TFDS reads the variable only once, when it is imported.
    root = data_dir or os.environ.get("TFDS_DATA_DIR") or None
    try:
        with _no_directory_left():
            return tfds.builder(name, data_dir=root and os.path.expanduser(root))
    except tfds.core.registered.DatasetNotFoundError as error:
        known = ["digits", *tfds.list_builders(with_community_datasets=False)]
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)[0]
        folder = f"; a folder is ./{name}" if os.path.isdir(name) else ""
        raise UsageError(
            f"There is no data set named {name!r}; the nearest name is {nearest!r}{folder}."
        ) from error
    except ImportError as error:
        raise UsageError(
            f"TFDS cannot open {name!r} without another package ({one_line(error)}); "
            f"if that is TensorFlow, {_INSTALL} brings it."
        ) from error
    except (AssertionError, OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"TFDS cannot open {name!r}: {one_line(error)}.") from error


@contextlib.contextmanager
def _no_directory_left() -> Iterator[None]:
    """Where TFDS copies what is told of an unprepared data set goes: it leaves a directory each."""
    from tensorflow_datasets.core import dataset_info

    with tempfile.TemporaryDirectory(prefix="jax_al_") as place:
        inside = types.SimpleNamespace(mkdtemp=lambda suffix: tempfile.mkdtemp(suffix, dir=place))
        with replaced(vars(dataset_info), "tempfile", inside):
            yield


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
        replaced(vars(downloader), "MAX_RETRIES", _RETRIES),
        replaced(vars(noisy), "disabled", True),
    ):
        yield


@contextlib.contextmanager
def _bars_that_go() -> Iterator[None]:
    """TFDS's progress bars are for a terminal, and leave it when they end, or fail."""
    import tqdm.auto
    from tensorflow_datasets.core.utils import tqdm_utils

    class Fleeting(tqdm.auto.tqdm):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **{**kwargs, "leave": False})

    with (
        replaced(vars(tqdm.auto), "tqdm", Fleeting),
        replaced(vars(tqdm_utils), "_active", sys.stderr.isatty()),
    ):
        yield
