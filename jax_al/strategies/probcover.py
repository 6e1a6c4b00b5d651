"""ProbCover: maximum coverage by balls of one radius (Yehuda et al. 2022, arXiv 2205.11320)."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.base import PoolState, Query, Signals, Strategy, UsageError
from jax_al.clustering import in_blocks
from jax_al.clustering import kmeans as cluster
from jax_al.lazy_greedy import lazy_greedy

WORD = 32
LAZY_BLOCK = 64  # gains worked out together
ANCHORS = 1024  # points at which the purity of a radius is judged


def probcover(
    *,
    radius: float | None = None,
    purity: float = 0.95,
    num_classes: int = 10,
    max_targets: int = 4096,
    normalize: bool = True,
    embedding: str = "model",
) -> Strategy:
    """Picks, again and again, the point whose ball covers the most points not yet covered.

    Yehuda, Dekel, Hacohen & Weinshall 2022, arXiv 2205.11320, algorithm 1: greedy maximum
    coverage of the pool by balls of one radius, those around labeled points covering from the
    start; within (1 - 1/e) of the best. Greedy by lazy evaluation, ties to the lowest index; when
    everything is covered all points tie.

    With `radius = None` it is chosen as in the paper: the largest at which a share `purity` of
    the balls are pure, hold one class only, with the clusters of k-means (`num_classes` of them)
    for classes. A ball is pure just when its radius is below the distance to the nearest point
    of another cluster, so this radius is the 1 - `purity` quantile of these distances (at up to
    1,024 points); scikit-activeml tries ten values between 0.2 and 2, the paper a list of them.
    Where the pool is one cluster, the radius is 0 and every point covers its duplicates only.

    A ball counts points at distance `radius` itself, as in the paper's definition and
    scikit-activeml; the published code does not (d < delta), leaves the last incomplete block of
    500 points without a ball, and once all is covered asks for point 0 again and stops.

    Needs the embedding, no label; made for self-supervised ones. Seeded: by the seeds of k-means,
    and above `max_targets` points by the sample of them whose cover is counted. With M targets
    O(N (M + num_classes) D) and M / 8 bytes a point: exact up to N = `max_targets`.

    Args:
      radius: of the balls, in units of the embedding (scaled to length 1, if `normalize`).
      purity: 0.95 in the paper (there alpha).
      num_classes: clusters that stand for classes.
      max_targets: M, points whose cover is counted; a random sample of the pool if that is larger.
      normalize: scale embeddings to length 1, as the paper does.
      embedding: whose embedding.
    """
    if radius is not None and radius < 0:
        raise UsageError(f"config.strategy_args.radius is {radius}; it must be 0 or more.")
    if not 0 < purity <= 1:
        raise UsageError(
            f"config.strategy_args.purity is {purity}; it must be above 0 and at most 1."
        )
    for name, value in (("num_classes", num_classes), ("max_targets", max_targets)):
        if value < 1:
            raise UsageError(f"config.strategy_args.{name} is {value}; it must be 1 or more.")

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        points = signals.embedding
        assert points is not None
        if normalize:
            norms = jnp.sqrt(jnp.square(points).sum(axis=1))
            points = points / jnp.where(norms > 0, norms, 1.0)[:, None]
        target_key, cluster_key = jax.random.split(query_key)
        N, M = points.shape[0], min(max_targets, points.shape[0])
        targets = jnp.arange(N) if N == M else jax.random.permutation(target_key, N)[:M]
        if radius is None:
            sq_radius = jnp.square(
                pure_radius(cluster_key, points, targets[:ANCHORS], purity, min(num_classes, N))
            )
        else:
            sq_radius = jnp.float32(radius**2)
        balls = _balls(points, targets, sq_radius)
        taken = jnp.where(pool.labeled[:, None], balls, jnp.uint32(0))
        covered = lax.reduce(taken, jnp.uint32(0), lax.bitwise_or, (0,))

        def gains(covered, rows):
            return _count(balls[rows] & ~covered[None, :])

        start = gains(covered, jnp.arange(N))
        picks, covered = lazy_greedy(
            gains,
            lambda covered, row: covered | balls[row],
            covered,
            jnp.where(pool.labeled, -jnp.inf, start),
            budget,
            block=LAZY_BLOCK,
        )
        share = _count(covered[None, :])[0] * (1 / M)
        return Query(picks, {"coverage": share, "radius": jnp.sqrt(sq_radius)})

    return Strategy(frozenset({"embedding"}), select, seeded=True, embedding=embedding)


def pure_radius(
    key: jax.Array, points: jax.Array, anchors: jax.Array, purity: float, num_classes: int
) -> jax.Array:
    """The largest radius at which a share `purity` of the balls around `anchors` are pure."""
    D = points.shape[1]
    found = cluster(key, points, num_classes, max_clusters=num_classes, iterations=20)
    mine = found.assignments[anchors]

    def nearest_other(start, size):
        rows = lax.dynamic_slice(points, (start, 0), (size, D))
        own = lax.dynamic_slice(found.assignments, (start,), (size,))
        sq = _sq_distances(rows, points[anchors])
        return jnp.where(own[:, None] != mine[None, :], sq, jnp.inf).min(axis=0)

    def step(i, nearest):
        start = jnp.minimum(i * size, points.shape[0] - size)
        return jnp.minimum(nearest, nearest_other(start, size))

    size = min(2048, points.shape[0])
    nearest = jnp.full(anchors.size, jnp.inf)
    nearest = lax.fori_loop(0, -(-points.shape[0] // size), step, nearest)
    # So many of the balls may be impure; the radius is just below the distance of the next.
    allowed = min(int((1 - purity) * anchors.size + 1e-6), anchors.size - 1)
    sq = jnp.sort(nearest)[allowed]
    return jnp.where(jnp.isfinite(sq), jnp.nextafter(jnp.sqrt(sq), jnp.float32(0)), 0.0)


def _balls(points: jax.Array, targets: jax.Array, sq_radius: jax.Array) -> jax.Array:
    """Bits uint32 [N, M / 32]: is the target within the radius of the point."""
    N, D = points.shape
    words = -(-targets.size // WORD)
    ends = jnp.pad(points[targets], ((0, words * WORD - targets.size), (0, 0)))
    real = jnp.arange(words * WORD) < targets.size

    def block(start, size):
        rows = lax.dynamic_slice(points, (start, 0), (size, D))
        inside = (_sq_distances(rows, ends) <= sq_radius) & real[None, :]
        # A point is within any radius of itself, whatever rounding says.
        here = start + jnp.arange(size)
        own = jnp.pad(targets, (0, words * WORD - targets.size), constant_values=-1)
        inside |= here[:, None] == own[None, :]
        bits = inside.reshape(size, words, WORD).astype(jnp.uint32)
        places = jnp.uint32(1) << jnp.arange(WORD, dtype=jnp.uint32)
        return (bits * places[None, None, :]).sum(axis=2, dtype=jnp.uint32)

    return in_blocks(block, N, width=4 * words * WORD)


def _sq_distances(a: jax.Array, b: jax.Array) -> jax.Array:
    inner = jnp.dot(a, b.T, precision=lax.Precision.HIGHEST)
    sq = jnp.square(a).sum(axis=1)[:, None] + jnp.square(b).sum(axis=1)[None, :] - 2 * inner
    return jnp.maximum(sq, 0.0)


def _count(bits: jax.Array) -> jax.Array:
    """How many bits are set, float32 [R], of uint32 [R, W]."""
    return lax.population_count(bits).sum(axis=1, dtype=jnp.uint32).astype(jnp.float32)
