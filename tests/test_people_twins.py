"""Near duplicates among pictures, beside SciPy's single linkage and pictures altered on purpose."""

import numpy as np
import pytest
from made_up_pictures import encoded, pixels
from PIL import Image
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

import jax_al as al
from jax_al.errors import UsageError
from jax_al.geometry import groups
from jax_al.geometry.groups import groups_within
from jax_al.people import twins
from jax_al.people.items import Items
from jax_al.people.ledger_pool import take_in
from jax_al.people.twins import (
    NEAR,
    fingerprints,
    groups_of,
    kept_near_duplicates,
    near_duplicates,
)
from jax_al.pools.pictures import decode, square

pytestmark = pytest.mark.usefixtures("compiled_plainly")
SIZE = 96


def lowest_of(cluster):
    return np.array([np.flatnonzero(cluster == one)[0] for one in cluster])


@pytest.mark.parametrize("block", [2048, 64, 7])
@pytest.mark.parametrize("radius", [0.0, 0.3, 0.6, 5.0])
def test_groups_are_those_of_single_linkage(monkeypatch, block, radius):
    monkeypatch.setattr(groups, "_BLOCK", block)
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1, (150, 3)).astype(np.float32)
    points[100:110] = points[:10]
    expected = fcluster(linkage(pdist(points.astype(float)), "single"), radius, "distance")
    found = groups_within(points, radius)
    np.testing.assert_array_equal(found, lowest_of(expected))
    assert found.dtype == np.int32


def test_a_chain_is_one_group_whatever_the_order(monkeypatch):
    monkeypatch.setattr(groups, "_BLOCK", 16)
    order = np.random.default_rng(1).permutation(100)
    points = order[:, None].astype(np.float32)
    assert (groups_within(points, 1.0) == 0).all()
    np.testing.assert_array_equal(groups_within(points, 0.99), np.arange(100))


def test_equal_rows_are_one_group_at_no_distance_at_all():
    points = np.full((300, 5), 1234.567, np.float32)
    assert (groups_within(points, 0.0) == 0).all()


@pytest.mark.parametrize(
    ("points", "radius", "sentence"),
    [
        (np.zeros(3), 1.0, r"points must be a matrix \[N, D\]"),
        (np.zeros((0, 3)), 1.0, r"points must be a matrix"),
        (np.array([[np.nan]]), 1.0, "points holds NaN"),
        (np.zeros((2, 2)), -1.0, "radius is -1.0"),
        (np.zeros((2, 2)), np.nan, "radius is nan"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(points, radius, sentence):
    with pytest.raises(UsageError, match=sentence):
        groups_within(points, radius)


def squares(images):
    return np.stack([square(image, SIZE, "crop") for image in images])


def altered(image):
    """The same picture as people come to have it twice."""
    height, width, _ = image.shape
    whole = Image.fromarray(image)
    yield decode(encoded(image, "JPEG", quality=30))
    yield np.asarray(whole.resize((width // 2, height // 2)))
    yield np.asarray(whole.crop((2, 1, width - 2, height - 2)))
    yield np.clip(image * 1.03, 0, 255).astype(np.uint8)
    yield np.clip(image * 0.97, 0, 255).astype(np.uint8)


def test_altered_pictures_are_found_and_others_are_not():
    images = [pixels(seed, 200, 300) for seed in range(40)]
    all_of = squares([*images, *(one for image in images[:8] for one in altered(image))])
    lowest = near_duplicates(al.arrays(all_of))
    np.testing.assert_array_equal(lowest[:40], np.arange(40))
    np.testing.assert_array_equal(lowest[40:], np.repeat(np.arange(8), 5))
    assert groups_of(lowest) == [(row, *range(40 + 5 * row, 45 + 5 * row)) for row in range(8)]


def test_the_distance_is_that_of_correlations():
    images = squares([pixels(seed) for seed in range(2)])
    points, flat = fingerprints(images)
    small = images.reshape(2, 8, 12, 8, 12, 3).mean(axis=(2, 4))
    small = (small - small.mean(axis=(1, 2), keepdims=True)).reshape(2, -1)
    r = np.corrcoef(small)[0, 1]
    np.testing.assert_allclose(np.linalg.norm(points[0] - points[1]), np.sqrt(2 - 2 * r), rtol=1e-5)
    assert not flat.any()


def test_blank_pictures_are_like_no_other():
    rng = np.random.default_rng(0)
    night = rng.integers(0, 6, (5, SIZE, SIZE, 3), np.uint8)
    blank = np.full((5, SIZE, SIZE, 3), 255, np.uint8)
    pool = al.arrays(np.concatenate([night, blank]))
    np.testing.assert_array_equal(near_duplicates(pool), np.arange(10))
    assert groups_of(near_duplicates(pool)) == []


def test_a_stated_distance_and_pictures_are_wanted():
    images = squares([pixels(0), pixels(1)])
    assert near_duplicates(al.arrays(images), near=2.0).tolist() == [0, 0]
    assert near_duplicates(al.arrays(images), near=NEAR).tolist() == [0, 1]
    with pytest.raises(UsageError, match=r"near is 2\.1, but must lie between 0 and 2"):
        near_duplicates(al.arrays(images), near=2.1)
    with pytest.raises(UsageError, match="this pool holds none"):
        near_duplicates(al.arrays(np.zeros((2, 3), np.float32)))


def test_they_are_found_anew_only_where_something_has_changed(tmp_path, monkeypatch):
    images = squares([pixels(0), pixels(1), pixels(0, 40, 60)])
    path, items = tmp_path / "near.npz", Items(tmp_path)

    def found(x):
        pool = take_in(items, al.arrays(x))
        np.testing.assert_array_equal(kept_near_duplicates(path, pool), near_duplicates(pool))
        return kept_near_duplicates(path, pool)

    assert found(images).tolist() == [0, 1, 0]
    more = np.concatenate([images, images[1:2]])
    assert found(more).tolist() == [0, 1, 0, 1]
    assert found(more[1:]).tolist() == [0, 1, 2, 1]  # the first is gone, and gray
    whole = path.read_bytes()
    for damaged in (b"", b"x", whole[:-30], whole[:100]):
        path.write_bytes(damaged)
        assert found(more).tolist() == [0, 1, 0, 1]
    pool = take_in(items, al.arrays(more))
    monkeypatch.setattr(twins, "near_duplicates", lambda pool, near: pytest.fail("found anew"))
    assert kept_near_duplicates(path, pool).tolist() == [0, 1, 0, 1]
    with pytest.raises(pytest.fail.Exception):
        kept_near_duplicates(path, pool, 0.2)


def test_gray_and_small_pictures_are_compared_too():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 5, 7, 1), np.uint8)
    images[4] = images[1]
    assert near_duplicates(al.arrays(images)).tolist() == [0, 1, 2, 3, 1, 5]
