"""Patches: the formula by plain NumPy in float64, and a fit that depends on the pool alone."""

import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.features import patches as module
from jax_al.features.patches import normalised, patches, sample
from jax_al.pools.arrays import arrays

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (30, 11, 9, 2), np.uint8)
POOL = arrays(IMAGES)
SMALL = {"patch": 3, "centroids": 7, "samples": 400}


def by_numpy(state, images, patch, stride, grid):
    """What the docstring says, in float64, patch by patch."""
    mean, whitening, centroids = (
        state[name].astype(np.float64) for name in ("mean", "whitening", "centroids")
    )
    tops, lefts = (range(0, side - patch + 1, stride) for side in images.shape[1:3])
    found = []
    for image in images.astype(np.float64):
        f = np.empty((len(tops), len(lefts), len(centroids)))
        for a, top in enumerate(tops):
            for b, left in enumerate(lefts):
                x = image[top : top + patch, left : left + patch].reshape(-1)
                n = (x - x.mean()) / np.sqrt(x.var() + 10)
                z = np.linalg.norm((n - mean) @ whitening - centroids, axis=1)
                f[a, b] = np.maximum(0, z.mean() - z)
        rows, columns = (
            [range(-(-n * i // grid), -(-n * (i + 1) // grid)) for i in range(grid)]
            for n in f.shape[:2]
        )
        found.append([f[np.ix_(a, b)].sum(axis=(0, 1)) for a in rows for b in columns])
    return np.array(found).reshape(len(images), -1)


@pytest.mark.parametrize(("stride", "grid"), [(1, 2), (2, 1), (1, 3)])
def test_they_are_those_of_plain_numpy(stride, grid):
    features = patches(stride=stride, grid=grid, **SMALL)
    state = features.fit(POOL)
    found = np.asarray(features.apply(state, IMAGES))
    assert (found.shape, found.dtype) == ((30, grid * grid * 7), np.float32)
    np.testing.assert_allclose(
        found, by_numpy(state, IMAGES, 3, stride, grid), rtol=2e-5, atol=1e-5
    )


def test_a_picture_and_its_mirror_image_have_the_same_numbers_and_those_are_added_up():
    plain, both = patches(**SMALL), patches(mirror=True, **SMALL)
    state, turned = plain.fit(POOL), IMAGES[:, :, ::-1].copy()
    found = np.asarray(both.apply(state, IMAGES))
    np.testing.assert_allclose(found, np.asarray(both.apply(state, turned)), rtol=1e-6)
    expected = by_numpy(state, IMAGES, 3, 1, 2) + by_numpy(state, turned, 3, 1, 2)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)
    assert plain.name != both.name


def test_the_roots_are_those_of_the_sums():
    state = patches(**SMALL).fit(POOL)
    found = np.asarray(patches(root=True, **SMALL).apply(state, IMAGES))
    expected = np.sqrt(by_numpy(state, IMAGES, 3, 1, 2))
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-4)


def test_the_sampled_patches_are_patches_of_the_images():
    found = sample(POOL, 3, 50)
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES, (3, 3), axis=(1, 2))
    there = {w.tobytes() for w in np.moveaxis(windows, 3, -1).reshape(-1, 18)}
    assert all(row.tobytes() in there for row in found)
    assert len(np.unique(found, axis=0)) > 40


def test_a_sampled_patch_has_no_mean_and_about_the_same_contrast():
    found = normalised(np.array([[0, 255, 0, 255], [9, 9, 9, 9], [100, 101, 100, 101]], np.uint8))
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(axis=1), [1, 0, 0.156], atol=1e-2)


def test_the_fit_whitens_and_depends_on_the_pool_alone(monkeypatch):
    features = patches(**SMALL)
    state = features.fit(POOL)
    whitened = (normalised(sample(POOL, 3, 400)) - state["mean"]) @ state["whitening"]
    # 1, but for what the ridge takes: much where there is little, as of the mean of a patch.
    before = np.linalg.eigvalsh(np.cov(normalised(sample(POOL, 3, 400)).T.astype(np.float64)))
    values = np.linalg.eigvalsh(np.cov(whitened.T))
    np.testing.assert_allclose(values, before / (before + module.RIDGE), atol=1e-4)
    monkeypatch.setattr(module, "_READ_BYTES", 500)
    for name, again in features.fit(POOL).items():
        np.testing.assert_array_equal(again, state[name])


def test_an_image_is_the_same_alone_and_among_others():
    features = patches(**SMALL)
    state = features.fit(POOL)
    whole = np.asarray(features.apply(state, IMAGES))
    np.testing.assert_array_equal(np.asarray(features.apply(state, IMAGES[7:9])), whole[7:9])


def test_fewer_patches_than_centroids_are_all_there_are(caplog):
    plain = np.zeros((4, 6, 6, 2), np.uint8)
    plain[1, 2:4] = 200
    features = patches(**SMALL)
    state = features.fit(arrays(plain))
    assert 1 < len(state["centroids"]) < 7
    assert "distinct patches" in caplog.text
    found = np.asarray(features.apply(state, plain))
    np.testing.assert_allclose(found, by_numpy(state, plain, 3, 1, 2), atol=1e-2)


@pytest.mark.parametrize(
    ("shape", "options", "sentence"),
    [
        ((5, 8, 6, 1), {}, "of 6 pixels, 1 apart, on a grid of 2, need images of 7 pixels a side"),
        ((2, 900, 900, 3), {}, "would hold .* GiB for one image of 900x900"),
    ],
)
def test_images_that_will_not_do_are_a_sentence(shape, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        patches(**options).fit(arrays(np.zeros(shape, np.uint8)))


def test_images_just_large_enough_will_do():
    pool = arrays(RNG.integers(0, 256, (30, 4, 5, 2), np.uint8))
    features = patches(**SMALL)
    assert features.apply(features.fit(pool), pool.read(slice(None))).shape == (30, 28)


def test_rows_of_a_table_are_no_images():
    with pytest.raises(UsageError, match="patches are cut from images, and these examples are"):
        patches().fit(arrays(np.zeros((5, 8))))


@pytest.mark.parametrize(
    "options", [{"patch": 1}, {"centroids": 0}, {"stride": 0.5}, {"grid": True}, {"samples": "9"}]
)
def test_an_option_out_of_its_range_is_a_sentence(options):
    (name,) = options
    with pytest.raises(UsageError, match=rf"{name} is .*, but must be a whole number, at least"):
        patches(**options)
