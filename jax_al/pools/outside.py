"""Pools from outside, named "module:function"."""

import re
from collections.abc import Sequence

import numpy as np

from jax_al.errors import UsageError
from jax_al.outside import function_named
from jax_al.pools.rows import Numbers
from jax_al.types import Benchmark

_READS = ("ids", "spec", "__len__", "read", "show")
# What follows the colon of a TFDS name is a version, and begins with a digit.
_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_outside(name: str) -> bool:
    """Returns whether `name` reads "module:function"."""
    return _NAME.fullmatch(name) is not None


def outside(name: str) -> Benchmark:
    """Returns what the function named "module:function" returns.

    Args:
      name: a function without arguments that returns a Pool or a Benchmark, in a module on
        Python's path.

    Returns:
      Its Benchmark, or one of its Pool, without truth, classes and test set.

    Raises:
      UsageError: there is no such module or function, or it returns something else.
    """
    made = function_named("pool", name)()
    found = made if isinstance(made, Benchmark) else Benchmark(made, None, (), name=name)
    found = found._replace(
        truth=None if found.truth is None else np.asarray(found.truth),
        test_labels=None if found.test_labels is None else np.asarray(found.test_labels),
    )
    _check(found, f"{name!r}, which data.name names,")
    return found._replace(truth=_as_int32(found.truth), test_labels=_as_int32(found.test_labels))


def _as_int32(labels: np.ndarray | None) -> np.ndarray | None:
    return None if labels is None else labels.astype(np.int32, copy=False)


def _are_names(ids: Sequence[str], size: int) -> bool:
    """Whether `ids` are `size` distinct texts; numbers are, and a text of each is never made."""
    if isinstance(ids, Numbers):
        return len(ids) == size
    return len(ids) == size == len(set(ids)) and all(isinstance(one, str) for one in ids)


def _check(found: Benchmark, what: str) -> None:
    sets = [(found.pool, found.truth), (found.test, found.test_labels)]
    for pool, labels in sets[: 1 if found.test is None else 2]:
        lacking = [one for one in _READS if not hasattr(pool, one)]
        if pool is None or lacking:
            raise UsageError(
                f"{what} must return a Pool or a Benchmark, but returned a "
                f"{type(pool).__name__} without {lacking[0]!r}."
            )
        if not _are_names(pool.ids, len(pool)):
            raise UsageError(f"{what} returned a pool without {len(pool):,} distinct texts as ids.")
        if not isinstance(getattr(pool.spec, "dtype", None), np.dtype):
            raise UsageError(
                f"{what} returned a pool whose spec is {pool.spec!r}, and not an al.Spec(shape, "
                "dtype) with a dtype of NumPy, such as np.dtype(np.float32)."
            )
        first = pool.read(slice(0, 1))
        if not hasattr(first, "dtype"):
            raise UsageError(
                f"{what} returned a pool that reads a {type(first).__name__}, and not an array: "
                "al.testing.check_pool tells more."
            )
        shape = first.shape[1:]
        if len(pool) and shape != tuple(pool.spec.shape):
            raise UsageError(
                f"{what} returned a pool whose examples are of shape {shape}, where its spec says "
                f"{tuple(pool.spec.shape)}."
            )
        if len(pool) and first.dtype != pool.spec.dtype:
            raise UsageError(
                f"{what} returned a pool that reads {first.dtype}, where its spec says "
                f"{pool.spec.dtype}: end its read with .astype({str(pool.spec.dtype)!r})."
            )
        if pool.spec != found.pool.spec:
            raise UsageError(f"{what} returned a test set whose examples differ from the pool's.")
        if labels is None:
            continue
        if labels.shape != (len(pool),) or labels.dtype.kind not in "iu":
            raise UsageError(
                f"{what} must return labels that are whole numbers, one for each of {len(pool):,} "
                f"examples, not {labels.dtype} {labels.shape}."
            )
        if labels.min(initial=0) < 0 or labels.max(initial=0) >= len(found.classes):
            raise UsageError(
                f"{what} returned labels {labels.min()}..{labels.max()} for "
                f"{len(found.classes)} classes."
            )
