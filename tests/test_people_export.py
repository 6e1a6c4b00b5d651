"""Pictures sorted into folders, and tables of what a model and people say."""

import csv
import io
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.people.export import check_target, copy_all, placed
from jax_al.people.predictions import Final, entropies, finals, finals_text, predictions_text
from jax_al.types import BROKEN, SKIP, UNSURE
from tests.runs import ROOT

CLASSES = ("cat", "dog", "eel")
IDS = ("a.jpg", "b/a.jpg", "c.jpg", "d.jpg", 'e,"\n.jpg')
PROBS = np.array(
    [[0.5, 0.25, 0.25], [0, 1, 0], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7], [0.2, 0.7, 0.1]], np.float32
)
SAID = {"a.jpg": "dog", "c.jpg": BROKEN, "d.jpg": SKIP, 'e,"\n.jpg': UNSURE}


def table(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_predictions_say_what_the_model_and_what_people_said():
    found = table(predictions_text(IDS, CLASSES, PROBS, "0123456789abcdef", SAID))
    assert [row["id"] for row in found] == list(IDS)
    assert [row["class"] for row in found] == ["cat", "dog", "cat", "eel", "dog"]
    assert [row["said"] for row in found] == ["dog", "", "broken", "skip", "unsure"]
    assert {row["model"] for row in found} == {"0123456789ab"}
    np.testing.assert_allclose([float(r["probability"]) for r in found], PROBS.max(axis=1))
    nats = [1.0397208, 0, 1.0549202, 0.8018186, 0.8018186]
    np.testing.assert_allclose([float(row["entropy"]) for row in found], nats, atol=1e-6)


def test_entropy_of_the_sure_and_of_the_clueless():
    np.testing.assert_allclose(entropies(np.full((2, 8), 1 / 8)), np.log(8))
    assert entropies(np.eye(3)).tobytes() == np.zeros(3).tobytes()


def test_a_person_comes_before_the_model():
    found = table(finals_text(list(finals(IDS, CLASSES, PROBS, SAID))))
    assert [(row["class"], row["by"], row["probability"]) for row in found] == [
        ("dog", "person", "0.250000"),
        ("dog", "model", "1.000000"),
        ("", "person", ""),
        ("eel", "model", "0.700000"),
        ("dog", "model", "0.700000"),
    ]
    bare = list(finals(IDS, CLASSES, None, SAID))
    assert [(one.id, one.label) for one in bare] == [("a.jpg", "dog"), ("c.jpg", None)]


def paths(*named):
    """Where examples (id, class) go."""
    return [one.path for one in placed(Final(id, name, "person", None) for id, name in named)]


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("cat", "cat"),
        ("black cat", "black cat"),
        ("a/b", "a_b"),
        ("..", "_"),
        ("", "_"),
        ("  ", "_"),
        (".x", "_x"),
        ("x. ", "x"),
        ("con", "_con"),
        ("LPT1.x", "_LPT1.x"),
        ("a\nb\\c:", "a_b_c_"),
        ("é" * 200, "é" * 127),
        ("export.csv", "export.csv-2"),
    ],
)
def test_a_class_becomes_a_name_of_a_directory(name, directory):
    assert paths(("x.jpg", name), ("y.jpg", None)) == [f"{directory}/x.jpg"]


def test_names_that_differ_in_case_or_accents_alone_are_told_apart():
    found = paths(
        ("a.jpg", "Cat"),
        ("A.jpg", "Cat"),
        ("a.JPG", "Cat"),
        ("a-2.jpg", "Cat"),
        ("a.jpg", "cat"),
        ("\u00e9.jpg", "Cat"),
        ("e\u0301.jpg", "Cat"),
        ("b/x", "Cat"),
        ("B", "Cat"),
        ("a.jpg", "a:b"),
        ("b.jpg", "a/b"),
    )
    assert found == [
        "Cat/a.jpg",
        "Cat/A-2.jpg",
        "Cat/a-3.JPG",
        "Cat/a-2-2.jpg",
        "cat-2/a.jpg",
        "Cat/\u00e9.jpg",
        "Cat/e\u0301-2.jpg",
        "Cat/b/x",
        "Cat/B-2",
        "a_b/a.jpg",
        "a_b-2/b.jpg",
    ]


def test_a_long_name_keeps_its_ending():
    long = "x" * 251 + ".jpg"
    first, second = paths((long, "cat"), (long.upper(), "cat"))
    assert first == f"cat/{long}"
    assert second == f"cat/{'X' * 249}-2.JPG"


