"""`benchmark` on digits: the data, its subsets, and arguments that cannot be meant."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_archives import assert_same, opened
from sklearn.datasets import load_digits

import jax_al as al
from jax_al.errors import UsageError
from jax_al.pools.load import benchmark, subset_rows
from jax_al.testing.pool import check_pool


def test_importing_is_cheap():
    code = """
import sys
import jax_al.pools.load
import jax_al.testing.pool
heavy = {"jax", "tensorflow_datasets", "tensorflow", "sklearn", "PIL", "rich", "requests"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_digits_are_all_of_scikit_learns_digits_scaled_exactly():
    loaded = opened("digits")
    assert loaded.images.shape == (1297, 8, 8, 1)
    assert loaded.test_images.shape == (500, 8, 8, 1)
    assert loaded.images.dtype == loaded.test_images.dtype == np.uint8
    assert loaded.labels.dtype == loaded.test_labels.dtype == np.int32
    assert loaded.index.dtype == np.int64
    assert loaded.ids.tolist() == [str(i) for i in range(1297)]
    assert loaded.class_names == tuple("0123456789")
    bunch = load_digits()
    everything = np.concatenate([loaded.images, loaded.test_images])[..., 0] / 15
    labels = np.concatenate([loaded.labels, loaded.test_labels])
    ours = sorted(
        (image.tobytes(), int(label)) for image, label in zip(everything, labels, strict=True)
    )
    theirs = sorted(
        (image.tobytes(), int(label))
        for image, label in zip(bunch.images, bunch.target, strict=True)
    )
    assert ours == theirs


def test_digits_need_no_cache_and_repeat(tmp_path):
    assert_same(opened("digits", cache_dir=str(tmp_path / "c")), opened("digits"))
    assert not (tmp_path / "c").exists()


def test_digits_resize():
    assert opened("digits", image_size=12).images.shape == (1297, 12, 12, 1)


def test_digits_splits_may_change_places():
    swapped, alone = opened("digits", pool_splits=("test",), test_split="train"), opened("digits")
    np.testing.assert_array_equal(swapped.images, alone.test_images)
    np.testing.assert_array_equal(swapped.test_images, alone.images)
    np.testing.assert_array_equal(swapped.index, np.arange(500))


@pytest.mark.parametrize("size", [1, 7, 1296, 1297])
def test_a_subset_keeps_the_positions_of_the_whole(size):
    whole, part = opened("digits"), opened("digits", pool_size=size, test_size=min(size, 500))
    assert part.index.shape == (size,)
    np.testing.assert_array_equal(part.images, whole.images[part.index])
    np.testing.assert_array_equal(part.labels, whole.labels[part.index])
    assert len(part.test_labels) == len(part.test_images) == min(size, 500)


@given(st.integers(1, 300), st.data())
def test_subsets_are_sorted_unique_nested_and_fixed(total, draw):
    large = draw.draw(st.integers(1, total))
    small = draw.draw(st.integers(1, large))
    index = subset_rows(total, large, "f", "w")
    assert len(index) == large
    assert (np.diff(index) > 0).all()
    assert index[0] >= 0
    assert index[-1] < total
    assert set(subset_rows(total, small, "f", "w")) <= set(index)
    np.testing.assert_array_equal(index, subset_rows(total, large, "f", "w"))


def test_a_subset_is_drawn_from_everywhere():
    index = opened("digits", pool_size=100).index
    assert np.histogram(index, bins=4, range=(0, 1297))[0].min() > 10


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pool_size": 1298}, ["data.pool_size", "1298", "1297"]),
        ({"pool_size": 0}, ["data.pool_size", "0"]),
        ({"pool_size": -5}, ["data.pool_size", "-5"]),
        ({"test_size": 501}, ["data.test_size", "501", "500"]),
        ({"test_size": 0}, ["data.test_size"]),
        ({"image_size": 0}, ["data.image_size", "0"]),
        ({"image_size": 10**23}, ["data.image_size must be from 1 to 4096"]),
        ({"pool_splits": ()}, ["data.pool_splits"]),
        ({"pool_splits": "train"}, ["data.pool_splits", "train"]),
        ({"pool_splits": ("train", "test", "train")}, ["train", "twice"]),
        ({"pool_splits": ("train", "test")}, ["'test' in data.pool_splits", "data.test_split"]),
        ({"test_split": "train"}, ["'train' in data.pool_splits", "'train' in data.test_split"]),
        ({"pool_splits": ("trian",)}, ["trian", "train", "test"]),
        ({"test_split": "validation"}, ["validation", "train", "test"]),
    ],
)
def test_wrong_arguments_are_one_sentence(changes, words):
    with pytest.raises(UsageError) as caught:
        opened("digits", **changes)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


def test_in_python_a_mistake_is_told_in_the_words_of_the_function():
    with pytest.raises(ValueError, match=r"^'test' in pool_splits and 'test' in test_split share"):
        al.benchmark("digits", pool_splits=("train", "test"))
    with pytest.raises(ValueError, match=r"^pool_size must lie between 1 and 1297"):
        al.benchmark("digits", pool_size=0)
    assert inspect.signature(al.benchmark) == inspect.signature(benchmark)


@pytest.mark.parametrize(
    ("name", "nearest"), [("cifer10", "cifar10"), ("digit", "digits"), ("flowers102", "flowers")]
)
def test_an_unknown_name_names_the_nearest(name, nearest, tmp_path):
    with pytest.raises(UsageError, match=f"{name}.*{nearest}"):
        opened(name, data_dir=str(tmp_path), cache_dir=str(tmp_path))


@pytest.mark.parametrize("name", ["cifar10:9.9.9", "cifar10/nothing", "not a name", ""])
def test_a_name_tfds_cannot_open_is_one_sentence(name, tmp_path):
    with pytest.raises(UsageError, match="TFDS cannot open") as caught:
        opened(name, data_dir=str(tmp_path), cache_dir=str(tmp_path))
    assert "\n" not in str(caught.value)


def test_the_pools_keep_their_promises():
    found = benchmark("digits", pool_size=200)
    for pool in (found.pool, found.test, benchmark("digits").pool):
        check_pool(pool)
    image = found.pool.show(7)
    np.testing.assert_array_equal(image, found.pool.read(slice(7, 8))[0])


@pytest.mark.parametrize("nothing", [None, "none"])
def test_a_benchmark_may_have_no_test_set(nothing):
    found = benchmark("digits", test_split=nothing, test_size=None)
    assert found.test is None
    assert found.test_labels is None
    assert len(benchmark("digits", pool_splits=("train", "test"), test_split=None).pool) == 1797


@pytest.mark.parametrize("option", ["labels", "test_path", "test_labels", "label_key", "image_key"])
def test_an_option_for_other_data_is_refused(option):
    with pytest.raises(UsageError, match=rf"data\.{option} is 'x', but says nothing about digits"):
        benchmark("digits", **{option: "x"})
