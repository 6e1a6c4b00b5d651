"""A pool whose examples are features of those of another pool."""

import hashlib
import math
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from jax_al.errors import UsageError
from jax_al.features.file import rows_of_file
from jax_al.features.known_rows import Known, known_rows
from jax_al.features.named import FromFile, features_named, followed
from jax_al.features.store import kept_state, kept_table
from jax_al.outside import plain
from jax_al.pools.cache_root import cache_root
from jax_al.pools.digest import digest
from jax_al.pools.progress import tracked
from jax_al.pools.rows import Numbers, RowPool, whole_index, whole_size
from jax_al.pools.subset import concatenate, subset
from jax_al.types import Benchmark, Features, Pool, Spec

_ROWS = 2048  # examples computed together, and on disk before the next ones are
_BYTES = 1 << 25  # of them at most


class Fitted(NamedTuple):
    """Features with what their fit has found."""

    features: Features | FromFile
    state: Any = None


_Chain = tuple[Features | FromFile | Fitted, ...]


class FeaturePool(RowPool):
    """The rows of a pool, read as features; ids and what is shown are the pool's own.

    Attributes:
      base: the pool of the examples themselves.
      fitted: what was applied, one after the other.
    """

    def __init__(self, base: Pool, rows: Pool, fitted: tuple[Fitted, ...]) -> None:
        """Makes a pool of `rows`, which are features of the rows of `base`."""
        super().__init__(
            len(base),
            rows.spec,
            rows.read,
            ids=None if isinstance(base.ids, Numbers) else base.ids,
            whole=(whole_index(base), whole_size(base)),
            show=base.show,
        )
        self.base: Pool = base
        self.fitted = fitted

    def restricted(self, found: RowPool, rows: np.ndarray) -> "FeaturePool":
        """Returns `found`, features of some rows of this pool, with the same rows of the base."""
        return FeaturePool(subset(self.base, rows), found, self.fitted)

    def joined(
        self, found: RowPool, pools: Sequence[Pool], ids: Sequence[str] | None
    ) -> "FeaturePool":
        """Returns `found`, all rows of `pools`, with those of their bases.

        Raises:
          UsageError: not all of them are these features, or they are of files.
        """
        alike = [pool for pool in pools if isinstance(pool, FeaturePool) and self.is_alike(pool)]
        if len(alike) < len(pools) or self.is_of_file:
            raise UsageError(
                "Pools that are read as features of two kinds or fits, or of files, cannot be "
                "concatenated: concatenate the pools of the examples, and read that as features."
            )
        return FeaturePool(concatenate([pool.base for pool in alike], ids), found, self.fitted)

    def is_alike(self, other: "FeaturePool") -> bool:
        """Whether another pool is read as the same features, as they were fitted here."""
        if self.fitted is other.fitted:
            return True
        both = len(self.fitted) == len(other.fitted)
        return both and all(map(_is_alike, self.fitted, other.fitted))

    @property
    def is_of_file(self) -> bool:
        """Whether another tool has made the features, of these rows alone."""
        return isinstance(self.fitted[0].features, FromFile)

    @property
    def name(self) -> str:
        """What was applied, with all options."""
        return ", ".join(_name(one.features) for one in self.fitted)


@overload
def with_features(
    data: Pool, features: Any, *, cache_dir: str | None = ..., cache: bool = ..., **options: Any
) -> FeaturePool: ...
@overload
def with_features(
    data: Benchmark,
    features: Any,
    *,
    cache_dir: str | None = ...,
    cache: bool = ...,
    **options: Any,
) -> Benchmark: ...
def with_features(
    data: Pool | Benchmark,
    features: str | Features | FeaturePool | tuple[Fitted, ...],
    *,
    cache_dir: str | None = None,
    cache: bool = True,
    **options: Any,
) -> FeaturePool | Benchmark:
    """Returns the same examples, read as features float32 [F]; ids, rows and pictures stay.

    They are computed here, in blocks, and kept on disk by the content of the pool and all options,
    so that the next time they are there at once. What was interrupted goes on where it stopped.

    Args:
      data: a pool; or a benchmark: the features are fitted on its pool and applied to its test set.
      features: a name ("patches", "pixels_pca", "module:function", a .npy file); Features of your
        own, which are not kept on disk; or a pool with features, or what `fitted_features` returns:
        these are applied, as they were fitted there.
      cache_dir: where they are kept; None: with decoded images (see `benchmark`). If nothing can be
        written there, a warning says so and they are made in memory.
      cache: whether they are kept on disk at all.
      **options: of the features; `pca`, `whiten`, `standardise`, `l2norm` of any (see `columns`);
        of a file: `ids`, a .npy with the id of each row; of a benchmark, `test` and `test_ids`:
        those of its test set.

    Raises:
      UsageError: there are no such features or options, they cannot be had of these examples, or
        they are not finite.
    """
    root = cache_root(cache_dir) / "features" if cache else None
    if isinstance(data, Benchmark):
        return _of_benchmark(data, features, root, options)
    return _of_pool(data, _chain(features, options), root)


