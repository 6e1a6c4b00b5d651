"""Labeled images as arrays: TFDS data sets by name, and scikit-learn's embedded digits.

`load` returns the pool and the test set in memory. A TFDS data set is read from array_record,
without TensorFlow; its decoded images are kept in a cache, so that only the first start decodes.
"""

import concurrent.futures
import dataclasses
import io
import itertools
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools import tfds_prepare
from jax_al.pools.cache import (
    Split,
    cache_path,
    cache_root,
    fingerprint,
    read_cache,
    write_cache,
)

DIGITS_TEST_SIZE = 500
# Constants, so that every run and every machine sees the same split and the same subsets.
_DIGITS_SEED = 1797
_SUBSET_SEED = 1708
_ID_FEATURES = ("id", "file_name", "filename", "image_id")
_BATCH = 512  # records read at a time: 20 times faster than one by one
_LARGE_BYTES = 8192  # encoded images from this size on decode faster in threads, smaller slower
_CACHE_FORMAT = 1  # part of the key: raise it when the decoding changes


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A pool to buy labels from and a test set; every array is read-only."""

    name: str
    version: str
    images: np.ndarray  # uint8 [N, H, W, C]: the pool, in the order of its splits
    labels: np.ndarray  # int32 [N]: the truth; for the oracle alone
    index: np.ndarray  # int64 [N]: position of each row in the whole pool
    whole_size: int  # points in the whole pool
    ids: np.ndarray | None  # str [N]: the data set's own ids, None if it has none
    test_images: np.ndarray  # uint8 [M, H, W, C]
    test_labels: np.ndarray  # int32 [M]
    class_names: tuple[str, ...]  # one per class


class _Source(NamedTuple):
    name: str
    version: str
    class_names: tuple[str, ...]
    rows: Callable[[str], list[tuple[str, range]]]  # split -> rows of whole splits, see split_rows
    read: Callable[[str], Split]  # split -> its images, all of one shape


def load(
    name: str,
    *,
    data_dir: str | None,
    cache_dir: str | None,
    pool_splits: Sequence[str],
    pool_size: int | None,
    test_split: str,
    test_size: int | None,
    image_size: int | None,
) -> Dataset:
    """Loads a data set into memory, preparing it first if need be.

    Args:
      name: "digits" (scikit-learn's, embedded) or any TFDS image-classification data set, by
        TFDS's own naming: "cifar10", "cifar10:3.0.2", "cmaterdb/bangla".
      data_dir: where TFDS keeps prepared data; None means $TFDS_DATA_DIR, then TFDS's default.
      cache_dir: where decoded images are kept; None means $XDG_CACHE_HOME/jax_al, then
        ~/.cache/jax_al. A cache that cannot be written costs a warning and time, nothing else.
      pool_splits: the splits that make the pool, concatenated in this order; TFDS's slicing
        ("train[:10%]") works. No image may be in two of them.
      pool_size: keep a fixed random subset of that many, in pool order; None keeps all.
      test_split: the split of the test set, apart from the pool: "train[90%:]" beside a pool of
        "train[:90%]" is, beside one of "train" it is not.
      test_size: like `pool_size`, for the test set.
      image_size: side of the square every image becomes (see `resize_square`); None leaves
        images as they are, which must then all have one shape.

    Returns:
      The data set, as read-only arrays.

    Raises:
      UsageError: what the caller can mend, said in one sentence: arguments that cannot be meant;
        a data set that does not exist, is of another kind, cannot be had, or is damaged; a split
        that does not exist; splits that share an image; a subset larger than the whole; images
        of different shapes without an `image_size`; images without a label.
    """
    _check_arguments(pool_splits, image_size)
    if name == "digits":
        source = _digits(image_size)
    else:
        source = _tfds(name, data_dir, cache_root(cache_dir), image_size)
    _check_disjoint(source, pool_splits, test_split)
    pool = _concatenate([source.read(split) for split in pool_splits])
    test = source.read(test_split)
    if pool.images.shape[1:] != test.images.shape[1:]:
        raise _shapes_differ(pool.images.shape[1:], test.images.shape[1:])
    index = _subset(len(pool.labels), pool_size, "data.pool_size", "the pool")
    test_index = _subset(len(test.labels), test_size, "data.test_size", "the test set")
    return Dataset(
        name=source.name,
        version=source.version,
        images=_take(pool.images, index),
        labels=_take(pool.labels, index),
        index=_frozen(index),
        whole_size=len(pool.labels),
        ids=None if pool.ids is None else _take(pool.ids, index),
        test_images=_take(test.images, test_index),
        test_labels=_take(test.labels, test_index),
        class_names=source.class_names,
    )


def resize_square(pixels: np.ndarray, size: int) -> np.ndarray:
    """Cuts the middle square out of an image and resizes it to `size`.

    An image that is already that square is returned as it is, bit for bit. The filter is
    Pillow's bicubic, which widens with the scale and so antialiases; it rings less at edges than
    Lanczos and blurs less than a box, and is what most classification pipelines use.

    Args:
      pixels: uint8 [H, W, C], C = 1, 3 or 4.
      size: side of the result.

    Returns:
      uint8 [size, size, C].
    """
    from PIL import Image

    height, width, channels = pixels.shape
    if (height, width) == (size, size):
        return pixels
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    image = Image.fromarray(square[..., 0] if channels == 1 else square)
    resized = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))
    return resized.reshape(size, size, channels)


def _check_arguments(pool_splits: Sequence[str], image_size: int | None) -> None:
    if isinstance(pool_splits, str) or not pool_splits:
        raise UsageError(
            f"data.pool_splits must be a list of one or more splits, not {pool_splits!r}."
        )
    for split in pool_splits:
        if list(pool_splits).count(split) > 1:
            raise UsageError(f"data.pool_splits names {split!r} twice.")
    if image_size is not None and image_size < 1:
        raise UsageError(f"data.image_size must be 1 or more, or None, not {image_size}.")


def _check_disjoint(source: _Source, pool_splits: Sequence[str], test_split: str) -> None:
    """Refuses a test image that can be bought, and an image that can be bought twice."""
    named = [("data.pool_splits", split) for split in pool_splits]
    named.append(("data.test_split", test_split))
    parts = [
        (f"{split!r} in {field}", whole, rows)
        for field, split in named
        for whole, rows in source.rows(split)
    ]
    for (one, whole, rows), (other, other_whole, other_rows) in itertools.combinations(parts, 2):
        shared = min(rows.stop, other_rows.stop) - max(rows.start, other_rows.start)
        if whole == other_whole and shared > 0:
            raise UsageError(
                f"{one} and {other} share {shared} of the images of {whole!r}, but no image may "
                "be in two places: choose other splits, or slices that do not overlap."
            )


def _subset(total: int, size: int | None, field: str, what: str) -> np.ndarray:
    """Sorted int64 positions; a smaller subset lies inside every larger one."""
    if size is None:
        return np.arange(total)
    if not 1 <= size <= total:
        raise UsageError(f"{field} must lie between 1 and {total}, the size of {what}, not {size}.")
    # RandomState, because NumPy promises never to change its stream.
    order = np.random.RandomState(_SUBSET_SEED).permutation(total)
    return np.sort(order[:size])


def _take(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    return _frozen(array if len(index) == len(array) else array[index])


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _concatenate(splits: list[Split]) -> Split:
    if len(splits) == 1:
        return splits[0]
    for split in splits[1:]:
        if split.images.shape[1:] != splits[0].images.shape[1:]:
            raise _shapes_differ(splits[0].images.shape[1:], split.images.shape[1:])
    ids = [split.ids for split in splits if split.ids is not None]
    return Split(
        images=np.concatenate([split.images for split in splits]),
        labels=np.concatenate([split.labels for split in splits]),
        ids=np.concatenate(ids) if ids else None,
    )


def _shapes_differ(one: tuple[int, ...], other: tuple[int, ...]) -> UsageError:
    shapes = " and ".join("x".join(map(str, shape)) for shape in (one, other))
    return UsageError(
        f"The images have different shapes ({shapes}): set data.image_size to make them squares."
    )


# --- scikit-learn's digits ----------------------------------------------------------------------


def _digits(image_size: int | None) -> _Source:
    """The 1,797 digits: 1,297 "train" and 500 "test", drawn once and for ever."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    # Values are whole numbers 0..16; times 15 they are whole numbers 0..240: linear and exact.
    images = (bunch.images * 15).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int32)
    order = np.random.RandomState(_DIGITS_SEED).permutation(len(labels))
    splits = {
        "train": np.sort(order[DIGITS_TEST_SIZE:]),
        "test": np.sort(order[:DIGITS_TEST_SIZE]),
    }

    def positions(split: str) -> np.ndarray:
        if split not in splits:
            raise UsageError(f"digits has no split {split!r}; its splits are train and test.")
        return splits[split]

    def read(split: str) -> Split:
        chosen = images[positions(split)]
        if image_size is not None:
            chosen = np.stack([resize_square(image, image_size) for image in chosen])
        return Split(images=chosen, labels=labels[positions(split)], ids=None)

    return _Source(
        name="digits",
        version="1.0.0",
        class_names=tuple(map(str, bunch.target_names)),
        rows=lambda split: [(split, range(len(positions(split))))],
        read=read,
    )


