"""What strategies ask of clusters: how alike their members are, and one pick from each in turn."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.rounding import coarse
from jax_al.geometry.vectors import Points, rows_at, sq_between
from jax_al.strategies.choosing import scores_of, tie_order
from jax_al.types import NOTHING

WITHIN = 256  # rows compared together with other rows of their cluster


def fold_within(
    points: Points,
    centers: jax.Array,
    assignments: jax.Array,
    members: jax.Array,
    fold: Callable[[Any, jax.Array, jax.Array, jax.Array], Any],
    empty: Any,
) -> Any:
    """Compares every member of a cluster with every other, tile by tile.

    Rows are sorted by cluster, so that a block of them meets few strangers: O(D) for each of the
    sum of |cluster|^2 pairs, and for up to 3 WITHIN strangers of each row. Distances are those of
    the matmul form, with the rounding of rows as long as those of a cluster, seen from its center.

    Args:
      points: float32 [N, D].
      centers: float32 [K, D], a vector amid each cluster.
      assignments: int32 [N], below K.
      members: bool [N]; the others are compared with nothing.
      fold: (carry, squared distances [R, W], bool [R, W] which are of the same cluster and not
        the row itself, int32 [W] the numbers of the W rows) -> carry, pytrees of arrays with one
        entry for each of the R rows.
      empty: pytree of scalars or arrays: the carry of one row before it has met any.

    Returns:
      the last carry of every row, `empty` for those that are not members.
    """
    N, K = assignments.size, centers.shape[0]
    size = min(WITHIN, N)
    labels = jnp.where(members, assignments, K)
    order = jnp.argsort(labels).astype(jnp.int32)
    labels = labels[order]
    starts = jnp.searchsorted(labels, jnp.arange(K + 1, dtype=jnp.int32)).astype(jnp.int32)

    def tile_at(start):
        rows = lax.dynamic_slice(order, (start,), (size,))
        label = lax.dynamic_slice(labels, (start,), (size,))
        seen = rows_at(points, rows) - centers[jnp.minimum(label, K - 1)]
        return seen, start + jnp.arange(size, dtype=jnp.int32), label, rows

    def block(i, out):
        start = jnp.minimum(i * size, N - size)
        a, here, mine, _ = tile_at(start)
        low, high = starts[mine[0]], starts[jnp.minimum(mine[-1] + 1, K)]

        def tile(t, carry):
            first = low + t * size
            b, there, label, rows = tile_at(jnp.minimum(first, N - size))
            same = (mine[:, None] == label[None, :]) & (here[:, None] != there[None, :])
            new = same & (there >= first)[None, :]
            return fold(carry, sq_between(a, b), new, rows)

        carry = jax.tree.map(lambda e: jnp.broadcast_to(e, (size, *jnp.shape(e))), empty)
        carry = lax.fori_loop(0, (high - low + size - 1) // size, tile, carry)
        return jax.tree.map(
            lambda whole, part: lax.dynamic_update_slice_in_dim(whole, part, start, 0), out, carry
        )

    out = jax.tree.map(lambda e: jnp.broadcast_to(e, (N, *jnp.shape(e))), empty)
    out = lax.fori_loop(0, (starts[K] + size - 1) // size, block, out)
    met = labels < K
    return jax.tree.map(
        lambda whole, e: (
            jnp.broadcast_to(e, whole.shape).at[jnp.where(met, order, N)].set(whole, mode="drop")
        ),
        out,
        empty,
    )


def take_turns(
    key: jax.Array,
    assignments: jax.Array,
    scores: jax.Array,
    offered: jax.Array,
    turn: jax.Array,
    budget: int,
    last: jax.Array | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Picks from each cluster its best point, then from each its second best, and so on.

    Args:
      key: decides between equal scores.
      assignments: int32 [N], the cluster of each point.
      scores: float32 [N], higher = wanted more; equal ones are so to 14 bits.
      offered: bool [N], the points that may be picked.
      turn: int32 [K], distinct: which cluster is first, second, ...
      budget: Q.
      last: bool [K], clusters to pick from only when the others are empty.

    Returns:
      int32 [Q], distinct, NOTHING at the end where fewer are offered; and their scores [Q].
    """
    N, K = assignments.size, turn.size
    labels = jnp.where(offered, assignments, K)
    ties = tie_order(key, N)
    order = ties[jnp.lexsort((-coarse(scores)[ties], labels[ties]))]  # stable
    labels = labels[order]
    rank = jnp.arange(N, dtype=jnp.int32) - jnp.searchsorted(labels, labels).astype(jnp.int32)
    keys = [jnp.append(turn, K)[labels], rank]
    if last is not None:
        keys.append(jnp.append(last, False)[labels])
    best = jnp.lexsort((*keys, labels == K))[:budget]
    picks = jnp.where(labels[best] < K, order[best], NOTHING).astype(jnp.int32)
    picks = jnp.pad(picks, (0, budget - picks.size), constant_values=NOTHING)
    return picks, scores_of(scores, picks)
