import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.pools.arrays import arrays
from jax_al.record import looks
from jax_al.record.look_writer import LookWriter
from jax_al.report.look_files import look_files, read_look, read_map, read_pool
from jax_al.types import Signals

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), np.uint8)


@pytest.mark.parametrize("shape", [(200, 5), (4, 2), (2, 5), (9, 70)])
def test_the_map_is_the_two_directions_of_largest_variance(shape):
    scale = np.resize([1, 9, 2, 5, 3], shape[1])
    embedding = (np.random.default_rng(1).normal(size=shape) * scale).astype(np.float32)
    found = looks.project(embedding)
    centred = embedding - embedding.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    expected = (left * singular)[:, :2]
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(looks.project(embedding + 7), found, atol=1e-3)


@pytest.mark.parametrize("scale", [1e-30, 1e15])
def test_the_map_is_as_large_as_the_embedding(scale):
    embedding = np.random.default_rng(3).normal(size=(60, 7)).astype(np.float32)
    found = looks.project((embedding * np.float32(scale)).astype(np.float32)) / scale
    np.testing.assert_allclose(found, looks.project(embedding), atol=1e-5)


def test_the_map_has_zeros_for_directions_that_are_not_there():
    assert looks.project(np.ones((3, 1), np.float32)).tolist() == [[0, 0]] * 3
    line = np.outer(np.arange(50), [1, 2, 2]).astype(np.float32)
    found = looks.project(line)
    np.testing.assert_allclose(found[:, 0], 3 * (np.arange(50) - 24.5), atol=1e-3)
    assert not found[:, 1].any()


def test_the_map_of_an_embedding_read_in_blocks_is_the_map_of_the_whole(tmp_path, monkeypatch):
    embedding = np.random.default_rng(2).normal(size=(101, 6)).astype(np.float32)
    whole = looks.project(embedding)
    np.save(tmp_path / "embedding.npy", embedding)
    monkeypatch.setattr(looks, "BLOCK", 10)
    mapped = np.load(tmp_path / "embedding.npy", mmap_mode="r")
    np.testing.assert_allclose(looks.project(mapped), whole, atol=1e-5)


def test_what_a_table_leaves_is_read_back_without_images_and_without_truth(tmp_path):
    index, ids = np.array([3, 5, 8]), ["row a", "row b", "row c"]
    looks.write_pool(tmp_path, index, ids, ["no", "yes"], truth=None)
    pool = read_pool(tmp_path)
    assert pool is not None
    assert pool.ids == ids
    assert pool.labels.tolist() == [-1, -1, -1]
    part = tmp_path / "parts/margin/seed_0/looks"
    probs = np.log([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    looks.write_query(part, 4, np.array([2, 1]), np.array([0.5, 0.25]), probs, images=None)
    looks.write_map(part, probs.astype(np.float32), "model")
    ((episode, file),) = look_files(part).items()
    look = read_look(file, pool)
    assert look is not None
    assert (episode, look.rows.tolist(), look.predicted.tolist()) == (4, [2, 1], [0, 1])
    assert look.images is None
    found = read_map(part, pool)
    assert found is not None
    assert found[1] == "model"


def test_the_map_of_features_is_made_once_and_that_of_a_network_anew(tmp_path):
    one, other = np.eye(3, dtype=np.float32), np.ones((3, 2), np.float32)
    for name, is_kept in (("pixels_pca", True), ("model", False)):
        looks.write_map(tmp_path / name, one, name)
        first = (tmp_path / name / "map.npz").read_bytes()
        looks.write_map(tmp_path / name, other, name)
        assert ((tmp_path / name / "map.npz").read_bytes() == first) == is_kept


def hear(directory, rows, scores, signals, embedding, pool):
    """Tells a `LookWriter` of the query at the end of episode 5."""
    event = {"event": "looked", "directory": directory, "episode": 5, "rows": rows}
    more = {"scores": scores, "signals": signals, "embedding": embedding, "pool": pool}
    LookWriter().on_event(event | more)


def test_a_query_with_scores_and_probabilities(tmp_path):
    probs = jnp.asarray(np.eye(3)[np.arange(40) % 3])
    signals = Signals(mc_probs=probs, embedding=jnp.asarray(IMAGES.reshape(40, -1), jnp.float32))
    rows, scores = np.array([7, 3]), np.array([0.5, 0.25], np.float32)
    hear(tmp_path, rows, scores, signals, "pixels_pca", arrays(IMAGES))
    found = np.load(tmp_path / "looks/episode_005.npz")
    assert found["rows"].tolist() == [7, 3]
    assert found["score"].tolist() == [0.5, 0.25]
    assert found["predicted"].tolist() == [1, 0]
    np.testing.assert_array_equal(found["images"], IMAGES[[7, 3]])
    assert np.load(tmp_path / "looks/map.npz")["embedding"] == "pixels_pca"


def test_a_query_that_knows_nothing_but_its_picks(tmp_path):
    hear(tmp_path, np.arange(20), None, Signals(), "model", arrays(IMAGES))
    found = np.load(tmp_path / "looks/episode_005.npz")
    assert np.isnan(found["score"]).all()
    assert (found["predicted"] == -1).all()
    assert len(found["images"]) == looks.SHOWN
    assert not (tmp_path / "looks/map.npz").exists()


def test_of_a_table_there_are_no_images_and_in_memory_there_is_nothing(tmp_path):
    table = arrays(np.ones((5, 2), np.float32))
    hear(tmp_path, np.arange(2), None, Signals(), "model", table)
    assert "images" not in np.load(tmp_path / "looks/episode_005.npz")
    hear(None, np.arange(2), None, Signals(), "model", table)
