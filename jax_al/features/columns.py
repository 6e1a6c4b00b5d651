"""Principal components, standard columns and unit rows: what is made of numbers that are there.

Fitted by float64 in one streamed pass, which merges the moments of blocks (Chan, Golub & LeVeque
1983). In this order, each only if it is wanted: the rows less their mean on the K leading
eigenvectors of the covariance; each column by its deviation, or a power of it; each row by its
length.
"""

import functools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jax_al.errors import UsageError
from jax_al.features.options import count, share, switch
from jax_al.pools.arrays import blocks_of
from jax_al.types import Features, Pool

MOST = 8192  # numbers an example of which components are taken: a covariance of 512 MiB
_VERSION = 2  # another one where the numbers change: what is cached is made anew
# A deviation below this share of the column's size is the rounding of float32: the column stays.
_NOISE = 1e-6


def columns(
    *,
    pca: int | None = None,
    whiten: float | None = None,
    standardise: bool = False,
    l2norm: bool = False,
) -> Features:
    """Returns features of examples of any shape, which are flattened; pixels are scaled to 0..1.

    float32 [B, K] from `apply`, with K = `pca`, or the numbers an example has. Without `pca` and
    `standardise` nothing is fitted and the mean stays.

    Args:
      pca: how many principal components; None: the columns as they are. The largest weight of each
        is positive; those beyond what varies in the pool are 0.
      whiten: with `pca`, each component is divided by its deviation to this power, from 0 to 1: at
        1 all have deviation 1, at 0.5 their deviations become the square roots of what they were.
      standardise: whether each column gets mean 0 and deviation 1 over the pool: with `pca` that
        whitens. A column that is constant stays 0.
      l2norm: whether each row then gets length 1; one of zeros stays.

    Raises:
      UsageError: an option is out of its range; by `fit`: `pca` is more than the pool has; by
        `apply`: the examples are of another size than those of the fit.
    """
    if pca is not None:
        count("pca", pca)
    switch("standardise", standardise)
    if whiten is not None:
        share("whiten", whiten)
        if pca is None or standardise:
            raise UsageError(
                "whiten is of the components that pca makes, in place of standardise: give pca "
                "and leave out standardise."
            )
    power = 1.0 if standardise else whiten or 0.0
    switch("l2norm", l2norm)

    def fit(pool: Pool) -> dict[str, np.ndarray]:
        width = math.prod(pool.spec.shape)
        if pca is None and not power:
            return {}
        if pca is not None:
            _check(pca, len(pool), width)
        mean, scatter = _moments(pool, is_full=pca is not None)
        size, axes = max(1, len(pool) - 1), {}
        variance = scatter / size
        if pca is not None:
            values, vectors = np.linalg.eigh(scatter / size)
            values, vectors = values[::-1][:pca], vectors[:, ::-1][:, :pca]
            largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(pca)]
            # What varies by rounding alone is 0 everywhere: of other pools it may not, and whoever
            # divides by the deviation here would make it larger than all that is known. Where all
            # rows are equal even the largest is rounding, of numbers as large as the mean.
            size_of = np.abs(vectors).T @ np.abs(mean)
            is_there = values > _NOISE**2 * np.maximum(values[0], size_of**2)
            signs = np.where(largest < 0, -1, 1) * is_there
            axes = {"axes": (vectors * signs).astype(np.float32)}
            variance = np.where(is_there, values, 0)
        std = np.sqrt(np.maximum(variance, 0)) if power else np.ones(len(variance))
        size_of = np.zeros(len(std)) if pca is not None else np.abs(mean)
        std = np.where(std > np.maximum(_NOISE * size_of, np.finfo(np.float32).tiny), std, 1.0)
        std = std**power
        return {"mean": mean.astype(np.float32), "std": std.astype(np.float32), **axes}

    def apply(state: dict[str, Any], inputs: Any) -> jax.Array:
        width = math.prod(inputs.shape[1:])
        if state and len(state["mean"]) != width:
            raise UsageError(
                f"The examples that were fitted to are of {len(state['mean']):,} numbers each, and "
                f"these are of {width:,}."
            )
        return _apply(state, inputs, is_unit=l2norm)

    given = f"pca={pca}, standardise={standardise}, l2norm={l2norm}, version={_VERSION}"
    # As they were called before there was this option, where it is not used.
    given += "" if whiten is None else f", whiten={whiten}"
    return Features(f"columns({given})", fit, apply)


def _check(pca: int, size: int, width: int) -> None:
    if pca > min(size, width):
        raise UsageError(
            f"pca is {pca}, but {size:,} examples of {width:,} numbers have no more than "
            f"{min(size, width):,} components."
        )
    check_width(width)


def check_width(width: int) -> None:
    """Makes sure that the covariance of `width` numbers an example is not too large to be made.

    Raises:
      UsageError: they are more than MOST.
    """
    if width > MOST:
        raise UsageError(
            f"pca is for at most {MOST:,} numbers an example, and these have {width:,}: make the "
            "images smaller (--size of jax-al label, data.image_size of a recipe), or take other "
            "features."
        )


def _moments(pool: Pool, *, is_full: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean float64 [F] and sums of products of the centred rows, [F, F], or of squares [F]."""
    width, total = math.prod(pool.spec.shape), 0
    mean, scatter = np.zeros(width), np.zeros((width, width) if is_full else width)
    for rows in _blocks(pool):
        block_mean = rows.mean(axis=0)
        rows -= block_mean
        gap, size = block_mean - mean, len(rows)
        scatter += rows.T @ rows if is_full else np.square(rows).sum(axis=0)
        share = total * size / (total + size)
        scatter += share * (np.outer(gap, gap) if is_full else np.square(gap))
        total += size
        mean += gap * (size / total)
    return mean, scatter


def _blocks(pool: Pool) -> Iterator[np.ndarray]:
    """Yields the examples as float64 [n, F], pixels as shares of 255."""
    width = math.prod(pool.spec.shape)
    for block in blocks_of(len(pool), 8 * width):
        rows = pool.read(block).reshape(-1, width).astype(np.float64)
        yield rows / 255 if pool.spec.dtype == np.uint8 else rows


@functools.partial(jax.jit, static_argnames="is_unit")
def _apply(state: dict[str, jax.Array], inputs: jax.Array, *, is_unit: bool) -> jax.Array:
    rows = inputs.reshape(inputs.shape[0], -1).astype(jnp.float32)
    if inputs.dtype == jnp.uint8:
        rows = rows / 255
    if state:
        rows = rows - state["mean"][None]
    if "axes" in state:
        rows = jnp.dot(rows, state["axes"], precision=lax.Precision.HIGHEST)
    if state:
        rows = rows / state["std"][None]
    if is_unit:
        length = jnp.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows / jnp.where(length > 0, length, 1.0)
    return rows
