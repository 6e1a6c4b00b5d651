"""`load` on digits and on small made-up TFDS data sets, prepared by TFDS itself."""

import errno
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import made_up_archives as made_up
import numpy as np
import pytest
import tensorflow_datasets as tfds
from absl import logging
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from jax_al.errors import UsageError
from jax_al.pools import cache as image_cache
from jax_al.pools import load as data

ARGUMENTS = {
    "data_dir": None,
    "cache_dir": None,
    "pool_splits": ("train",),
    "pool_size": None,
    "test_split": "test",
    "test_size": None,
    "image_size": None,
}


def load(name, **changes):
    return data.load(name, **(ARGUMENTS | changes))


def assert_same(one, other):
    for field in ("images", "labels", "index", "ids", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    assert (one.name, one.version) == (other.name, other.version)
    assert one.class_names == other.class_names


@pytest.fixture(scope="module")
def archives_and_truth():
    return made_up.cifar(per_batch=8, test=7)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, archives_and_truth):
    """A data_dir with a prepared cifar10 of 40 + 7 images; not to be changed."""
    root = tmp_path_factory.mktemp("prepared")
    with made_up.served("cifar10", archives_and_truth[0]):
        load("cifar10", data_dir=str(root), cache_dir=str(root / "cache"))
    shutil.rmtree(root / "cache")
    return root


@pytest.fixture
def cifar(prepared, tmp_path):
    """Loads the prepared cifar10 with a cache of this test's own."""

    def load_cifar(**changes):
        return load(
            "cifar10", **({"data_dir": str(prepared), "cache_dir": str(tmp_path / "c")} | changes)
        )

    return load_cifar


@pytest.fixture
def made(tmp_path):
    """Prepares and loads a made-up data set given as {split: [example, ...]}."""

    def load_made(name, splits, image=None, features=None, **changes):
        if features is None:
            features = {"image": image, "label": tfds.features.ClassLabel(num_classes=3)}
        made_up.define(name, features, splits)
        places = {"data_dir": str(tmp_path / "tfds"), "cache_dir": str(tmp_path / "c")}
        return load(name, **(places | changes))

    return load_made


def png(pixels, mode=None):
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, "PNG")
    return buffer.getvalue()


