import numpy as np
import pytest
from sklearn.decomposition import PCA

from jax_al.errors import UsageError
from jax_al.features import embedding
from jax_al.features.columns import MOST
from jax_al.features.embedding import check_embedding, fixed_embedding
from jax_al.features.pixels_pca import PIXEL_COMPONENTS
from jax_al.pools import arrays as pool_arrays
from jax_al.pools.arrays import arrays
from jax_al.pools.subset import subset

RNG = np.random.default_rng(0)
WHOLE = RNG.integers(0, 256, (200, 10, 10, 1), np.uint8)
INDEX = np.arange(90) * 2
IMAGES = WHOLE[INDEX]


def embedding_of(source, whole=WHOLE):
    return fixed_embedding(str(source), subset(arrays(whole), INDEX))


def test_networks_make_their_own():
    assert embedding_of("model") is None
    assert embedding_of("random_net") is None


def test_the_components_of_pixels_carry_the_variance_and_repeat_to_the_bit():
    found = embedding_of("pixels_pca")
    assert (found.shape, found.dtype) == ((90, PIXEL_COMPONENTS), np.float32)
    np.testing.assert_array_equal(found, embedding_of("pixels_pca"))
    pixels = IMAGES.reshape(90, -1) / 255.0
    singular = np.linalg.svd(pixels - pixels.mean(axis=0), compute_uv=False)[:PIXEL_COMPONENTS]
    np.testing.assert_allclose(found.var(axis=0), singular**2 / 90, rtol=1e-3)
    assert embedding_of("pixels_pca", WHOLE[:, :4, :4]).shape == (90, 16)


def test_the_components_of_pixels_are_those_of_the_whole_matrix_whatever_the_blocks(monkeypatch):
    pixels = IMAGES.reshape(90, -1).astype(np.float32) / 255
    expected = PCA(PIXEL_COMPONENTS, svd_solver="covariance_eigh").fit_transform(pixels)
    np.testing.assert_array_equal(embedding_of("pixels_pca"), expected)
    monkeypatch.setattr(pool_arrays, "_BLOCK_BYTES", 7 * 400)
    np.testing.assert_array_equal(embedding_of("pixels_pca"), expected)


def test_the_components_of_a_table_are_those_of_its_rows():
    table = RNG.normal(size=(50, 8)) * 1000
    found = fixed_embedding("pixels_pca", arrays(table))
    expected = PCA(8, svd_solver="full").fit_transform(table)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-4, atol=0.02)


def test_components_of_more_numbers_than_a_covariance_may_have_are_refused(monkeypatch):
    monkeypatch.setattr(embedding, "pixels_pca", None)  # nothing is computed before
    for size, raises in ((MOST, False), (MOST + 1, True)):
        pool = arrays(np.zeros((3, size), np.uint8))
        if not raises:
            check_embedding("pixels_pca", pool)
            continue
        for refuses in (check_embedding, fixed_embedding):
            with pytest.raises(UsageError, match=r"at most 8,192 numbers .* these have 8,193"):
                refuses("pixels_pca", pool)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32])
def test_a_file_has_a_row_for_each_image_of_the_pool_or_of_the_whole(tmp_path, dtype):
    whole = RNG.integers(0, 100, (200, 3)).astype(dtype)
    np.save(tmp_path / "whole.npy", whole)
    np.save(tmp_path / "pool.npy", whole[INDEX])
    for name in ("whole.npy", "pool.npy"):
        found = embedding_of(tmp_path / name)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, whole[INDEX].astype(np.float32))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((91, 3)), "has 91 rows, but the pool has 200 or 90 images"),
        (np.zeros(90), r"must hold a matrix of numbers.*holds float64 \(90,\)"),
        (np.full((90, 2), "x"), "must hold a matrix of numbers"),
        (np.where(np.arange(90)[:, None] == 7, np.nan, np.ones((90, 2))), "for image 14 of"),
        (
            np.where(np.arange(90)[:, None] == 7, 1e20, np.ones((90, 2))),
            "beyond 1e.15 for image 14",
        ),
        (np.full((90, 2), 1e300), "holds NaN or infinity for image 0"),
        (np.zeros((90, 2), "m8[s]"), "must hold a matrix of numbers"),
    ],
)
def test_a_file_that_does_not_fit_is_a_sentence(tmp_path, rows, message):
    np.save(tmp_path / "rows.npy", rows)
    with pytest.raises(UsageError, match=message):
        embedding_of(tmp_path / "rows.npy")


def test_an_archive_and_an_empty_file_are_sentences(tmp_path):
    np.savez(tmp_path / "archive.npz", rows=np.zeros((90, 3)))
    (tmp_path / "archive.npz").rename(tmp_path / "archive.npy")
    with pytest.raises(UsageError, match="is an archive of arrays"):
        embedding_of(tmp_path / "archive.npy")
    (tmp_path / "empty.npy").touch()
    with pytest.raises(UsageError, match=r"cannot be read as a \.npy file"):
        embedding_of(tmp_path / "empty.npy")


def test_what_is_no_embedding_is_told_before_any_work(tmp_path):
    with pytest.raises(UsageError, match="'modle', but must be model, random_net"):
        check_embedding("modle")
    with pytest.raises(UsageError, match="there is no such file"):
        check_embedding(str(tmp_path / "missing.npy"))
    (tmp_path / "text.npy").write_text("not an array")
    with pytest.raises(UsageError, match=r"cannot be read as a \.npy file"):
        embedding_of(tmp_path / "text.npy")
