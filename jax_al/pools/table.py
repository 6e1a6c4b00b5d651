"""Pools from .npy and .npz files: tables of features, or images, with labels beside or inside."""

import pathlib
from typing import Any, NamedTuple

import numpy as np

from jax_al.errors import UsageError, composed
from jax_al.pools.arrays import arrays
from jax_al.pools.rows import RowPool
from jax_al.types import Benchmark, Pool, Spec

SUFFIXES = (".npy", ".npz")
_COLUMN = "column:"


class Table(NamedTuple):
    """The rows of one file, and what stands there as their labels."""

    pool: RowPool
    labels: np.ndarray | None  # int64 or str [N]


def table_benchmark(
    path: str, labels: str | None, test_path: str | None, test_labels: str | None
) -> Benchmark:
    """Returns the benchmark of a file, which is mapped and not read if it is a .npy.

    Args:
      path: a .npy with the rows; or a .npz, in which they are "x" or the only array of two or more
        dimensions. Images are uint8 [N, H, W, channels] or [N, H, W].
      labels: the path of a .npy with N whole numbers or strings; or the key of such an array in the
        .npz; or "column:K", for column K of a table, which is then no feature. None: no truth.
      test_path: like `path`, the test set. Its classes must be among those of the pool.
      test_labels: like `labels`; None: as `labels`, if that is a key or a column.

    Returns:
      The benchmark; its classes are the distinct labels, sorted, as text.

    Raises:
      UsageError: a file cannot be read, or does not hold what it should.
    """
    pool, values = _read(path, labels, "data.labels")
    classes = np.unique(values) if values is not None else np.empty(0, np.int64)
    test, test_truth = None, None
    if test_path is not None:
        beside = labels is not None and labels.endswith(".npy")
        test_labels = labels if test_labels is None and not beside else test_labels
        if labels is None or test_labels is None:
            raise UsageError(
                "data.test_path needs labels: set data.labels for the pool and data.test_labels "
                "for the test set."
            )
        test, test_values = _read(test_path, test_labels, "data.test_labels")
        assert test_values is not None
        test_truth = _numbered(test_values, classes, test_labels)
        _check_alike(test, test_path, pool, path)
    elif test_labels is not None:
        raise UsageError("data.test_labels is set, but data.test_path is not.")
    return Benchmark(
        pool=pool,
        truth=None if values is None else _numbered(values, classes, labels),
        classes=tuple(map(str, classes.tolist())),
        test=test,
        test_labels=test_truth,
        name=pathlib.Path(path).name,
    )


def unlabeled_test(test_path: str, pool: Pool, path: str) -> RowPool:
    """Returns the test set of a file, for those who need no labels of it.

    Args:
      test_path: as of `table_benchmark`.
      pool: that it is the test set of.
      path: of the pool, for messages.

    Raises:
      UsageError: the file cannot be read, or its examples are not like those of the pool.
    """
    test = _read(test_path, None, "").pool
    _check_alike(test, test_path, pool, path)
    return test


def _check_alike(test: Pool, test_path: str, pool: Pool, path: str) -> None:
    if test.spec != pool.spec:
        raise UsageError(
            f"{test_path} holds examples of {test.spec.dtype} {test.spec.shape}, but those of "
            f"{path} are {pool.spec.dtype} {pool.spec.shape}: they must be alike."
        )


def _read(path: str, labels: str | None, field: str) -> Table:
    file = _load(path)
    x = file if isinstance(file, np.ndarray) else _rows_of(file, path)
    try:
        pool = arrays(x)
    except UsageError as error:
        raise UsageError(f"{path} cannot be a pool. {error}") from error
    if labels is None:
        return Table(pool, None)
    if labels.startswith(_COLUMN):
        column = _column(labels, x, path, field)
        return Table(_without(pool, column), _checked(x[:, column], f"{labels} of {path}", x))
    if labels.endswith(".npy"):
        beside = _load(labels)
        return Table(pool, _checked(beside, labels, x))
    if isinstance(file, np.ndarray) or labels not in file:
        keys = "" if isinstance(file, np.ndarray) else f" ({', '.join(file)})"
        raise UsageError(
            f"{field} is {labels!r}, but must be the path of a .npy file, a key of the .npz that "
            f"holds the rows{keys}, or {_COLUMN}K."
        )
    return Table(pool, _checked(file[labels], f"{labels!r} of {path}", x))


