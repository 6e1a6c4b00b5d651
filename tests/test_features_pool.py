"""A pool read as features: rows, ids and pictures stay, others get the same fit, disk remembers."""

import re

import numpy as np
import pytest

import jax_al as al
from jax_al.errors import UsageError
from jax_al.features import pool as module
from jax_al.features.columns import columns
from jax_al.features.embedding import check_embedding, fixed_embedding
from jax_al.features.pool import with_features
from jax_al.pools.digest import digest
from jax_al.pools.rows import base_of, whole_index, whole_size
from jax_al.record.look_writer import LookWriter
from jax_al.testing import check_pool
from jax_al.types import Benchmark, Features

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (60, 8, 8, 1), np.uint8)
TEST = RNG.integers(0, 256, (20, 8, 8, 1), np.uint8)
POOL = al.arrays(IMAGES, ids=[f"image {i}" for i in range(60)])
SMALL = {"patch": 3, "centroids": 5, "samples": 300}


def bench():
    labels = np.arange(60, dtype=np.int32) % 3
    return Benchmark(POOL, labels, ("a", "b", "c"), al.arrays(TEST), labels[:20], "made up")


@pytest.fixture
def made(tmp_path):
    """Reads POOL as small patches, kept in a directory."""

    def make(data=POOL, features="patches", **options):
        options = (SMALL if features == "patches" else {}) | options
        return with_features(data, features, cache_dir=str(tmp_path), **options)

    return make


def files(tmp_path, suffix=".npy"):
    return sorted((tmp_path / "features").glob(f"*{suffix}"))


def rows(pool):
    return pool.read(slice(None))


def test_it_is_a_pool_of_the_same_rows_ids_and_pictures(made):
    pool = made(al.subset(POOL, np.arange(5, 50)))
    check_pool(pool)
    assert (pool.spec.shape, pool.spec.dtype) == ((20,), np.float32)
    assert pool.ids[0] == "image 5"
    np.testing.assert_array_equal(pool.show(0), IMAGES[5])
    np.testing.assert_array_equal(whole_index(pool), np.arange(5, 50))
    assert whole_size(pool) == 60
    np.testing.assert_array_equal(rows(base_of(pool)), IMAGES[5:50])
    assert base_of(POOL) is POOL


