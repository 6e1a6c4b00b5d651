"""Principal components, standard columns, unit rows; and those of pixels as features."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from jax_al.errors import UsageError
from jax_al.features.columns import columns
from jax_al.features.pixels_pca import PIXEL_COMPONENTS, pixels_pca, pixels_pca_features
from jax_al.pools import arrays as pool_arrays
from jax_al.pools.arrays import arrays

RNG = np.random.default_rng(0)
ROWS = (RNG.normal(size=(200, 6)) @ RNG.normal(size=(6, 6)) + 50).astype(np.float32)
POOL = arrays(ROWS)


def made(pool=POOL, rows=ROWS, **options):
    features = columns(**options)
    return np.asarray(features.apply(features.fit(pool), rows))


def test_components_are_those_of_scikit_learn_but_for_their_sign():
    theirs = PCA(4, svd_solver="full").fit(ROWS.astype(np.float64))
    found = made(pca=4)
    expected = theirs.transform(ROWS.astype(np.float64))
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found, expected * signs, rtol=1e-3, atol=1e-3)
    axes = columns(pca=4).fit(POOL)["axes"]
    assert (axes[np.abs(axes).argmax(axis=0), np.arange(4)] > 0).all()


def test_the_fit_does_not_depend_on_the_blocks(monkeypatch):
    whole = columns(pca=6, standardise=True).fit(POOL)
    monkeypatch.setattr(pool_arrays, "_BLOCK_BYTES", 7 * 48)
    for name, again in columns(pca=6, standardise=True).fit(POOL).items():
        np.testing.assert_allclose(again, whole[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"pca": 4}])
def test_standard_columns_have_no_mean_and_deviation_1_and_a_constant_one_stays_0(options):
    rows = np.concatenate([ROWS, np.full((200, 1), 1e5 / 3, np.float32)], axis=1)
    found = made(arrays(rows), rows, standardise=True, **options)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)
    width = found.shape[1]
    expected = [1] * 4 if options else [1] * 6 + [0]
    np.testing.assert_allclose(found.std(axis=0, ddof=1), expected[:width], atol=1e-3)


@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_whitened_components_keep_a_power_of_their_deviation(power):
    plain, found = made(pca=4), made(pca=4, whiten=power)
    deviation = plain.astype(np.float64).std(axis=0, ddof=1)
    np.testing.assert_allclose(found, plain / deviation**power, rtol=1e-4, atol=1e-4)
    if power == 1:
        np.testing.assert_array_equal(found, made(pca=4, standardise=True))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"whiten": 0.5}, "give pca and leave out standardise"),
        ({"whiten": 0.5, "pca": 2, "standardise": True}, "give pca and leave out standardise"),
        ({"whiten": 2, "pca": 2}, "from 0 to 1"),
        ({"whiten": "much", "pca": 2}, "from 0 to 1"),
    ],
)
def test_what_cannot_be_whitened_gets_a_sentence(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        columns(**options)


def test_components_that_carry_nothing_are_not_blown_up():
    flat = np.repeat(RNG.normal(size=(50, 1)), 3, axis=1).astype(np.float32)
    found = made(arrays(flat), flat, pca=3, standardise=True)
    np.testing.assert_allclose(found.std(axis=0, ddof=1), [1, 0, 0], atol=1e-3)


def test_what_never_varies_in_the_pool_says_nothing_of_other_rows_either():
    """Pixels that are dark in every row of a pool, and not in those of a test set."""
    pool = arrays(np.concatenate([ROWS, np.zeros((200, 4), np.float32)], axis=1))
    others = np.random.default_rng(1).normal(size=(30, 10)).astype(np.float32)
    features = columns(pca=10)
    state = features.fit(pool)
    found = np.asarray(features.apply(state, others))
    assert np.abs(found[:, :6]).max(axis=0).min() > 0.1
    assert not found[:, 6:].any()
    assert not np.asarray(features.apply(state, pool.read(slice(None))))[:, 6:].any()


@pytest.mark.parametrize("options", [{}, {"whiten": 1}, {"standardise": True}])
def test_of_a_pool_whose_rows_are_all_equal_nothing_is_left(options):
    """The mean of 7 / 255 is off in its last digit, which is all the deviation there is."""
    images = np.full((30, 12, 12, 3), 7, np.uint8)
    found = made(arrays(images), images, pca=5, **options)
    np.testing.assert_array_equal(found, 0)


def test_unit_rows_have_length_1_and_zeros_stay():
    rows = np.concatenate([ROWS, np.zeros((1, 6), np.float32)])
    found = made(arrays(rows), rows, l2norm=True)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1] * 200 + [0], rtol=1e-5)
    np.testing.assert_allclose(found[0] * np.linalg.norm(rows[0]), rows[0], rtol=1e-5)


def test_the_components_of_pixels_as_features_are_those_of_the_embedding():
    images = RNG.integers(0, 256, (90, 10, 10, 1), np.uint8)
    pool, features = arrays(images), pixels_pca_features()
    found = np.asarray(features.apply(features.fit(pool), images))
    expected = pixels_pca(pool)
    assert found.shape == (90, PIXEL_COMPONENTS)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-2, atol=1e-4)
    small = arrays(images[:5])
    assert pixels_pca_features().fit(small)["axes"].shape == (100, 5)
    assert pixels_pca_features(pca=3).fit(small)["axes"].shape == (100, 3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pca": 7}, "pca is 7, but 200 examples of 6 numbers have no more than 6"),
        ({"pca": 0}, "pca is 0, but must be a whole number, at least 1"),
        ({"standardise": 1}, "standardise is 1, but must be true or false"),
        ({"l2norm": "yes"}, "l2norm is 'yes', but must be true or false"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        made(**options)


def test_too_wide_for_a_covariance_is_a_sentence():
    with pytest.raises(UsageError, match="pca is for at most 8,192 numbers an example"):
        columns(pca=2).fit(arrays(np.zeros((3, 8193))))


def test_a_large_mean_costs_the_embedding_of_a_table_no_component():
    x = np.random.default_rng(5).normal(size=(400, 200)) * np.linspace(0.3, 2, 200)
    kept = [
        pixels_pca(arrays((x + offset).astype(np.float32))).var(axis=0).sum()
        for offset in (0, 3000)
    ]
    assert kept[1] == pytest.approx(kept[0], rel=1e-3)
