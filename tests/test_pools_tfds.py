"""`benchmark` on small made-up TFDS data sets, prepared by TFDS itself."""

import json
import os
import shutil

import made_up_archives as made_up
import numpy as np
import pytest
import tensorflow_datasets as tfds
from made_up_archives import assert_same, opened

from jax_al.errors import UsageError
from jax_al.pools import tfds as tfds_pools
from jax_al.pools.decode import resize_square
from jax_al.pools.load import benchmark
from jax_al.testing.pool import check_pool


@pytest.fixture(scope="module")
def archives_and_truth():
    return made_up.cifar(per_batch=8, test=7)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, archives_and_truth):
    """A data_dir with a prepared cifar10 of 40 + 7 images; not to be changed."""
    root = tmp_path_factory.mktemp("prepared")
    made_up.prepare_cifar(root, archives_and_truth[0])
    return root


@pytest.fixture
def cifar(prepared, tmp_path):
    """Opens the prepared cifar10 with a cache of this test's own."""

    def open_cifar(**changes):
        places = {"data_dir": str(prepared), "cache_dir": str(tmp_path / "c")}
        return opened("cifar10", **(places | changes))

    return open_cifar


@pytest.fixture
def made(tmp_path):
    """Prepares and opens a made-up data set given as {split: [example, ...]}."""

    def open_made(name, splits, image=None, features=None, **changes):
        if features is None:
            features = {"image": image, "label": tfds.features.ClassLabel(num_classes=3)}
        made_up.define(name, features, splits)
        places = {"data_dir": str(tmp_path / "tfds"), "cache_dir": str(tmp_path / "c")}
        return opened(name, **(places | changes))

    return open_made


def forbid_decoding(monkeypatch):
    def decoded(*args):
        raise AssertionError("decoded although nothing had to be")

    monkeypatch.setattr(tfds_pools, "decoded_blocks", decoded)


def test_the_loaded_pool_is_the_truth(cifar, archives_and_truth):
    loaded, truth = cifar(), archives_and_truth[1]
    assert (loaded.name, loaded.version) == ("cifar10", "3.0.2")
    assert loaded.images.shape == (40, 32, 32, 3)
    assert loaded.images.dtype == loaded.test_images.dtype == np.uint8
    assert loaded.labels.dtype == loaded.test_labels.dtype == np.int32
    assert loaded.index.dtype == np.int64
    assert len(set(loaded.ids)) == 40
    for pixels, label, key in zip(loaded.images, loaded.labels, loaded.ids, strict=True):
        np.testing.assert_array_equal(pixels, truth[key][0])
        assert label == truth[key][1]


def test_splits_concatenate_in_their_order_and_slices_work(cifar):
    whole = cifar()
    loaded = cifar(pool_splits=("test[:2]", "train[:25%]", "train[30:]"), test_split="test[2:5]")
    np.testing.assert_array_equal(
        loaded.images, np.concatenate([whole.test_images[:2], whole.images[:10], whole.images[30:]])
    )
    np.testing.assert_array_equal(loaded.ids[2:12], whole.ids[:10])
    np.testing.assert_array_equal(loaded.index, np.arange(22))
    np.testing.assert_array_equal(loaded.test_labels, whole.test_labels[2:5])


@pytest.mark.parametrize(
    ("pool", "test", "named", "shared"),
    [
        (("train", "test"), "test", ("'test' in data.pool", "'test' in data.test"), "7 of"),
        (("train",), "train[90%:]", ("'train'", "'train[90%:]'"), "4 of the images of 'train'"),
        (("train[:50%]",), "train[19:]", ("'train[:50%]'", "'train[19:]'"), "1 of"),
        (("train[:50%]", "train[40%:]"), "test", ("train[:50%]", "train[40%:]"), "4 of"),
        (("train[10:20]",), "train[-25:-24]", ("train[10:20]", "train[-25:-24]"), "1 of"),
        (("train",), "train[0shard]", ("'train'", "'train[0shard]'"), "40 of"),
        (("train[3:]+test[:2]",), "test", ("'train[3:]+test[:2]'", "'test'"), "2 of"),
        (("all",), "test", ("'all'", "'test'"), "7 of the images of 'test'"),
        (
            ("train[:20]+train[15:]",),
            "test",
            ("train[:20]+train[15:]",),
            "5 of the images of 'train'",
        ),
    ],
)
def test_no_image_may_be_in_two_places(cifar, monkeypatch, pool, test, named, shared):
    forbid_decoding(monkeypatch)
    with pytest.raises(UsageError) as caught:
        cifar(pool_splits=pool, test_split=test)
    sentence = str(caught.value)
    assert "\n" not in sentence
    for words in (*named, f"share {shared}"):
        assert words in sentence


