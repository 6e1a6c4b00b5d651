"""Benchmarks of folders of pictures whose labels are known: by subfolder, or by a table beside."""

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from absl import logging

from jax_al.errors import UsageError
from jax_al.pools.folder import FolderPool, folder
from jax_al.pools.rows import RowPool
from jax_al.pools.sheet import columns_of, delimiter_of, text_of
from jax_al.pools.subset import subset
from jax_al.types import Benchmark

BY_FOLDER = "folders"
SIZE = 96  # side of a picture where none is named


def is_folder(name: str) -> bool:
    """Returns whether `name` is a path of a directory: with a separator, as "./photos" has one."""
    return os.sep in name and Path(name).expanduser().is_dir()


def folder_benchmark(
    path: str,
    labels: str | None,
    test_path: str | None,
    test_labels: str | None,
    image_size: int | None,
    cache_dir: str | None,
) -> Benchmark:
    """Returns the benchmark of a folder of pictures, see `folder`.

    Args:
      path: of the folder.
      labels: "folders": the class of a picture is the name of the first subfolder that it lies in;
        or the path of a CSV file with the columns id and label. None: no truth.
      test_path: likewise, the test set; its classes must be among those of the pool.
      test_labels: likewise; None: as `labels`, if that is "folders".
      image_size: side of the squares; None: SIZE.
      cache_dir: see `folder`.

    Returns:
      The benchmark; its classes are the distinct labels, sorted. A picture that two files hold
      under two labels is left out, which a warning tells.

    Raises:
      UsageError: a folder or a table cannot be read, a picture has no label, or one of the test
        set has a class that no picture of the pool has.
    """
    size = SIZE if image_size is None else image_size
    pool, names = _read(path, labels, "data.labels", size, cache_dir)
    classes = tuple(sorted(set(names or ())))
    number = {name: place for place, name in enumerate(classes)}
    test, truth = None, None
    if test_path is not None:
        test_labels = labels if test_labels is None and labels == BY_FOLDER else test_labels
        if labels is None or test_labels is None:
            raise UsageError(
                "data.test_path needs labels: set data.labels for the pool and data.test_labels "
                "for the test set."
            )
        test, found = _read(test_path, test_labels, "data.test_labels", size, cache_dir)
        for row, name in enumerate(found or ()):
            if name not in number:
                raise UsageError(
                    f"{test.ids[row]} of {test_path} is of the class {name!r}, which no picture "
                    "of the pool has."
                )
        truth = np.array([number[name] for name in found or ()], np.int32)
    elif test_labels is not None:
        raise UsageError("data.test_labels is set, but data.test_path is not.")
    return Benchmark(
        pool=pool,
        truth=None if names is None else np.array([number[name] for name in names], np.int32),
        classes=classes,
        test=test,
        test_labels=truth,
        name=Path(path).expanduser().resolve().name,
    )


def _read(
    path: str, labels: str | None, field: str, size: int, cache_dir: str | None
) -> tuple[RowPool, list[str] | None]:
    """Returns the pictures whose labels are known and agree, and the names of their classes."""
    pool = folder(path, size=size, cache_dir=cache_dir)
    if pool.passed_over:
        first = pool.passed_over[0]
        count = len(pool.passed_over)
        logging.warning(
            "Of the files in %s %s passed over, such as %s, which %s.",
            path, "1 was" if count == 1 else f"{count:,} were", first.id, first.why,
        )  # fmt: skip
    if labels is None:
        return pool, None
    if labels == BY_FOLDER:
        known = labels_from_folders(pool)
        _check_all_in_folders(pool, known, path)
    elif labels.endswith(".csv"):
        known = labels_from_csv(labels)
    else:
        raise UsageError(
            f"{field} is {labels!r}, but must be {BY_FOLDER!r} or the path of a .csv file with the "
            "columns id and label."
        )
    return _labeled(pool, known, labels)


def _labeled(pool: FolderPool, known: Mapping[str, str], what: str) -> tuple[RowPool, list[str]]:
    kept, names, torn = [], [], []
    for row, name in enumerate(pool.ids):
        said = {known[id] for id in (name, *pool.copies.get(row, ())) if id in known}
        if not said:
            raise UsageError(f"{what} has no label of {name}: each picture needs one.")
        if len(said) > 1:
            torn.append(name)
            continue
        kept.append(row)
        names.append(said.pop())
    if torn:
        logging.warning(
            "%d pictures lie there under two labels and are left out, such as %s.",
            len(torn), torn[0],
        )  # fmt: skip
    if not kept:
        raise UsageError(f"{what} has no picture with one label.")
    return (subset(pool, np.array(kept)) if torn else pool), names


def labels_from_folders(pool: FolderPool) -> dict[str, str]:
    """Returns the name of the first subfolder that each picture lies in, copies too, by id.

    Pictures that lie in none are left out.
    """
    parts = ((name, name.partition("/")) for name in pool.files)
    return {name: place for name, (place, slash, _) in parts if slash}


def labels_from_csv(path: str) -> dict[str, str]:
    """Returns the labels of a CSV file with the columns id and label, by id.

    It may be as spreadsheets save it, see `text_of`. Blanks around a label are taken off, and none
    around an id; a line without a label says nothing.

    Raises:
      UsageError: it cannot be read, or has two labels of an id.
    """
    try:
        content = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    text = text_of(content, path)
    delimiter = delimiter_of(text)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        first, *lines = [*filter(any, reader)] or [[]]
    except csv.Error as error:
        raise UsageError(f"{path} cannot be read as a table: {error}.") from error
    header = columns_of(first, path)
    found: dict[str, str] = {}
    for cells in lines:
        if any(cells[len(header) :]):
            raise UsageError(
                f"{path} has more cells in the line of {cells[0]!r} than in its first: a name "
                f"with {delimiter!r} in it needs quotes around it."
            )
        line = dict(zip(header, cells, strict=False))
        name, label = line.get("id", ""), line.get("label", "").strip()
        if label and found.setdefault(name, label) != label:
            raise UsageError(f"{path} has two labels of {name}: {found[name]!r} and {label!r}.")
    return found


def _check_all_in_folders(pool: FolderPool, known: Mapping[str, str], path: str) -> None:
    for name in pool.files:
        if name not in known:
            raise UsageError(
                f"{name} lies in no subfolder of {path}, so its class is not known: put each "
                "picture into a folder with the name of its class, or name a .csv file."
            )
