"""Pools of arrays, their subsets and concatenations; and that `check_pool` sees what is wrong."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jax_al.errors import UsageError
from jax_al.pools.arrays import arrays
from jax_al.pools.rows import RowPool, whole_index, whole_size
from jax_al.pools.subset import concatenate, subset
from jax_al.testing.pool import check_pool
from jax_al.types import Spec

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (90, 5, 4, 3), np.uint8)
ROWS = RNG.normal(size=(70, 6))


class Stranger:
    """A pool of somebody else: the protocol and nothing more."""

    ids = ("a", "b", "c")
    spec = Spec((2,), np.dtype(np.float32))

    def __len__(self):
        return 3

    def read(self, rows):
        rows = np.arange(3)[rows] if isinstance(rows, slice) else np.asarray(rows)
        if rows.size and (rows.min() < 0 or rows.max() > 2):
            raise IndexError(rows)
        return np.stack([rows, -rows], axis=1).astype(np.float32)

    def show(self, row):
        return f"number {row}"

    def index(self, value):  # as sequences have it
        return self.ids.index(value)


# --- arrays -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (IMAGES, (5, 4, 3)),
        (IMAGES[..., 0], (5, 4, 1)),
        (np.asfortranarray(IMAGES), (5, 4, 3)),
        (IMAGES[::-2], (5, 4, 3)),
    ],
)
def test_images_come_back_as_they_are(array, shape):
    pool = arrays(array)
    check_pool(pool)
    assert pool.spec == Spec(shape, np.dtype(np.uint8))
    assert pool.spec.is_image
    np.testing.assert_array_equal(pool.read(slice(None)).reshape(array.shape), array)
    np.testing.assert_array_equal(pool.show(3), array[3].reshape(shape))


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", "f8", ">f4", "longdouble", "i1", "i8", ">i4", "u2", "u8", "bool"]
)
@pytest.mark.parametrize("shape", [(30, 6), (30, 2, 3), (30, 1, 2, 3), (30, 1)])
def test_rows_of_any_shape_and_numeric_type_are_float32(dtype, shape):
    array = RNG.integers(0, 100, shape).astype(dtype)
    pool = arrays(array)
    check_pool(pool)
    assert pool.spec == Spec(shape[1:], np.dtype(np.float32))
    np.testing.assert_array_equal(pool.read(slice(None)), array.astype(np.float32))
    assert pool.show(0) is None


def test_uint8_that_is_no_image_is_rows_of_numbers():
    for shape in ((30, 7), (30, 2, 3, 4, 5)):
        pool = arrays(RNG.integers(0, 256, shape, np.uint8))
        assert pool.spec == Spec(shape[1:], np.dtype(np.float32))
        check_pool(pool)


def test_the_types_that_jax_adds_can_be_used():
    array = ROWS.astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(arrays(array).read(slice(None)), array.astype(np.float32))
    array[4, 1] = np.nan
    with pytest.raises(UsageError, match="Row 4 of the examples holds NaN"):
        arrays(array)


def test_a_mapped_file_stays_one(tmp_path):
    np.save(tmp_path / "x.npy", ROWS)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    pool = arrays(mapped)
    check_pool(pool)
    np.testing.assert_array_equal(pool.read(np.array([5, 2])), ROWS[[5, 2]].astype(np.float32))


@given(st.lists(st.integers(0, 89)), st.integers(-95, 95), st.integers(-95, 95), st.data())
def test_rows_and_slices_are_those_of_numpy(rows, start, stop, draw):
    pool = arrays(IMAGES)
    step = draw.draw(st.sampled_from([None, 1, 2, -1, -3]))
    np.testing.assert_array_equal(pool.read(rows), IMAGES[np.array(rows, int)])
    np.testing.assert_array_equal(pool.read(slice(start, stop, step)), IMAGES[start:stop:step])


@pytest.mark.parametrize("wrong", [[90], [3, -1], np.array([2**40]), np.array([200], np.uint8)])
def test_a_row_out_of_range_is_named(wrong):
    with pytest.raises(IndexError, match=f"Row {list(wrong)[-1]} is out of range.*0..89"):
        arrays(IMAGES).read(wrong)


@pytest.mark.parametrize("wrong", [np.ones(90, bool), [[1, 2]], 3, [1.5]])
def test_what_is_no_list_of_rows_is_refused(wrong):
    with pytest.raises(IndexError, match="whole numbers"):
        arrays(IMAGES).read(wrong)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, "NaN or infinity"),
        (-np.inf, "NaN or infinity"),
        (1e39, "a number beyond the range of float32"),
        (-1e300, "a number beyond the range of float32"),
    ],
)
@pytest.mark.parametrize("row", [0, 5, 2_999_999])
def test_rows_that_float32_cannot_hold_are_refused(value, words, row):
    array = np.zeros((3_000_000, 2))  # some blocks
    array[row, 1] = value
    with pytest.raises(UsageError, match=f"Row {row} of the examples holds {words}"):
        arrays(array)


INT64 = np.iinfo(np.int64)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([2**24, -(2**24)], None),
        ([2**24 + 2, 2**40, 3 * 2**50, -(2**62), INT64.min], None),  # float32 holds them
        ([7, 2**24 + 1, 2**24 + 3], (1, 2**24 + 1, 2**24)),
        ([0, 0, -(2**24) - 1], (2, -(2**24) - 1, -(2**24))),
        ([2**53 + 1], (0, 2**53 + 1, 2**53)),  # float64 does not hold it either
        ([INT64.max], (0, INT64.max, 2**63)),
    ],
)
def test_whole_numbers_that_are_rounded_are_told_once(values, told, caplog):
    with caplog.at_level("WARNING", logger="absl"):
        pool = arrays(np.array(values)[:, None])
    messages = [record.getMessage() for record in caplog.records]
    if told is None:
        assert not messages
        assert pool.read(slice(None)).astype(object)[:, 0].tolist() == values
    else:
        row, value, read = told
        (message,) = messages
        assert f"Row {row} of the examples holds {value}," in message
        assert f"read as {read}," in message
        assert int(pool.read(np.array([row]))[0, 0]) == read


def test_unsigned_numbers_that_are_rounded_are_told_too(caplog):
    with caplog.at_level("WARNING", logger="absl"):
        arrays(np.array([[2**63], [2**64 - 1]], np.uint64))
    (record,) = caplog.records
    assert f"Row 1 of the examples holds {2**64 - 1}," in record.getMessage()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((3, 2), complex), "numbers, not of type complex128"),
        (np.ma.masked_less([[1.0, 2], [3, 4]], 2), "masked values: fill them"),
        (np.full((3, 2), "x"), "numbers, not of type <U1"),
        (np.full((3, 2), None), "numbers, not of type object"),
        (np.zeros((3, 2), "m8[s]"), "numbers, not of type timedelta64"),
        (np.zeros(3), r"rows \[N, ...\] of one number or more, not of shape \(3,\)"),
        (np.float32(1), r"not of shape \(\)"),
        (np.zeros((0, 3)), r"not of shape \(0, 3\)"),
        (np.zeros((3, 0)), r"not of shape \(3, 0\)"),
    ],
)
def test_what_cannot_be_a_pool_is_one_sentence(array, words):
    with pytest.raises(UsageError, match=words):
        arrays(array)


def test_ids_are_given_or_the_row():
    names = np.array([f"n{i}" for i in range(90)])
    pool = arrays(IMAGES, names)
    assert pool.ids == tuple(names.tolist())
    assert {type(name) for name in pool.ids} == {str}
    assert arrays(IMAGES).ids == tuple(str(i) for i in range(90))
    for ids, words in (
        (names[:-1], "89 ids for 90"),
        ([*names[:-1], "n3"], "id 'n3' stands for two"),
        (range(90), "strings, and 0 is none"),
        ([*names[:-1], "\udce9.png"], r"id '\\udce9.png' is not UTF-8, .* give another"),
    ):
        with pytest.raises(UsageError, match=words):
            arrays(IMAGES, ids)


# --- subsets and concatenations -----------------------------------------------------------------


def test_a_subset_of_a_subset_knows_its_place_in_the_whole():
    whole = arrays(IMAGES, [f"n{i}" for i in range(90)])
    part = subset(whole, np.array([80, 3, 44, 7]))
    check_pool(part)
    np.testing.assert_array_equal(part.read(slice(1, 4)), IMAGES[[3, 44, 7]])
    np.testing.assert_array_equal(part.show(2), IMAGES[44])
    assert part.ids == ("n80", "n3", "n44", "n7")
    smaller = subset(part, slice(1, 3))
    check_pool(smaller)
    assert smaller.index.tolist() == [3, 44]
    assert smaller.index.dtype == np.int64
    assert smaller.whole_size == part.whole_size == 90
    assert whole.index.tolist() == list(range(90))
    np.testing.assert_array_equal(smaller.read(np.array([1])), IMAGES[[44]])


def test_a_subset_of_rows_named_by_index_keeps_these_names():
    numbered = subset(arrays(IMAGES), [5, 2])
    assert numbered.ids == ("5", "2")
    assert list(numbered.ids) == ["5", "2"]
    assert (numbered.ids[-1], numbered.ids[:1], len(numbered.ids)) == ("2", ("5",), 2)
    assert numbered.ids != ("5", "3")
    assert subset(numbered, [1]).ids == ("2",)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "one row at least"),
        ([4, 3, 4], "Row 4 is named twice"),
        ([90], "Row 90 is out of range: the pool has rows 0..89"),
        ([-1], "Row -1 is out of range"),
        (np.ones(89, bool), "The mask is of 89 rows, and the pool has 90"),
        (np.zeros(90, bool), "one row at least"),
        (np.ones((90, 1), bool), "Rows must be whole numbers"),
        (np.ones(90), "Rows must be whole numbers"),
        (["a"], "Rows must be whole numbers"),
    ],
)
def test_a_subset_that_cannot_be_is_one_sentence(rows, words):
    with pytest.raises(UsageError, match=words):
        subset(arrays(IMAGES), rows)


def test_a_mask_names_the_rows_of_a_subset_in_their_order():
    mask = np.zeros(90, bool)
    mask[[7, 3, 60]] = True
    assert subset(arrays(IMAGES, NAMES), mask).ids == tuple(NAMES[row] for row in (3, 7, 60))


@given(st.lists(st.integers(0, 89), max_size=30), st.integers(0, 90), st.integers(0, 90))
def test_a_concatenation_reads_as_one_array(rows, start, stop):
    pool = concatenate([arrays(IMAGES[a:b]) for a, b in ((0, 1), (1, 50), (50, 90))], NAMES)
    np.testing.assert_array_equal(pool.read(np.array(rows, int)), IMAGES[np.array(rows, int)])
    np.testing.assert_array_equal(pool.read(slice(start, stop)), IMAGES[start:stop])


NAMES = [f"n{i}" for i in range(90)]


def test_a_concatenation_is_a_pool():
    pools = [arrays(IMAGES[:20], NAMES[:20]), subset(arrays(IMAGES, NAMES), np.arange(20, 90))]
    pool = concatenate(pools)
    check_pool(pool)
    assert pool.ids == tuple(NAMES)
    assert pool.index.tolist() == list(range(90))
    np.testing.assert_array_equal(pool.show(20), IMAGES[20])


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        ([], "no pool"),
        ([arrays(IMAGES), arrays(ROWS)], "uint8 .* and of float32 .* cannot be concatenated"),
        ([arrays(IMAGES), arrays(IMAGES)], "share an id"),
    ],
)
def test_pools_that_do_not_fit_are_one_sentence(pools, words):
    with pytest.raises(UsageError, match=words):
        concatenate(pools)


def test_pools_of_strangers_can_be_used():
    stranger = Stranger()
    check_pool(stranger)
    assert whole_index(stranger).tolist() == [0, 1, 2]
    assert whole_size(stranger) == 3
    part = subset(stranger, [2, 0])
    check_pool(part)
    assert part.show(0) == "number 2"
    assert part.index.tolist() == [2, 0]
    check_pool(concatenate([part, subset(stranger, [1])]))


# --- check_pool ---------------------------------------------------------------------------------


def broken(**changes):
    """A pool of 90 images with something else in the place of one of its attributes."""

    class Broken(RowPool):
        pass

    pool = arrays(IMAGES)
    for name, value in changes.items():
        setattr(Broken, name, value)
    return Broken(90, pool.spec, pool._fetch)


def misread(change):
    return broken(read=lambda self, rows: change(arrays(IMAGES).read(rows), rows))


def with_spec(spec):
    pool = broken()
    pool.spec = spec
    return pool


TIMES = iter(range(10**6))


@pytest.mark.parametrize(
    ("pool", "words"),
    [
        (broken(ids=["a"] * 90), "distinct"),
        (broken(ids=["a"]), "an id for each row: 90, not 1"),
        (broken(ids=range(90)), "strings"),
        (broken(__len__=lambda self: 0), "one row or more"),
        (with_spec(Spec((5,), np.float32)), "a NumPy dtype"),
        (misread(lambda found, rows: found.astype(np.float32)), "as spec says"),
        (misread(lambda found, rows: found[..., 0]), "as spec says"),
        (misread(lambda found, rows: found[:-1]), "as spec says"),
        (misread(lambda found, rows: list(found)), "an array"),
        (misread(lambda found, rows: np.asfortranarray(found)), "contiguous"),
        (misread(lambda found, rows: found + np.uint8(next(TIMES) % 7)), "every time"),
        (
            broken(read=lambda self, rows: np.sort(arrays(IMAGES).read(rows), axis=0)),
            "order|same|often",
        ),
        (
            misread(lambda found, rows: found[::-1].copy() if isinstance(rows, slice) else found),
            "one by one",
        ),
        (
            broken(
                read=lambda self, rows: arrays(IMAGES).read(
                    rows if isinstance(rows, slice) else np.minimum(rows, 89)
                )
            ),
            "IndexError",
        ),
        (broken(show=lambda self, row: np.zeros((2, 2))), "shown"),
        (broken(show=lambda self, row: 3), "text or None"),
    ],
)
def test_check_pool_sees_what_is_wrong(pool, words):
    with pytest.raises(AssertionError, match=words):
        check_pool(pool)


def test_check_pool_sees_an_array_that_is_not_fresh():
    kept = IMAGES.copy()

    def read(self, rows):
        return kept[rows] if isinstance(rows, slice) else arrays(kept).read(rows)

    with pytest.raises(AssertionError, match="fresh"):
        check_pool(broken(read=read))


def test_check_pool_sees_a_buffer_shared_by_threads():
    import threading

    buffer, caller = IMAGES.copy(), threading.main_thread()
    whole = arrays(IMAGES)

    def read(self, rows):
        found = whole.read(rows)
        if threading.current_thread() is caller:
            return found
        buffer[: len(found)] = found
        threading.Event().wait(0.001)  # another thread reads meanwhile
        return buffer[: len(found)].copy()

    with pytest.raises(AssertionError, match="several threads"):
        check_pool(broken(read=read))


@pytest.mark.parametrize("thing", [np.zeros((3, 3)), None, "digits"])
def test_check_pool_says_what_is_no_pool(thing):
    with pytest.raises(AssertionError, match=r"has no ids, so it is no pool"):
        check_pool(thing)