def _chain(features: Any, options: dict[str, Any]) -> _Chain:
    options = {name: plain(value) for name, value in options.items()}
    if isinstance(features, str):
        return features_named(features, **options)
    if isinstance(features, Features):
        return (features, *followed(options))
    fitted = features.fitted if isinstance(features, FeaturePool) else features
    if not (isinstance(fitted, tuple) and fitted and isinstance(fitted[0], Fitted)):
        raise UsageError(
            "features must be a name, Features, or a pool with features, not a "
            f"{type(features).__name__}."
        )
    if options:
        raise UsageError(f"The features are fitted, and {next(iter(options))!r} comes too late.")
    if isinstance(fitted[0].features, FromFile):
        raise UsageError(
            f"{fitted[0].features.path} holds features of one pool only: another needs a "
            "file of its own."
        )
    return fitted


def _of_benchmark(
    data: Benchmark, features: Any, root: pathlib.Path | None, options: dict[str, Any]
) -> Benchmark:
    of_test: dict[str, Any] = {
        key: options.pop(key) for key in ("test", "test_ids") if key in options
    }
    wanted, test = _chain(features, options), data.test
    is_of_file = isinstance(wanted[0], FromFile)
    if of_test and (test is None or not is_of_file):
        raise UsageError(
            f"{next(iter(of_test))!r} is for features of a file and a benchmark with a test set."
        )
    if test is not None and is_of_file and "test" not in of_test:
        raise UsageError(
            f"{features} holds features of the pool: name the file of the test set as the "
            "option 'test'."
        )
    pool = _of_pool(data.pool, wanted, root)
    chain = pool.fitted
    if is_of_file and test is not None:
        ids = {"ids": of_test["test_ids"]} if "test_ids" in of_test else {}
        chain = (Fitted(_file_named(of_test["test"], ids)), *chain[1:])
    if test is not None:
        test = _of_pool(test, chain, root)
        if test.spec != pool.spec:
            raise UsageError(
                f"The features of the test set are {test.spec.shape[0]} numbers, and those of the "
                f"pool {pool.spec.shape[0]}."
            )
    return data._replace(pool=pool, test=test, name=f"{data.name} as {pool.name}")


def _file_named(test: Any, ids: dict[str, Any]) -> Features | FromFile:
    if not (isinstance(test, str) and test.endswith(".npy")):
        raise UsageError(f"test is {test!r}, but must be the path of a .npy file.")
    return features_named(test, **ids)[0]


def fitted_features(
    pool: Pool,
    features: str | Features,
    *,
    cache_dir: str | None = None,
    cache: bool = True,
    **options: Any,
) -> tuple[Fitted, ...]:
    """Returns features fitted on `pool`, for `with_features` of another; all is as there.

    Less is computed than for the pool itself: what is applied last is not.
    """
    root = cache_root(cache_dir) / "features" if cache else None
    return _through(pool, _chain(features, options), root, is_whole=False)[1]


def is_of_package(features: Features) -> bool:
    """Whether both functions are ours, so that the name of the features says what they compute."""
    both = features.fit, features.apply
    return all(function.__module__.startswith("jax_al.features.") for function in both)


def _of_pool(pool: Pool, chain: _Chain, root: pathlib.Path | None) -> FeaturePool:
    return FeaturePool(pool, *_through(pool, chain, root))


def _through(
    pool: Pool, chain: _Chain, root: pathlib.Path | None, *, is_whole: bool = True
) -> tuple[Pool, tuple[Fitted, ...]]:
    """Returns what `chain` makes of `pool`, and its fits; not `is_whole`: but for the last one."""
    here, fitted = pool, []
    content: str | None = None  # of `here`, by its digest or by what it was made of
    for number, link in enumerate(chain, 1):
        features = link.features if isinstance(link, Fitted) else link
        if isinstance(features, FromFile):
            here, content = rows_of_file(features.path, here, features.ids), None
            fitted.append(Fitted(features))
            continue
        # What functions from outside compute can change without a change of name.
        is_kept = root is not None and is_of_package(features)
        content = content or digest(here) if is_kept else None
        state = link.state if isinstance(link, Fitted) else _fit(features, here, content, root)
        fitted.append(Fitted(features, state))
        if is_whole or number < len(chain):
            here, content = _applied(features, state, here, content, root)
    return here, tuple(fitted)