@pytest.fixture
def pool(tmp_path):
    root = tmp_path / "pool"
    (root / "b").mkdir(parents=True)
    for id in IDS:
        (root / id).write_bytes(id.encode() * 3)
    return root


def written(target):
    return {
        str(path.relative_to(target)): path.read_bytes()
        for path in target.rglob("*")
        if path.is_file()
    }


def test_bytes_are_copied_unchanged_and_the_pool_stays(tmp_path, pool):
    before = written(pool)
    target = check_target(tmp_path / "out", pool)
    target.mkdir()  # an empty one will do
    files = placed(finals(IDS, CLASSES, PROBS, SAID))
    copy_all(check_target(target, pool), files, lambda id: (pool / id).read_bytes())
    found = written(target)
    told = table(found.pop("export.csv").decode())
    assert {row["file"]: row["id"] for row in told} == {
        "dog/a.jpg": "a.jpg",
        "dog/b/a.jpg": "b/a.jpg",
        "eel/d.jpg": "d.jpg",
        'dog/e,"\n.jpg': 'e,"\n.jpg',
    }
    assert found == {row["file"]: before[row["id"]] for row in told}
    assert written(pool) == before
    assert {path.name for path in tmp_path.iterdir()} == {"pool", "out"}


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("pool", "lies in"),
        ("pool/b", "lies in"),
        ("pool/new", "lies in"),
        ("link/new", "lies in"),
        (".", "holds"),
        ("full", "is not empty"),
        ("full/file", "is a file"),
        ("missing/out", "is not a directory to write out to"),
    ],
)
def test_a_target_that_would_harm_is_refused(tmp_path, pool, target, sentence):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    (tmp_path / "link").symlink_to(pool)
    with pytest.raises(UsageError, match=sentence):
        check_target(tmp_path / target, pool)


KILLED = """
import os, pathlib, signal, sys
from jax_al.people.export import copy_all
from tests.test_people_export import CLASSES, IDS, PROBS, SAID, finals, placed

target, at = pathlib.Path(sys.argv[1]), int(sys.argv[2])
read = []

def content(id):
    read.append(id)
    if len(read) == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return (target.parent / "pool" / id).read_bytes()

copy_all(target, placed(finals(IDS, CLASSES, PROBS, SAID)), content)
"""


def test_what_was_killed_is_not_there_and_goes_on(tmp_path, pool):
    target = tmp_path / "out"
    words = [sys.executable, "-c", KILLED, str(target), "3"]
    died = subprocess.run(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert died.returncode == -signal.SIGKILL
    assert not target.exists()
    (part,) = (path for path in tmp_path.iterdir() if path.name.endswith(".part"))
    first = part / "dog" / "a.jpg"
    before = first.stat().st_mtime_ns
    (part / "dog" / "b" / "a.jpg").write_bytes(b"half")  # as a kill may leave it
    files = placed(finals(IDS, CLASSES, PROBS, SAID))
    copy_all(target, files, lambda id: (pool / id).read_bytes())
    assert (target / "dog" / "a.jpg").stat().st_mtime_ns == before
    assert (target / "dog" / "b" / "a.jpg").read_bytes() == (pool / "b/a.jpg").read_bytes()


def test_what_was_begun_for_other_labels_goes(tmp_path, pool):
    target, files = tmp_path / "out", placed(finals(IDS, CLASSES, PROBS, SAID))

    def content(id):
        if id == "d.jpg":
            raise UsageError("d.jpg has changed")
        return (pool / id).read_bytes()

    with pytest.raises(UsageError, match=r"d\.jpg has changed"):
        copy_all(target, files, content)
    assert not target.exists()
    other = placed(finals(IDS[:2], CLASSES, PROBS[:2], {}))
    copy_all(target, other, content)
    assert set(written(target)) == {"export.csv", "cat/a.jpg", "dog/b/a.jpg"}


def test_a_target_that_was_filled_meanwhile_is_left_alone(tmp_path, pool):
    target, files = tmp_path / "out", placed(finals(IDS, CLASSES, PROBS, SAID))

    def content(id):
        target.mkdir(exist_ok=True)
        (target / "mine").write_text("x")
        return (pool / id).read_bytes()

    with pytest.raises(UsageError, match="cannot be renamed"):
        copy_all(target, files, content)
    assert set(written(target)) == {"mine"}
