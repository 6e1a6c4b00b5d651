"""The promises of a Pool, checked."""

import concurrent.futures
import contextlib

import numpy as np

from jax_al.types import Pool, Spec

_ROWS = 64  # read at a time, of a large pool
_THREADS = 4


def check_pool(pool: Pool) -> None:
    """Makes sure that `pool` keeps the promises of `jax_al.types.Pool`.

    Some hundred rows are read, all ids are; a pool of any size can be checked.

    Args:
      pool: what is to be checked; it is not changed.

    Raises:
      AssertionError: it does not; the message is one sentence that says what it promised.
    """
    for name in ("ids", "spec", "__len__", "read", "show"):
        assert hasattr(pool, name), f"A {type(pool).__name__} has no {name}, so it is no pool."
    size = len(pool)
    assert size > 0, f"A pool must have one row or more, and this one has {size}."
    _check_spec(pool.spec)
    _check_ids(pool)
    rng = np.random.default_rng(0)
    some = np.unique(np.concatenate([[0, size - 1], rng.integers(0, size, _ROWS)]))
    expected = _read(pool, some)
    _check_orders(pool, some, expected, rng)
    _check_slices(pool)
    _check_ownership(pool, some, expected)
    _check_range(pool)
    _check_threads(pool, some, expected)
    _check_show(pool, int(some[-1]))


def _check_spec(spec: Spec) -> None:
    sides = tuple(spec.shape)
    assert all(isinstance(side, int) and side > 0 for side in sides), (
        f"spec.shape must be a tuple of whole numbers from 1 on, not {spec.shape!r}."
    )
    assert isinstance(spec.dtype, np.dtype), (
        f"spec.dtype must be a NumPy dtype, such as np.dtype(np.float32), not {spec.dtype!r}."
    )
    assert spec.dtype in (np.uint8, np.float32), (
        f"spec.dtype must be uint8 (images) or float32 (the rest), not {spec.dtype}."
    )
    assert spec.dtype == np.float32 or spec.is_image, (
        f"Examples of type uint8 must be images [H, W, channels], not {spec.shape}."
    )


def _check_ids(pool: Pool) -> None:
    ids = list(pool.ids)
    assert len(ids) == len(pool), f"There must be an id for each row: {len(pool)}, not {len(ids)}."
    wrong = [name for name in ids if not isinstance(name, str)]
    assert not wrong, f"Ids must be strings, and {wrong[0]!r} is none."
    assert len(set(ids)) == len(ids), "Ids must be distinct, and one stands for two rows."
    assert list(pool.ids) == ids, "Ids must last, and were others when asked again."
    assert pool.ids[len(ids) - 1] == ids[-1], "ids[i] must be the id of row i."


def _read(pool: Pool, rows: np.ndarray | slice) -> np.ndarray:
    count = len(range(len(pool))[rows]) if isinstance(rows, slice) else len(rows)
    found = pool.read(rows)
    assert isinstance(found, np.ndarray), f"read must return an array, not {type(found).__name__}."
    wanted = (count, *pool.spec.shape)
    assert found.shape == wanted and found.dtype == pool.spec.dtype, (  # noqa: PT018
        f"read must return {pool.spec.dtype} {wanted}, as spec says, not {found.dtype} "
        f"{found.shape}."
    )
    assert found.flags.c_contiguous, "read must return a contiguous array."
    assert np.isfinite(found).all(), "read must return finite numbers, and NaN or infinity came."
    return found


def _check_orders(
    pool: Pool, some: np.ndarray, expected: np.ndarray, rng: np.random.Generator
) -> None:
    again = _read(pool, some)
    assert _same(again, expected), "read must return the same bits for the same rows every time."
    order = rng.permutation(len(some))
    mixed = _read(pool, some[order])
    assert _same(mixed, expected[order]), "read must return rows in the order they are asked."
    twice = np.concatenate([order[:3], order[:3][::-1], order[:1]])
    repeated = _read(pool, some[twice].astype(np.int32))
    assert _same(repeated, expected[twice]), "read must return a row as often as it is asked."
    for i in range(min(3, len(some))):
        one = _read(pool, some[i : i + 1])
        assert _same(one, expected[i : i + 1]), "A row must be the same alone and among others."
    _read(pool, np.empty(0, np.int64))


def _check_slices(pool: Pool) -> None:
    size = len(pool)
    middle = size // 2
    for rows in (slice(0, min(_ROWS, size)), slice(middle, min(middle + _ROWS, size)), slice(0, 0)):
        found = _read(pool, rows)
        listed = np.arange(size)[rows]
        same = _same(found, _read(pool, listed))
        assert same, f"read must return the same for {rows} as for these rows one by one."
    if size <= _ROWS:
        same = _same(_read(pool, slice(None)), _read(pool, np.arange(size)))
        assert same, "read(slice(None)) must return all rows."


def _check_ownership(pool: Pool, some: np.ndarray, expected: np.ndarray) -> None:
    for rows in (some, slice(0, min(_ROWS, len(pool)))):
        found = _read(pool, rows)
        before = found.copy()
        if found.flags.writeable:
            found[:] = 0
        untouched = _same(_read(pool, rows), before)
        assert untouched, "read must return a fresh array: writing to one has changed the pool."
    assert _same(_read(pool, some), expected), "read must leave arrays returned earlier alone."


def _check_range(pool: Pool) -> None:
    for row in (len(pool), 2**40):
        for rows in ([row], [0, row]):
            refused = True
            with contextlib.suppress(IndexError):
                pool.read(np.array(rows))
                refused = False
            assert refused, f"read must raise IndexError for row {row}, which is not there."


def _check_threads(pool: Pool, some: np.ndarray, expected: np.ndarray) -> None:
    def read(seed: int) -> bool:
        order = np.random.default_rng(seed).permutation(len(some))
        return _same(pool.read(some[order]), expected[order])

    with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
        same = all(threads.map(read, range(8 * _THREADS)))
    assert same, "read must return the same rows to several threads at once."


def _check_show(pool: Pool, row: int) -> None:
    shown = pool.show(row)
    if isinstance(shown, np.ndarray):
        assert shown.dtype == np.uint8 and shown.ndim == 3, (  # noqa: PT018
            f"An image that is shown must be uint8 [H, W, channels], not {shown.dtype} "
            f"{shown.shape}."
        )
    else:
        assert shown is None or isinstance(shown, str), (
            f"show must return an image, text or None, not {type(shown).__name__}."
        )


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()
