"""Real TFDS builders over made-up archives; only the network is replaced."""

import contextlib
import errno
import importlib.util
import io
import os
import pathlib
import socket
import sys
import tempfile

import made_up_archives as made_up
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image, JpegImagePlugin
from tensorflow_datasets.core import split_builder
from tensorflow_datasets.core.utils import lazy_imports_utils

from jax_al.errors import UsageError
from jax_al.pools import stand_in, tfds_prepare
from jax_al.pools.decode import resize_square


def load(name, tmp_path, **changes):
    places = {"data_dir": str(tmp_path / "tfds"), "cache_dir": str(tmp_path / "cache")}
    return made_up.opened(name, **(places | changes))


@pytest.fixture(autouse=True)
def no_tensorflow():
    if importlib.util.find_spec("tensorflow") is not None:
        pytest.skip("TensorFlow is installed: TFDS needs no stand-in here")
    yield
    assert "_module" not in vars(lazy_imports_utils.tensorflow)
    assert "tensorflow" not in sys.modules


def test_cifar10_comes_back_bit_for_bit(tmp_path):
    archives, truth = made_up.cifar()
    with made_up.served("cifar10", archives):
        loaded = load("cifar10", tmp_path)
    assert loaded.class_names == tuple(made_up.CIFAR_CLASSES)
    assert sorted(loaded.ids) == sorted(key for key in truth if key.startswith("train"))
    for row, name in enumerate(loaded.ids):
        pixels, label = truth[name]
        np.testing.assert_array_equal(loaded.images[row], pixels)
        assert loaded.labels[row] == label
    test = {pixels.tobytes(): label for key, (pixels, label) in truth.items() if "test" in key}
    assert {
        pixels.tobytes(): label
        for pixels, label in zip(loaded.test_images, loaded.test_labels, strict=True)
    } == test
    shards = [p.name for p in (tmp_path / "tfds/cifar10/3.0.2").iterdir() if "-of-" in p.name]
    assert shards
    assert all("array_record" in shard for shard in shards)


def test_no_temporary_directory_is_left(tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    archives, _ = made_up.cifar(per_batch=3, test=4)
    with made_up.served("cifar10", archives):
        tfds_prepare.prepared_builder("cifar10", str(tmp_path / "tfds"))
    assert not list(temporary.iterdir())


def test_cifar10_prepared_is_read_without_the_network(tmp_path):
    archives, _ = made_up.cifar()
    with made_up.served("cifar10", archives):
        first = load("cifar10", tmp_path)
    with made_up.served("cifar10", {}):  # a download would be a KeyError
        second = load("cifar10", tmp_path, cache_dir=str(tmp_path / "another"))
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.ids, second.ids)


def test_flowers_come_back_as_pillow_decodes_them(tmp_path):
    archives, truth = made_up.flowers()
    with made_up.served("oxford_flowers102", archives):
        loaded = load(
            "oxford_flowers102", tmp_path, pool_splits=["train", "validation"], image_size=48
        )
    expected = truth["train"] | truth["validation"]
    assert set(loaded.ids[:4]) == set(truth["train"])
    assert set(loaded.ids[4:]) == set(truth["validation"])
    assert len(loaded.class_names) == 102
    for row, name in enumerate(loaded.ids):
        jpeg, label = expected[name]
        pixels = np.asarray(Image.open(io.BytesIO(jpeg)))
        np.testing.assert_array_equal(loaded.images[row], resize_square(pixels, 48))
        assert loaded.labels[row] == label
    assert loaded.test_images.shape == (5, 48, 48, 3)
    assert sorted(loaded.test_labels) == sorted(label for _, label in truth["test"].values())


def test_flowers_keep_the_jpeg_files_as_they_were(tmp_path):
    archives, truth = made_up.flowers()
    with made_up.served("oxford_flowers102", archives):
        builder = tfds_prepare.prepared_builder("oxford_flowers102", str(tmp_path))
    records = list(tfds_prepare.data_source(builder, "train"))
    assert {r["file_name"].decode(): (r["image"], r["label"]) for r in records} == truth["train"]


@pytest.mark.parametrize(
    ("split", "rows"),
    [
        ("train", [("train", range(15))]),
        ("train[:20%]", [("train", range(3))]),
        ("train[-2:]+test[1:3]", [("train", range(13, 15)), ("test", range(1, 3))]),
        ("test[:0]", [("test", range(0))]),
        ("all", [("train", range(15)), ("test", range(4))]),
    ],
)
def test_the_rows_of_a_split_are_those_that_are_read(tmp_path, split, rows):
    archives, _ = made_up.cifar(per_batch=3, test=4)
    with made_up.served("cifar10", archives):
        builder = tfds_prepare.prepared_builder("cifar10", str(tmp_path))
    looked_up = tfds_prepare.split_rows(builder, split)
    assert looked_up == rows
    wholes = {name: list(tfds_prepare.data_source(builder, name)) for name in ("train", "test")}
    expected = [wholes[name][row]["id"] for name, part in looked_up for row in part]
    if expected:  # TFDS refuses to read nothing
        assert [record["id"] for record in tfds_prepare.data_source(builder, split)] == expected