def _fit(features: Features, pool: Pool, content: str | None, root: pathlib.Path | None) -> Any:
    if content is None or root is None or not features.is_learned:
        return features.fit(pool)
    path = root / f"{_word(features)}-{_hash(features.name, content)}.npz"
    return kept_state(path, lambda: features.fit(pool))


def _applied(
    features: Features, state: Any, pool: Pool, content: str | None, root: pathlib.Path | None
) -> tuple[Pool, str | None]:
    """Returns the features of `pool`, and what their content is called."""
    path, maker = None, ""
    if content is not None and root is not None:
        arrays = [f"{name} {_digest(x)}" for name, x in sorted(state.items())]
        maker = _hash(features.name, repr((pool.spec.shape, pool.spec.dtype.str)), *arrays)
        content = _hash(features.name, content, *arrays)
        path = root / f"{_word(features)}-{content}.npy"

    def blocks(start: int) -> Iterator[np.ndarray]:
        known = [] if path is None or features.is_learned else known_rows(path, maker, pool)
        return _blocks(features, state, pool, start, known)

    table = kept_table(path, len(pool), blocks)

    def fetch(rows: np.ndarray | slice) -> np.ndarray:
        return np.array(table[rows]) if isinstance(rows, slice) else np.take(table, rows, axis=0)

    spec = Spec((table.shape[1],), np.dtype(np.float32))
    return RowPool(len(pool), spec, fetch), content


def _blocks(
    features: Features, state: Any, pool: Pool, start: int, known: Known
) -> Iterator[np.ndarray]:
    """Yields the features of the rows from `start` on; blocks are filled up to one size.

    Where some are known, the others of a block are few: they are filled up to a power of two.
    """
    row_bytes = math.prod(pool.spec.shape) * pool.spec.dtype.itemsize
    most = max(1, min(_ROWS, _BYTES // row_bytes))
    size = min(most, _power_of_two(len(pool)))  # so that small pools share programs
    for first in tracked(range(start, len(pool), most), f"Features: {_word(features)}"):
        last = min(first + most, len(pool))
        if not known:
            yield _computed(features, state, pool, slice(first, last), size)
            continue
        parts = [(table, places[first:last]) for table, places in known]
        is_new = np.all([places < 0 for _, places in parts], axis=0)
        found = np.empty((last - first, parts[0][0].shape[1]), np.float32)
        for table, places in parts:
            found[places >= 0] = table[places[places >= 0]]
        if is_new.any():
            new = first + np.flatnonzero(is_new)
            most_new = min(size, _power_of_two(len(new)))
            found[is_new] = _computed(features, state, pool, new, most_new)
        yield found


def _computed(
    features: Features, state: Any, pool: Pool, rows: np.ndarray | slice, size: int
) -> np.ndarray:
    """Returns the features of some rows, computed as those of a block of `size`, float32 [n, F]."""
    block = pool.read(rows)
    filled = np.concatenate([block, np.repeat(block[-1:], size - len(block), axis=0)])
    found = np.asarray(features.apply(state, filled), np.float32)
    if found.ndim != 2 or len(found) != size:
        raise UsageError(
            f"{features.name} must return features [B, F] of {size} examples, and returned "
            f"{found.shape}."
        )
    found = found[: len(block)]
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if bad.size:
        row = np.arange(len(pool))[rows][bad[0]]
        raise UsageError(f"{features.name} gives NaN or infinity for example {pool.ids[row]}.")
    return found


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def _name(features: Features | FromFile) -> str:
    return features.path if isinstance(features, FromFile) else features.name


def _word(features: Features) -> str:
    return re.split(r"\W", features.name)[0] or "features"


def _is_alike(one: Fitted, other: Fitted) -> bool:
    import jax

    if isinstance(one.features, FromFile) or isinstance(other.features, FromFile):
        return one.features == other.features
    if one.features.name != other.features.name:
        return False
    # Of one name, they have the same structure.
    return all(map(np.array_equal, jax.tree.leaves(one.state), jax.tree.leaves(other.state)))


def _digest(array: Any) -> str:
    return hashlib.sha256(np.asarray(array).tobytes()).hexdigest()


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