@pytest.mark.parametrize(
    ("pool", "test", "sizes"),
    [
        (("train[:90%]",), "train[90%:]", (36, 4)),
        (("train[:33%]", "train[66%:]"), "train[33%:66%]", (27, 13)),
        (("train[20:]",), "train[19:20]", (20, 1)),
        (("train[-5:]", "train[:10]"), "test[:5]+train[10:-5]", (15, 30)),
    ],
)
def test_neighboring_slices_share_nothing(cifar, pool, test, sizes):
    loaded = cifar(pool_splits=pool, test_split=test)
    assert (len(loaded.images), len(loaded.test_images)) == sizes
    everything = np.concatenate([loaded.images, loaded.test_images])
    assert len(np.unique(everything, axis=0)) == sum(sizes)


def test_a_subset_keeps_the_ids_of_the_whole(cifar):
    whole, part = cifar(), cifar(pool_size=11)
    np.testing.assert_array_equal(part.ids, whole.ids[part.index])
    np.testing.assert_array_equal(part.images, whole.images[part.index])


@pytest.mark.parametrize(
    "split", ["trian", "train[:abc]", "train[:0]", "train[99:]", "all[:50%]", "train+tset", ""]
)
def test_a_split_that_cannot_be_read_names_those_there_are(cifar, split):
    for changes in ({"pool_splits": (split,)}, {"test_split": split}):
        with pytest.raises(UsageError, match="train, test") as caught:
            cifar(**changes)
        assert repr(split) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_argument_beats_the_variable_which_beats_the_default(prepared, tmp_path, monkeypatch):
    cache = {"cache_dir": str(tmp_path / "c")}
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    assert len(opened("cifar10", **cache).labels) == 40
    other, truth = made_up.cifar(per_batch=2, test=1, seed=5)
    with made_up.served("cifar10", other):
        loaded = opened("cifar10", data_dir=str(tmp_path / "other"), **cache)
    assert len(loaded.labels) == 10
    np.testing.assert_array_equal(loaded.images[0], truth[loaded.ids[0]][0])


def test_image_sizes_do_not_share_a_cache(cifar):
    original = cifar()
    for size in (16, 40, 16, 32):
        loaded = cifar(image_size=size)
        expected = [resize_square(image, size) for image in original.images]
        np.testing.assert_array_equal(loaded.images, expected)
    assert_same(cifar(), original)


IMAGE = tfds.features.Image(shape=(2, 2, 3))
LABEL = tfds.features.ClassLabel(num_classes=3)


