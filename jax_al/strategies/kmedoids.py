"""The medoids of the unlabeled points (Kaufman & Rousseeuw 1990; Park & Jun 2009)."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.clustering import nearest_center, seed_clusters
from jax_al.strategies.choosing import check_whole, tie_order
from jax_al.strategies.members import fold_within, take_turns
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy

SAME = 2.0**-14  # of a sum: by less, rounding could have made it the larger one


def kmedoids(*, iterations: int = 2, embedding: str = "model") -> Strategy:
    """Picks points whose distances to the unlabeled points nearest to them have a small sum.

    Minimises sum_i min_{j picked} |x_i - x_j| over the unlabeled points by alternation: assign
    each to the nearest medoid, make the member with the least sum of distances to its cluster
    the new medoid (Voronoi iteration: Maranzana 1963; Park & Jun 2009, "A simple and fast
    algorithm for K-medoids clustering", *Expert Systems with Applications* 36), from k-means++
    seeds instead of the central points of Park & Jun. PAM (Kaufman & Rousseeuw 1990) also tries
    swaps and ends lower, at O(N^2) each. Greedy minimisation of the same sum, labeled points
    included, is `facility_location` with `similarity = "euclidean"`. Distances are not squared:
    with squared ones the medoid is the point nearest to the mean, which is `kmeans`.

    The largest cluster comes first; where there are fewer than Q clusters (duplicates), the
    second-best of each follow. Needs `embedding`, no label. Seeded. For each iteration
    O((N Q + sum of |cluster|^2) D), which is O(N^2 D) where Q is small; memory O(N + Q D).

    Args:
      iterations: at most so many updates of the medoids, 1 or more.
      embedding: whose embedding.
    """
    check_whole("iterations", iterations, 1)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points = signals.embedding
        assert points is not None
        N, K = points.shape[0], min(budget, points.shape[0])
        members, excluded = pool.selectable, pool.excluded
        seed_key, medoid_key, tie_key = jax.random.split(query_key, 3)
        ties = tie_order(medoid_key, N)
        places = jnp.zeros(N, jnp.int32).at[ties].set(jnp.arange(N, dtype=jnp.int32))

        def add(total, sq_distances, new, _):
            return total + jnp.where(new, jnp.sqrt(sq_distances), 0.0).sum(axis=1)

        def step(carry):
            medoids, assignments, _, done, _ = carry
            centers = points[jnp.maximum(medoids, 0)]
            assignments = lax.cond(
                done > 0,  # before, they are those of the seeds
                lambda: nearest_center(points, centers, medoids != NOTHING, excluded)[0],
                lambda: assignments,
            )
            total = fold_within(points, centers, assignments, members, add, jnp.float32(0))
            own = jnp.where(members, assignments, K)
            least = jnp.full(K, jnp.inf).at[own].min(total, mode="drop")
            best = members & (total <= (1 + SAME) * least[assignments])
            new = jnp.full(K, N, jnp.int32)
            new = new.at[jnp.where(best, own, K)].min(places, mode="drop")
            new = jnp.where(new < N, ties[jnp.minimum(new, N - 1)], medoids)
            return new, assignments, total, done + 1, (new != medoids).any()

        seeds = seed_clusters(seed_key, points, K, max_clusters=K, mask=members, exclude=excluded)
        carry = seeds.rows, seeds.assignments, jnp.zeros(N), jnp.int32(0), jnp.bool_(True)
        carry = lax.while_loop(lambda carry: carry[4] & (carry[3] < iterations), step, carry)
        _, assignments, total = carry[:3]
        sizes = jnp.zeros(K, jnp.int32).at[assignments].add(members.astype(jnp.int32))
        turn = jnp.argsort(jnp.argsort(-sizes)).astype(jnp.int32)
        picks, scores = take_turns(tie_key, assignments, -total, members, turn, budget)
        return Query(picks, {}, scores=scores)

    return strategy(select, needs={"embedding"}, embedding=embedding)
