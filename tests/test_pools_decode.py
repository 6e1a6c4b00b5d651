"""Encoded images become arrays of one shape: resizing, and what TFDS data sets hold."""

import io

import made_up_archives as made_up
import numpy as np
import pytest
import tensorflow_datasets as tfds
from hypothesis import given
from hypothesis import strategies as st
from made_up_archives import opened
from PIL import Image

from jax_al.errors import UsageError
from jax_al.pools import decode
from jax_al.pools.decode import resize_square


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
    resized = resize_square(pixels, size)
    assert resized.shape == (size, size, pixels.shape[2])
    assert resized.dtype == np.uint8


@given(images)
def test_resizing_to_the_shorter_side_is_the_middle_bit_for_bit(pixels):
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    expected = pixels[top : top + side, left : left + side]
    np.testing.assert_array_equal(resize_square(pixels, side), expected)


@pytest.mark.parametrize("size", [3, 8, 21])
def test_nothing_outside_the_middle_square_bleeds_in(size):
    pixels = np.full((10, 40, 3), 255, np.uint8)
    pixels[:, 15:25] = 60
    np.testing.assert_array_equal(resize_square(pixels, size), 60)


def test_shrinking_antialiases():
    checkers = (np.indices((64, 64)).sum(0) % 2 * 200).astype(np.uint8)[..., None]
    shrunk = resize_square(checkers, 8)
    assert np.abs(shrunk.astype(int) - 100).max() <= 3  # sampling would give 0s and 200s


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
        expected = resize_square(example["image"], 10)
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
    assert len(made_up.png(examples[0]["image"])) > decode.LARGE_BYTES
    loaded = made("large_noise", {"train": examples, "test": examples}, features=features)
    for image, key in zip(loaded.images, loaded.ids, strict=True):
        np.testing.assert_array_equal(image, examples[int(key[1:])]["image"])


def test_grayscale_keeps_one_channel(made):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    splits = {split: [{"image": pixels, "label": 2}] for split in ("train", "test")}
    loaded = made("gray", splits, tfds.features.Image(shape=(8, 8, 1)))
    np.testing.assert_array_equal(loaded.images, pixels[None])
    assert loaded.ids.tolist() == ["0"]
    assert made(
        "gray", splits, tfds.features.Image(shape=(8, 8, 1)), image_size=4
    ).images.shape == ((1, 4, 4, 1))


def test_images_come_in_the_declared_channels_whatever_the_files_hold(made):
    """TFDS itself hands out a palette's indices and CMYK's four channels as if they were RGB."""
    colors = np.array([[[255, 0, 0], [0, 0, 255]], [[0, 255, 0], [9, 9, 9]]], np.uint8)
    palette, cmyk = io.BytesIO(), io.BytesIO()
    Image.fromarray(colors).quantize(4).save(palette, "PNG")
    Image.new("CMYK", (2, 2), (0, 255, 255, 0)).save(cmyk, "JPEG")
    gray = made_up.png(np.full((2, 2), 77, np.uint8))
    alpha = made_up.png(np.dstack([colors, np.full((2, 2), 128, np.uint8)]))
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