@pytest.mark.parametrize(
    ("name", "features", "words"),
    [
        ("imageless", {"label": LABEL}, "no Image feature named 'image'"),
        ("unlabeled", {"image": IMAGE}, "no ClassLabel feature named 'label'"),
        ("two_pictures", {"a": IMAGE, "b": IMAGE, "label": LABEL}, "image_key to one of 'a', 'b'"),
        ("two_labels", {"image": IMAGE, "c": LABEL, "d": LABEL}, "label_key to one of 'c', 'd'"),
        ("one_scalar", {"image": IMAGE, "label": tfds.features.Text(), "d": LABEL}, "one of 'd'"),
        ("regression", {"image": IMAGE, "label": tfds.features.Scalar(np.float32)}, "'label'"),
        ("flat", {"image": tfds.features.Tensor(shape=(4,), dtype=np.uint8), "label": LABEL}, "im"),
        ("deep_color", {"image": tfds.features.Image(dtype=np.uint16), "label": LABEL}, "uint16"),
        ("two", {"image": tfds.features.Image(shape=(2, 2, 2)), "label": LABEL}, "2 channels"),
    ],
)
def test_other_kinds_of_data_are_refused_before_any_download(made, name, features, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        made(name, {}, features=features)
    assert not (tmp_path / "tfds" / name / "1.0.0").exists()


def test_the_only_image_and_class_are_taken_whatever_their_names(made):
    pixels = np.full((2, 2, 3), 7, np.uint8)
    splits = {split: [{"picture": pixels, "kind": 2}] for split in ("train", "test")}
    loaded = made("renamed", splits, features={"picture": IMAGE, "kind": LABEL})
    np.testing.assert_array_equal(loaded.images, pixels[None])
    assert loaded.labels.tolist() == [2]


def test_keys_choose_between_images_and_between_labels(made):
    kinds = tfds.features.ClassLabel(names=["small", "large"])
    features = {"image": IMAGE, "mask": IMAGE, "label": LABEL, "size": kinds}
    example = {"image": np.full((2, 2, 3), 1, np.uint8), "mask": np.full((2, 2, 3), 2, np.uint8)}
    splits = {split: [example | {"label": 2, "size": 1}] for split in ("train", "test")}
    for _ in range(2):  # decoded, then from the cache
        plain = made("keyed", splits, features=features)
        other = made("keyed", splits, features=features, image_key="mask", label_key="size")
        assert (plain.images.max(), plain.labels.tolist()) == (1, [2])
        assert (other.images.max(), other.labels.tolist()) == (2, [1])
    assert other.class_names == ("small", "large")
    with pytest.raises(
        UsageError, match=r"named 'size': set data\.image_key to one of 'image', 'm"
    ):
        made("keyed", splits, features=features, image_key="size")
    with pytest.raises(
        UsageError, match=r"named 'sise': set data\.label_key to one of 'label', 's"
    ):
        made("keyed", splits, features=features, label_key="sise")


def test_ids_that_repeat_are_replaced_by_split_and_place(made):
    features = {"image": IMAGE, "label": LABEL, "id": tfds.features.Text()}
    pixels = np.zeros((2, 2, 3), np.uint8)
    examples = [{"image": pixels, "label": 0, "id": name} for name in ("a", "b")]
    splits = {"train": examples, "more": examples[:1], "test": examples[1:]}
    loaded = made("repeating", splits, features=features, pool_splits=("train", "more"))
    assert loaded.ids.tolist() == ["train/0", "train/1", "more/0"]
    assert loaded.test_ids.tolist() == ["b"]
    alone = made("repeating", splits, features=features)
    assert sorted(alone.ids) == ["a", "b"]


def test_the_pools_keep_their_promises_and_are_mapped(prepared, tmp_path):
    places = {"data_dir": str(prepared), "cache_dir": str(tmp_path)}
    for splits in (("train",), ("train[:50%]", "train[50%:]")):
        for size in (None, 20):
            found = benchmark("cifar10", pool_splits=splits, pool_size=size, **places)
            check_pool(found.pool)
            check_pool(found.test)


def test_images_without_a_label_are_refused(made):
    pixels = np.zeros((2, 2, 3), np.uint8)
    splits = {
        "train": [{"image": pixels, "label": 1}, {"image": pixels, "label": -1}],
        "test": [{"image": pixels, "label": 1}],
    }
    with pytest.raises(UsageError, match=r"'train' of halfway .* without a label"):
        made("halfway", splits, IMAGE)


def copy_of(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "tfds")
    return tmp_path / "tfds/cifar10/3.0.2"


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.99])
def test_a_truncated_shard_is_one_sentence(prepared, tmp_path, cifar, fraction):
    directory = copy_of(prepared, tmp_path)
    shard = directory / "cifar10-train.array_record-00000-of-00001"
    os.truncate(shard, int(shard.stat().st_size * fraction))
    with pytest.raises(UsageError, match="damaged") as caught:
        cifar(data_dir=str(tmp_path / "tfds"))
    assert str(directory) in str(caught.value)
    assert not list((tmp_path / "c").glob("*train*"))


def test_flipped_bits_in_a_shard_are_noticed(prepared, tmp_path, cifar):
    shard = copy_of(prepared, tmp_path) / "cifar10-train.array_record-00000-of-00001"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with pytest.raises(UsageError, match="damaged"):
        cifar(data_dir=str(tmp_path / "tfds"))


def test_a_tfrecord_directory_says_what_to_do(prepared, tmp_path, cifar):
    directory = copy_of(prepared, tmp_path)
    info = json.loads((directory / "dataset_info.json").read_text())
    info["fileFormat"] = "tfrecord"
    (directory / "dataset_info.json").write_text(json.dumps(info))
    for shard in directory.glob("*array_record*"):
        shard.rename(directory / shard.name.replace("array_record", "tfrecord"))
    with pytest.raises(UsageError, match=r"tfrecord .*data\.data_dir.*array_record") as caught:
        cifar(data_dir=str(tmp_path / "tfds"))
    assert str(directory) in str(caught.value)
