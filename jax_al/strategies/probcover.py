"""ProbCover: maximum coverage by balls of one radius (Yehuda et al. 2022, arXiv 2205.11320)."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_al.geometry.clustering import ROWS, in_blocks, nearest_center
from jax_al.geometry.clustering import kmeans as cluster
from jax_al.geometry.kcenter.distances import sq_accurate
from jax_al.geometry.vectors import (
    Points,
    Scaled,
    mean_of,
    rows_at,
    rows_from,
    shape_of,
    sq_between,
    unit_length,
)
from jax_al.geometry.within import within
from jax_al.strategies.choosing import check_number, check_whole, sample_present, tie_order
from jax_al.strategies.strategy import strategy
from jax_al.types import NOTHING, PoolState, Query, Signals, Strategy

WORD = 32
GROUP = 256  # neighbors in the pool whose uncovered targets are counted together
TRIES = 5  # of k-means, of which the one with the least inertia counts
ANCHORS = 512  # points at which the purity of a radius is judged
JUDGES = 2205_11320  # seed of the chance by which a radius is judged, which nobody else has
# Relative to a squared radius: what may be at the radius itself is inside, and a radius chosen to
# stay below a distance stays below it by more. Rounding of 2,000 float32 columns is a tenth of it.
EDGE = 2.0**-17
SAME = 2.0**-40  # squared distance of two unit vectors of the same direction, to rounding


def probcover(
    *,
    radius: float | None = None,
    purity: float = 0.95,
    num_classes: int | None = None,
    max_targets: int = 4096,
    normalize: bool = True,
    embedding: str = "model",
) -> Strategy:
    """Picks, again and again, the point whose ball covers the most points not yet covered.

    Yehuda, Dekel, Hacohen & Weinshall 2022, arXiv 2205.11320, algorithm 1: greedy maximum
    coverage of the pool by balls of one radius, those around labeled points covering from the
    start; within (1 - 1/e) of the best. Chance decides between equals; when everything is covered
    all points are.

    With `radius = None` it is chosen as in the paper: the largest at which a share `purity` of
    the balls are pure, hold one class only, with clusters for classes: those of k-means of the
    targets (below), the best of five. A ball is pure just when its radius is below the distance to
    the nearest point of another cluster, so this radius is the 1 - `purity` quantile of these
    distances (at up to 512 points, drawn); scikit-activeml tries ten values between 0.2 and 2, the
    paper a list. Where the pool is one cluster, the radius is 0 and every point covers its
    duplicates only. The chance in it (clusters, a sample of points) is the same at every query and
    for every seed, so the radius belongs to the embedding: one that does not change keeps it for
    the whole run, while nobody is excluded.

    A ball counts points at distance `radius` itself, as in the paper's definition and
    scikit-activeml, up to four millionths of it, and duplicates always. The published code does
    not count them (d < delta), and leaves the last incomplete block of 500 points without a ball.
    Like ours it takes the highest degree, but says in a comment that the paper draws among the
    five highest; and once all is covered it answers with its first point, labeled or not, for
    each pick that is left, as only their number is checked.

    Needs `embedding`, no label; made for self-supervised ones. Seeded: by the order among equals,
    which are many, and above `max_targets` points by the sample of them whose cover is counted.
    With M targets O(N (M + `num_classes`) D), memory M / 8 bytes a point and O(M D), no copy of
    the embedding: exact up to N = `max_targets`. Where most distances are equal to the radius to
    1e-7 D of the squared lengths, each is worked out one by one, and a query takes a hundred times
    as long.

    Args:
      radius: of the balls, in units of the embedding (scaled to length 1, if `normalize`).
      purity: 0.95 in the paper (there alpha).
      num_classes: clusters that stand for classes; the number of classes, where it is known. None
        is the cube root of N: 12 for 1,800 points, 37 for 50,000, 100 for a million. Little hangs
        on it: on digits the radius is 0.29 with 10, 0.23 with 40.
      max_targets: M, points whose cover is counted; a random sample of the pool if that is larger.
      normalize: scale embeddings to length 1, as the paper does.
      embedding: whose embedding.
    """
    if radius is not None:
        check_number("radius", radius, least=0)
    check_number("purity", purity, above=0, most=1)
    if num_classes is not None:
        check_whole("num_classes", num_classes, 1)
    check_whole("max_targets", max_targets, 1)

    def select(query_key: jax.Array, signals: Signals, pool: PoolState, budget: int) -> Query:
        assert signals.embedding is not None
        points = unit_length(signals.embedding) if normalize else signals.embedding
        target_key, tie_key = jax.random.split(query_key)
        N = pool.labeled.size
        M = min(max_targets, N)
        excluded = pool.excluded
        targets = sample_present(target_key, pool, M)
        if radius is None:
            # The cube root of the points that count, rounded, exactly.
            steps = [(2 * k - 1) ** 3 // 8 for k in range(1, round(N ** (1 / 3)) + 1)]
            root = ((~excluded).sum() > jnp.array(steps)).sum(dtype=jnp.int32)
            classes = root if num_classes is None else num_classes
            most = min(len(steps) if num_classes is None else num_classes, M)
            judges_key, cluster_key = jax.random.split(jax.random.key(JUDGES))
            judges = sample_present(judges_key, pool, M)
            lots = jax.random.bits(jax.random.fold_in(judges_key, 1), (M,))
            chosen = pure_radius(cluster_key, points, excluded, judges, lots, purity, classes, most)
        else:
            chosen = jnp.float32(radius)
        balls = _balls(points, excluded, targets, chosen)
        owned = balls[jnp.maximum(pool.order, 0)]
        owned = jnp.where(pool.order[:, None] != NOTHING, owned, jnp.uint32(0))
        covered = lax.reduce(owned, jnp.uint32(0), lax.bitwise_or, (0,))
        order = tie_order(tie_key, N)
        picks, scores, covered = _greedy(balls, covered, pool.selectable, order, budget)
        num_targets = jnp.maximum((~excluded[targets]).sum(), 1).astype(jnp.float32)
        share = _count(covered[None, :])[0].astype(jnp.float32) / num_targets
        return Query(picks, {"coverage": share, "radius": chosen}, scores=scores)

    return strategy(select, needs={"embedding"}, embedding=embedding)


def pure_radius(
    key: jax.Array,
    points: Points,
    excluded: jax.Array,
    targets: jax.Array,
    lots: jax.Array,
    purity: float,
    num_classes: jax.Array | int,
    max_classes: int,
) -> jax.Array:
    """The largest radius at which a share `purity` of the balls are pure, float32 [].

    Judged at ANCHORS of the `targets`, whose clusters all other points join.

    Args:
      key: decides the clusters.
      points: rows [N, D].
      excluded: bool [N], the points that are as if absent.
      targets: int32 [M], the excluded ones last.
      lots: uint32 [M], the lower the sooner a target is an anchor: of a pool that is sorted by
        class the first ones would be of one class.
      purity: share of the balls.
      num_classes: clusters, int32 [], may be traced.
      max_classes: at most so many, static.
    """
    N = shape_of(points)[0]
    sample, real = rows_at(points, targets), ~excluded[targets]
    tries = lax.map(
        lambda key: cluster(
            key, sample, num_classes, max_clusters=max_classes, iterations=20, exclude=~real
        ),
        jax.random.split(key, TRIES),
    )
    found = jax.tree.map(lambda each: each[tries.inertia.argmin()], tries)
    assignments, _ = nearest_center(points, found.centers, found.sizes > 0, excluded)
    mean = mean_of(points, excluded)[None, :]
    drawn = jnp.lexsort((lots, ~real))[:ANCHORS]
    anchors, mine, real = sample[drawn], assignments[targets[drawn]], real[drawn]
    size = min(ROWS, N)

    def step(i, carry):
        nearest, who = carry
        start = jnp.minimum(i * size, N - size)
        own = lax.dynamic_slice(assignments, (start,), (size,))
        sq = sq_between(anchors - mean, rows_from(points, start, size) - mean)
        absent = lax.dynamic_slice(excluded, (start,), (size,))
        other = ~absent[None, :] & (own[None, :] != mine[:, None])
        sq = jnp.where(other, sq, jnp.inf)
        place = sq.argmin(axis=1).astype(jnp.int32)
        found = jnp.take_along_axis(sq, place[:, None], axis=1)[:, 0]
        is_nearer = found < nearest
        return jnp.where(is_nearer, found, nearest), jnp.where(is_nearer, start + place, who)

    carry = jnp.full(mine.size, jnp.inf), jnp.full(mine.size, NOTHING, jnp.int32)
    _, who = lax.fori_loop(0, -(-N // size), step, carry)
    nearest = sq_accurate(anchors - rows_at(points, jnp.maximum(who, 0)))
    nearest = jnp.where(who == NOTHING, jnp.inf, nearest)
    # So many of the balls may be impure; the radius is just below the distance of the next.
    sizes = range(mine.size + 1)
    allowed = jnp.array([max(0, min(int((1 - purity) * n + 1e-6), n - 1)) for n in sizes])
    sq = jnp.sort(jnp.where(real, nearest, jnp.inf))[allowed[real.sum()]]
    return jnp.where(jnp.isfinite(sq), jnp.sqrt((1 - 4 * EDGE) * sq), 0.0)


def _balls(points: Points, excluded: jax.Array, targets: jax.Array, radius: jax.Array) -> jax.Array:
    """Bits uint32 [N, M / 32]: is the target within the radius of the point.

    No ball holds a target that is `excluded`, bool [N].
    """
    N = shape_of(points)[0]
    words = -(-targets.size // WORD)
    mean = mean_of(points, excluded)
    sq_limit = (1 + EDGE) * jnp.square(radius) + (SAME if isinstance(points, Scaled) else 0.0)
    ends = jnp.pad(rows_at(points, targets), ((0, words * WORD - targets.size), (0, 0)))
    real = jnp.pad(~excluded[targets], (0, words * WORD - targets.size))

    def block(start, size):
        inside = within(rows_from(points, start, size), ends, mean, sq_limit) & real[None, :]
        bits = inside.reshape(size, words, WORD).astype(jnp.uint32)
        places = jnp.uint32(1) << jnp.arange(WORD, dtype=jnp.uint32)
        return (bits * places[None, None, :]).sum(axis=2, dtype=jnp.uint32)

    return in_blocks(block, N, width=4 * words * WORD)


def _greedy(
    balls: jax.Array, covered: jax.Array, offered: jax.Array, order: jax.Array, budget: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Picks, each time, the point with the most targets not yet covered.

    Lazy: counts only shrink, so a group of points whose best count, even if an old one, is below
    somebody's present one is not counted again. `lazy_greedy` would look for the highest old
    counts of single points: worth it where a gain costs much, but these take less than the search.

    Args:
      balls: uint32 [N, W].
      covered: uint32 [W].
      offered: bool [N], the points that may be picked.
      order: int32 [N], all rows: of those with as many, the first is picked.
      budget: Q.

    Returns:
      The picks int32 [Q], how many targets float32 [Q] each was the first to cover (NaN for
      NOTHING), and what is covered after them.
    """
    N, size = offered.size, min(GROUP, offered.size)
    num_groups = -(-N // size)
    offered = jnp.pad(offered[order], (0, num_groups * size - N))  # by place in the order
    counts = jnp.where(offered, WORD * covered.size, -1).reshape(num_groups, size)

    def is_stale(carry):
        _, best, fresh = carry
        return ~fresh[best.argmax()] & (best.max() >= 0)

    def pick(q, carry):
        covered, counts, best, picks, scores = carry

        def count(carry):
            counts, best, fresh = carry
            group = best.argmax()
            rows = order[jnp.minimum(group * size + jnp.arange(size), N - 1)]
            found = _count(balls[rows] & ~covered[None, :])
            found = jnp.where(counts[group] >= 0, found, -1)
            return (
                counts.at[group].set(found),
                best.at[group].set(found.max()),
                fresh.at[group].set(True),
            )

        start = counts, best, jnp.zeros(num_groups, bool)
        counts, best, _ = lax.while_loop(is_stale, count, start)
        group = best.argmax()
        place = counts[group].argmax()
        row = order[jnp.minimum(group * size + place, N - 1)]
        exists = best[group] >= 0
        covered = jnp.where(exists, covered | balls[row], covered)
        picks = picks.at[q].set(jnp.where(exists, row, NOTHING))
        scores = scores.at[q].set(jnp.where(exists, best[group].astype(jnp.float32), jnp.nan))
        counts = counts.at[group, place].set(-1)
        return covered, counts, best.at[group].set(counts[group].max()), picks, scores

    picks, scores = jnp.full(budget, NOTHING, jnp.int32), jnp.full(budget, jnp.nan)
    carry = covered, counts, counts.max(axis=1), picks, scores
    covered, _, _, picks, scores = lax.fori_loop(0, budget, pick, carry)
    return picks, scores, covered


def _count(bits: jax.Array) -> jax.Array:
    """How many bits are set, int32 [R], of uint32 [R, W]."""
    return lax.population_count(bits).astype(jnp.int32).sum(axis=1)