def test_importing_is_cheap():
    code = """
import sys
import jax_al.pools.load
heavy = {"jax", "tensorflow_datasets", "tensorflow", "sklearn", "PIL", "rich", "requests"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# --- digits -------------------------------------------------------------------------------------


def test_digits_are_all_of_scikit_learns_digits_scaled_exactly():
    loaded = load("digits")
    assert loaded.images.shape == (1297, 8, 8, 1)
    assert loaded.test_images.shape == (500, 8, 8, 1)
    assert loaded.images.dtype == loaded.test_images.dtype == np.uint8
    assert loaded.labels.dtype == loaded.test_labels.dtype == np.int32
    assert loaded.index.dtype == np.int64
    assert loaded.ids is None
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
    assert_same(load("digits", cache_dir=str(tmp_path / "c")), load("digits"))
    assert not (tmp_path / "c").exists()


def test_digits_resize():
    assert load("digits", image_size=12).images.shape == (1297, 12, 12, 1)


def test_digits_splits_may_change_places():
    swapped, alone = load("digits", pool_splits=("test",), test_split="train"), load("digits")
    np.testing.assert_array_equal(swapped.images, alone.test_images)
    np.testing.assert_array_equal(swapped.test_images, alone.images)
    np.testing.assert_array_equal(swapped.index, np.arange(500))


@pytest.mark.parametrize("size", [1, 7, 1296, 1297])
def test_a_subset_keeps_the_positions_of_the_whole(size):
    whole, part = load("digits"), load("digits", pool_size=size, test_size=min(size, 500))
    assert part.index.shape == (size,)
    np.testing.assert_array_equal(part.images, whole.images[part.index])
    np.testing.assert_array_equal(part.labels, whole.labels[part.index])
    assert len(part.test_labels) == len(part.test_images) == min(size, 500)


@given(st.integers(1, 300), st.data())
def test_subsets_are_sorted_unique_nested_and_fixed(total, draw):
    large = draw.draw(st.integers(1, total))
    small = draw.draw(st.integers(1, large))
    index = data._subset(total, large, "f", "w")
    assert len(index) == large
    assert (np.diff(index) > 0).all()
    assert index[0] >= 0
    assert index[-1] < total
    assert set(data._subset(total, small, "f", "w")) <= set(index)
    np.testing.assert_array_equal(index, data._subset(total, large, "f", "w"))


def test_a_subset_is_drawn_from_everywhere():
    index = load("digits", pool_size=100).index
    assert np.histogram(index, bins=4, range=(0, 1297))[0].min() > 10


def test_arrays_are_read_only(cifar):
    for loaded in (load("digits"), cifar(), cifar(), cifar(pool_size=3, test_size=2)):
        for field in ("images", "labels", "index", "ids", "test_images", "test_labels"):
            array = getattr(loaded, field)
            assert array is None or not array.flags.writeable


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pool_size": 1298}, ["data.pool_size", "1298", "1297"]),
        ({"pool_size": 0}, ["data.pool_size", "0"]),
        ({"pool_size": -5}, ["data.pool_size", "-5"]),
        ({"test_size": 501}, ["data.test_size", "501", "500"]),
        ({"test_size": 0}, ["data.test_size"]),
        ({"image_size": 0}, ["data.image_size", "0"]),
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
        load("digits", **changes)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


@pytest.mark.parametrize(
    ("name", "nearest"), [("cifer10", "cifar10"), ("digit", "digits"), ("flowers102", "flowers")]
)
def test_an_unknown_name_names_the_nearest(name, nearest, tmp_path):
    with pytest.raises(UsageError, match=f"{name}.*{nearest}"):
        load(name, data_dir=str(tmp_path), cache_dir=str(tmp_path))


@pytest.mark.parametrize("name", ["cifar10:9.9.9", "cifar10/nothing", "not a name", ""])
def test_a_name_tfds_cannot_open_is_one_sentence(name, tmp_path):
    with pytest.raises(UsageError, match="TFDS cannot open") as caught:
        load(name, data_dir=str(tmp_path), cache_dir=str(tmp_path))
    assert "\n" not in str(caught.value)


# --- resizing -----------------------------------------------------------------------------------

images = st.builds(
    lambda height, width, channels, seed: np.random.default_rng(seed).integers(
        0, 256, (height, width, channels), dtype=np.uint8
    ),
    st.integers(1, 24),
    st.integers(1, 24),
    st.sampled_from([1, 3]),
    st.integers(0, 2**32 - 1),
)


@given(images, st.integers(1, 32))
def test_resizing_makes_squares_and_keeps_the_channels(pixels, size):
    resized = data.resize_square(pixels, size)
    assert resized.shape == (size, size, pixels.shape[2])
    assert resized.dtype == np.uint8


@given(images)
def test_resizing_to_the_shorter_side_is_the_middle_bit_for_bit(pixels):
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    expected = pixels[top : top + side, left : left + side]
    np.testing.assert_array_equal(data.resize_square(pixels, side), expected)


@pytest.mark.parametrize("size", [3, 8, 21])
def test_nothing_outside_the_middle_square_bleeds_in(size):
    pixels = np.full((10, 40, 3), 255, np.uint8)
    pixels[:, 15:25] = 60
    np.testing.assert_array_equal(data.resize_square(pixels, size), 60)


def test_shrinking_antialiases():
    checkers = (np.indices((64, 64)).sum(0) % 2 * 200).astype(np.uint8)[..., None]
    shrunk = data.resize_square(checkers, 8)
    assert np.abs(shrunk.astype(int) - 100).max() <= 3  # sampling would give 0s and 200s


# --- TFDS ---------------------------------------------------------------------------------------


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
    assert len(load("cifar10", **cache).labels) == 40
    other, truth = made_up.cifar(per_batch=2, test=1, seed=5)
    with made_up.served("cifar10", other):
        loaded = load("cifar10", data_dir=str(tmp_path / "other"), **cache)
    assert len(loaded.labels) == 10
    np.testing.assert_array_equal(loaded.images[0], truth[loaded.ids[0]][0])


def test_image_sizes_do_not_share_a_cache(cifar):
    original = cifar()
    for size in (16, 40, 16, 32):
        loaded = cifar(image_size=size)
        expected = [data.resize_square(image, size) for image in original.images]
        np.testing.assert_array_equal(loaded.images, expected)
    assert_same(cifar(), original)


def test_images_of_different_shapes_need_a_size(made):
    rng = np.random.default_rng(0)
    shapes = [(20, 30), (20, 30), (25, 22)]
    examples = [
        {"image": rng.integers(0, 256, (*shape, 3), dtype=np.uint8), "label": i}
        for i, shape in enumerate(shapes)
    ]
    splits = {"train": examples, "test": examples[:1], "last": examples[2:], "one": examples[1:2]}
    sized = made("shapely", splits, tfds.features.Image(), image_size=10)
    assert sized.images.shape == (3, 10, 10, 3)
    by_label = {int(label): image for label, image in zip(sized.labels, sized.images, strict=True)}
    for example in examples:
        expected = data.resize_square(example["image"], 10)
        np.testing.assert_array_equal(by_label[example["label"]], expected)
    for changes in (
        {},  # within a split
        {"pool_splits": ("one", "last")},  # between the splits of the pool
        {"pool_splits": ("test",), "test_split": "last"},  # between the pool and the test set
    ):
        with pytest.raises(UsageError, match=r"data\.image_size"):
            made("shapely", splits, tfds.features.Image(), **changes)


def test_large_images_come_back_too(made):
    """Large ones are decoded by threads."""
    rng = np.random.default_rng(0)
    examples = [
        {"image": rng.integers(0, 256, (90, 80, 3), dtype=np.uint8), "label": i % 3}
        for i in range(12)
    ]
    features = {
        "image": tfds.features.Image(shape=(90, 80, 3)),
        "label": tfds.features.ClassLabel(num_classes=3),
        "file_name": tfds.features.Text(),
    }
    examples = [example | {"file_name": f"n{i}"} for i, example in enumerate(examples)]
    assert len(png(examples[0]["image"])) > data._LARGE_BYTES
    loaded = made("large_noise", {"train": examples, "test": examples}, features=features)
    for image, key in zip(loaded.images, loaded.ids, strict=True):
        np.testing.assert_array_equal(image, examples[int(key[1:])]["image"])


def test_grayscale_keeps_one_channel(made):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    splits = {split: [{"image": pixels, "label": 2}] for split in ("train", "test")}
    loaded = made("gray", splits, tfds.features.Image(shape=(8, 8, 1)))
    np.testing.assert_array_equal(loaded.images, pixels[None])
    assert loaded.ids is None
    assert made(
        "gray", splits, tfds.features.Image(shape=(8, 8, 1)), image_size=4
    ).images.shape == ((1, 4, 4, 1))


def test_images_come_in_the_declared_channels_whatever_the_files_hold(made):
    """TFDS itself hands out a palette's indices and CMYK's four channels as if they were RGB."""
    colors = np.array([[[255, 0, 0], [0, 0, 255]], [[0, 255, 0], [9, 9, 9]]], np.uint8)
    palette, cmyk = io.BytesIO(), io.BytesIO()
    Image.fromarray(colors).quantize(4).save(palette, "PNG")
    Image.new("CMYK", (2, 2), (0, 255, 255, 0)).save(cmyk, "JPEG")
    gray = png(np.full((2, 2), 77, np.uint8))
    alpha = png(np.dstack([colors, np.full((2, 2), 128, np.uint8)]))
    contents = [palette.getvalue(), cmyk.getvalue(), gray, alpha]
    features = {
        "image": tfds.features.Image(shape=(2, 2, 3)),
        "label": tfds.features.ClassLabel(num_classes=3),
        "id": tfds.features.Text(),
    }
    examples = [{"image": c, "label": 0, "id": str(i)} for i, c in enumerate(contents)]
    loaded = made("motley", {"train": examples, "test": examples[:1]}, features=features)
    images = dict(zip(loaded.ids, loaded.images, strict=True))
    np.testing.assert_array_equal(images["0"], colors)
    assert (np.abs(images["1"].astype(int) - [255, 0, 0]) < 10).all()
    np.testing.assert_array_equal(images["2"], 77)
    np.testing.assert_array_equal(images["3"], colors)


IMAGE = tfds.features.Image(shape=(2, 2, 3))
LABEL = tfds.features.ClassLabel(num_classes=3)


@pytest.mark.parametrize(
    ("name", "features", "words"),
    [
        ("imageless", {"picture": IMAGE, "label": LABEL}, "'image'"),
        ("unlabeled_by_name", {"image": IMAGE, "class": LABEL}, "'label'"),
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


# --- the cache ----------------------------------------------------------------------------------


def forbid_decoding(monkeypatch):
    def decode(*args):
        raise AssertionError("decoded although there is a cache")

    monkeypatch.setattr(data, "_decode", decode)


def test_the_second_load_equals_the_first_and_decodes_nothing(cifar, monkeypatch):
    first = cifar()
    forbid_decoding(monkeypatch)
    assert_same(cifar(), first)


def test_ids_of_any_script_survive_the_cache(made, monkeypatch):
    features = {"image": IMAGE, "label": LABEL, "id": tfds.features.Text()}
    examples = [
        {"image": np.zeros((2, 2, 3), np.uint8), "label": 0, "id": text} for text in ("Ä/ß", "花")
    ]
    splits = {"train": examples, "test": examples}
    assert set(made("scripts", splits, features=features).ids) == {"Ä/ß", "花"}
    forbid_decoding(monkeypatch)
    assert set(made("scripts", splits, features=features).ids) == {"Ä/ß", "花"}


def test_newly_prepared_data_is_decoded_anew(tmp_path):
    places = {"data_dir": str(tmp_path / "tfds"), "cache_dir": str(tmp_path / "c")}
    for seed in (1, 2):
        archives, truth = made_up.cifar(per_batch=2, test=1, seed=seed)
        shutil.rmtree(tmp_path / "tfds", ignore_errors=True)
        with made_up.served("cifar10", archives):
            loaded = load("cifar10", **places)
        np.testing.assert_array_equal(loaded.images, [truth[key][0] for key in loaded.ids])


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    "damage", ["empty", "half", "last byte", "not zip", "other arrays", "gone"]
)
def test_a_damaged_cache_is_rebuilt(cifar, tmp_path, monkeypatch, caplog, split, damage):
    first = cifar()
    (path,) = (tmp_path / "c").glob(f"*{split}*.npz")
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "other arrays":
        np.savez(path, something=np.zeros(3))
    else:
        path.write_bytes(
            {"empty": b"", "half": content[: len(content) // 2], "last byte": content[:-1]}.get(
                damage, b"x" * len(content)
            )
        )
    with caplog.at_level("WARNING", logger="absl"):
        assert_same(cifar(), first)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == (damage != "gone")
    assert all(str(path) in message and "\n" not in message for message in messages)
    forbid_decoding(monkeypatch)
    assert_same(cifar(), first)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_flipped_bit_of_a_cache_reaches_the_arrays(tmp_path_factory, draw):
    cache = tmp_path_factory.mktemp("flipped")
    path = cache / "split.npz"
    rng = np.random.default_rng(0)
    split = image_cache.Split(
        images=rng.integers(0, 256, (3, 4, 4, 1), dtype=np.uint8),
        labels=np.arange(3, dtype=np.int32),
        ids=np.array(["a", "bc", "d"]),
    )
    image_cache.write_cache(path, split)
    content = bytearray(path.read_bytes())
    for _ in range(draw.draw(st.integers(1, 3))):
        bit = draw.draw(st.integers(0, len(content) * 8 - 1))
        content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    logging.set_verbosity(logging.ERROR)
    try:
        read = image_cache.read_cache(path)
    finally:
        logging.set_verbosity(logging.WARNING)
    if read is not None:  # the bits did not matter
        for ours, theirs in zip(read, split, strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("where", ["savez", "fsync", "replace"])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_failure_while_writing_leaves_no_cache(cifar, tmp_path, monkeypatch, where, failure):
    first = cifar(cache_dir=str(tmp_path / "good"))

    def savez(file, **arrays):
        file.write(b"PK half of it")
        raise failure

    def fail(*args):
        raise failure

    with monkeypatch.context() as patch:
        if where == "savez":
            patch.setattr(np, "savez", savez)
        else:
            patch.setattr(os, where, fail)
        if isinstance(failure, OSError):
            assert_same(cifar(), first)
        else:
            with pytest.raises(KeyboardInterrupt):
                cifar()
    assert not list((tmp_path / "c").iterdir())
    assert_same(cifar(), first)
    assert len(list((tmp_path / "c").iterdir())) == 2


def test_a_process_killed_while_writing_leaves_no_cache(cifar, prepared, tmp_path, monkeypatch):
    code = f"""
