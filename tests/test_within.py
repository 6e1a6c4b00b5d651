"""Which rows lie within a distance of each other, against float64."""

import jax
import numpy as np
import pytest

from jax_al.geometry.within import within

asked = jax.jit(within)


def sq_distances(a, b):
    """Differences in float32, the rest in float64, rounded at the end."""
    return np.square((a[:, None] - b[None]).astype(np.float64)).sum(axis=2).astype(np.float32)


@pytest.mark.parametrize("offset", [0, 3_000])
@pytest.mark.parametrize("seed", range(3))
def test_who_is_within_is_what_float64_says_up_to_the_last_bit(seed, offset):
    rng = np.random.default_rng(seed)
    # A grid, so that many pairs are at the very distance; and some are off it by one bit.
    a, b = (rng.integers(-3, 4, (size, 5)).astype(np.float32) + offset for size in (40, 60))
    b[::7, 2] = np.nextafter(b[::7, 2], np.float32(np.inf))
    a[::5, 0] += 500  # far from the center, and from everybody
    sq = sq_distances(a, b)
    center = b.mean(axis=0)
    for sq_limit in (0, 4, 25):
        found = asked(a, b, center, np.float32(sq_limit))
        np.testing.assert_array_equal(found, sq <= sq_limit)


def test_rows_that_rounding_cannot_tell_apart_from_far_away_are_told_apart():
    """With the center at zero, all distances are in doubt; the last of them is settled, too."""
    rng = np.random.default_rng(0)
    a = (1e4 + 1e-2 * rng.integers(0, 3, (20, 3))).astype(np.float32)
    sq = sq_distances(a, a)
    sq_limit = np.median(sq[sq > 0])
    found = asked(a, a, np.zeros(3, np.float32), sq_limit)
    np.testing.assert_array_equal(found, sq <= sq_limit)
    assert 0.1 < np.mean(found) < 0.9