def test_the_test_set_goes_by_the_fit_of_the_pool(made):
    data = made(bench(), pca=6, standardise=True, l2norm=True)
    patch, column = data.pool.fitted
    raw = patch.features.apply(patch.state, TEST)
    expected = np.asarray(column.features.apply(column.state, np.asarray(raw)))
    np.testing.assert_allclose(rows(data.test), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(rows(data.test), axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(rows(made(al.arrays(TEST), data.pool)), rows(data.test))
    assert data.name.startswith("made up as patches(patch=3")
    assert "columns(pca=6" in data.name


@pytest.mark.parametrize("size", [1, 7, 64])
def test_nothing_depends_on_the_blocks(made, monkeypatch, size):
    whole = rows(made(cache=False, pca=4))
    monkeypatch.setattr(module, "_ROWS", size)
    np.testing.assert_allclose(rows(made(cache=False, pca=4)), whole, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(rows(made(cache=False)), rows(made()))


def counted(monkeypatch):
    """Counts what is computed from now on."""
    found = []

    def blocks(*args, of=module._blocks):
        for block in of(*args):
            found.append(len(block))
            yield block

    monkeypatch.setattr(module, "_blocks", blocks)
    return found


def test_what_is_kept_is_not_computed_again(made, tmp_path, monkeypatch):
    first = rows(made(pca=3))
    count = counted(monkeypatch)
    np.testing.assert_array_equal(rows(made(pca=3)), first)
    assert not count
    table = np.load(files(tmp_path)[1])
    assert table.shape == (60, 20)
    assert not files(tmp_path, ".lock")
    assert not files(tmp_path, ".part")
    made(pca=2)
    assert count == [60]  # the patches were there


@pytest.mark.parametrize("change", ["pixel", "order", "option"])
def test_another_content_or_option_is_computed(made, monkeypatch, change):
    made()
    count = counted(monkeypatch)
    images = IMAGES.copy()
    if change == "pixel":
        images[59, 7, 7] ^= 1
    if change == "order":
        images[[3, 4]] = images[[4, 3]]
    made(al.arrays(images), grid=1 if change == "option" else 2)
    assert count == [60]


def test_the_digest_is_of_what_the_examples_are():
    same = [digest(al.arrays(IMAGES)), digest(POOL), digest(al.subset(POOL, np.arange(60)))]
    flat = al.arrays(IMAGES.reshape(60, 4, 16, 1))
    other = [digest(flat), digest(al.arrays(IMAGES[:59])), digest(al.arrays(IMAGES / 1.0))]
    assert len(set(same)) == 1
    assert len({*same, *other}) == 4


def sums(seen):
    """Features that nothing is learned for; `seen` gathers the examples that were computed."""

    def fit(pool):
        return {"weight": np.float32(2)}

    def apply(state, x):
        seen.extend(example.tobytes() for example in x)
        flat = x.reshape(len(x), -1).astype(np.float32)
        return state["weight"] * np.stack([flat.sum(axis=1), flat.max(axis=1)], axis=1)

    fit.__module__ = apply.__module__ = "jax_al.features.made_up"
    return Features("sums(version=1)", fit, apply, is_learned=False)


def test_of_a_pool_that_has_grown_only_what_is_new_is_computed(made, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 16)
    seen = []
    made(al.arrays(IMAGES[:40]), sums(seen))
    made(al.arrays(IMAGES[45:50]), sums(seen))
    assert len(set(seen)) == 45
    changed = IMAGES.copy()
    changed[3] = 7
    changed[20] = changed[21]
    for images, new in ((IMAGES, {*range(40, 45), *range(50, 60)}), (changed, {3})):
        seen.clear()
        pool = made(al.arrays(images), sums(seen))
        assert set(seen) == {images[row].tobytes() for row in new}
        assert len(seen) < 2 * 16
        np.testing.assert_array_equal(
            rows(pool), rows(made(al.arrays(images), sums([]), cache=False))
        )
    seen.clear()
    made(al.arrays(images.reshape(60, 4, 16, 1)), sums(seen))
    assert len(set(seen)) == 59  # equal bytes, and other examples


@pytest.mark.parametrize("suffix", [".keys", ".npy"])
def test_what_is_damaged_is_computed(made, tmp_path, suffix, caplog):
    made(al.arrays(IMAGES[:40]), sums([]))
    (path,) = files(tmp_path, suffix)
    path.write_bytes(path.read_bytes()[:-5])
    seen = []
    pool = made(POOL, sums(seen))
    assert len(set(seen)) == 60
    assert ("damaged cache" in caplog.text) == (suffix == ".npy")  # the table is not, if hashes are
    np.testing.assert_array_equal(rows(pool), rows(made(POOL, sums([]), cache=False)))


def doubled():
    """Features of one's own."""
    return Features("doubled", lambda pool: 2.0, lambda state, x: x.reshape(len(x), -1) * state)


def test_features_of_ones_own_are_not_kept_on_disk(made, tmp_path):
    for features in (doubled(), "tests.test_features_pool:doubled"):
        pool = made(features=features, pca=3)
        assert pool.spec.shape == (3,)
        np.testing.assert_array_equal(rows(made(features=features)), 2.0 * IMAGES.reshape(60, -1))
    assert all(path.name.startswith("columns") for path in files(tmp_path))


def test_features_of_ones_own_that_use_a_fit_of_ours_are_not_kept_either(made, tmp_path):
    ours = columns(standardise=True)
    mine = [
        Features("mine", ours.fit, lambda state, x, factor=factor: factor * ours.apply(state, x))
        for factor in (1, 100)
    ]
    np.testing.assert_array_equal(100 * rows(made(features=mine[0])), rows(made(features=mine[1])))
    assert not (tmp_path / "features").exists()


def test_an_embedding_is_of_the_images_and_not_of_features_of_them(made, tmp_path):
    pool = made(features="pixels_pca", pca=2)
    for source in ("patches", "pixels_pca"):
        found = fixed_embedding(source, pool, str(tmp_path))
        np.testing.assert_array_equal(found, fixed_embedding(source, POOL, str(tmp_path)))
    check_embedding("patches", pool)
    with pytest.raises(UsageError, match="patches are cut from images"):
        check_embedding("patches", al.arrays(np.zeros((5, 3))))


def test_a_run_on_features_learns_from_them_and_shows_the_images(made, tmp_path):
    data = made(bench(), "pixels_pca", pca=4)
    strategies, directory = ["margin", "coreset@pixels_pca"], tmp_path / "run"
    options = {"initial": 6, "budget": 4, "episodes": 2, "directory": directory}
    told = []
    found = al.run(data, learner=al.linear(), strategies=strategies, tell=told.append, **options)
    assert len(found) == 4
    (looked, _) = (event for event in told if event["event"] == "looked")
    LookWriter().on_event(looked)
    kept = np.load(looked["directory"] / "looks" / "episode_001.npz")
    np.testing.assert_array_equal(kept["images"], IMAGES[kept["rows"]])
    begun = {"learner": al.linear(), "strategies": strategies, **options}
    with pytest.raises(ValueError, match="other settings: data"):
        al.run(made(bench(), "pixels_pca", pca=3), **begun)


def test_a_session_on_features_applies_them_to_what_it_predicts(made):
    pool = made(features="pixels_pca", pca=4)
    with al.Session(pool, classes=["a", "b"], learner=al.linear(), budget=6) as session:
        request = session.ask()
        session.tell({name: "ab"[k % 2] for k, name in enumerate(request.ids)})
        session.train()
        probs = session.predict(al.arrays(TEST))
        assert probs.shape == (20, 2)
        np.testing.assert_array_equal(session.predict(made(al.arrays(TEST), pool)), probs)


@pytest.mark.parametrize(
    ("features", "options", "sentence"),
    [
        ("patch", {}, "There are no features 'patch': did you mean 'patches'?"),
        ("random_net", {}, "random_net is an embedding that the learner makes"),
        ("patches", {"size": 6}, "patches has no option 'size': "),
        ("missing.npy", {}, "features names missing.npy, and there is no such file"),
        (
            "json:dumps",
            {"o": 1},
            "The features 'json:dumps' are called with (o=), which does not fit",
        ),
        ("json:dumps", {"obj": 1}, "'json:dumps' must return Features, but returned a str"),
        (3, {}, "features must be a name, Features, or a pool with features, not a int"),
        ("patches", {"test": "x.npy"}, "'test' is for features of a file"),
        (Features("bad", lambda pool: {}, lambda state, x: x[:, 0, 0, 0]), {}, "must return"),
        (Features("bad", lambda pool: {}, lambda state, x: x[:, 0, 0] * np.nan), {}, "gives NaN"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(features, options, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)):
        with_features(bench(), features, cache=False, **options)


def test_a_file_goes_by_order_or_by_ids_and_the_test_set_has_its_own(made, tmp_path):
    x, order = RNG.normal(size=(60, 4)), RNG.permutation(60)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "mixed.npy", x[order])
    np.save(tmp_path / "ids.npy", np.array(POOL.ids)[order])
    np.save(tmp_path / "test.npy", x[:20])
    np.save(tmp_path / "test_ids.npy", np.arange(20)[::-1])
    path = {
        name: str(tmp_path / f"{name}.npy") for name in ("x", "mixed", "ids", "test", "test_ids")
    }
    by_order = made(features=path["x"])
    np.testing.assert_array_equal(rows(by_order), x.astype(np.float32))
    np.testing.assert_array_equal(
        rows(made(features=path["mixed"], ids=path["ids"])), rows(by_order)
    )
    part = made(al.subset(POOL, [7, 3]), path["mixed"], ids=path["ids"])
    np.testing.assert_array_equal(rows(part), x[[7, 3]].astype(np.float32))
    both = made(bench(), path["x"], test=path["test"], test_ids=path["test_ids"], pca=2)
    alone = made(features=path["x"], pca=2)
    np.testing.assert_array_equal(rows(both.pool), rows(alone))
    np.testing.assert_allclose(rows(both.test)[::-1], rows(alone)[:20], rtol=1e-4, atol=1e-5)
    with pytest.raises(UsageError, match="holds features of one pool only: another needs a file"):
        made(al.arrays(TEST), by_order)
    with pytest.raises(UsageError, match="name the file of the test set as the option 'test'"):
        made(bench(), path["x"])
    for file, what in [(5, "5"), ("patches", "'patches'")]:
        with pytest.raises(UsageError, match=f"test is {what}, but must be the path of a .npy"):
            made(bench(), path["x"], test=file)
    for ids in (3, None):
        with pytest.raises(UsageError, match=f"ids is {ids}, but must be the path of a .npy file"):
            made(features=path["x"], ids=ids)
    np.save(tmp_path / "twice.npy", np.zeros(60, np.int64))
    for ids, sentence in [
        ("test_ids", "must hold an id, text or a whole number, for each of 60 rows"),
        ("x", "must hold an id"),
        ("twice", "names one id twice"),
    ]:
        with pytest.raises(UsageError, match=sentence):
            made(features=path["x"], ids=str(tmp_path / f"{ids}.npy"))
    np.save(tmp_path / "numbers.npy", np.arange(60))
    with pytest.raises(UsageError, match="does not name the example 'image 0' of the pool"):
        made(features=path["x"], ids=str(tmp_path / "numbers.npy"))
    assert rows(made(al.arrays(IMAGES), path["x"], ids=str(tmp_path / "numbers.npy"))).shape == (
        60,
        4,
    )


def test_the_features_of_a_pool_that_are_fitted_take_no_options(made):
    with pytest.raises(UsageError, match="The features are fitted, and 'pca' comes too late"):
        with_features(al.arrays(TEST), made(), pca=2)


def test_examples_of_another_size_than_the_fit_had_are_refused(made):
    fitted = made(features="pixels_pca", pca=2)
    for other in (TEST[:, :7], TEST[:, :1, :1, :1]):  # the second would be repeated
        with pytest.raises(UsageError, match=r"fitted to are of [0-9,]+ numbers each, and these"):
            made(al.arrays(other), fitted)


def test_numbers_of_numpy_are_options_like_others(made):
    plain = made(features="pixels_pca", pca=2, whiten=0.5)
    numpys = made(features="pixels_pca", pca=np.int64(2), whiten=np.float64(0.5))
    assert numpys.name == plain.name
    np.testing.assert_array_equal(rows(numpys), rows(plain))


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (TEST[:, :2], "need images of 4 pixels a side, and these are 2x8"),
        (TEST / np.float32(255), "patches are cut from images, and these examples are float32"),
        (np.repeat(TEST, 3, axis=3), "learned from images of 1 channels, and these have 3"),
    ],
)
def test_images_that_patches_cannot_be_cut_from_are_refused_after_the_fit_too(
    made, other, sentence
):
    with pytest.raises(UsageError, match=sentence):
        made(al.arrays(other), made())


def test_a_session_on_features_refuses_examples_of_another_shape(made):
    with al.Session(
        made(features="pixels_pca", pca=2), classes=["a", "b"], learner=al.linear(penalty=0.1),
        strategy="random", budget=4,
    ) as session:  # fmt: skip
        session.tell({one: "ab"[i % 2] for i, one in enumerate(session.ask().ids)})
        session.train()
        for other in (TEST / np.float32(255), TEST.reshape(20, 4, 16, 1)):
            with pytest.raises(UsageError, match="and those of the session uint8"):
                session.predict(al.arrays(other))
