"""Labels spread over a graph of similar examples (Zhou et al. 2004)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

TOLERANCE = 1e-6  # of a class: its residual's length by that of its seeds
MAX_ITERATIONS = 1000  # of alpha = 0.999 some 350


class Graph(NamedTuple):
    """S = D^(-1/2) W D^(-1/2) of N rows, W symmetric, D its sums; in pieces of one width.

    A row of S lies in one piece or in several: with many neighbours in more.
    """

    owners: jax.Array  # int32 [P], the row that a piece is of
    columns: jax.Array  # int32 [P, k]
    values: jax.Array  # float32 [P, k], 0 in what is left over of a piece


def graph_of(rows: np.ndarray, similarities: np.ndarray) -> Graph:
    """Returns the graph with W = A + A', where A holds the similarities of each row's neighbours.

    Args:
      rows: int32 [N, k], the neighbours of each row, none of them itself.
      similarities: float32 [N, k], 0 or more.
    """
    N, k = rows.shape
    degrees = similarities.sum(axis=1, dtype=np.float64)
    degrees += np.bincount(rows.ravel(), similarities.ravel(), minlength=N)
    scales = 1 / np.sqrt(np.where(degrees > 0, degrees, 1))
    values = (scales[:, None] * similarities * scales[rows]).astype(np.float32)
    # A' row by row: who has this row among its neighbours.
    order = np.argsort(rows.ravel(), kind="stable")
    owners = rows.ravel()[order]
    counts = np.bincount(owners, minlength=N)
    places = np.arange(owners.size) - np.repeat(np.cumsum(counts) - counts, counts)
    pieces = -(-counts // k)
    first = np.cumsum(pieces) - pieces
    piece, slot = first[owners] + places // k, places % k
    columns = np.zeros((pieces.sum(), k), np.int32)
    turned = np.zeros((pieces.sum(), k), np.float32)
    columns[piece, slot], turned[piece, slot] = order // k, values.ravel()[order]
    everyone = np.arange(N, dtype=np.int32)
    return Graph(
        jnp.asarray(np.concatenate([everyone, np.repeat(everyone, pieces)])),
        jnp.asarray(np.concatenate([rows, columns]).astype(np.int32)),
        jnp.asarray(np.concatenate([values, turned])),
    )


def spread(graph: Graph, seeds: jax.Array, alpha: float) -> jax.Array:
    """Returns F = (I - alpha S)^(-1) Y, float32 [N, C], by conjugate gradients.

    That is Zhou et al. 2004, *Learning with local and global consistency*, but for their factor
    1 - alpha. Every class is a system of its own, and all are solved side by side. What is not
    above the error that the iterations may leave counts as 0: where no path leads to a seed, and at
    the end of a long one.

    Args:
      graph: S.
      seeds: Y, float32 [N, C].
      alpha: above 0, below 1.
    """
    small = TOLERANCE**2 * jnp.square(seeds).sum(axis=0)

    def product(vectors):
        # One place of all pieces after the other: [P, k, C] would be gigabytes of many classes.
        def with_place(j, parts):
            return parts + graph.values[:, j, None] * vectors[graph.columns[:, j]]

        pieces, width = graph.columns.shape
        parts = lax.fori_loop(0, width, with_place, jnp.zeros((pieces, vectors.shape[1])))
        return vectors - alpha * jnp.zeros_like(vectors).at[graph.owners].add(parts)

    def is_to_go_on(carry):
        iteration, _, _, _, squares = carry
        return (iteration < MAX_ITERATIONS) & (squares > small).any()

    def step(carry):
        iteration, found, residual, direction, squares = carry
        image = product(direction)
        # Of a class without seeds all is 0, its quotients too.
        length = squares / or_1((direction * image).sum(axis=0))
        found += length[None, :] * direction
        residual -= length[None, :] * image
        new = jnp.square(residual).sum(axis=0)
        direction = residual + (new / or_1(squares))[None, :] * direction
        return iteration + 1, found, residual, direction, new

    start = jnp.int32(0), jnp.zeros_like(seeds), seeds, seeds, jnp.square(seeds).sum(axis=0)
    _, found, _, _, squares = lax.while_loop(is_to_go_on, step, start)
    # No eigenvalue of S is above 1, so that this is the farthest that the answer can be.
    error = jnp.sqrt(jnp.maximum(small, squares)) / (1 - alpha)
    return jnp.where(found > error[None, :], found, 0.0)


def or_1(numbers: jax.Array) -> jax.Array:
    """Returns `numbers`, to be divided by, with a 1 in place of each that is not above 0."""
    return jnp.where(numbers > 0, numbers, 1.0)
