"""TypiClust: dense points of uncovered clusters (Hacohen et al. 2022, arXiv 2202.02794)."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.base import PoolState, Query, Signals, Strategy, UsageError
from jax_al.clustering import fold_within, take_turns
from jax_al.clustering import kmeans as cluster


def typiclust(
    *,
    max_clusters: int = 500,
    neighbors: int = 20,
    min_cluster_size: int = 5,
    normalize: bool = True,
    iterations: int = 3,
    embedding: str = "model",
) -> Strategy:
    """Picks the most typical point of the largest clusters that hold no label yet.

    Hacohen, Dekel & Weinshall 2022, arXiv 2202.02794, algorithm 1. All points are clustered into
    K = min(labels + Q, max_clusters) by k-means; clusters with the fewest labels come first, of
    these the larger, and each gives its point of the highest typicality

        1 / mean distance to the `neighbors` nearest, in the cluster.

    When every cluster has been asked once they are asked again in the same order. Where we
    differ from the published code: it averages squared distances (faiss' IndexFlatL2 returns
    those), the paper plain ones, as we do; it works typicality out again when a cluster is asked
    a second time, we once for a query; clusters of `min_cluster_size` or fewer points it drops,
    we ask them last, so that a budget is always met. As there, labeled points are no neighbors,
    and the embedding is scaled to length 1. scikit-activeml counts the point itself as a
    neighbor at distance 0 while dividing by the number of the others, which keeps the order
    except in clusters smaller than `neighbors`, and has no least size.

    Needs the embedding, no label; made for self-supervised embeddings and few labels. Seeded.
    O(N K D) for seeds and each iteration of k-means, O(sum of |cluster|^2 D) for typicality, which
    is O(N^2 D) where K is small; memory O(N neighbors)
    and, to normalize, a copy of the embedding.

    Args:
      max_clusters: so many at most, 500 in the paper.
      neighbors: 20 in the paper.
      min_cluster_size: 5 in the published code.
      normalize: scale embeddings to length 1.
      iterations: at most so many updates of the centers of k-means.
      embedding: whose embedding.
    """
    least = {"max_clusters": 1, "neighbors": 1, "min_cluster_size": 0, "iterations": 0}
    given = (max_clusters, neighbors, min_cluster_size, iterations)
    for (name, low), value in zip(least.items(), given, strict=True):
        if value < low:
            raise UsageError(f"config.strategy_args.{name} is {value}; it must be {low} or more.")

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points = signals.embedding
        assert points is not None
        N, K = points.shape[0], min(max_clusters, points.shape[0], pool.order.size + budget)
        if normalize:
            norms = jnp.sqrt(jnp.square(points).sum(axis=1))
            points = points / jnp.where(norms > 0, norms, 1.0)[:, None]
        wanted = jnp.minimum(pool.num_labeled + budget, K)
        found = cluster(query_key, points, wanted, max_clusters=K, iterations=iterations)
        scores = typicality(points, found.assignments, ~pool.labeled, min(neighbors, N), K)
        labels = jnp.zeros(K, jnp.int32).at[found.assignments].add(pool.labeled.astype(jnp.int32))
        turn = jnp.argsort(jnp.lexsort((-found.sizes, labels))).astype(jnp.int32)
        tiny = found.sizes <= min_cluster_size
        picks = take_turns(found.assignments, scores, ~pool.labeled, turn, budget, tiny)
        uncovered = ((labels == 0) & (found.sizes > 0)).sum()
        return Query(picks, {"uncovered_clusters": uncovered.astype(jnp.float32)})

    return Strategy(frozenset({"embedding"}), select, seeded=True, embedding=embedding)


def typicality(
    points: jax.Array, assignments: jax.Array, members: jax.Array, neighbors: int, K: int
) -> jax.Array:
    """1 / mean distance float32 [N] to the nearest other members of the cluster; 0 if alone."""

    def nearer(best, sq_distances, new):
        both = jnp.concatenate([best, -jnp.where(new, sq_distances, jnp.inf)], axis=1)
        return lax.top_k(both, neighbors)[0]

    empty = jnp.full(neighbors, -jnp.inf)
    best = -fold_within(points, assignments, members, nearer, empty, num_clusters=K)
    real = best < jnp.inf
    met = jnp.maximum(real.sum(axis=1), 1).astype(jnp.float32)
    mean = jnp.sqrt(jnp.where(real, best, 0.0)).sum(axis=1) / met
    return jnp.where(real[:, 0], 1 / jnp.maximum(mean, 1e-30), 0.0)
