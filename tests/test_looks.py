import jax.numpy as jnp
import numpy as np

from jax_al.record import looks
from jax_al.types import NOTHING, Query, Signals

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), np.uint8)


def test_the_map_is_the_two_directions_of_largest_variance():
    rng = np.random.default_rng(1)
    embedding = (rng.normal(size=(200, 5)) * [1, 9, 2, 5, 3]).astype(np.float32)
    found = looks.project(embedding)
    centred = embedding - embedding.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    expected = (left * singular)[:, :2]
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(looks.project(embedding + 7), found, atol=1e-3)
    assert looks.project(np.ones((3, 1), np.float32)).tolist() == [[0, 0]] * 3


def test_a_query_with_scores_and_probabilities(tmp_path):
    indices = jnp.array([7, 3, NOTHING])
    probs = jnp.asarray(np.eye(3)[np.arange(40) % 3])
    query = Query(indices, {}, scores=jnp.array([0.5, 0.25, 0.1]))
    signals = Signals(mc_probs=probs, embedding=jnp.asarray(IMAGES.reshape(40, -1), jnp.float32))
    looks.save_query(tmp_path, 2, 5, IMAGES, query, signals, "pixels_pca")
    found = np.load(tmp_path / "looks/seed_2/episode_005.npz")
    assert found["rows"].tolist() == [7, 3]
    assert found["score"].tolist() == [0.5, 0.25]
    assert found["predicted"].tolist() == [1, 0]
    np.testing.assert_array_equal(found["images"], IMAGES[[7, 3]])
    assert np.load(tmp_path / "looks/seed_2/map.npz")["embedding"] == "pixels_pca"


def test_a_query_that_knows_nothing_but_its_picks(tmp_path):
    looks.save_query(tmp_path, 0, 1, IMAGES, Query(jnp.arange(20), {}), Signals(), "model")
    found = np.load(tmp_path / "looks/seed_0/episode_001.npz")
    assert np.isnan(found["score"]).all()
    assert (found["predicted"] == -1).all()
    assert len(found["images"]) == looks.SHOWN
    assert not (tmp_path / "looks/seed_0/map.npz").exists()