import os
from jax_al.pools import load as data
os.fsync = lambda descriptor: os._exit(9)
data.load("cifar10", **{ARGUMENTS | {"data_dir": str(prepared), "cache_dir": str(tmp_path / "c")}})
"""
    root = pathlib.Path(data.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 9
    (left,) = (tmp_path / "c").iterdir()
    assert left.suffix == ".tmp"
    loaded = cifar()
    assert left.exists()  # another process may still be writing it
    forget = time.time() - 7200
    os.utime(left, (forget, forget))
    for path in (tmp_path / "c").glob("*.npz"):
        path.unlink()
    assert_same(cifar(), loaded)
    assert not left.exists()


def test_many_at_once_on_one_cache(cifar, tmp_path):
    with ThreadPoolExecutor(6) as threads:
        loaded = list(threads.map(lambda _: cifar(), range(6)))
    for other in loaded[1:]:
        assert_same(other, loaded[0])
    paths = list((tmp_path / "c").iterdir())
    assert len(paths) == 2
    assert all(zipfile.ZipFile(path).testzip() is None for path in paths)


def test_without_a_place_for_the_cache_it_warns_and_goes_on(cifar, tmp_path, caplog):
    first = cifar()
    (tmp_path / "file").write_text("")
    with caplog.at_level("WARNING", logger="absl"):
        assert_same(cifar(cache_dir=str(tmp_path / "file/below")), first)
    assert "without a cache" in caplog.text


def test_a_directory_in_the_place_of_a_cache_warns_and_goes_on(cifar, tmp_path):
    first = cifar()
    for path in (tmp_path / "c").iterdir():
        path.unlink()
        path.mkdir()
        (path / "something").write_text("")
    assert_same(cifar(), first)


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"XDG_CACHE_HOME": "{}/xdg"}, "xdg/jax_al"),
        ({"XDG_CACHE_HOME": "", "HOME": "{}"}, ".cache/jax_al"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "{}"}, ".cache/jax_al"),
    ],
)
def test_the_default_place_of_the_cache(cifar, tmp_path, monkeypatch, variables, place):
    for key, value in variables.items():
        monkeypatch.setenv(key, value.format(tmp_path))
    cifar(cache_dir=None)
    assert len(list((tmp_path / place).glob("*.npz"))) == 2
