"""EPIG: what a label would tell about the labels of other points."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.clustering import in_blocks
from jax_al.geometry.rounding import coarse
from jax_al.strategies.bayesian import FLOOR
from jax_al.strategies.choosing import by_score, check_whole, sample_present
from jax_al.strategies.strategy import strategy
from jax_al.types import PoolState, Query, Signals, Strategy


def epig(*, max_targets: int = 100) -> Strategy:
    """Picks the points whose labels tell most about the labels of points drawn from the pool.

    Score (1 / M) sum over M targets x' of I(y; y' | x, x'), in nats: expected predictive
    information gain (Bickford Smith, Kirsch, Farquhar, Gal, Foster & Rainforth 2023, arXiv
    2304.08151, equation 5), where `bald` asks for the information on the network, be it of use or
    not. With T draws the joint p(y, y') is the mean over t of p_t(y | x) p_t(y' | x'), and I its
    divergence from the product of its margins. Targets are drawn from all of the pool, labeled
    points too, the same for every x. Below 2e-6 it counts as 0, as it may be rounding; scores are
    equal if they are to 14 bits.

    Needs `sampled_probs`, each pass one sampled network for the whole pool; random while there is
    no label. Seeded, where M < N. The Q highest; nothing keeps the picks apart. O(N M T C^2),
    memory O(N) and a few blocks of 64 MiB, or of M C^2 numbers where that is more.

    Args:
      max_targets: M; all of a smaller pool.
    """
    check_whole("max_targets", max_targets, 1)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        assert signals.sampled_probs is not None
        target_key, tie_key = jax.random.split(query_key)
        targets = sample_present(target_key, pool, min(max_targets, pool.labeled.size))
        scores = information(signals.sampled_probs, targets, ~pool.excluded[targets])
        return by_score(tie_key, coarse(scores), pool, budget)

    return strategy(select, needs={"sampled_probs"}, needs_label=True)


def information(probs: jax.Array, targets: jax.Array, counts: jax.Array) -> jax.Array:
    """Returns the mean information float32 [N], in nats, of a label about those of targets.

    Args:
      probs: float32 [T, N, C], of every draw.
      targets: int32 [M], rows.
      counts: bool [M], those in the mean.
    """
    (T, N, C), M = probs.shape, targets.size
    theirs = jnp.moveaxis(probs[:, targets], 0, 1)  # [M, T, C]
    columns = jnp.moveaxis(theirs, 1, 0).reshape(T, M * C)
    weights = counts.astype(jnp.float32) / jnp.maximum(counts.sum(), 1).astype(jnp.float32)

    def block(start, size):
        mine = lax.dynamic_slice(probs, (0, start, 0), (T, size, C))
        rows = jnp.moveaxis(mine, 0, 2).reshape(size * C, T)
        joint = jnp.matmul(rows, columns, precision=lax.Precision.HIGHEST) / T
        joint = joint.reshape(size, C, M, C)
        apart = mine.mean(axis=0)[:, :, None, None] * theirs.mean(axis=1)[None, None]
        # Where the joint is not 0 its margins are not, but their product may underflow.
        is_there = (joint > 0) & (apart > 0)
        ratio = jnp.where(is_there, joint, 1.0) / jnp.where(is_there, apart, 1.0)
        told = (joint * jnp.log(ratio)).sum(axis=(1, 3))
        return jnp.dot(told, weights, precision=lax.Precision.HIGHEST)

    found = in_blocks(block, N, width=C * C * M)
    return jnp.where(found > FLOOR, found, 0.0)
