"""Cluster-Margin: points of small margin, spread over clusters."""

import jax
import jax.numpy as jnp

from jax_al.geometry.clustering import kmeans
from jax_al.strategies.choosing import check_whole, highest, scores_of
from jax_al.strategies.strategy import strategy
from jax_al.strategies.uncertainty import margin_score
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy


def cluster_margin(
    *,
    candidates_per_pick: int = 10,
    picks_per_cluster: int = 2,
    iterations: int = 10,
    embedding: str = "model",
) -> Strategy:
    """Picks points of small margin, in turn from clusters of them, the smallest cluster first.

    The `candidates_per_pick` Q unlabeled points with the smallest margin between the two most
    likely classes are grouped into ceil(Q / `picks_per_cluster`) clusters of their embeddings;
    then the clusters, sorted by how many candidates they hold, give one point each, drawn
    uniformly, round after round until Q are picked.

    Citovsky et al. 2021, arXiv 2107.14263, Algorithms 1 and 2 (k_m = `candidates_per_pick` k_t).
    Needs `embedding` and `log_probs`; random while there is no label. Seeded.
    O(N C + M K D `iterations`) for M candidates and K clusters.

    Not as in the paper: it clusters the whole pool once, before it starts, by average-linkage
    agglomeration (HAC), which takes the distances of all pairs; here k-means groups the
    candidates alone, in every query, by the embedding of the day. HAC's cut-off distance becomes
    the number of clusters, and the size a cluster is sorted by is that among the candidates.
    With one pick per cluster there would be as many clusters as picks, each would give one point,
    and which cluster is first would decide the order only. The paper's rule is at work from 2 on,
    the default: small clusters give all they hold, and large ones make up for those that run out.
    """
    for option, value in (
        ("candidates_per_pick", candidates_per_pick),
        ("picks_per_cluster", picks_per_cluster),
        ("iterations", iterations),
    ):
        check_whole(option, value, 1)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        assert signals.embedding is not None
        assert signals.log_probs is not None
        kmeans_key, order_key, tie_key = jax.random.split(query_key, 3)
        num_candidates = min(pool.labeled.size, candidates_per_pick * budget)
        scores = margin_score(signals.log_probs)
        candidates = highest(tie_key, scores, pool, num_candidates)
        is_real = candidates != NOTHING
        num_clusters = min(num_candidates, -(-budget // picks_per_cluster))
        clusters = kmeans(
            kmeans_key,
            signals.embedding[jnp.maximum(candidates, 0)],
            num_clusters,
            max_clusters=num_clusters,
            iterations=iterations,
            mask=is_real,
        ).assignments
        order = round_robin(order_key, clusters, is_real, num_clusters)
        indices = candidates[order][:budget]
        indices = jnp.pad(indices, (0, budget - indices.size), constant_values=NOTHING)
        num_met = jnp.zeros(num_clusters, bool).at[clusters].max(is_real).sum()
        info = {"num_clusters": num_met.astype(jnp.float32)}
        return Query(indices, info, scores=scores_of(scores, indices))

    return strategy(select, needs={"embedding", "log_probs"}, embedding=embedding, needs_label=True)


def round_robin(
    order_key: jax.Array, clusters: jax.Array, mask: jax.Array, num_clusters: int
) -> jax.Array:
    """Returns all positions int32 [M], one of each cluster in turn, the smallest cluster first.

    Args:
      order_key: decides the order within a cluster.
      clusters: int32 [M], from 0 to `num_clusters` - 1.
      mask: bool [M], those that count; the others come last.
      num_clusters: K.
    """
    M = clusters.size
    clusters = jnp.where(mask, clusters, num_clusters)
    sizes = jnp.zeros(num_clusters + 1, jnp.int32).at[clusters].add(1)
    starts = jnp.cumsum(sizes) - sizes
    shuffled = jax.random.permutation(order_key, M)
    grouped = jnp.lexsort((shuffled, clusters))
    turn = jnp.arange(M, dtype=jnp.int32) - starts[clusters[grouped]].astype(jnp.int32)
    turn = jnp.zeros(M, jnp.int32).at[grouped].set(turn)
    return jnp.lexsort((clusters, sizes[clusters], turn, ~mask)).astype(jnp.int32)
