import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.features.fixed import PIXEL_COMPONENTS, check_embedding, fixed_embedding

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (90, 10, 10, 1), np.uint8)
INDEX = np.arange(90) * 2


def embedding_of(source, images=IMAGES):
    return fixed_embedding(str(source), images, INDEX, 200)


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
    assert embedding_of("pixels_pca", IMAGES[:, :4, :4]).shape == (90, 16)


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
