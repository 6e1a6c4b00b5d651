"""TypiClust: dense points of uncovered clusters (Hacohen et al. 2022, arXiv 2202.02794)."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.clustering import Clusters
from jax_al.geometry.clustering import kmeans as cluster
from jax_al.geometry.vectors import Points, rows_at, shape_of, unit_length
from jax_al.strategies.choosing import check_whole
from jax_al.strategies.members import fold_within, take_turns
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy

FLOOR = (
    1e-5  # added to mean distances, as in the published code: duplicates are not infinitely near
)
TOGETHER = 256  # rows compared with their neighbors at a time


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

        1 / (1e-5 + mean distance to the min(`neighbors`, half of them) nearest of its members).

    When every cluster has been asked once they are asked again in the same order. As in the
    published code, labeled points are neither members nor neighbors, and the embedding is scaled
    to length 1. Where we differ from it:

    - it averages squared distances (faiss' IndexFlatL2 returns those), the paper plain ones, as we;
    - it works typicality out again when a cluster is asked a second time, we once for a query;
    - clusters of `min_cluster_size` or fewer points it drops, we ask them last, so that a budget
      is always met;
    - its k-means runs to convergence, and above 50 clusters on batches of 5,000 (MiniBatchKMeans);
      ours sees all points in at most `iterations` updates.

    scikit-activeml takes `neighbors` in clusters of any size, the point itself among them, at
    distance 0, and has no least size.

    Needs `embedding`, no label; made for self-supervised embeddings and few labels. Seeded.
    O(N K D) for seeds and each iteration of k-means, O(sum of |cluster|^2 D) for typicality, which
    is O(N^2 D) where K is small; memory O(N `neighbors` + K D), no copy of the embedding.

    Args:
      max_clusters: so many at most, 500 in the paper.
      neighbors: 20 in the paper.
      min_cluster_size: 5 in the published code.
      normalize: scale embeddings to length 1.
      iterations: at most so many updates of the centers of k-means.
      embedding: whose embedding.
    """
    check_whole("max_clusters", max_clusters, 1)
    check_whole("neighbors", neighbors, 1)
    check_whole("min_cluster_size", min_cluster_size, 0)
    check_whole("iterations", iterations, 0)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        assert signals.embedding is not None
        points = unit_length(signals.embedding) if normalize else signals.embedding
        K = min(max_clusters, pool.labeled.size, pool.order.size + budget)
        wanted = jnp.minimum(pool.num_labeled + budget, K)
        cluster_key, tie_key = jax.random.split(query_key)
        found = cluster(
            cluster_key,
            points,
            wanted,
            max_clusters=K,
            iterations=iterations,
            exclude=pool.excluded,
        )
        scores = typicality(points, found, pool.selectable, neighbors)
        labels = jnp.zeros(K, jnp.int32).at[found.assignments].add(pool.labeled.astype(jnp.int32))
        turn = jnp.argsort(jnp.lexsort((-found.sizes, labels))).astype(jnp.int32)
        tiny = found.sizes <= min_cluster_size
        picks, scores = take_turns(
            tie_key, found.assignments, scores, pool.selectable, turn, budget, tiny
        )
        uncovered = ((labels == 0) & (found.sizes > 0)).sum()
        info = {"uncovered_clusters": uncovered.astype(jnp.float32)}
        return Query(picks, info, scores=scores)

    return strategy(select, needs={"embedding"}, embedding=embedding)


def typicality(points: Points, clusters: Clusters, members: jax.Array, neighbors: int) -> jax.Array:
    """1 / (FLOOR + mean distance) float32 [N] to the nearest other members; 0 if there are none.

    The matmul form finds the neighbors; the distances to them are sums of squared differences, as
    those of the densest points, which matter most, are the ones it rounds worst.
    """
    N = shape_of(points)[0]
    neighbors = min(neighbors, N)

    def nearer(best, sq_distances, new, rows):
        near, who = best
        near = jnp.concatenate([near, -jnp.where(new, sq_distances, jnp.inf)], axis=1)
        who = jnp.concatenate([who, jnp.broadcast_to(rows, new.shape)], axis=1)
        near, places = lax.top_k(near, neighbors)
        return near, jnp.take_along_axis(who, places, axis=1)

    empty = jnp.full(neighbors, -jnp.inf), jnp.zeros(neighbors, jnp.int32)
    assignments = clusters.assignments
    _, nearest = fold_within(points, clusters.centers, assignments, members, nearer, empty)
    K = clusters.sizes.size
    sizes = jnp.zeros(K, jnp.int32).at[assignments].add(members.astype(jnp.int32))
    counted = jnp.minimum(neighbors, sizes[assignments] // 2)

    def mean_distance(row):
        apart = rows_at(points, nearest[row]) - rows_at(points, row)[None, :]
        distances = jnp.sqrt(jnp.square(apart).sum(axis=1))
        total = jnp.where(jnp.arange(neighbors) < counted[row], distances, 0.0).sum()
        return total / jnp.maximum(counted[row], 1).astype(jnp.float32)

    # Sorted by cluster, as neighbors are then read while they are still at hand.
    order = jnp.argsort(assignments).astype(jnp.int32)
    means = lax.map(mean_distance, order, batch_size=TOGETHER)
    means = jnp.zeros(N).at[order].set(means)
    return jnp.where(members & (counted > 0), 1 / (means + FLOOR), 0.0)
