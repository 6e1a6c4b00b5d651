"""Pools and benchmarks by name: digits, TFDS data sets, files of arrays, functions from outside."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.cache_root import cache_root
from jax_al.pools.digits import digits
from jax_al.pools.folder import LARGEST
from jax_al.pools.labeled_folder import folder_benchmark, is_folder
from jax_al.pools.long_tail import long_tail_rows
from jax_al.pools.outside import is_outside, outside
from jax_al.pools.splits import of_splits
from jax_al.pools.subset import subset, subset_rows
from jax_al.pools.table import SUFFIXES, table_benchmark
from jax_al.pools.tfds import tfds_source
from jax_al.types import Benchmark, Pool


def benchmark(
    name: str,
    *,
    data_dir: str | None = None,
    cache_dir: str | None = None,
    pool_splits: Sequence[str] = ("train",),
    pool_size: int | None = None,
    imbalance: float | None = None,
    test_split: str | None = "test",
    test_size: int | None = None,
    image_size: int | None = None,
    label_key: str | None = None,
    image_key: str | None = None,
    labels: str | None = None,
    test_path: str | None = None,
    test_labels: str | None = None,
) -> Benchmark:
    """Opens a data set, preparing it first if need be; images are mapped, not read.

    Args:
      name: "digits" (scikit-learn's, embedded); a TFDS image-classification data set, by TFDS's
        own naming: "cifar10", "cifar10:3.0.2", "cmaterdb/bangla"; a path that ends in .npy or .npz
        (see `table_benchmark`); the path of a folder of pictures (see `folder_benchmark`); or
        "module:function" from outside (see `outside`).
      data_dir: where TFDS keeps prepared data; None means $TFDS_DATA_DIR, then TFDS's default.
      cache_dir: where decoded images are kept; None means $XDG_CACHE_HOME/jax_al, then
        ~/.cache/jax_al. A cache that cannot be written costs a warning, time and memory.
      pool_splits: the splits that make the pool, concatenated in this order; TFDS's slicing
        ("train[:10%]") works. No image may be in two of them.
      pool_size: keep a fixed random subset of that many, in pool order; None keeps all.
      imbalance: keep a long tail of the pool, before `pool_size`: how many times as many examples
        the first class has as the last one, 1 or more (see `long_tail_rows`). The test set stays.
      test_split: the split of the test set, apart from the pool: "train[90%:]" beside a pool of
        "train[:90%]" is, beside one of "train" it is not. None or "none": no test set.
      test_size: like `pool_size`, for the test set.
      image_size: side of the square every image becomes (see `resize_square`); None leaves
        images as they are, which must then all have one shape; those of a folder become 96.
      label_key: the TFDS feature with the class; None: "label", or else the only ClassLabel.
      image_key: the TFDS feature with the image; None: "image", or else the only Image.
      labels: of a file or a folder: see there.
      test_path: of a file or a folder: see there.
      test_labels: of a file or a folder: see there.

    Returns:
      The benchmark. Ids are the data set's own, if it has some and they are distinct; where it has
      none, the index as text; where one stands for two images, "SPLIT/i" for all of them, with i
      the place in the split. A pool of ours has an `index` into the whole pool.

    Raises:
      UsageError: what the caller can mend, said in one sentence: arguments that cannot be meant;
        a data set that does not exist, is of another kind, cannot be had, or is damaged; a split
        that does not exist; splits that share an image; a subset larger than the whole; images
        of different shapes without an `image_size`; images without a label.
    """
    no_test = test_split is None or test_split == "none"
    size = {"image_size": image_size}
    keys = {"label_key": label_key, "image_key": image_key}
    files = {"labels": labels, "test_path": test_path, "test_labels": test_labels}
    _check_arguments(pool_splits, image_size)
    if is_outside(name):
        _refuse(name, {**size, **keys, **files})
        whole = outside(name)
    elif is_folder(name):
        _refuse(name, keys)
        whole = folder_benchmark(name, labels, test_path, test_labels, image_size, cache_dir)
    elif name.endswith(SUFFIXES):
        _refuse(name, {**size, **keys})
        whole = table_benchmark(name, labels, test_path, test_labels)
    elif Path(name).suffix and Path(name).expanduser().is_file():
        raise UsageError(
            f"data.name is {name!r}, a file that is no {' or '.join(SUFFIXES)}: save its rows with "
            "numpy.save, and their labels likewise (data.labels)."
        )
    elif name.startswith((".", "~", os.sep)):  # as no name of TFDS does
        raise UsageError(f"There is no folder {name}; a file ends in {' or '.join(SUFFIXES)}.")
    else:
        if any(files.values()) and Path(name).is_dir():
            raise UsageError(f"data.name={name} is a data set of TFDS; the folder is ./{name}.")
        _refuse(name, files)
        if name == "digits":
            _refuse(name, keys)
            source = digits(image_size)
        else:
            cache = cache_root(cache_dir)
            source = tfds_source(name, data_dir, cache, image_size, image_key, label_key)
        whole = of_splits(source, pool_splits, None if no_test else test_split)
    return _smaller(_imbalanced(whole, imbalance), pool_size, test_size)


def _imbalanced(whole: Benchmark, imbalance: float | None) -> Benchmark:
    if imbalance is None:
        return whole
    if whole.truth is None:
        raise UsageError(
            "data.imbalance keeps a part of each class, and the labels of this pool are not known."
        )
    rows = long_tail_rows(whole.truth, len(whole.classes), imbalance)
    return whole._replace(pool=subset(whole.pool, rows), truth=whole.truth[rows])


def _smaller(whole: Benchmark, pool_size: int | None, test_size: int | None) -> Benchmark:
    pool, truth = _part(whole.pool, whole.truth, pool_size, "data.pool_size", "the pool")
    test, test_labels = whole.test, whole.test_labels
    if test is not None:
        test, test_labels = _part(test, test_labels, test_size, "data.test_size", "the test set")
    return whole._replace(pool=pool, truth=truth, test=test, test_labels=test_labels)


def _part(
    pool: Pool, labels: np.ndarray | None, size: int | None, field: str, what: str
) -> tuple[Pool, np.ndarray | None]:
    if size is not None:
        rows = subset_rows(len(pool), size, field, what)
        pool, labels = subset(pool, rows), None if labels is None else labels[rows]
    return pool, None if labels is None else _frozen(labels)


def _check_arguments(pool_splits: Sequence[str], image_size: int | None) -> None:
    if isinstance(pool_splits, str) or not pool_splits:
        raise UsageError(
            f"data.pool_splits must be a list of one or more splits, not {pool_splits!r}."
        )
    for split in pool_splits:
        if list(pool_splits).count(split) > 1:
            raise UsageError(f"data.pool_splits names {split!r} twice.")
    if image_size is not None and not 1 <= image_size <= LARGEST:
        raise UsageError(f"data.image_size must be from 1 to {LARGEST}, or None, not {image_size}.")


def _refuse(name: str, options: Mapping[str, object]) -> None:
    """Refuses options that say nothing about data of this kind."""
    for option, value in options.items():
        if value is not None:
            raise UsageError(
                f"data.{option} is {value!r}, but says nothing about {name}: unset it."
            )


def _frozen(array: np.ndarray) -> np.ndarray:
    array = array.view()
    array.flags.writeable = False
    return array
