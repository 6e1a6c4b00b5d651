"""`jax-al label`: what it begins, goes on with and refuses, and how it ends."""

import json
import re
import signal
import socket
import subprocess
import sys
import unicodedata

import numpy as np
import pytest

from jax_al.cli import ask, export, label, status
from jax_al.people.project import open_project
from jax_al.people.settings import read_settings
from tests.made_up_pictures import encoded, pixels

pytestmark = pytest.mark.usefixtures("compiled_plainly")
BEGIN = ("x.npy", "--classes=cat, dog", "--budget=2", "--audit=1", "--learner=linear")


@pytest.fixture
def place(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((12, 3)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_same_command_goes_on_and_another_beginning_is_refused(place, capsys):
    for _ in range(2):
        assert label.main([*BEGIN, "--no-page"]) == 0
    assert read_settings(place / "runs/x").classes == ("cat", "dog")
    assert label.main(["--workdir=runs/x", "--budget=2", "--no-page"]) == 0
    capsys.readouterr()
    for flag, sentence in (
        ("--classes=cat", "began with classes=cat,dog: leave it out"),
        ("--classes=cat", "jax-al classes adds and renames classes.\n"),
        ("--seed=1", "began with seed=0: leave it out, or name another --workdir.\n"),
        ("--labels=y.csv", "--labels is said when a project begins"),
        ("--labels-from-folders", "--labels-from-folders is said when a project begins"),
    ):
        assert label.main(["x.npy", flag, "--no-page"]) == 2
        assert sentence in capsys.readouterr().err


def test_what_is_all_labeled_is_to_be_exported(place, capsys):
    labels = "id,label\n" + "".join(f"{row},{('cat', 'dog')[row % 2]}\n" for row in range(12))
    (place / "y.csv").write_text(labels, encoding="utf-8")
    words = ["x.npy", "--labels=y.csv", "--audit=0", "--learner=linear", "--no-page"]
    assert label.main(words) == 0
    said = re.search(r"Next: jax-al export (.*)\n", capsys.readouterr().err)[1]
    assert export.main(said.split()) == 0
    assert len((place / "export.csv").read_text().splitlines()) == 13
    capsys.readouterr()
    assert status.main(["--workdir=runs/x"]) == 0
    assert "Nothing is left to ask: all is labeled, or put aside." in capsys.readouterr().out


def test_labels_that_were_known_are_of_the_class_in_either_spelling(place):
    one, two = (unicodedata.normalize(form, "Café,Tür") for form in ("NFC", "NFD"))
    names = [*one.split(","), *two.split(",")]
    labels = "id,label\n" + "".join(f"{row},{names[row % 4]}\n" for row in range(8))
    (place / "y.csv").write_text(labels, encoding="utf-8")
    words = ["x.npy", f"--classes={one.split(',')[0]}", "--labels=y.csv", "--no-page"]
    assert label.main([*words, "--audit=0", "--learner=linear"]) == 0
    record = open_project(place / "runs/x").teller.record()
    # The first is called as it was said, the other, which nobody said, as its first in order.
    assert list(record.classes.values()) == [one.split(",")[0], two.split(",")[1]]
    assert [record.decisions[row].decision for row in range(8)] == 4 * [0, 1]


def test_what_of_the_audit_waits_is_left_to_ask(place, capsys):
    labels = "id,label\n" + "".join(f"{row},{('cat', 'dog')[row % 2]}\n" for row in range(10))
    (place / "y.csv").write_text(labels, encoding="utf-8")
    words = ["x.npy", "--labels=y.csv", "--audit=2", "--learner=linear", "--no-page"]
    assert label.main(words) == 0
    assert "Next: jax-al ask" in capsys.readouterr().err
    assert status.main(["--workdir=runs/x"]) == 0
    assert "jax-al ask, or the page, makes the next one; 2 of the" in capsys.readouterr().out


def test_what_a_project_was_begun_without_is_said(place, capsys):
    assert label.main(["x.npy", "--audit=1", "--learner=linear", "--no-page"]) == 0
    capsys.readouterr()
    assert label.main(["x.npy", "--classes=cat", "--no-page"]) == 2
    assert "runs/x began without: leave it out" in capsys.readouterr().err


def test_a_folder_that_has_moved_is_missed_where_it_is_begun_anew(place, capsys):
    assert label.main([*BEGIN, "--no-page"]) == 0
    (place / "runs/z").mkdir()
    (place / "runs/z/journal.jsonl").touch()  # a run says nothing, nor what is damaged
    (place / "runs/y").mkdir()
    (place / "runs/y/journal.jsonl").touch()
    project = json.loads((place / "runs/x/project.json").read_text()) | {"source": 5}
    (place / "runs/y/project.json").write_text(json.dumps(project))
    capsys.readouterr()
    (place / "x.npy").rename(place / "new y.npy")
    assert label.main(["new y.npy", *BEGIN[1:], "--no-page"]) == 0
    said = capsys.readouterr().err
    assert f"go on by jax-al label '{place}/new y.npy' --workdir=runs/x" in said
    (place / "photos").mkdir()
    assert label.main(["photos", "--no-page"]) == 2
    assert "is gone" not in capsys.readouterr().err  # a folder never was that table
    assert label.main(["new y.npy", *BEGIN[1:], "--no-page"]) == 0
    assert "is gone" not in capsys.readouterr().err


def test_who_labels_and_what_is_suggested_is_said_at_each_start(place, monkeypatch):
    for user, words, expected in (
        ("anna", [*BEGIN, "--suggest"], ("anna", True)),
        ("bob", ["x.npy"], ("bob", False)),
        ("bob", ["x.npy", "--who=eve", "--suggest"], ("eve", True)),
        ("anna", ["x.npy"], ("anna", False)),
    ):
        monkeypatch.setenv("LOGNAME", user)
        assert label.main([*words, "--no-page"]) == 0
        settings = read_settings(place / "runs/x")
        assert (settings.who, settings.suggest) == expected


def test_a_cache_may_be_another_at_a_later_start(place):
    for words, kept in ((["--cache-dir=A"], "A"), ([], "A"), (["--cache-dir=B"], "B")):
        assert label.main([*BEGIN, *words, "--no-page"]) == 0
        assert read_settings(place / "runs/x").cache_dir == str(place / kept)


def test_home_is_meant_by_every_path_also_behind_an_equals_sign(place, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(place / "home"))
    (place / "home").mkdir()
    (place / "home/y.csv").write_text("id,label\n3,cat\n", encoding="utf-8")
    words = ["--workdir=~/pets", "--labels=~/y.csv", "--no-page"]
    assert label.main([*BEGIN, *words]) == 0
    assert "--workdir=" + str(place / "home/pets") in capsys.readouterr().err
    assert status.main(["--workdir=~/pets"]) == 0
    assert ask.main(["--workdir=~/pets", "--out=~/batch.csv"]) == 0
    assert {one.name for one in place.iterdir()} == {"home", "x.npy"}
    assert {one.name for one in (place / "home").iterdir()} >= {"pets", "batch.csv"}
    capsys.readouterr()
    for flag in ("--workdir=~nobody-here/pets", "~nobody-here/photos"):
        assert label.main(["--no-page", flag]) == 2
        assert "There is no home directory for ~nobody-here/p" in capsys.readouterr().err


def test_folders_whose_names_differ_after_a_point_are_two_projects(place, capsys):
    words = ["--audit=0", "--features=pixels_pca", "--learner=linear", "--size=16", "--no-page"]
    for name in ("photos.v1", "photos.v2"):
        (place / name).mkdir()
        for number in range(8):
            (place / name / f"{number}.png").write_bytes(encoded(pixels(number, 16, 16), "PNG"))
        assert label.main([name, *words]) == 0
        assert read_settings(place / "runs" / name).source == str(place / name)
    assert [one.name for one in sorted((place / "runs").iterdir())] == ["photos.v1", "photos.v2"]
    (place / "runs/photos.v1").rename(place / "runs/photos")  # where it was begun once
    for name, workdir in (("photos.v1", "photos"), ("photos.v2", "photos.v2")):
        capsys.readouterr()
        assert label.main([name, "--no-page"]) == 0
        assert f"in runs/{workdir}.\n" in capsys.readouterr().err
    assert len(list((place / "runs").iterdir())) == 2


def test_what_it_says_to_type_next_a_shell_understands(place, capsys):
    assert label.main([*BEGIN, "--no-page", "--workdir=my runs/x"]) == 0
    assert "Next: jax-al ask --out batch.csv --workdir='my runs/x'" in capsys.readouterr().err
    (place / "x.npy").rename(place / "y.npy")
    assert label.main(["--no-page", "--workdir=my runs/x"]) == 2
    assert "jax-al label NEW_PLACE --workdir='my runs/x' --no-page" in capsys.readouterr().err


def test_what_a_command_that_failed_had_named_does_not_stay(place, capsys):
    words = ["x.npy", "--classes=cat,dog", "--budget=2", "--audit=1", "--no-page"]
    for flag in ("--learner=nothing", "--strategy=nothing", "--features=nothing"):
        assert label.main([*words, flag]) == 2
        assert "'nothing'" in capsys.readouterr().err
    assert label.main([*words[:-1], "--learner=linear", "--no-page"]) == 0


def test_a_strategy_that_is_none_is_told_before_anything_is_read(place, capsys):
    (place / "photos").mkdir()
    assert label.main(["photos", "--strategy=margn", "--no-page"]) == 2
    assert "did you mean 'margin'" in capsys.readouterr().err
    assert not (place / "runs/photos").exists()


@pytest.mark.parametrize("flag", ["--size=0", "--size=9999", "--budget=0", "--classes=cat,cat"])
def test_what_is_refused_leaves_nothing_behind(place, capsys, flag):
    (place / "photos").mkdir()
    assert label.main(["photos", "--no-page", flag]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (place / "runs").exists()


def test_what_has_begun_and_is_not_on_record_goes_on_without_its_folder(place):
    assert label.main([*BEGIN, "--no-page", "--learner=nothing"]) == 2
    assert label.main(["--workdir=runs/x", "--learner=linear", "--no-page"]) == 0
    assert read_settings(place / "runs/x").budget == 2


def test_an_audit_may_be_as_large_as_its_interval_wants_it(place, capsys):
    words = ["x.npy", "--classes=cat,dog", "--learner=linear", "--no-page"]
    assert label.main([*words, "--audit=5points"]) == 2
    assert "--audit is '5points', but must be a number of examples" in capsys.readouterr().err
    assert label.main([*words, "--audit=5%@0.9"]) == 0
    said = capsys.readouterr()
    assert "2 examples are held out for an audit in place of 141" in said.out + said.err
    assert read_settings(place / "runs/x").audit == 141
    assert label.main([*words, "--audit=5%@0.9"]) == 0
    assert label.main([*words, "--audit=5%"]) == 2
    assert "began with audit=141" in capsys.readouterr().err


def test_where_it_cannot_be_served_is_said_before_anything_is_begun(place, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for flag, sentence in (
            ("--host=0.0.0.0", "give --allow-remote"),
            (f"--port={port}", f"Port {port} of 127.0.0.1 is taken"),
        ):
            assert label.main([*BEGIN, flag]) == 2
            assert sentence in capsys.readouterr().err
    assert not (place / "runs").exists()


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_it_is_ended_by_ctrl_c_and_by_schedulers(place, kind):
    command = [sys.executable, "-m", "jax_al", "label", *BEGIN]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert re.match(r"Label at http://127.0.0.1:\d+/\?token=", process.stdout.readline())
            process.send_signal(kind)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert "All labels are in runs/x; the same command goes on." in said
    assert "Traceback" not in said
