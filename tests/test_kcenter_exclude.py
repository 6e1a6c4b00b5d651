"""Excluding rows gives what deleting them gives, bit for bit, whatever they hold."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jax_al.geometry.kcenter import cover_radius_traced, kcenter_greedy, kcenter_greedy_traced
from jax_al.geometry.kcenter.lazy import lazy_greedy
from jax_al.geometry.kcenter.points import Points
from jax_al.types import NOTHING

N, Q = 150, 20
jitted = jax.jit(kcenter_greedy_traced, static_argnums=3)


def lazy(points, num_picks, initial, exclude, block=64):
    matrix = Points(points, exclude=exclude)
    first = int(matrix.places(matrix.farthest_from_mean()))
    places = matrix.places(np.asarray(initial, int))
    found = lazy_greedy(matrix, places, num_picks, first, block=block)
    return matrix.numbers(found.indices), found.sq_distances, found.sq_radius


def traced(points, num_picks, initial, exclude):
    centers = jnp.full(N, NOTHING, jnp.int32).at[: len(initial)].set(jnp.asarray(initial, int))
    found = jitted(points, centers, len(initial), num_picks, jnp.asarray(exclude))
    return tuple(np.asarray(part) for part in found)


def deleted(points, num_picks, initial, exclude):
    """The answer for the rows that are left, with their numbers in the whole matrix."""
    left = np.flatnonzero(~exclude)
    found = lazy(points[left], num_picks, np.searchsorted(left, initial), None)
    return left[found[0]], *found[1:]


FORMS = {"lazy": lazy, "lazy, one block": functools.partial(lazy, block=4096), "traced": traced}
every_form = pytest.mark.parametrize("greedy", FORMS.values(), ids=FORMS.keys())
KINDS = {
    "cloud": lambda rng: rng.standard_normal((N, 5)),
    "far out": lambda rng: rng.standard_normal((N, 5)) + 3e4,
    "grid": lambda rng: rng.integers(0, 3, (N, 5)),
    "duplicates": lambda rng: rng.standard_normal((N, 5))[rng.integers(0, 40, N)],
    "equal": lambda rng: np.full((N, 5), 0.1),
}
HELD = [None, np.nan, np.inf, -1e30, 0.0]


def made_up(kind, seed, held):
    """Points, and which of them are excluded and hold something else (None: what they held)."""
    rng = np.random.default_rng(seed)
    points = KINDS[kind](rng).astype(np.float32)
    exclude = rng.random(N) < rng.choice([0.02, 0.3, 0.9, 1.0])
    exclude[rng.integers(0, N)] = False
    if held is not None:
        points[exclude, seed % 5 :] = held
    return points, exclude, rng


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@every_form
@settings(max_examples=40)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.integers(0, 2**32 - 1),
    held=st.sampled_from(HELD),
    most=st.sampled_from([0, 0, 1, 3, N]),
)
def test_excluding_is_deleting(greedy, kind, seed, held, most):
    points, exclude, rng = made_up(kind, seed, held)
    left = rng.permutation(np.flatnonzero(~exclude))
    initial = left[:most]
    num_picks = min(Q, len(left) - len(initial))
    expected = deleted(points, num_picks, initial, exclude) if num_picks else ([], [], 0.0)
    if greedy is not traced:
        assert_same(greedy(points, num_picks, initial, exclude), expected)
        return
    indices, sq_distances, sq_radius = traced(points, Q, initial, exclude)
    assert_same((indices[:num_picks], sq_distances[:num_picks], sq_radius), expected)
    assert (indices[num_picks:] == NOTHING).all()
    assert not sq_distances[num_picks:].any()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("initial", [None, [7, 2_000]])
@pytest.mark.parametrize("key", [None, jax.random.key(3)])
def test_a_pool_of_many_blocks(metric, initial, key):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((6_000, 8)).astype(np.float32)
    exclude = rng.random(6_000) < 0.2
    exclude[[7, 2_000]] = False
    left = np.flatnonzero(~exclude)
    points[exclude] = np.where(rng.random((exclude.sum(), 1)) < 0.5, 0.0, np.nan)
    found = kcenter_greedy(points, 90, initial, exclude=exclude, metric=metric, key=key)
    start = None if initial is None else np.searchsorted(left, initial)
    expected = kcenter_greedy(points[left], 90, start, metric=metric, key=key)
    np.testing.assert_array_equal(found.indices, left[expected.indices])
    np.testing.assert_array_equal(found.distances, expected.distances)
    assert found.radius == expected.radius
    assert found.work.distances == expected.work.distances
    if metric == "euclidean" and key is None:
        centers = np.array(initial or [0, 0], np.int32)
        inside = jitted(points, centers, len(initial or []), 90, jnp.asarray(exclude))
        np.testing.assert_array_equal(inside.indices, found.indices)
        np.testing.assert_array_equal(np.sqrt(inside.sq_distances, dtype=float), found.distances)
        assert np.sqrt(inside.sq_radius, dtype=float) == found.radius


def test_numbers_masks_and_nothing():
    points, _, rng = made_up("grid", 5, None)
    exclude, initial = rng.random(N) < 0.3, np.zeros(N, bool)
    initial[np.flatnonzero(~exclude)[:3]] = True
    by_mask = kcenter_greedy(points, 9, initial, exclude=exclude)
    numbers = np.flatnonzero(exclude)[::-1].tolist()
    by_number = kcenter_greedy(points, 9, np.flatnonzero(initial), exclude=numbers)
    on_device = kcenter_greedy(points, 9, jnp.asarray(initial), exclude=jnp.asarray(exclude))
    for other in (by_number, on_device):
        np.testing.assert_array_equal(by_mask.indices, other.indices)
        np.testing.assert_array_equal(by_mask.distances, other.distances)
    plain = kcenter_greedy(points, 9)
    for nobody in ([], np.zeros(N, bool), np.zeros(0, np.int32)):
        found = kcenter_greedy(points, 9, exclude=nobody)
        np.testing.assert_array_equal(found.indices, plain.indices)
        assert found.work == plain.work


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (r"initial and exclude both name rows 3, 8: leave out", {"initial": [8, 3, 5]}),
        (r"exclude names row 150: points has rows 0..149", {"exclude": [3, 150]}),
        (r"exclude names row -1", {"exclude": [-1]}),
        (r"exclude repeats row 3", {"exclude": [3, 4, 3]}),
        (r"exclude is a mask of 149 rows, but points has 150", {"exclude": np.ones(149, bool)}),
        (r"initial is a mask of 151 rows, but points has 150", {"initial": np.ones(151, bool)}),
        (r"exclude must be a vector of indices or a mask", {"exclude": [0.5]}),
        (r"exclude must be a vector of indices or a mask", {"exclude": np.ones((N, 1), bool)}),
        (r"exclude names all 150 rows", {"exclude": np.arange(N)}),
        (r"num_picks is 1, but 0 of 150 points", {"exclude": range(1, N), "initial": [0]}),
        (r"num_picks is 1, but 0 of 150 points", {"exclude": range(9), "initial": range(9, N)}),
        (r"NaN.* in row 140$", {}),
    ],
)
def test_errors_name_what_is_wrong(message, arguments):
    points, _, _ = made_up("cloud", 0, None)
    points[[3] if arguments else [3, 140]] = np.nan
    with pytest.raises(ValueError, match=message):
        kcenter_greedy(points, 1, **{"exclude": [3, 8], **arguments})


def test_nothing_left_is_told_by_padding():
    points, _, _ = made_up("cloud", 0, None)
    for initial in ([], [4]):
        exclude = np.ones(N, bool)
        exclude[initial] = False
        indices, sq_distances, sq_radius = traced(points, Q, initial, exclude)
        assert (indices == NOTHING).all()
        assert not sq_distances.any()
        assert sq_radius == 0


@pytest.mark.parametrize("initial", [[], [4, 9]])
def test_a_mask_of_nobody_changes_no_bit(initial):
    for kind in KINDS:
        points, _, _ = made_up(kind, 1, None)
        centers = jnp.full(N, NOTHING, jnp.int32).at[: len(initial)].set(jnp.asarray(initial, int))
        plain = jitted(points, centers, len(initial), Q)
        assert_same(traced(points, Q, initial, np.zeros(N, bool)), plain)


def test_an_excluded_center_is_none():
    points, _, _ = made_up("cloud", 2, None)
    points[[3, 50]] = np.nan
    exclude = np.zeros(N, bool)
    exclude[[3, 50, 60]] = True
    assert_same(traced(points, Q, [3, 9, 50, 8], exclude), traced(points, Q, [9, 8], exclude))
    assert_same(traced(points, Q, [50, 3], exclude), traced(points, Q, [], exclude))


def test_what_is_not_excluded_must_be_finite():
    points, _, _ = made_up("cloud", 3, None)
    points[[3, 50]] = np.nan
    exclude = np.zeros(N, bool)
    exclude[3] = True
    indices, _, sq_radius = traced(points, Q, [9], exclude)
    assert (indices == NOTHING).all()
    assert np.isnan(sq_radius)


def test_the_cover_radius_leaves_them_out():
    points, _, _ = made_up("cloud", 4, None)
    exclude = np.arange(N) < 30
    points[exclude] = np.nan
    radius = jax.jit(cover_radius_traced)
    centers = jnp.asarray([30, 40, 50], jnp.int32)
    found = radius(points, centers, 3, jnp.asarray(exclude))
    assert found == radius(points[30:], centers - 30, 3)
    np.testing.assert_allclose(
        found, kcenter_greedy(points, 0, [30, 40, 50], exclude=exclude).radius, rtol=1e-6
    )
    assert radius(points, centers, 3, jnp.ones(N, bool)) == 0


def test_every_seed_has_its_own_mask_under_vmap():
    rng = np.random.default_rng(10)
    points = rng.standard_normal((3, N, 5)).astype(np.float32)
    exclude = rng.random((3, N)) < np.array([[0.0], [0.3], [0.9]])
    exclude[:, 5] = False
    points[exclude] = np.nan
    centers = jnp.asarray([[5, -1], [-1, -1], [5, -1]], jnp.int32)
    counts = jnp.asarray([1, 0, 1], jnp.int32)
    run = functools.partial(kcenter_greedy_traced, num_picks=Q)
    together = jax.jit(jax.vmap(lambda p, c, k, e: run(p, c, k, exclude=e)))(
        points, centers, counts, exclude
    )
    for s in range(3):
        alone = traced(points[s], Q, np.asarray(centers[s][: counts[s]]), exclude[s])
        assert_same([part[s] for part in together], alone)


def test_a_mask_makes_no_copy_of_the_points():
    """At N = 10^6, from the compiler alone: the points take 2 GB."""
    shapes = [((1_000_000, 512), "f4"), ((1_000,), "i4"), ((), "i4"), ((1_000_000,), "?")]
    points, centers, count, exclude = (jax.ShapeDtypeStruct(*shape) for shape in shapes)
    compiled = jitted.lower(points, centers, count, 100, exclude).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 100e6
