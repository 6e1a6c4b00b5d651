"""The points nearest to the centers of k-means (Xu et al. 2003; Zhdanov 2019, arXiv 1901.05954)."""

import jax
import jax.numpy as jnp

from jax_al.geometry.clustering import kmeans as cluster
from jax_al.strategies.choosing import check_whole
from jax_al.strategies.members import take_turns
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy


def kmeans(*, iterations: int = 2, embedding: str = "model") -> Strategy:
    """Picks the point nearest to each center of a k-means clustering of the unlabeled points.

    Q clusters of the unlabeled points alone (k-means++ seeds, then Lloyd); of each cluster its
    member nearest to the mean, the largest cluster first. Where there are fewer than Q clusters
    (duplicates), the second nearest of each follow. It is the second step of Zhdanov 2019 (arXiv
    1901.05954), on the whole pool and with weights 1: his first keeps a multiple of Q points, the
    most uncertain, and by their uncertainty he weights them. Xu et al. 2003, "Representative
    sampling for text classification using support vector machines", take medoids. Published code
    often takes the point nearest to a center wherever it belongs, which can name a point twice;
    ours is a member of the cluster, as in the code of BADGE. Labeled points play no role: what
    lies close to them may be picked again.

    Needs `embedding`, no label. Seeded. O(N Q D) for the seeds and each iteration, memory
    O(N + Q D).

    Args:
      iterations: at most so many updates of the centers. Two come within a few per cent of the
        inertia at convergence, as k-means++ starts well; each costs as much as the seeds.
      embedding: whose embedding.
    """
    check_whole("iterations", iterations, 0)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        assert signals.embedding is not None
        K = min(budget, pool.labeled.size)
        cluster_key, tie_key = jax.random.split(query_key)
        found = cluster(
            cluster_key,
            signals.embedding,
            K,
            max_clusters=K,
            iterations=iterations,
            mask=pool.selectable,
            exclude=pool.excluded,
        )
        turn = jnp.argsort(jnp.argsort(-found.sizes)).astype(jnp.int32)
        scores = -found.sq_distances
        picks, scores = take_turns(
            tie_key, found.assignments, scores, pool.selectable, turn, budget
        )
        return Query(picks, {}, scores=scores)

    return strategy(select, needs={"embedding"}, embedding=embedding)
