"""A model as a file: it predicts as the session did, and nothing else passes for one."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from flax import nnx
from sklearn.linear_model import LogisticRegression

import jax_al as al
from jax_al.errors import UsageError
from jax_al.features.columns import columns
from jax_al.learners import learner_named
from jax_al.types import Features
from tests.made_up_benchmarks import nearest_mean_on_host
from tests.made_up_pictures import encoded, pixels
from tests.runs import ROOT
from tests.test_session_api import CLASSES, points, true

pytestmark = pytest.mark.usefixtures("compiled_plainly")

QUICK = {"epochs": 2, "batch_size": 4}
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 12, 12, 3), np.uint8)


def images(count=24, seed=0):
    x = np.random.default_rng(seed).integers(0, 256, (count, 12, 12, 3), np.uint8)
    return al.arrays(x, ids=[f"p{row}" for row in range(count)])


def trained(learner, pool=None):
    """A session that has learned from eight labels."""
    session = al.Session(
        points() if pool is None else pool,
        classes=CLASSES, learner=learner, strategy="random", budget=8, seed=0,
    )  # fmt: skip
    session.tell(true(session.ask().ids))
    session.train()
    return session


class Net(nnx.Module):
    def __init__(self, shape, num_classes, *, rngs):
        self.head = nnx.Linear(shape[0], num_classes, rngs=rngs)

    def __call__(self, inputs):
        return self.head(inputs)


net = al.network(Net, **QUICK)


def ridge(spec, num_classes, penalty=1.0):
    return al.linear(penalty=penalty)(spec, num_classes)


def centred():
    """Features of somebody's."""
    return Features("centred", lambda pool: {}, lambda state, inputs: inputs - 1.0)


def doubled():
    """Features of ours whose `apply` is somebody's, under the name that they had."""
    ours = columns(standardise=True)
    return ours._replace(apply=lambda state, inputs: 2 * ours.apply(state, inputs))