def test_the_stand_in_does_all_that_it_offers(tmp_path):
    """Array images as PNG and as JPEG, and the ways of finding files."""
    photo = np.asarray(Image.linear_gradient("L").resize((40, 30)).convert("RGB"))
    seen = {}

    class StandInUser(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "mask": tfds.features.Image(shape=(None, None, 1)),
                "label": tfds.features.ClassLabel(num_classes=2),
            }
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features)
            )

        def _split_generators(self, dl_manager):
            tf = lazy_imports_utils.tensorflow
            folder = tmp_path / "files"
            (folder / "sub").mkdir(parents=True)
            with tf.io.gfile.GFile(str(folder / "a.txt"), "w") as file:
                file.write("Ä\n")
            seen["text"] = tf.io.gfile.GFile(folder / "a.txt").read()
            seen["bytes"] = tf.io.gfile.GFile(str(folder / "a.txt"), "rb").read()
            seen["listdir"] = sorted(tf.io.gfile.listdir(str(folder)))
            seen["glob"] = tf.io.gfile.glob(str(folder / "*.txt"))
            seen["exists"] = tf.io.gfile.exists(str(folder / "b.txt"))
            seen["isdir"] = tf.io.gfile.isdir(str(folder / "sub"))
            seen["walk"] = [files for _, _, files in tf.io.gfile.walk(str(folder))]
            seen["as_text"] = (tf.compat.as_text(b"\xc3\x84"), tf.compat.as_text("Ä"))
            return {"train": self._generate_examples(), "test": self._generate_examples()}

        def _generate_examples(self):
            yield 0, {"image": photo, "mask": photo[..., :1], "label": 1}

    loaded = load("stand_in_user", tmp_path)
    # JPEG loses a little; a smooth gradient at quality 95 stays within a few gray levels.
    assert loaded.images.shape == (1, 30, 40, 3)
    assert np.abs(loaded.images[0].astype(int) - photo).max() <= 4
    builder = tfds.builder("stand_in_user", data_dir=str(tmp_path / "tfds"))
    record = tfds_prepare.data_source(builder, "train")[0]
    assert JpegImagePlugin.get_sampling(Image.open(io.BytesIO(record["image"]))) == 2  # 4:2:0
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(record["mask"]))), photo[..., 0])
    assert seen == {
        "text": "Ä\n",
        "bytes": b"\xc3\x84\n",
        "listdir": ["a.txt", "sub"],
        "glob": [str(tmp_path / "files/a.txt")],
        "exists": False,
        "isdir": True,
        "walk": [["a.txt"], []],
        "as_text": ("Ä", "Ä"),
    }


def failing_builder(name, fail):
    """A data set whose preparation calls `fail` with TFDS's lazy TensorFlow."""
    features = {
        "image": tfds.features.Image(shape=(4, 4, 3)),
        "label": tfds.features.ClassLabel(num_classes=2),
    }
    cls = made_up.define(name, features, {})
    cls._split_generators = lambda self, dl: fail(lazy_imports_utils.tensorflow)


def import_nothing(tf):
    import tensorflow  # noqa: F401


@pytest.mark.parametrize(
    ("name", "fail", "needed"),
    [
        (
            "needs_resize",
            lambda tf: tf.image.resize(np.zeros((2, 2, 3)), (1, 1)),
            "tf.image.resize",
        ),
        ("needs_records", lambda tf: tf.data.TFRecordDataset("x"), "tf.data"),
        ("needs_import", import_nothing, "No module named 'tensorflow'"),
    ],
)
def test_a_data_set_that_needs_more_says_what_to_install(tmp_path, name, fail, needed):
    failing_builder(name, fail)
    with pytest.raises(UsageError, match=r"pip install 'jax_al\[prepare\]'") as caught:
        load(name, tmp_path)
    assert needed in str(caught.value)
    assert "\n" not in str(caught.value)


def test_16_bit_images_need_tensorflow(tmp_path):
    features = {
        "image": tfds.features.Image(shape=(2, 2, 3)),
        "depth": tfds.features.Image(shape=(2, 2, 1), dtype=np.uint16),
        "label": tfds.features.ClassLabel(num_classes=2),
    }
    depth = np.full((2, 2, 1), 40_000, np.uint16)
    example = {"image": np.zeros((2, 2, 3), np.uint8), "depth": depth, "label": 0}
    made_up.define("deep", features, {"train": [example], "test": [example]})
    with pytest.raises(UsageError, match=r"uint16 pixels.*jax_al\[prepare\]"):
        load("deep", tmp_path)


