"""The command features, and the fields of a config of that name."""

import json

import numpy as np
import pytest

import jax_al as al
from configs import digits_features
from jax_al.cli import build, features
from jax_al.cli.command_line import set_options
from jax_al.cli.config import defaults, put
from jax_al.errors import UsageError
from jax_al.pools.rows import base_of

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 8, 8, 1), np.uint8)
OPTIONS = ["--option=patch=3", "--option=centroids=5", "--option=samples=300"]


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs the command on IMAGES in a directory of its own: status, what it printed."""
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", IMAGES)
    np.save("y.npy", np.arange(40) % 2)
    np.save("small.npy", IMAGES[:, :7])

    def run(*words, data="x.npy"):
        status = features.main([data, "--features=patches", "--cache-dir=c", *OPTIONS, *words])
        return status, "".join(capsys.readouterr())

    return run


def test_the_file_has_a_row_for_each_example_and_pieces_are_the_whole(command):
    assert command("--out=f.npy") == (0, "40 x 20 numbers in f.npy\n")
    whole = np.load("f.npy")
    made = al.with_features(
        al.arrays(IMAGES), "patches", cache=False, patch=3, centroids=5, samples=300
    )
    np.testing.assert_array_equal(whole, made.read(slice(None)))
    assert whole.dtype == np.float32
    for k in (1, 2, 3):
        assert command(f"--out=f{k}.npy", f"--part={k}/3")[0] == 0
    pieces = [np.load(f"f{k}.npy") for k in (1, 2, 3)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    for labels in (["--labels=y.npy", "--test-labels=y.npy"], ["--labels=y.npy"], []):
        assert command("--out=t.npy", "--test", "--test-path=x.npy", *labels)[0] == 0
        np.testing.assert_array_equal(np.load("t.npy"), whole)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out=x.npy"], "x.npy is another file of this command; name one more for --out"),
        (["--out=f.csv"], "--out is f.csv, but must be a .npy file"),
        (["--out=f.txt"], "--out is f.txt, but must be a .npy file"),
        (["--out=f.npy", "--part=3/2"], "--part is '3/2', but must be K/N, from 1/N to N/N."),
        (["--out=f.npy", "--part=1/50"], "--part is 1/50, but there are 40 examples"),
        (["--out=f.npy", "--test"], "x.npy has no test set"),
        (["--out=f.npy", "--test", "--test-path=y.npy"], "y.npy cannot be a pool"),
        (
            ["--out=f.npy", "--test", "--test-path=small.npy"],
            "small.npy holds examples of uint8 (7",
        ),
        (["--out=f.npy", "--test-path=x.npy"], "--test-path needs labels: set --labels for the"),
        (["--out=f.npy", "--option=patch=9"], "patches of 9 pixels"),
        (["--out=f.npy", "--option=size=9"], "patches has no option 'size'"),
        (["--out=f.npy", "--features=y.npy", "--part=1/2"], "y.npy is made already"),
    ],
)
def test_a_mistake_is_a_sentence(command, words, sentence):
    status, said = command(*words)
    assert status == 2
    assert sentence in said
    assert "Traceback" not in said
    assert np.array_equal(np.load("x.npy"), IMAGES)


@pytest.mark.parametrize("word", ["true", "True"])
def test_true_and_false_are_taken_as_the_sentence_says_them(command, word):
    status, said = command("--out=f.npy", f"--option=mirror={word}", "--option=l2norm=false")
    assert status == 0, said
    set_options(config := defaults(), [("features_args.mirror", word)])
    assert config.features_args.mirror is True


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ({"features": "lite0"}, {}),
        ({"features": "jimm:models/dinov2-small", "features_args.size": "224"}, {"size": 224}),
        ({"features": "None"}, {}),
        ({"features": "patches"}, {"patch": 4, "centroids": 100}),
        ({"features_args.pca": "9"}, {"patch": 4, "centroids": 100, "pca": 9}),
    ],
)
def test_of_other_features_than_the_recipes_none_of_its_options_is_left(words, left):
    set_options(config := digits_features.get_config(), words.items())
    assert config.features_args.to_dict() == left


@pytest.mark.parametrize("library", ["jax.numpy", "numpy"])
def test_what_no_memory_holds_is_a_sentence(command, capsys, monkeypatch, library):
    name = f"wide_{library.replace('.', '_')}"
    with open(f"{name}.py", "w", encoding="utf-8") as file:
        file.write(
            f"import {library} as np\nimport jax_al as al\n"
            "def rows():\n"
            "    wide = lambda state, x: np.zeros((len(x), 10**13), np.float32)\n"
            "    return al.Features('wide', lambda pool: {}, wide)\n"
        )
    monkeypatch.syspath_prepend(".")
    assert features.main(["x.npy", f"--features={name}:rows", "--out=f.npy"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("jax-al features: there is not enough memory (")
    assert said.count("\n") == 1


def study(tmp_path, **fields):
    config = defaults()
    for name, value in fields.items():
        put(config, name, value)
    config.data.cache_dir = str(tmp_path)
    config.model.name = "linear"
    for option in ("widths", "embedding_size", "dropout_rates"):
        del config.model[option]
    return build.study_of(json.loads(config.to_json_best_effort()))


def test_a_config_with_features_reads_pool_and_test_set_as_them(tmp_path):
    made = study(tmp_path, features="pixels_pca", features_args={"pca": 5})
    data, plain = made.benchmark, study(tmp_path).benchmark
    assert data.pool.spec.shape == data.test.spec.shape == (5,)
    assert data.name == plain.name == "digits"
    assert base_of(data.pool).spec == plain.pool.spec
    np.testing.assert_array_equal(data.pool.show(3), plain.pool.show(3))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"features": "patch"}, "There are no features 'patch': did you mean 'patches'?"),
        ({"features": "missing.npy"}, "config.features names missing.npy, and there is no such"),
        ({"features_args": {"pca": 3}}, "config.features_args names 'pca', but config.features is"),
        (
            {"features": "pixels_pca", "features_args": {"pca": 0}},
            "config.features_args.pca is 0, but must be a whole number",
        ),
    ],
)
def test_a_mistake_in_a_config_is_a_sentence(tmp_path, fields, sentence):
    with pytest.raises(UsageError) as caught:
        study(tmp_path, **fields)
    assert str(caught.value).startswith(sentence)
