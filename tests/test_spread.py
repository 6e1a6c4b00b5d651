"""Labels spread over a graph, against Zhou's equation solved in float64 and scikit-learn's."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.semi_supervised import LabelSpreading

from jax_al.geometry.neighbours import nearest_neighbours
from jax_al.learners import spread as module
from jax_al.learners.spread import graph_of, spread

RNG = np.random.default_rng(0)
# Two clouds, far apart.
POINTS = np.concatenate([RNG.normal(0, 1, (60, 3)), RNG.normal(50, 1, (30, 3))]).astype(np.float32)
N = len(POINTS)
NEAR = nearest_neighbours(POINTS, 4)
SIMILARITIES = np.exp(-NEAR.distances).astype(np.float32)
GRAPH = graph_of(NEAR.rows, SIMILARITIES)


def dense(rows, similarities):
    """Returns S of W = A + A', float64 [N, N]."""
    one_way = np.zeros((len(rows), len(rows)))
    np.put_along_axis(one_way, rows.astype(np.int64), similarities.astype(np.float64), axis=1)
    both = one_way + one_way.T
    scales = 1 / np.sqrt(both.sum(axis=1))
    return scales[:, None] * both * scales


def seeds_of(labels):
    """Returns Y [N, 3] of labels {row: class}, of weights 1, 2, ..."""
    seeds = np.zeros((N, 3), np.float32)
    for weight, (row, label) in enumerate(labels.items(), 1):
        seeds[row, label] += weight
    return seeds


def test_the_graph_in_pieces_is_the_symmetric_one():
    # Row 0 is among the neighbours of all others, so that its own fill several pieces.
    rows = np.array([[0, 1 + i % 19] for i in range(1, 20)] + [[1, 2]], np.int32)
    rows = np.roll(rows, 1, axis=0)
    similarities = RNG.uniform(0, 1, rows.shape).astype(np.float32)
    owners, columns, values = map(np.asarray, graph_of(rows, similarities))
    found = np.zeros((20, 20))
    np.add.at(found, (owners[:, None], columns), values)
    np.testing.assert_allclose(found, dense(rows, similarities), atol=1e-6)
    assert (owners == 0).sum() == 1 + 10


def test_the_answer_is_that_of_the_equation():
    seeds = seeds_of({0: 0, 5: 1, 20: 1, 70: 2})
    for alpha in (0.5, 0.9, 0.99):
        found = jax.jit(spread, static_argnums=2)(GRAPH, jnp.asarray(seeds), alpha)
        expected = np.linalg.solve(np.eye(N) - alpha * dense(NEAR.rows, SIMILARITIES), seeds)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_the_answer_is_that_of_label_spreading():
    """On the whole graph, where the kernels coincide."""
    points = POINTS[:12]
    everyone = np.argsort(-np.eye(12), axis=1, kind="stable").astype(np.int32)  # itself first
    sq = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    similarities = np.take_along_axis(np.exp(-0.3 * sq), everyone, axis=1)
    similarities[:, 0] = 0  # nobody is like itself: scikit-learn, too, sets its diagonal to 0
    labels = np.full(12, -1)
    labels[[0, 4, 7]] = 0, 1, 1
    theirs = LabelSpreading(kernel="rbf", gamma=0.3, alpha=0.8, max_iter=10_000, tol=1e-9)
    theirs.fit(points.astype(np.float64), labels)
    seeds = (labels[:, None] == np.arange(2)).astype(np.float32)
    found = spread(graph_of(everyone, similarities.astype(np.float32)), jnp.asarray(seeds), 0.8)
    shares = np.asarray(found) / np.asarray(found).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, theirs.label_distributions_, atol=1e-3)


def test_where_no_path_leads_to_a_label_nothing_arrives():
    found = np.asarray(spread(GRAPH, jnp.asarray(seeds_of({0: 0, 5: 1})), 0.9))
    assert (found[60:] == 0).all()
    assert (found[:60, :2] > 0).all()
    assert (found[:, 2] == 0).all()
    none = spread(GRAPH, jnp.zeros((N, 3)), 0.9)
    np.testing.assert_array_equal(none, 0)


def test_a_row_that_is_like_nobody_keeps_its_label_to_itself():
    similarities = SIMILARITIES.copy()
    similarities[3] = 0
    similarities[NEAR.rows == 3] = 0
    found = np.asarray(
        spread(graph_of(NEAR.rows, similarities), jnp.asarray(seeds_of({3: 1})), 0.9)
    )
    np.testing.assert_array_equal(np.flatnonzero(found.any(axis=1)), [3])


def test_what_is_told_is_above_what_too_few_iterations_leave(monkeypatch):
    seeds = seeds_of({0: 0, 5: 1, 70: 2})
    expected = np.linalg.solve(np.eye(N) - 0.9 * dense(NEAR.rows, SIMILARITIES), seeds)
    monkeypatch.setattr(module, "MAX_ITERATIONS", 5)
    found = np.asarray(spread(GRAPH, jnp.asarray(seeds), 0.9))
    assert (found > 0).any()
    assert (np.abs(found - expected) <= np.where(found > 0, found, np.inf)).all()
