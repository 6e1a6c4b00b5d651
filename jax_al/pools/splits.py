"""Benchmarks of data sets that come in named splits: which images are bought, which test."""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.arrays import arrays
from jax_al.pools.cache import Split
from jax_al.pools.decode import shapes_differ
from jax_al.pools.rows import RowPool
from jax_al.pools.subset import concatenate
from jax_al.types import Benchmark


class Source(NamedTuple):
    """A data set in named splits."""

    name: str
    version: str
    classes: tuple[str, ...]
    rows: Callable[[str], list[tuple[str, range]]]  # split -> rows of whole splits, see split_rows
    read: Callable[[str], Split]  # split -> its images, all of one shape


def of_splits(source: Source, pool_splits: Sequence[str], test_split: str | None) -> Benchmark:
    """Returns the benchmark whose pool is some splits in a row, and its test set another.

    Ids are the data set's own. Where it has none, or one of them stands for two examples, they are
    "0", "1", ... and "SPLIT/0", "SPLIT/1", ... in turn, for all the examples.

    Args:
      source: the data set.
      pool_splits: one or more distinct splits.
      test_split: None: no test set.

    Raises:
      UsageError: a split does not exist, or cannot be read; two share an image; images differ in
        shape.
    """
    _check_disjoint(source, pool_splits, test_split)
    splits = [source.read(split) for split in pool_splits]
    test = None if test_split is None else source.read(test_split)
    for split in [*splits, *([] if test is None else [test])]:
        if split.images.shape[1:] != splits[0].images.shape[1:]:
            raise shapes_differ(splits[0].images.shape[1:], split.images.shape[1:])
    return Benchmark(
        pool=_pool(pool_splits, splits),
        truth=np.concatenate([split.labels for split in splits]),
        classes=source.classes,
        test=None if test is None else _pool([str(test_split)], [test]),
        test_labels=None if test is None else test.labels,
        name=source.name,
        version=source.version,
    )


def _check_disjoint(source: Source, pool_splits: Sequence[str], test_split: str | None) -> None:
    """Refuses a test image that can be bought, and an image that can be bought twice."""
    named = [("data.pool_splits", split) for split in pool_splits]
    if test_split is not None:
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


def _pool(names: Sequence[str], splits: Sequence[Split]) -> RowPool:
    ids = _ids(names, splits)
    if len(splits) == 1:
        return arrays(splits[0].images, ids)
    return concatenate([arrays(split.images) for split in splits], ids)


def _ids(names: Sequence[str], splits: Sequence[Split]) -> list[str]:
    sizes = [len(split.labels) for split in splits]
    own = [name for split in splits if split.ids is not None for name in split.ids.tolist()]
    if not own:
        return list(map(str, range(sum(sizes))))
    if len(set(own)) == sum(sizes):
        return own
    return [f"{name}/{i}" for name, size in zip(names, sizes, strict=True) for i in range(size)]