# --- TFDS ---------------------------------------------------------------------------------------


def _tfds(name: str, data_dir: str | None, cache: pathlib.Path, image_size: int | None) -> _Source:
    builder = tfds_prepare.prepared_builder(name, data_dir)
    version = str(builder.version)

    def read(split: str) -> Split:
        source = tfds_prepare.data_source(builder, split)
        key = {
            "format": _CACHE_FORMAT,
            "dataset": builder.info.full_name,
            "split": split,
            "image_size": image_size,
            "files": fingerprint(pathlib.Path(builder.data_dir)),
        }
        path = cache_path(cache, key)
        cached = read_cache(path)
        if cached is None:
            cached = _decode(builder, source, split, image_size)
            write_cache(path, cached)
        return cached

    return _Source(
        name=builder.info.full_name.removesuffix(f"/{version}"),
        version=version,
        class_names=tuple(builder.info.features["label"].names),
        rows=lambda split: tfds_prepare.split_rows(builder, split),
        read=read,
    )


def _decode(builder: Any, source: Any, split: str, image_size: int | None) -> Split:
    features = builder.info.features
    id_feature = next((key for key in _ID_FEATURES if key in features), None)
    channels = features["image"].shape[-1]

    def decode(record: dict[str, Any]) -> np.ndarray:
        pixels = _decode_image(record["image"], channels)
        return pixels if image_size is None else resize_square(pixels, image_size)

    images: np.ndarray | None = None
    labels = np.empty(len(source), np.int32)
    ids: list[str] = []
    starts = range(0, len(source), _BATCH)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        for start in _progress(starts, f"Decoding {builder.name} {split}"):
            rows = range(start, min(start + _BATCH, len(source)))
            try:
                records = source.__getitems__(rows)
                large = len(records[0]["image"]) >= _LARGE_BYTES
                decoded = list((threads.map if large else map)(decode, records))
            except Exception as error:  # each layer has its own for damaged bytes
                raise UsageError(
                    f"The prepared data of {builder.name} in {builder.data_dir} is damaged "
                    f"({tfds_prepare.one_line(error)}): delete that directory and prepare it again."
                ) from error
            if images is None:
                images = np.empty((len(source), *decoded[0].shape), np.uint8)
            for row, record, pixels in zip(rows, records, decoded, strict=True):
                if pixels.shape != images.shape[1:]:
                    raise _shapes_differ(images.shape[1:], pixels.shape)
                images[row] = pixels
                labels[row] = record["label"]
                if id_feature:
                    ids.append(_text(record[id_feature]))
    assert images is not None  # TFDS refuses an empty split
    if labels.min() < 0:
        raise UsageError(f"Split {split!r} of {builder.name} has images without a label.")
    return Split(images, labels, np.array(ids) if id_feature else None)


def _decode_image(encoded: bytes, channels: int | None) -> np.ndarray:
    from PIL import Image

    mode = {1: "L", 4: "RGBA"}.get(channels or 3, "RGB")
    with Image.open(io.BytesIO(encoded)) as image:
        pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _progress(batches: Sequence[int], title: str) -> Iterable[int]:
    """A progress bar that leaves no trace, on a terminal only."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    disable = not console.is_terminal
    return track(batches, title, console=console, transient=True, disable=disable)