LEARNERS = {
    "linear": al.linear(scale="one", class_weights="balanced"),
    "mlp": al.mlp(widths=(5, 4), **QUICK),
    "propagate": al.propagate(al.linear(penalty=0.1), neighbours=3),
    "calibrated": al.calibrated(al.propagate(al.linear(penalty=0.1))),
    "ensemble": al.ensemble(al.linear(penalty=0.1), members=3),
    "networks": al.ensemble(al.mlp(widths=(4,), **QUICK), members=2, by="key"),
    "laplace": al.laplace(penalty=0.1),
    "outside": ridge,
    "outside, named": learner_named("tests.test_people_predictor:ridge", penalty=0.5),
    "outside, a network": learner_named("tests.test_people_predictor:net"),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_the_file_predicts_as_the_session_did(tmp_path, name):
    file = tmp_path / "m.model"
    learner = LEARNERS[name]
    if name == "outside, a network":
        learner = learner_named("tests.test_people_predictor:made_net")
    with trained(learner) as session:
        session.export(file)
        there = session.predict(points(30, seed=1))
    loaded = al.load_predictor(file, allow_outside=name.startswith("outside"))
    assert loaded.classes == CLASSES
    here = loaded(points(30, seed=1))
    assert here.dtype == np.float32
    np.testing.assert_allclose(here, there, atol=1e-6)
    np.testing.assert_array_equal(loaded(points(30, seed=1).read(slice(None))), here)


def made_net(spec, num_classes):
    return net(spec, num_classes)


@pytest.mark.parametrize(
    ("features", "options"),
    [
        ("patches", {"patch": 3, "centroids": 5, "samples": 300, "standardise": True}),
        ("pixels_pca", {"pca": 4, "l2norm": True}),
        ("lite0", {"size": 32, "pca": 6}),
    ],
)
def test_features_go_with_it_as_they_were_fitted(tmp_path, features, options):
    pool = al.with_features(images(), features, cache=False, **options)
    with trained(al.linear(penalty=0.1), pool) as session:
        session.export(tmp_path / "m.model")
        there = session.predict(images(9, seed=1))
    loaded = al.load_predictor(tmp_path / "m.model")
    np.testing.assert_allclose(loaded(images(9, seed=1)), there, atol=1e-6)
    as_features = al.with_features(images(9, seed=1), pool)
    np.testing.assert_allclose(loaded(as_features), there, atol=1e-6)  # those of what it is made of


def test_a_network_on_images(tmp_path):
    with trained(al.cnn(widths=(2, 3), embedding_size=4, **QUICK), images()) as session:
        session.export(tmp_path / "m.model")
        there = session.predict(images(9, seed=1))
    np.testing.assert_allclose(
        al.load_predictor(tmp_path / "m.model")(images(9, seed=1)), there, atol=1e-6
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for number in range(8):
        (root / f"p{number}").write_bytes(encoded(pixels(number), "PNG"))
    return root


@pytest.fixture(scope="module")
def file(tmp_path_factory, photos):
    """A model of pictures of a folder, and the cache of their squares."""
    place = tmp_path_factory.mktemp("model")
    pool = al.folder(photos, size=12, cache_dir=str(place))
    with trained(
        al.linear(penalty=0.1), al.with_features(pool, "pixels_pca", cache=False, pca=3)
    ) as made:
        made.export(place / "m.model")
    return place / "m.model"


def test_pictures_of_another_folder_without_workdir_and_pool_in_another_process(
    tmp_path, file, photos
):
    program = (
        "import sys, numpy as np; import jax_al as al\n"
        "model, photos, cache, out = sys.argv[1:]\n"
        "probs = al.load_predictor(model)(al.folder(photos, size=12, cache_dir=cache))\n"
        "np.save(out, probs)\n"
    )
    words = [str(one) for one in (file, photos, tmp_path / "cache", tmp_path / "p.npy")]
    subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, check=True)
    pool = al.folder(photos, size=12, cache_dir=str(tmp_path))
    np.testing.assert_allclose(
        np.load(tmp_path / "p.npy"), al.load_predictor(file)(pool), atol=1e-6
    )


def test_equal_models_are_equal_files_and_hold_no_pickle(tmp_path):
    for name in ("one", "two"):
        with trained(al.linear()) as session:
            session.export(tmp_path / name)
    content = (tmp_path / "one").read_bytes()
    assert content == (tmp_path / "two").read_bytes()
    with zipfile.ZipFile(tmp_path / "one") as archive:
        for name in archive.namelist():
            if name.endswith(".npy"):
                np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
            else:
                json.loads(archive.read(name))


@pytest.mark.parametrize(
    ("learner", "pool", "sentence"),
    [
        (al.host_learner(LogisticRegression()), None, "only a pickle could keep it"),
        (nearest_mean_on_host, None, "only a pickle could keep it"),
        (net, None, "cannot be made again by its name"),
        (al.ensemble(ridge), None, "cannot be made again by its name"),
        (lambda spec, C: ridge(spec, C), None, "cannot be made again by its name"),
        (al.linear(), lambda: al.with_features(points(), centred()), "are a function of yours"),
        (al.linear(), lambda: al.with_features(points(), doubled()), "are a function of yours"),
        (al.linear(), "file", "holds features of one pool only"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_and_leaves_nothing(tmp_path, learner, pool, sentence):
    if pool == "file":
        np.save(tmp_path / "x.npy", points().read(slice(None)))
        pool = lambda: al.with_features(points(), str(tmp_path / "x.npy"))  # noqa: E731
    with trained(learner, pool and pool()) as session, pytest.raises(ValueError, match=sentence):
        session.export(tmp_path / "m.model")
    assert not (tmp_path / "m.model").exists()


def test_nothing_is_trained_yet_and_nothing_of_somebody_is_replaced(tmp_path):
    session = al.Session(points(), classes=CLASSES, learner=al.linear(), strategy="random")
    with session, pytest.raises(ValueError, match="Nothing is trained yet"):
        session.export(tmp_path / "m.model")
    (tmp_path / "letter.txt").write_text("dear")
    with trained(al.linear()) as session:
        with pytest.raises(ValueError, match="is there already and no model"):
            session.export(tmp_path / "letter.txt")
        with pytest.raises(ValueError, match="is not a directory"):
            session.export(tmp_path / "missing" / "m.model")
        session.export(tmp_path / "m.model")
        session.export(tmp_path / "m.model")
    assert (tmp_path / "letter.txt").read_text() == "dear"
    assert {path.name for path in tmp_path.iterdir()} == {"letter.txt", "m.model"}


def test_a_learner_of_somebody_is_not_imported_unasked(tmp_path):
    with trained(ridge) as session:
        session.export(tmp_path / "m.model")
    with pytest.raises(ValueError, match="allow_outside=True"):
        al.load_predictor(tmp_path / "m.model")


@pytest.mark.parametrize(
    ("examples", "sentence"),
    [
        (lambda: images(3).read(slice(None))[:, :6], "uint8 (6, 12, 3), and those of the model"),
        (lambda: points(), "float32 (4,), and those of the model uint8 (12, 12, 3)"),
        (lambda: [1, 2], "examples must be a Pool"),
    ],
)
def test_examples_of_another_kind_are_refused(file, examples, sentence):
    with pytest.raises(UsageError) as caught:
        al.load_predictor(file)(examples())
    assert sentence in str(caught.value)


def test_a_path_is_of_a_folder_of_pictures(tmp_path, file, photos, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    loaded, pool = al.load_predictor(file), al.folder(photos, size=12)
    np.testing.assert_array_equal(loaded(photos), loaded(pool))
    np.testing.assert_array_equal(loaded(str(photos)), loaded(pool))
    with pytest.raises(ValueError, match="made squares by fit='pad'"):
        loaded(al.folder(photos, size=12, fit="pad"))
    with trained(al.linear()) as session:
        session.export(tmp_path / "table.model")
    with pytest.raises(ValueError, match="give it a pool, or an array"):
        al.load_predictor(tmp_path / "table.model")(photos)


def rewritten(file, place, change):
    """A model with other members."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    how = change(members) or zipfile.ZIP_STORED
    with zipfile.ZipFile(place, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return place


def changed(**facts):
    def change(members):
        said = json.loads(members["model.json"])
        members["model.json"] = json.dumps({**said, **facts}).encode()

    return change


def header(shape, dtype="<f4"):
    """A .npy file that says more than it holds."""
    content = io.BytesIO()
    said = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(content, said)
    return content.getvalue()


def with_array(content):
    def change(members):
        members[next(name for name in members if name.startswith("state/"))] = content

    return change


BOMB = '"' + "x" * (1 << 20) + '"'
PICKLED = io.BytesIO()
np.save(PICKLED, np.array([{}], object))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (changed(kind="other"), "holds something else"),
        (changed(format=2), "of format 2, and this jax_al reads up to 1: update it"),
        (changed(classes=["a", "b", "c"]), "does not fit its learner"),
        (changed(classes=["a", "a"]), "no distinct names"),
        (changed(classes=7), "cannot be used"),
        (changed(learner={"name": "linear", "shape": [4], "dtype": "float32"}), "no name with"),
        (changed(learner={"name": "lin()", "shape": [4], "dtype": "float32"}), "no learner 'lin'"),
        (changed(learner={"name": "os:system()", "shape": [4], "dtype": "float32"}), "outside"),
        (
            changed(learner={"name": f"linear({'(' * 4000}", "shape": [4], "dtype": "float32"}),
            "no name with options",
        ),
        (
            changed(learner={"name": "linear(a=exit())", "shape": [4], "dtype": "float32"}),
            "cannot be used",
        ),
        (changed(examples={"shape": [1 << 40], "dtype": "uint8", "fit": None}), "too large"),
        (changed(examples={"shape": [-1], "dtype": "uint8", "fit": None}), "of no shape"),
        (changed(features=[{"name": "lite9(size=3)"}]), "no features 'lite9'"),
        (
            changed(features=[{"name": "lite0(size=32, version=1)", "weights": "0" * 64}]),
            "other weights than those installed here",
        ),
        (changed(features=[{"name": "lite0(size=32, version=9)"}]), "in this version of jax_al"),
        (lambda members: zipfile.ZIP_DEFLATED, "it is compressed"),
        (lambda members: members.pop("model.json") and None, "holds no model.json"),
        (lambda members: members.update({"model.json": b"[" * 100_000}), "cannot be read as"),
        (with_array(header((1 << 40,))), "cannot be read as a model"),
        (with_array(header((4, 2), "|O")), "an array is object"),
        (with_array(PICKLED.getvalue()), "an array is object"),
        (with_array(b"no array"), "cannot be read as a model"),
        (lambda members: members.update({"state/more.npy": header((0,))}), "does not fit"),
    ],
)
def test_a_foreign_file_is_one_sentence(tmp_path, file, change, sentence):
    with pytest.raises(UsageError) as caught:
        al.load_predictor(rewritten(file, tmp_path / "m.model", change))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "m.model" in str(caught.value)


def test_a_file_that_is_cut_or_changed_anywhere_is_refused_or_the_same(tmp_path, file):
    content, rng = file.read_bytes(), np.random.default_rng(0)
    before = al.load_predictor(file)(images(2))
    there = tmp_path / "m.model"
    for cut in rng.integers(0, len(content), 20):
        there.write_bytes(content[:cut])
        with pytest.raises(ValueError, match=r"m\.model"):
            al.load_predictor(there)
    for place in rng.integers(0, len(content), 40):
        there.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            loaded = al.load_predictor(there)
        except UsageError:
            continue
        np.testing.assert_array_equal(loaded(images(2)), before)  # a date, a mark of the system


def test_one_that_says_to_hold_more_than_it_does_is_refused(tmp_path, file):
    content = bytearray(file.read_bytes())
    place = content.rfind(b"PK\x01\x02")
    content[place + 24 : place + 28] = (1 << 30).to_bytes(4, "little")  # its size in the directory
    (tmp_path / "m.model").write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be read as a model"):
        al.load_predictor(tmp_path / "m.model")


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "m.model").write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as a model"):
        al.load_predictor(tmp_path / "m.model")
    with pytest.raises(ValueError, match="is a directory"):
        al.load_predictor(tmp_path)
    with pytest.raises(ValueError, match="is not there"):
        al.load_predictor(tmp_path / "missing")
