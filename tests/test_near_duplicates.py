"""Near-duplicates, against scikit-learn's nearest neighbours and images made for the purpose."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from jax_al.geometry import near_duplicates
from jax_al.geometry.near_duplicates import CLOSEST, NearDuplicates, thumbnails
from jax_al.types import Spec


def noise(count, side=16, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), np.uint8)


def test_the_radius_is_a_quantile_of_nearest_neighbour_distances():
    images = noise(300)
    flat = thumbnails(images)
    distances, _ = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(flat).kneighbors(flat)
    expected = np.quantile(distances[:, 1] ** 2, CLOSEST)
    np.testing.assert_allclose(NearDuplicates(images).sq_radius, expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 16, 3), (30, 20, 3), (64, 64, 3), (5, 3, 1)])
def test_a_thumbnail_is_a_sum_over_blocks(shape):
    images = noise(1).reshape(-1)[: shape[0] * shape[1] * shape[2]]
    images = np.resize(images, (4, *shape))
    found = thumbnails(images)
    block = -(-max(shape[:2]) // 8)
    first = images[:, :block, :block].astype(float).sum(axis=(1, 2))
    np.testing.assert_allclose(found[:, : shape[2]], first, rtol=1e-6)
    assert found.shape == (4, (shape[0] // block) * (shape[1] // block) * shape[2])


@pytest.mark.parametrize("side", [7, 8, 9, 16, 17, 24, 25, 40, 41])
def test_a_thumbnail_has_at_most_eight_blocks_a_side_and_no_fewer_than_need_be(side):
    image = np.zeros((1, side, side, 1), np.uint8)
    block = next(size for size in range(1, side + 1) if side // size <= 8 and size * 8 >= side)
    image[0, -1 - side % block, 0] = 200  # of the last whole block
    found = thumbnails(image).reshape(side // block, side // block)
    assert found[-1, 0] == found.sum() == 200


def test_copies_of_owned_images_and_of_earlier_picks_count():
    images = noise(100)
    images[10], images[20] = images[3], images[50]
    looked = NearDuplicates(images)
    assert looked.share(np.array([3]), np.array([10, 30])) == 0.5
    assert looked.share(np.array([], int), np.array([50, 20, 40, 41])) == 0.25
    assert looked.share(np.array([3]), np.array([50, 51])) == 0.0


@pytest.mark.parametrize("side", [8, 24, 28, 32])
def test_every_copy_is_found_in_a_pool_full_of_copies(side):
    images = noise(400, side, seed=3)
    images[360:] = images[:40]
    looked = NearDuplicates(images)
    assert looked.sq_radius == 0
    assert looked.share(np.arange(40), np.arange(360, 400)) == 1.0
    assert looked.share(np.arange(40, 360), np.arange(40)) == 0.0


def test_many_images_and_picks_are_taken_in_parts_and_none_is_forgotten():
    images = noise(250, seed=5)
    images[249] = images[0]
    images[180:200] = images[20:40]
    looked = NearDuplicates(images)
    blocks = images.reshape(250, 8, 2, 8, 2, 3).astype(float).sum(axis=(2, 4))
    np.testing.assert_array_equal(looked.thumbnails, blocks.reshape(250, -1))
    assert looked.share(np.arange(40), np.arange(50, 250)) == 21 / 200
    assert looked.share(np.array([], int), np.arange(250)) == 21 / 250


def test_few_random_picks_are_near_duplicates():
    images = noise(2_000, seed=1)
    rows = np.random.default_rng(2).permutation(2_000)
    assert NearDuplicates(images).share(rows[:100], rows[100:200]) < 0.05


def test_a_pool_of_one_image():
    assert NearDuplicates(noise(1)).share(np.array([], int), np.array([0])) == 0.0


def test_a_pool_of_two_images_has_the_distance_between_them_for_a_radius():
    images = noise(2)
    looked = NearDuplicates(images)
    apart = np.square(np.subtract(*thumbnails(images).astype(float))).sum()
    assert looked.sq_radius == apart > 0
    assert looked.share(np.array([0]), np.array([1])) == 1.0
    assert looked.share(np.array([], int), np.array([1, 0])) == 0.5


class PoolOf:
    """An array as a pool that tells how much of it was read at once."""

    def __init__(self, rows):
        self.rows, self.most = rows, 0
        self.spec = Spec(rows.shape[1:], rows.dtype)
        self.ids = range(len(rows))

    def __len__(self):
        return len(self.rows)

    def read(self, rows):
        found = self.rows[rows]
        self.most = max(self.most, len(found))
        return found


def test_a_pool_is_read_in_blocks(monkeypatch):
    monkeypatch.setattr(near_duplicates, "_READ", 70)
    images = noise(250, seed=5)
    images[200:220] = images[:20]
    pool = PoolOf(images)
    from_pool, from_images = NearDuplicates(pool), NearDuplicates(images)
    assert pool.most == 70
    np.testing.assert_array_equal(from_pool.thumbnails, from_images.thumbnails)
    assert from_pool.share(np.arange(20), np.arange(190, 230)) == 0.5


def test_of_a_large_pool_no_thumbnails_are_kept_and_the_numbers_are_the_same(monkeypatch):
    images = noise(250, seed=5)
    images[200:220] = images[:20]
    small = NearDuplicates(PoolOf(images))
    monkeypatch.setattr(near_duplicates, "_KEPT", 249)
    monkeypatch.setattr(near_duplicates, "_READ", 70)
    pool = PoolOf(images)
    large = NearDuplicates(pool)
    assert pool.most == 0
    owned, picks = np.arange(20), np.arange(190, 230)
    assert large.share(owned, picks) == small.share(owned, picks) == 0.5
    assert large.sq_radius == small.sq_radius
    assert large.thumbnails is None
    assert pool.most == 70


def test_of_a_table_nothing_is_said_nor_read():
    pool = PoolOf(np.zeros((20, 5), np.float32))
    looked = NearDuplicates(pool)
    assert looked.share(np.array([3]), np.array([10, 30])) is None
    assert np.isnan(looked.sq_radius)
    assert pool.most == 0
