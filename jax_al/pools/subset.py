"""Pools made of other pools: some of the rows, or several pools in a row; nothing is copied."""

from collections.abc import Sequence

import numpy as np

from jax_al.errors import UsageError
from jax_al.pools.rows import Numbers, RowPool, base_of, checked_rows, whole_index, whole_size
from jax_al.types import Pool

_SUBSET_SEED = 1708  # a constant, so that every run and every machine sees the same subsets


def subset(pool: Pool, rows: np.ndarray | slice) -> RowPool:
    """Returns the pool of some rows of `pool`, in the order given.

    Args:
      pool: any pool.
      rows: int [n], distinct; or a mask bool [N], in the order of the pool; or a slice; at least
        one.

    Raises:
      UsageError: there is no row, or one stands there twice or is out of range; or the mask is of
        another length.
    """
    if not isinstance(rows, slice):
        rows = np.asarray(rows)
        if rows.dtype == bool and rows.ndim == 1:
            if len(rows) != len(pool):
                raise UsageError(f"The mask is of {len(rows)} rows, and the pool has {len(pool)}.")
            rows = np.flatnonzero(rows)
    try:
        chosen = checked_rows(rows, len(pool))
    except IndexError as error:
        raise UsageError(str(error)) from error
    # A copy: the caller may change theirs later.
    chosen = np.arange(chosen.start, chosen.stop) if isinstance(chosen, slice) else chosen.copy()
    if not len(chosen):
        raise UsageError("A subset of a pool needs one row at least.")
    values, counts = np.unique(chosen, return_counts=True)
    if len(values) < len(chosen):
        raise UsageError(f"Row {values[counts > 1][0]} is named twice: a row is in a subset once.")
    ids = pool.ids
    found = RowPool(
        len(chosen),
        pool.spec,
        lambda rows: pool.read(chosen[rows]),
        # The numbers of a subset are those of the whole, as `whole` tells.
        ids=None if isinstance(ids, Numbers) else [ids[row] for row in chosen.tolist()],
        whole=(whole_index(pool)[chosen], whole_size(pool)),
        show=lambda row: pool.show(int(chosen[row])),
    )
    return pool.restricted(found, chosen) if isinstance(pool, RowPool) else found


def subset_rows(total: int, size: int, field: str, what: str) -> np.ndarray:
    """Returns `size` of the rows 0..total-1, int64 and sorted; always the same ones.

    A smaller subset lies inside every larger one. `field` and `what` are for the error.

    Raises:
      UsageError: `size` is not between 1 and `total`.
    """
    if not 1 <= size <= total:
        raise UsageError(f"{field} must lie between 1 and {total}, the size of {what}, not {size}.")
    return np.sort(fixed_order(total)[:size])


def fixed_order(total: int) -> np.ndarray:
    """Returns the rows 0..total-1 in a random order, int64; always the same one."""
    # RandomState, because NumPy promises never to change its stream.
    return np.random.RandomState(_SUBSET_SEED).permutation(total)


def concatenate(pools: Sequence[Pool], ids: Sequence[str] | None = None) -> RowPool:
    """Returns the pool of all rows of some pools, one pool after the other; it is a whole.

    Args:
      pools: one or more, of examples of one shape and dtype.
      ids: N distinct strings; None: the ids that the pools have, if none is in two of them.

    Raises:
      UsageError: there is no pool; examples differ in shape or dtype; ids are not distinct; some
        are read as other features than others.
    """
    if not pools:
        raise UsageError("There is no pool to concatenate.")
    pools, spec = tuple(pools), pools[0].spec
    for pool in pools:
        if pool.spec != spec:
            raise UsageError(
                f"Pools of {spec.dtype} {spec.shape} and of {pool.spec.dtype} {pool.spec.shape} "
                "cannot be concatenated: make their examples alike first."
            )
    starts = np.cumsum([0, *map(len, pools)])

    def fetch(rows: np.ndarray | slice) -> np.ndarray:
        if isinstance(rows, slice):
            cuts = (
                (pool, max(rows.start - start, 0), min(rows.stop - start, len(pool)))
                for pool, start in zip(pools, starts[:-1].tolist(), strict=True)
            )
            parts = [pool.read(slice(start, stop)) for pool, start, stop in cuts if start < stop]
            if len(parts) == 1:
                return parts[0]
            return np.concatenate([np.empty((0, *spec.shape), spec.dtype), *parts])
        found = np.empty((len(rows), *spec.shape), spec.dtype)
        owners = owner(rows)
        for one in np.unique(owners):
            where = np.flatnonzero(owners == one)
            found[where] = pools[one].read(rows[where] - starts[one])
        return found

    def owner(rows: np.ndarray) -> np.ndarray:
        return np.searchsorted(starts, rows, side="right") - 1

    def show(row: int) -> np.ndarray | str | None:
        one = int(owner(np.array(row)))
        return pools[one].show(row - int(starts[one]))

    if ids is None:
        ids = [name for pool in pools for name in pool.ids]
        if len(set(ids)) < len(ids):
            raise UsageError(
                "Two of the pools share an id: give `ids` for the rows of all of them."
            )
    whole = RowPool(int(starts[-1]), spec, fetch, ids=ids, show=show)
    read_as = next((pool for pool in pools if base_of(pool) is not pool), None)
    return read_as.joined(whole, pools, ids) if isinstance(read_as, RowPool) else whole