def test_a_fault_of_the_builder_keeps_its_traceback(tmp_path):
    failing_builder("faulty", lambda tf: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        load("faulty", tmp_path)


def test_no_network_says_what_was_looked_for_where_and_how_to_get_it(tmp_path, monkeypatch, caplog):
    attempts = []

    def unreachable(*args, **kwargs):
        attempts.append(args)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    for variable in list(os.environ):
        if variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(tfds_prepare, "_RETRIES", 1)
    with pytest.raises(UsageError) as caught:
        load("cifar10", tmp_path)
    sentence = str(caught.value)
    for part in (
        "cifar10 3.0.2",
        str(tmp_path / "tfds/cifar10/3.0.2"),
        made_up.CIFAR_URL,
        "TFDS_DATA_DIR",
        "array_record",
    ):
        assert part in sentence
    assert "\n" not in sentence
    assert "Retrying" not in caplog.text
    assert len(attempts) == 2  # the first and one more, where TFDS would try for minutes
    assert not (tmp_path / "tfds/cifar10/3.0.2").exists()


def test_a_wrong_download_is_refused(tmp_path):
    archives, _ = made_up.cifar()
    with (
        made_up.served("cifar10", archives, register=False),
        pytest.raises(UsageError, match="wrong checksum"),
    ):
        load("cifar10", tmp_path)


def test_a_damaged_archive_is_one_sentence(tmp_path):
    archives = {made_up.CIFAR_URL: made_up.cifar()[0][made_up.CIFAR_URL][:2000]}
    with (
        made_up.served("cifar10", archives),
        pytest.raises(UsageError, match=r"Preparing cifar10 3\.0\.2 .* failed"),
    ):
        load("cifar10", tmp_path)


def test_an_archive_to_fetch_by_hand_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match=r"by hand: .*ILSVRC2012_img_train\.tar"):
        load("imagenet2012", tmp_path)


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_an_interrupted_preparation_is_not_taken_as_prepared(tmp_path, monkeypatch, failure):
    archives, truth = made_up.cifar()
    submit = split_builder.SplitBuilder.submit_split_generation
    done = []

    def interrupted(self, *args, **kwargs):
        if done:
            raise failure
        done.append(True)
        return submit(self, *args, **kwargs)

    expected = UsageError if isinstance(failure, OSError) else KeyboardInterrupt
    with made_up.served("cifar10", archives):
        with monkeypatch.context() as patch:
            patch.setattr(split_builder.SplitBuilder, "submit_split_generation", interrupted)
            with pytest.raises(expected):
                load("cifar10", tmp_path)
        assert done  # one split was written before the failure
        assert len(load("cifar10", tmp_path).labels) == sum("train" in key for key in truth)


def test_what_a_killed_preparation_leaves_is_not_taken_as_prepared(tmp_path):
    archives, truth = made_up.cifar()
    left = tmp_path / "tfds/cifar10/incomplete.ABC123_3.0.2"
    left.mkdir(parents=True)
    (left / "cifar10-train.array_record-00000-of-00001").write_bytes(b"half")
    with made_up.served("cifar10", archives):
        assert len(load("cifar10", tmp_path).labels) == sum("train" in key for key in truth)


@pytest.mark.parametrize("lost", ["dataset_info.json", "cifar10-test.array_record-00000-of-00001"])
def test_a_directory_with_a_file_missing_is_named(tmp_path, lost):
    archives, _ = made_up.cifar()
    with made_up.served("cifar10", archives):
        load("cifar10", tmp_path)
    directory = tmp_path / "tfds/cifar10/3.0.2"
    (directory / lost).unlink()
    with pytest.raises(UsageError, match="incomplete") as caught:
        load("cifar10", tmp_path)
    assert lost in str(caught.value)
    assert str(directory) in str(caught.value)


def test_the_stand_in_is_lent_only_for_a_while():
    lazy = vars(lazy_imports_utils.tensorflow)
    with contextlib.suppress(KeyError), stand_in.stand_in():
        assert lazy_imports_utils.tensorflow.executing_eagerly()
        assert "tensorflow" not in sys.modules
        raise KeyError
    assert "_module" not in lazy


def test_the_stand_in_stays_away_where_tensorflow_is(tmp_path, monkeypatch):
    (tmp_path / "tensorflow.py").write_text("__version__ = '2.99'\n")
    monkeypatch.syspath_prepend(tmp_path)
    with stand_in.stand_in():
        assert "_module" not in vars(lazy_imports_utils.tensorflow)


def test_a_data_set_that_cannot_even_be_opened_says_so(tmp_path):
    features = {"label": tfds.features.ClassLabel(num_classes=2)}
    cls = made_up.define("opens_tensorflow", features, {})
    cls._info = lambda self: lazy_imports_utils.tensorflow.int64
    with pytest.raises(UsageError, match=r"tensorflow.*jax_al\[prepare\]"):
        load("opens_tensorflow", tmp_path)


def test_the_data_directory_may_name_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    archives, _ = made_up.cifar()
    with made_up.served("cifar10", archives):
        load("cifar10", tmp_path, data_dir="~/prepared")
    assert pathlib.Path(tmp_path / "prepared/cifar10/3.0.2/dataset_info.json").exists()
