"""Representative sampling: like the unlabeled points, unlike the labeled ones (Monarch 2021)."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.clustering import in_blocks
from jax_al.strategies.choosing import check_whole
from jax_al.strategies.parts import highest_in_parts
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy


def representative(*, embedding: str = "model") -> Strategy:
    """Picks points more like the average unlabeled point than like the average labeled one.

    score = cos(x, mean of the unlabeled) - cos(x, mean of the labeled):
    Monarch 2021, *Human-in-the-Loop Machine Learning*, chapter 4 (one cluster for each of the
    two sets). The published code looks at a random 10,000 of each set, ours at all. Chance decides
    between equals only, and nothing keeps the picks apart: see `adaptive_representative`.

    Needs `embedding` and one label (random sampling until then). O(N D), memory O(N).
    """
    return _strategy(1, embedding)


def adaptive_representative(*, updates: int = 100, embedding: str = "model") -> Strategy:
    """Picks as `representative` does, but counts what is picked as labeled from then on.

    Monarch 2021, *Human-in-the-Loop Machine Learning*, chapter 4: after each pick both
    averages are worked out again. The published code takes the pick out of the unlabeled
    cluster but forgets to add it to the labeled one; the text, and we, do both.

    Needs `embedding` and one label (random sampling until then). Greedy; chance decides
    between equals only. O(N D) for each update, memory O(N).

    Args:
      updates: how often a query works the averages out again; with a budget up to this, after
        each pick as in the book, else after each of so many parts, as equal as can be.
      embedding: whose embedding.
    """
    check_whole("updates", updates, 1)
    return _strategy(updates, embedding)


def _strategy(updates: int, embedding: str) -> Strategy:
    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points = signals.embedding
        assert points is not None
        N, D = points.shape

        def lengths(start, size):
            return _length(lax.dynamic_slice(points, (start, 0), (size, D)))

        length = in_blocks(lengths, N)

        # Sums stand for means: the cosine knows no length.
        both = jnp.stack([pool.labeled, pool.selectable]).astype(jnp.float32)
        sums = jnp.dot(both, points, precision=lax.Precision.HIGHEST)

        def score(_, state, __, picks):
            target = jnp.where(picks == NOTHING, N, picks)
            moved = points.at[target].get(mode="fill", fill_value=0.0).sum(axis=0)
            both = sums + jnp.stack([moved, -moved])
            both = both / _length(both)[:, None]
            away = both[1] - both[0]
            # Row by row: a matrix product rounds equal rows otherwise at the end of a tile.
            return (points * away[None, :]).sum(axis=1) / length, state

        picks, scores = highest_in_parts(query_key, score, (), pool, budget, updates)
        return Query(picks, {}, scores=scores)

    return strategy(
        select, needs={"embedding"}, seeded=False, embedding=embedding, needs_label=True
    )


def _length(rows: jax.Array) -> jax.Array:
    """Lengths [R] of rows; 1 in place of 0, so that the cosine with a zero vector is 0."""
    length = jnp.sqrt(jnp.square(rows).sum(axis=1))
    return jnp.where(length > 0, length, 1.0)