def _load(path: str) -> Any:
    """An array, mapped, or a dict of arrays."""
    where = pathlib.Path(path).expanduser()
    if not where.is_file():
        raise UsageError(f"There is no file {path}.")
    try:
        found = np.load(where, mmap_mode="r", allow_pickle=False)
        return found if isinstance(found, np.ndarray) else {key: found[key] for key in found}
    except Exception as error:  # NumPy and zipfile have many for what is no such file
        if "Python objects" in str(error):
            raise UsageError(
                f"{path} holds Python objects: save numbers, or labels as text, by .astype(str)."
            ) from error
        raise UsageError(
            f"{path} cannot be read as a file of arrays ({' '.join(str(error).split())})."
        ) from error


def _rows_of(file: dict[str, np.ndarray], path: str) -> np.ndarray:
    tables = [key for key, array in file.items() if array.ndim >= 2]
    if "x" in file:
        return file["x"]
    if len(tables) != 1:
        raise UsageError(
            f"{path} must hold the rows as 'x', or as its only array of two or more dimensions; "
            f"it holds {', '.join(f'{key!r} {array.shape}' for key, array in file.items())}."
        )
    return file[tables[0]]


def _column(labels: str, x: np.ndarray, path: str, field: str) -> int:
    number = labels.removeprefix(_COLUMN)
    if x.ndim != 2 or x.shape[1] < 2:
        raise UsageError(f"{field} is {labels!r}, but {path} has no two columns: it is {x.shape}.")
    if not number.isdecimal() or int(number) >= x.shape[1]:
        raise UsageError(f"{field} is {labels!r}, but {path} has columns 0..{x.shape[1] - 1}.")
    return int(number)


def _without(pool: RowPool, column: int) -> RowPool:
    spec = Spec((pool.spec.shape[0] - 1,), pool.spec.dtype)
    return RowPool(len(pool), spec, lambda rows: np.delete(pool.read(rows), column, axis=1))


def _checked(values: np.ndarray, what: str, x: np.ndarray) -> np.ndarray:
    """The labels as int64 or str [N]."""
    if values.shape != (len(x),):
        raise UsageError(
            f"{what} must hold a label for each of {len(x):,} rows, and is of shape {values.shape}."
        )
    if values.dtype.kind in "uf":
        # Beyond 2^63 two labels would become the same int64.
        is_whole = (values == np.floor(values)) & (abs(values) < 2.0**63)
        wrong = np.flatnonzero(~is_whole)
        if wrong.size:
            raise UsageError(
                f"{what} must hold whole numbers or strings as labels, and has "
                f"{values[wrong[0]]} in row {wrong[0]}"
                + (", which is beyond 2^63." if abs(values[wrong[0]]) >= 2.0**63 else ".")
            )
    if values.dtype.kind in "biuf":
        return values.astype(np.int64)
    if values.dtype.kind == "U":
        return _one_spelling(values.astype(np.str_))
    if values.dtype.kind == "S":
        try:
            return _one_spelling(np.char.decode(values, "utf-8"))
        except UnicodeDecodeError as error:
            raise UsageError(
                f"{what} holds labels of bytes that are no text ({error.reason}): save them as "
                "strings, with values.astype(str)."
            ) from error
    raise UsageError(f"{what} must hold whole numbers or strings as labels, not {values.dtype}.")


def _one_spelling(values: np.ndarray) -> np.ndarray:
    """Text in which one accent is not written in two ways, which look alike."""
    found, where = np.unique(values, return_inverse=True)
    return np.array([composed(text) for text in found.tolist()])[where]


def _numbered(values: np.ndarray, classes: np.ndarray, what: str | None) -> np.ndarray:
    """The labels as int32 [N], positions in `classes`."""
    if values.dtype.kind != classes.dtype.kind:
        raise UsageError(f"{what} holds {values.dtype} and the labels of the pool {classes.dtype}.")
    found = np.searchsorted(classes, values)
    unknown = classes[np.minimum(found, len(classes) - 1)] != values
    if unknown.any():
        row = int(np.argmax(unknown))
        raise UsageError(
            f"{what} has the class {values[row].item()!r} in row {row}, which no example of the "
            "pool has."
        )
    return found.astype(np.int32)
