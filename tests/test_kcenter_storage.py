"""Rows in files, zarr and TensorStore: the same picks, read once where once is enough."""

import threading

import numpy as np
import pytest
import tensorstore
import zarr

from jax_al.geometry.kcenter import kcenter_greedy, reading

CHUNK = (100, 16)


def made_up():
    return np.random.default_rng(1).standard_normal((3_000, 64)).astype(np.float32)


def mapped(folder, points):
    np.save(folder / "points.npy", points)
    return np.load(folder / "points.npy", mmap_mode="r")


def zarr_array(folder, points):
    array = zarr.create_array(str(folder / "z"), shape=points.shape, chunks=CHUNK, dtype="f4")
    array[:] = points
    return array


def tensorstore_array(folder, points):
    where = {"driver": "file", "path": str(folder / "t")}
    spec = {"driver": "zarr", "kvstore": where, "metadata": {"chunks": list(CHUNK)}}
    array = tensorstore.open(
        spec, create=True, dtype=tensorstore.float32, shape=points.shape
    ).result()
    array.write(points).result()
    return array


STORES = (mapped, zarr_array, tensorstore_array)
every_store = pytest.mark.parametrize("store", STORES)


@every_store
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("initial", [None, [2_999, 7, 40]])
def test_same_picks_under_a_limit(store, metric, initial, tmp_path):
    points = made_up()
    free = kcenter_greedy(points, 200, initial, metric=metric)
    stored = store(tmp_path, points)
    limited = kcenter_greedy(stored, 200, initial, metric=metric, max_bytes=3_000_000)
    np.testing.assert_array_equal(limited.indices, free.indices)
    np.testing.assert_array_equal(limited.distances, free.distances)
    assert limited.radius == free.radius
    assert limited.work.rounds > free.work.rounds
    assert limited.work.bytes_read == 4 * 64 * limited.work.rows_read
    assert limited.work.bytes_read < points.nbytes * 200 / 5


@pytest.mark.parametrize(
    "store", [mapped, zarr_array, tensorstore_array, lambda _, points: Slow(points)]
)
@pytest.mark.parametrize("share", [0.1, 0.9])
@pytest.mark.parametrize("initial", [None, [2_999, 7, 40]])
def test_same_picks_without_some_rows(store, share, initial, tmp_path):
    points, exclude = made_up(), np.random.default_rng(2).random(3_000) < share
    exclude[[2_999, 7, 40]] = False
    left = np.flatnonzero(~exclude)
    start = None if initial is None else np.searchsorted(left, initial)
    expected = kcenter_greedy(points[left], 200, start)
    points[exclude] = np.nan
    stored = store(tmp_path, points)
    found = kcenter_greedy(stored, 200, initial, exclude=exclude, max_bytes=3_000_000)
    np.testing.assert_array_equal(found.indices, left[expected.indices])
    np.testing.assert_array_equal(found.distances, expected.distances)
    assert found.radius == expected.radius
    if isinstance(stored, Slow):
        assert found.work.rows_read == stored.rows


def test_a_limit_too_small_says_what_is_needed(tmp_path):
    with pytest.raises(ValueError, match=r"max_bytes is 1,000, but at least [\d,]+ are needed"):
        kcenter_greedy(mapped(tmp_path, made_up()), 200, [5], max_bytes=1_000)


class Slow:
    """An array that can only be read as slices or by ascending indices, and counts."""

    def __init__(self, points):
        self.points = points
        self.shape, self.dtype = points.shape, points.dtype
        self.threads = set()
        self.rows = 0

    def __getitem__(self, rows):
        self.threads.add(threading.current_thread())
        assert isinstance(rows, slice) or (np.diff(rows) > 0).all()
        part = self.points[rows]
        self.rows += len(part)
        return part


def test_anything_with_a_shape_and_rows_is_read_ahead_and_counted():
    points = made_up()
    slow = Slow(points)
    result = kcenter_greedy(slow, 100, [9, 3])
    np.testing.assert_array_equal(result.indices, kcenter_greedy(points, 100, [9, 3]).indices)
    assert result.work.rows_read == slow.rows
    assert len(slow.threads - {threading.main_thread()}) >= 2


def test_reading_ahead_returns_the_rows_asked_for():
    points = np.arange(50, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    slow = Slow(points)
    ahead = reading.ReadAhead(slow)
    rng = np.random.default_rng(0)
    for _ in range(30):
        rows, likely = (np.sort(rng.permutation(50)[: rng.integers(0, 20)]) for _ in range(2))
        np.testing.assert_array_equal(ahead.take(rows, likely), points[rows])


def test_what_was_read_ahead_or_just_held_is_not_read_again():
    points = np.arange(150, dtype=np.float32).reshape(50, 3)
    slow = Slow(points)
    ahead = reading.ReadAhead(slow)
    ahead.take(np.arange(5, 10), np.arange(8, 15))
    np.testing.assert_array_equal(ahead.take(np.arange(7, 15), np.arange(0)), points[7:15])
    assert ahead.rows_read == slow.rows == 10


def test_pieces_come_in_order():
    points = made_up()
    pieces = [slice(0, 1_000), slice(1_000, 2_999), slice(2_999, 3_000)]
    for array in (points, Slow(points)):
        together = np.concatenate(list(reading.in_order(array, pieces)))
        np.testing.assert_array_equal(together, points)
        assert list(reading.in_order(array, [])) == []


def test_changes_in_a_private_map_are_kept_and_seen(tmp_path):
    np.save(tmp_path / "points.npy", made_up())
    points = np.load(tmp_path / "points.npy", mmap_mode="c")
    points[7] = 1e3
    assert 7 in kcenter_greedy(points, 2, [0]).indices
    assert (points[7] == 1e3).all()
