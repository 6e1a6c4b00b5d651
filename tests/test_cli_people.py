"""The commands for people who label without the page: from a folder to an export."""

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import unicodedata

import made_up_journals
import numpy as np
import pytest
from PIL import Image

import jax_al as al
from jax_al.cli import ask, check, classes, export, label, predict, review, tell
from jax_al.cli import status as how_it_stands
from jax_al.people.models import read_models
from jax_al.people.project import begin_project, open_project
from jax_al.people.settings import Settings, write_settings
from jax_al.session.journal import Journal
from tests.made_up_pictures import encoded, pixels
from tests.not_root import not_as_root
from tests.runs import ROOT

pytestmark = pytest.mark.usefixtures("compiled_plainly")

MODULES = (ask, check, classes, tell, predict, review, export, how_it_stands)
COMMANDS = {one.__name__.rpartition(".")[2]: one for one in MODULES}
COUNT, BUDGET, AUDIT = 30, 8, 4


def truth(id):
    return "=red" if int(id.split("/")[-1].split(" ")[0]) % 2 else "blue"


def picture(number, shade=0):
    """Mostly red or mostly blue."""
    image = pixels(number, 24, 24) // 4
    image[..., 0 if number % 2 else 2] += np.uint8(150 + shade)
    return encoded(Image.fromarray(image), "PNG")


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder of pictures, and a project on it in which nothing is asked yet."""
    place = tmp_path_factory.mktemp("begun")
    for number in range(COUNT):
        path = place / "photos" / f"{number % 3}" / f"{number} é.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    shutil.copy(place / "photos/1/1 é.png", place / "photos/2/1 copy.png")
    (place / "photos" / "notes.txt").write_text("no picture")
    settings = Settings(
        source=str(place / "photos"),
        classes=("=red", "blue"),
        size=16,
        features="pixels_pca",
        features_args={"pca": 3},
        learner="linear",
        learner_args={"penalty": 0.1},
        strategy="random",
        budget=BUDGET,
        audit=AUDIT,
        who="ana",
        cache_dir=str(place / "cache"),
    )
    begin_project(settings, place / "runs" / "photos").session()
    return place


@pytest.fixture(scope="module")
def labeled(begun, tmp_path_factory):
    """The same project after two rounds."""
    root = tmp_path_factory.mktemp("labeled")
    shutil.copytree(begun / "runs", root / "runs")
    with open_project(root / "runs" / "photos").session() as session:
        for _ in range(2):
            session.tell({id: truth(id) for id in session.ask().ids})
        session.train()
    return root


class Place:
    """A copy of a project, and the commands in it."""

    def __init__(self, root, capsys):
        self.root, self.capsys = root, capsys
        self.workdir = root / "runs" / "photos"

    def __call__(self, name, *words):
        status = COMMANDS[name].main([str(word) for word in words])
        out, errors = self.capsys.readouterr()
        assert "Traceback" not in errors
        return status, out + errors

    @property
    def project(self):
        return open_project(self.workdir)

    def record(self):
        return self.project.teller.record()

    def journal(self):
        return (self.workdir / "journal.jsonl").read_bytes()

    def fill(self, batch="batch.csv", say=truth, delimiter=",", encoding="utf-8-sig"):
        """Labels a batch as a person would; `say` returns a label, or skip, unsure, broken."""
        rows = table(self.root / batch)
        for row in rows:
            said = say(row["id"])
            row["decision" if said in ("skip", "unsure", "broken") else "label"] = said
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0].keys(), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        (self.root / batch).write_bytes(text.getvalue().encode(encoding))


def placed(root, source, monkeypatch, capsys):
    shutil.copytree(source / "runs", root / "runs")
    monkeypatch.chdir(root)
    return Place(root, capsys)


@pytest.fixture
def place(begun, tmp_path, capsys, monkeypatch):
    return placed(tmp_path, begun, monkeypatch, capsys)


@pytest.fixture
def taught(labeled, tmp_path, capsys, monkeypatch):
    return placed(tmp_path, labeled, monkeypatch, capsys)


def table(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_from_a_folder_to_an_export_by_files_alone(place, begun):
    for _ in range(2):
        assert place("ask", "--out", "batch.csv")[0] == 0
        place.fill()
        assert place("tell", "batch.csv")[0] == 0
        (place.root / "batch.csv").unlink()
    record, items = place.record(), place.project.items.all()
    assert len(record.decisions) == 2 * BUDGET
    assert [one is not None for one in record.held_out.values()] == [True] * AUDIT
    assert {one.who for one in record.decisions.values()} == {"ana"}
    assert place("predict", "--out", "p.csv")[0] == 0
    found = {row["id"]: row for row in table("p.csv")}
    assert len(found) == COUNT + 1
    assert all(row["class"] == truth(id) for id, row in found.items())
    said = {items[row].id for row in record.asked if record.said(row)}
    said |= {"2/1 copy.png"} if "1/1 é.png" in said else set()
    assert {id for id, row in found.items() if row["said"]} == said
    last = place.record().trained
    assert {row["model"] for row in found.values()} == {last[max(last)].digest[:12]}
    assert place("export", "--to=imagefolder", "--out=sorted")[0] == 0
    files = sorted((place.root / "sorted").rglob("*.png"))
    assert len(files) == COUNT + 1
    for path in files:
        label, *parts = path.relative_to(place.root / "sorted").parts
        assert truth("/".join(parts)) == label
        assert path.read_bytes() == begun.joinpath("photos", *parts).read_bytes()


def test_a_batch_that_is_open_is_written_again_without_what_is_answered(place):
    status, said = place("ask", "--out", "batch.csv", "--budget", "5")
    assert (status, "6 to label in batch.csv, 1 of them of the audit" in said) == (0, True)
    first = table("batch.csv")
    assert [row["why"] for row in first] == ["strategy"] * 4 + ["audit", "strategy"]
    assert place("ask", "--out", "batch.csv")[0] == 0  # nothing stands in it yet
    assert table("batch.csv") == first
    place.fill(say=lambda id: truth(id) if id in [row["id"] for row in first[:3]] else "")
    told = place("tell", "batch.csv")
    assert told == (0, "3 answers taken; 0 known before, 3 undecided.\n")
    status, said = place("ask", "--out", "batch.csv")
    assert (
        status,
        "has been filled in: jax-al tell batch.csv --workdir=runs/photos takes it" in said,
    ) == (2, True)
    status, said = place("ask", "--out", "other.csv", "--budget", "9")
    assert "of the request of 5 that is open; --budget holds for the next one" in said
    left = {row["id"] for row in table("other.csv")}
    assert left == {row["id"] for row in first[3:]}


def test_of_what_is_held_out_alone_nothing_is_predicted(place):
    place("ask", "--out", "batch.csv")
    audit = {row["id"] for row in table("batch.csv") if row["why"] == "audit"}
    place.fill(say=lambda id: truth(id) if id in audit else "")
    assert place("tell", "batch.csv")[0] == 0
    status, said = place("predict", "--out", "p.csv")
    assert (status, "Nothing but what is held out is labeled yet" in said) == (2, True)


def test_a_batch_of_another_project_is_not_overwritten(place):
    other = "id,label,decision,why\nelsewhere/1.png,,,check\n"
    for name in ("batch.csv", "review.csv"):
        (place.root / name).write_text(other)
    for words in (("ask", "--out", "batch.csv"), ("review",)):
        status, said = place(*words)
        assert (status, "is of another project" in said) == (2, True), said
        assert (place.root / f"{words[-1].removesuffix('.csv')}.csv").read_text() == other


def test_what_a_spreadsheet_saved_and_decisions(place):
    place("ask", "--out", "batch.csv")
    ids = [row["id"] for row in table("batch.csv")]
    said = dict(zip(ids, ["skip", "unsure", "broken", " blue "], strict=False))
    place.fill(say=lambda id: said.get(id, ""), delimiter=";", encoding="utf-16")
    assert place("tell", "batch.csv", "--who", "bo")[0] == 0
    record, items = place.record(), place.project.items.all()
    rows = {item.id: row for row, item in enumerate(items)}
    told = [record.said(rows[id]) for id in ids[:4]]
    assert [one.decision for one in told] == [al.SKIP, al.UNSURE, al.BROKEN, 1]
    assert {one.who for one in told} == {"bo"}
    assert [one.item for one in told] == [items[rows[id]].sha256 for id in ids[:4]]
    before = place.journal()
    assert place("tell", "batch.csv")[1].startswith("0 answers taken; 4 known before")
    assert place.journal() == before


def test_nothing_of_a_file_is_taken_that_cannot_be_meant_and_partial_takes_the_rest(place):
    place("ask", "--out", "batch.csv")
    one, two, *_ = [row["id"] for row in table("batch.csv")]
    (place.root / "b.csv").write_text(
        f"id,label\n{one},blue\n{two},blu\nmissing.png,blue\n", encoding="utf-8"
    )
    faults = [
        "  line 3: there is no class 'blu': did you mean 'blue'?",
        "  line 4: there is no example 'missing.png'",
    ]
    before = place.journal()
    status, said = place("tell", "b.csv")
    nothing = "jax-al tell: Nothing of b.csv is taken (--partial takes the rest):"
    assert (status, said.splitlines()) == (2, [nothing, *faults])
    assert place.journal() == before
    status, said = place("tell", "b.csv", "--partial")
    some = ["1 answer taken; 0 known before, 0 undecided.", "Not taken:"]
    assert (status, said.splitlines()) == (0, [*some, *faults])
    assert place.project.teller.labels() == {one: "blue"}


def test_what_is_no_class_yet_is_added_as_it_is_said(place):
    place("ask", "--out", "batch.csv")
    one, two, three, *_ = [row["id"] for row in table("batch.csv")]
    labels = f"id,label\n{one},NA\n{two},=x y\n{three},blu\n"
    (place.root / "b.csv").write_text(labels, encoding="utf-8")
    said = place("tell", "b.csv")[1]
    command = re.search(r"jax-al (classes .*) adds what is no class yet\):", said)[1]
    assert [line[9:] for line in place(*shlex.split(command))[1].splitlines()][2:] == ["NA", "=x y"]
    place("tell", "b.csv", "--partial")
    assert place.project.teller.labels() == {one: "NA", two: "=x y"}
    (place.root / "d.csv").write_text(f"id,label\nnobody,bird\n{three},BLUE\n", encoding="utf-8")
    said = place("tell", "d.csv")[1]
    assert "classes --add" not in said
    assert "there is no example 'nobody'" in said
    many = "".join(f"{three},bird of kind {number}\n" for number in range(20))
    (place.root / "e.csv").write_text(f"id,label\n{many}", encoding="utf-8")
    assert "jax-al classes --add=A,B --workdir=" in place("tell", "e.csv")[1]
    (place.root / "c.csv").write_text(
        f'id,label\n{three},skip it\n{one},"a, b"\n', encoding="utf-8"
    )
    assert "classes --add" not in place("tell", "c.csv")[1]  # a comma would part them


def test_what_is_told_after_a_class_was_added_is_trained_on_at_once(place):
    place("ask", "--out", "batch.csv")
    place("classes", "--add", "green")  # which closes the request
    place.fill()
    place("tell", "batch.csv")
    place("ask", "--out", "next.csv")
    assert read_models(place.project.place)[-1].num_labels == BUDGET


def test_a_label_is_changed_only_if_that_is_said(place):
    place("ask", "--out", "batch.csv")
    one, two, *_ = [row["id"] for row in table("batch.csv")]
    (place.root / "b.csv").write_text(f"id,label\n{one},blue\n", encoding="utf-8")
    place("tell", "b.csv")
    (place.root / "b.csv").write_text(f"id,label\n{one},=red\n{two},blue\n", encoding="utf-8")
    status, said = place("tell", "b.csv")
    assert status == 2
    assert "--relabel takes what would change" in said
    assert f"line 2: {one!r} is 'blue' and would become '=red'" in said
    assert place.project.teller.labels() == {one: "blue"}
    assert place("tell", "b.csv", "--partial")[0] == 0
    assert place.project.teller.labels() == {one: "blue", two: "blue"}
    status, said = place("tell", "b.csv", "--relabel")
    assert said == "1 answer taken, 1 of them in place of others; 1 known before, 0 undecided.\n"
    assert place.project.teller.labels() == {one: "=red", two: "blue"}


def test_a_file_that_has_moved_is_asked_by_its_name_of_now_and_told_by_any(place, begun, tmp_path):
    shutil.copytree(begun / "photos", tmp_path / "photos")
    project = open_project(place.workdir, source=tmp_path / "photos")
    assert place("ask", "--out", "batch.csv")[0] == 0
    one, two, *rest = [row["id"] for row in table("batch.csv")]
    for number, names in enumerate((("first.png",), ("second.png", "third.png"))):
        last = (one, two)[number]
        for name in names:
            (tmp_path / "photos" / last).rename(tmp_path / "photos" / name)
            last = name
            assert place("ask", "--out", "moved.csv")[0] == 0
    assert [row["id"] for row in table("moved.csv")] == ["first.png", "third.png", *rest]
    lines = f"{one},{truth(one)}\nthird.png,{truth(two)}\n"
    (place.root / "b.csv").write_text(f"id,label\n{lines}", encoding="utf-8")
    assert place("tell", "b.csv")[1].startswith("2 answers taken")
    assert project.teller.labels() == {one: truth(one), two: truth(two)}
    (place.root / "b.csv").write_text(f"id,label\nsecond.png,{truth(two)}\n", encoding="utf-8")
    assert place("tell", "b.csv")[1].startswith("0 answers taken; 1 known before")


def test_a_copy_is_told_by_any_of_its_names(place):
    """As an export has a line for each of them."""
    both = ("1/1 é.png", "2/1 copy.png")
    for name, count in zip(
        both, ("1 answer taken", "0 answers taken; 1 known before"), strict=True
    ):
        (place.root / "b.csv").write_text(f"id,label\n{name},blue\n", encoding="utf-8")
        assert place("tell", "b.csv")[1].startswith(count)
    assert place.project.teller.labels() == {both[0]: "blue"}
    lines = f"{both[0]},=red\n{both[1]},blue\n"
    (place.root / "b.csv").write_text(f"id,label\n{lines}", encoding="utf-8")
    status, said = place("tell", "b.csv", "--relabel")
    assert (status, "line 3: 'blue' for '1/1 é.png', and line 2 says '=red'" in said) == (2, True)


def test_labels_that_nobody_asked_for_are_known_ones(place):
    ids, asked = [item.id for item in place.project.items.all()], place.record().asked
    free = [id for row, id in enumerate(ids) if row not in asked][:6]
    lines = "".join(f"{id},{truth(id)}\n" for id in free)
    (place.root / "known.csv").write_text(f"id,label\n{lines}", encoding="utf-8")
    assert place("tell", "known.csv")[0] == 0
    record = place.record()
    assert sorted(ids[row] for row in record.order) == sorted(free)
    assert {one.why for one in record.decisions.values()} == {"given"}
    assert place("predict", "--out", "p.csv")[0] == 0


def test_a_photo_that_is_not_in_the_pool_yet_is_told_once_it_is(place, begun, tmp_path):
    new = shutil.copytree(begun / "photos", tmp_path / "photos")
    write_settings(place.workdir, place.project.settings._replace(source=str(new)))
    place("ask", "--out", "batch.csv")
    (new / "31 new.png").write_bytes(picture(31))
    place("ask", "--out", "batch.csv")  # which sees the folder, and trains nothing
    (tmp_path / "known.csv").write_text("id,label\n31 new.png,=red\n0/0 é.png,blue\n")
    before = place.journal()
    status, text = place("tell", "known.csv")
    assert (status, place.journal()) == (2, before)
    takes_in = "jax-al label --no-page --workdir=runs/photos"
    assert f"line 2: '31 new.png' is new and not in the pool yet: {takes_in} takes it in" in text
    status, text = place("tell", "known.csv", "--partial")
    assert (status, "1 answer taken; 0 known before" in text, "line 2" in text) == (0, True, True)
    assert label.main(shlex.split(takes_in)[2:]) == 0
    place.capsys.readouterr()
    assert "1 answer taken; 1 known before" in place("tell", "known.csv")[1]
    assert place.project.teller.labels() == {"31 new.png": "=red", "0/0 é.png": "blue"}


def test_a_review_finds_the_wrong_labels_and_tell_mends_them(taught):
    wrong = sorted(taught.project.teller.labels())[:2]
    other = {"=red": "blue", "blue": "=red"}
    taught.project.teller.tell({id: other[truth(id)] for id in wrong}, relabel=True)
    status, said = taught("review", "--count", "5")
    assert status == 0
    assert f"5 of {2 * BUDGET} labels in review.csv; the model would say another class" in said
    found = table("review.csv")
    assert {row["id"] for row in found[:2]} == set(wrong)
    probabilities = [float(row["probability"]) for row in found]
    assert probabilities == sorted(probabilities)
    assert all(row["told"].strip("'") == other[truth(row["id"])] for row in found[:2])
    assert all(row["why"] == "review" and not row["label"] for row in found)
    taught.fill("review.csv", lambda id: truth(id) if id in wrong else "")
    assert taught("tell", "review.csv")[0] == 2
    assert taught("tell", "review.csv", "--relabel")[0] == 0
    record, items = taught.record(), taught.project.items.all()
    said = {items[row].id: one for row, one in record.decisions.items()}
    assert {said[id].why for id in wrong} == {"review"}
    assert all(said == truth(id) for id, said in taught.project.teller.labels().items())
    assert "has been filled in" in taught("review")[1]


def test_a_model_is_of_all_labels_and_an_open_request_stays_where_it_has_none(taught):
    def events():
        return [line["event"] for line in map(json.loads, taught.journal().splitlines())]

    assert taught("predict", "--out", "p.csv")[0] == 0
    assert events()[-1] == "trained"
    assert taught("ask", "--out", "batch.csv")[0] == 0
    assert taught("predict", "--out", "q.csv")[0] == 0
    assert events()[-1] == "asked"
    assert table("p.csv") == table("q.csv")
    one, two = [row["id"] for row in table("batch.csv") if row["why"] == "strategy"][:2]
    taught.fill(say=lambda id: truth(id) if id == one else "")
    taught("tell", "batch.csv")
    assert taught("predict", "--out", "q.csv")[0] == 0
    assert events()[-3:] == ["answered", "closed", "trained"]
    assert table("p.csv")[0]["model"] != table("q.csv")[0]["model"]
    (taught.root / "batch.csv").write_text(f"id,label\n{two},{truth(two)}\n", encoding="utf-8")
    assert taught("tell", "batch.csv")[0] == 0  # of a request that is closed
    assert two in taught.project.teller.labels()


def test_predictions_take_the_place_of_predictions_and_of_nothing_else(taught):
    assert taught("ask", "--out", "batch.csv")[0] == 0
    taught.fill()
    (taught.root / "other.csv").write_bytes(b"id,class\n")
    (taught.root / "empty.csv").touch()
    (taught.root / "link.csv").symlink_to("batch.csv")
    for name in ("batch.csv", "other.csv", "empty.csv", "link.csv"):
        before = (taught.root / name).read_bytes()
        status, said = taught("predict", "--out", name)
        assert (status, f"{name} is there already" in said) == (2, True), said
        assert (taught.root / name).read_bytes() == before
    for _ in range(2):
        assert taught("predict", "--out", "p.csv")[0] == 0


def test_nothing_is_written_over_what_a_project_is_made_of(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table, labels = tmp_path / "t.csv", tmp_path / "y.csv"
    table.write_text("id,x\n" + "".join(f"p{k},{k}\n" for k in range(10)))
    labels.write_text("id,class,probability,entropy,model,said\n")  # whatever stands there
    settings = Settings(str(table), ("a", "b"), known=str(labels), strategy="random")
    write_settings(tmp_path / "runs/t", settings)
    for command in (ask, predict):
        for out in ("t.csv", "y.csv"):
            before = (tmp_path / out).read_bytes()
            assert command.main(["--out", out]) == 2
            assert f"runs/t is made of {out}: name another place.\n" in capsys.readouterr().err
            assert (tmp_path / out).read_bytes() == before


def test_predictions_of_another_folder(taught):
    other = taught.root / "more"
    other.mkdir()
    for number in range(4):
        (other / f"{number} é.png").write_bytes(picture(number, shade=20))
    shutil.copy(other / "0 é.png", other / "copy.png")
    (other / "no.txt").write_text("no picture")
    status, said = taught("predict", "--images", other, "--out", "more.csv")
    assert status == 0
    assert f"In {other} 1 file is no picture, and passed over: no.txt." in said
    found = {row["id"]: row for row in table("more.csv")}
    assert [found[f"{n} é.png"]["class"] for n in range(4)] == ["blue", "=red"] * 2
    assert found["copy.png"] | {"id": ""} == found["0 é.png"] | {"id": ""}
    assert {row["said"] for row in found.values()} == {""}


def test_a_model_as_a_file_predicts_as_the_command_did(taught, begun):
    status, said = taught("export", "--to=model", "--out=pets.model")
    assert status == 0
    assert "al.load_predictor('pets.model')(al.folder(..., size=16)) predicts." in said
    assert taught("predict", "--out", "p.csv")[0] == 0
    shutil.rmtree(taught.workdir)
    loaded = al.load_predictor("pets.model")
    pool = al.folder(begun / "photos", size=16, cache_dir=str(begun / "cache"))
    found = {row["id"]: row for row in table("p.csv")}
    for id, probs in zip(pool.ids, loaded(pool), strict=True):
        assert found[id]["class"] == loaded.classes[probs.argmax()]
        assert abs(float(found[id]["probability"]) - probs.max()) < 2e-6
    assert (loaded.fit, loaded.spec.shape) == ("crop", (16, 16, 3))
    assert {row["model"] for row in found.values()} == {loaded.digest[:12]}


def test_exports_say_who_said_it_and_labeled_only_what_people_did(taught):
    assert taught("export", "--to=csv", "--out=all.csv")[0] == 0
    assert taught("export", "--to=csv", "--out=some.csv", "--labeled-only")[0] == 0
    every, some = table("all.csv"), table("some.csv")
    labels = taught.project.teller.labels()
    assert {row["id"]: row["class"] for row in some if row["id"] != "2/1 copy.png"} == labels
    assert {row["by"] for row in some} == {"person"}
    people = [row for row in every if row["by"] == "person"]
    assert [row["id"] for row in people] == [row["id"] for row in some]
    assert len(every) == COUNT + 1
    assert all(float(row["probability"]) > 0.5 for row in every)


def test_what_was_told_broken_or_has_gone_is_in_no_folder(taught, begun):
    photos = taught.root / "photos"
    shutil.copytree(begun / "photos", photos)
    open_project(taught.workdir, source=photos)
    labels = sorted(taught.project.teller.labels())
    gone, broken, moved = [id for id in labels if "1 é" not in id][:3]
    (photos / gone).unlink()
    (photos / moved).rename(photos / "new place.png")
    taught.project.teller.tell({broken: al.BROKEN}, relabel=True)
    assert taught("export", "--to=imagefolder", "--out=sorted", "--labeled-only")[0] == 0
    found = {row["id"]: row for row in table("sorted/export.csv")}
    assert not {gone, broken, moved} & found.keys()
    assert found["new place.png"]["class"] == truth(moved)
    assert len(found) >= len(labels) - 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ask"], "the following arguments are required: --out"),
        (["ask", "--out", "batch.txt"], "--out is batch.txt, but must be a .csv file"),
        (["ask", "--out", "missing/b.csv"], "missing is not a directory"),
        (["ask", "--out", "b.csv", "--budget", "0"], "--budget is 0, but must be at least 1"),
        (["ask", "--out", "b.csv", "--budget", "x"], "--budget is 'x', but must be a whole"),
        (
            ["ask", "--out", "b.csv", "--budgt", "5"],
            "There is no flag --budgt: did you mean '--bud",
        ),
        (["ask", "--otu", "b.csv"], "There is no flag --otu: did you mean '--out'?"),
        (["ask", "--out", "b.csv", "more"], "'more' is one word too many: "),
        (["ask", "--out"], "--out wants a value: --out=VALUE."),
        (["tell", "b.csv", "--relabel=yes"], "--relabel takes no value."),
        (["classes", "--add=a", "--rename=a=b"], "not allowed with argument --add."),
        (["ask", "--out", "b.csv", "--workdir", "nowhere"], "nowhere is no project"),
        (
            ["ask", "--out", "b.csv", "--workdir", "run"],
            "run is a run: name one of its parts, as in --workdir=run/parts/margin/seed_0.",
        ),
        (["status", "--workdir", "run"], "run is a run: name one of its parts"),
        (["status", "--workdir", "nowhere"], "nowhere is no project"),
        (["ask", "--out", "letter.csv"], "letter.csv is there already, and is no batch"),
        (["ask", "--out", "PHOTOS/b.csv"], "where nothing is written"),
        (["tell", "missing.csv"], "missing.csv cannot be read: No such file or directory."),
        (["tell", "runs"], "runs cannot be read: Is a directory."),
        (["tell", "letter.csv"], "letter.csv must have the columns id and label"),
        (["tell"], "the following arguments are required: batch"),
        (["predict", "--out", "p.csv"], "Nothing is labeled yet: jax-al ask --out batch.csv"),
        (["predict", "--out", "p.npy"], "--out is p.npy, but must be a .csv file"),
        (["predict", "--out", "PHOTOS/p.csv"], "where nothing is written"),
        (["predict", "--out", "p.csv", "--images", "letter.csv"], "letter.csv is a file, and must"),
        (["review", "--count", "0"], "--count is 0, but must be at least 1."),
        (["review"], "Nothing is labeled yet"),
        (["export", "--out", "x"], "the following arguments are required: --to"),
        (["export", "--to", "zip", "--out", "x"], "--to is 'zip': choose among csv, imagefolder"),
        (["export", "--to", "csv", "--out", "letter.csv"], "letter.csv is there already"),
        (["export", "--to", "csv", "--out", "x.csv", "--labeled-only"], "Nothing is labeled yet"),
        (["export", "--to", "model", "--out", "x.model"], "Nothing is labeled yet"),
        (["export", "--to", "model", "--out", "x", "--labeled-only"], "has no lines"),
        (["export", "--to", "model", "--out", "PHOTOS/x.model"], "where nothing is written"),
        (["export", "--to", "imagefolder", "--out", "PHOTOS/x"], "where nothing is written"),
        (["export", "--to", "imagefolder", "--out", "runs"], "runs is not empty"),
        (["export", "--to", "imagefolder", "--out", "PHOTOS/.."], "the pictures themselves"),
    ],
)
def test_a_mistake_is_a_sentence_and_changes_nothing(place, begun, words, sentence):
    (place.root / "letter.csv").write_text("dear,friend\n")
    (place.root / "run/parts/margin/seed_0").mkdir(parents=True)
    before = place.journal()
    name, *rest = (word.replace("PHOTOS", str(begun / "photos")) for word in words)
    status, said = place(name, *rest)
    assert (status, sentence in said) == (2, True), said
    assert sentence in said.splitlines()[-1]  # before it, what of the folder is to be known
    assert place.journal() == before
    assert (place.root / "letter.csv").read_text() == "dear,friend\n"


@pytest.mark.parametrize(
    ("closed", "sentence"),
    [
        (".", "The workdir runs/photos cannot"),
        ("journal.jsonl", "runs/photos/journal.jsonl in the workdir cannot"),
    ],
)
def test_a_workdir_of_others_is_named_and_what_to_do(place, closed, sentence):
    assert place("ask", "--out", "batch.csv")[0] == 0
    place.fill()
    place.workdir.chmod(0o777)
    for path in place.workdir.rglob("*"):
        path.chmod(path.stat().st_mode | 0o666)
    path = place.workdir / closed
    path.chmod(path.stat().st_mode & ~0o222)
    place.root.chmod(0o777)
    before = place.journal()
    commands = [
        ("ask", "--out", "new.csv"), ("tell", "batch.csv"), ("predict", "--out", "new.csv"),
        ("review", "--out", "new.csv"), ("check", "--out", "new.csv"), ("classes", "--add", "cow"),
        ("export", "--to", "csv", "--out", "new.csv"),
    ]  # fmt: skip
    with not_as_root(place.root):
        for name, *words in commands:
            status, printed = place(name, *words, "--workdir=runs/photos")
            assert (status, len(printed.splitlines())) == (2, 1), printed
            assert f": {sentence} be written to (Permission denied): get" in printed
            assert "copy the workdir and name the copy with --workdir" in printed
            assert ".tmp" not in printed
        assert place("classes", "--workdir=runs/photos")[0] == 0  # which only looks
    assert place.journal() == before
    assert not (place.root / "new.csv").exists()


def test_which_project_is_said_where_there_are_several(place):
    shutil.copytree(place.workdir, place.root / "runs" / "my other")
    _, said = place("ask", "--out", "b.csv")
    named = [word for word in shlex.split(said.rstrip(".\n")) if word.startswith("--workdir=")]
    assert named == ["--workdir=runs/my other", "--workdir=runs/photos"]
    assert place("ask", "--out", "b.csv", named[0])[0] == 0


def typed(said):
    """The words of the `jax-al tell` at the end of a line, as a shell reads them."""
    return shlex.split(said[said.index("jax-al tell") :].splitlines()[0].rstrip("."))[1:]


def test_what_is_said_to_be_typed_can_be_typed(taught):
    taught.workdir = taught.workdir.rename(taught.root / "runs" / "my photos")
    shutil.copytree(taught.workdir, taught.root / "runs" / "other")
    where = f"--workdir={taught.workdir.relative_to(taught.root)}"
    _, said = taught("ask", "--out", "my batch.csv", where)
    taught.fill("my batch.csv")
    assert taught(*typed(said))[0] == 0
    _, said = taught("review", "--out", "my doubts.csv", where)
    assert typed(said)[:2] == ["tell", "--relabel"]
    first = typed(said)
    taught.fill("my doubts.csv", say=lambda id: "blue" if truth(id) == "=red" else "=red")
    status, said = taught("review", "--out", "my doubts.csv", where)
    assert status == 2
    assert typed(said[: said.index(" takes it")]) == first
    assert taught(*(word for word in first if word != "--relabel"))[0] == 2
    assert taught(*first)[0] == 0


def test_what_has_gone_since_it_was_asked_is_asked_no_more(place, begun):
    photos = place.root / "photos"
    shutil.copytree(begun / "photos", photos)
    open_project(place.workdir, source=photos)
    assert place("ask", "--out", "batch.csv")[0] == 0
    gone = {row["id"] for row in table("batch.csv")[::5]}
    for id in gone:
        (photos / id).unlink()
    assert place("ask", "--out", "again.csv")[0] == 0
    again = {row["id"] for row in table("again.csv")}
    assert again
    assert not again & gone
    place.fill("again.csv")
    assert place("tell", "again.csv")[0] == 0
    assert not place.record().undecided()  # nothing is waited for that nobody can see


def test_tell_starts_without_jax_and_without_the_pool(place):
    place("ask", "--out", "batch.csv")
    place.fill()
    program = (
        "import sys\n"
        "from jax_al.cli import door\n"
        "sys.argv = ['jax-al', 'tell', 'batch.csv']\n"
        "try:\n    door.main()\n"
        "except SystemExit as stopped:\n    assert stopped.code == 0\n"
        "heavy = {'jax', 'flax', 'orbax', 'PIL', 'scipy', 'starlette', 'sklearn'}\n"
        "print(heavy & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"
    assert len(place.project.teller.labels()) == BUDGET + BUDGET // 4


def test_classes_are_added_renamed_and_merged(place):
    place("ask", "--out", "batch.csv")
    place.fill()
    place("tell", "batch.csv")
    status, said = place("classes", "--add", "x=y, gray", "--add", "brown")
    assert [line.split()[1] for line in said.splitlines()[2:]] == ["x=y", "gray", "brown"]
    assert place("classes", "--rename", "x=y=green")[0] == 0
    assert place("classes", "--merge", "gray=green")[0] == 0
    assert place("classes", "--rename", "brown=a, b")[0] == 0
    assert place("classes", "--merge", "a, b=green")[0] == 0
    status, said = place("classes", "--merge", "=red=green")
    assert (status, [line.split()[1] for line in said.splitlines()]) == (0, ["blue", "green"])
    assert sum(int(line.split()[0]) for line in said.splitlines()) == BUDGET + BUDGET // 4
    for words, sentence in (
        (("--merge", "red=blue"), "the classes are blue, green"),
        (("--add", "pink,blue"), "There is a class 'blue' already, so none is added."),
        (("--add", "pink", "--add", "pink"), "is named twice"),
        (("--add", "skip"), "cannot be a class"),
        (("--rename", "blue= "), "cannot be a class"),
    ):
        status, said = place("classes", *words)
        assert (status, sentence in said) == (2, True), said


def test_a_batch_is_told_by_what_classes_were_called_when_it_was_filled_in(place):
    place("ask", "--out", "batch.csv")
    place.fill()
    for words in (
        ("--rename", "=red=crimson"),
        ("--rename", "crimson=rose"),
        ("--add", "pink"),
        ("--merge", "rose=pink"),
    ):
        status, said = place("classes", *words)
        assert status == 0, said
    assert place("tell", "batch.csv")[0] == 0
    _, said = place("classes")
    assert [line.split()[1] for line in said.splitlines()] == ["blue", "pink"]
    assert sum(int(line.split()[0]) for line in said.splitlines()) == BUDGET + BUDGET // 4


ONE, TWO = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))


def test_a_class_is_the_same_in_either_spelling_and_may_be_renamed_to_the_other(place):
    status, said = place("classes", "--add", f"{ONE},{TWO}")
    assert (status, "is named twice" in said) == (2, True)
    assert place("classes", "--add", TWO)[0] == 0
    for words in (("--add", ONE), ("--rename", f"blue={ONE}")):
        assert place("classes", *words)[0] == 2
    (place.root / "a.csv").write_text(f"id,label\n0/0 é.png,{ONE}\n", encoding="utf-8")
    assert "1 answer taken" in place("tell", "a.csv")[1]
    assert "0 answers taken; 1 known before" in place("tell", "a.csv")[1]
    assert place("classes", "--rename", f"{ONE}={ONE}")[0] == 0
    assert list(place.project.teller.labels().values()) == [ONE]
    assert place("classes", "--merge", f"{TWO}=blue")[0] == 0
    assert list(place.record().classes.values()) == ["=red", "blue"]


def test_a_record_of_both_spellings_is_opened_and_each_is_meant_as_it_stands(place):
    for name in (ONE, TWO):
        event = {"event": "class_added", "id": place.record().num_classes, "name": name}
        Journal(place.workdir).append(event)
    (place.root / "a.csv").write_text(
        f"id,label\n0/0 é.png,{ONE}\n1/1 é.png,{TWO}\n", encoding="utf-8"
    )
    assert "2 answers taken" in place("tell", "a.csv")[1]
    assert set(place.project.teller.labels().values()) == {ONE, TWO}
    assert place("classes", "--merge", f"{TWO}={ONE}")[0] == 0
    assert set(place.project.teller.labels().values()) == {ONE}


def test_a_part_of_a_run_is_answered_and_nothing_else_is_done_with_it(
    tmp_path, capsys, monkeypatch
):
    journal = Journal(tmp_path / "part")
    for event in (made_up_journals.begun(), made_up_journals.asked(0, 0, [3, 5])):
        journal.append(event)
    monkeypatch.chdir(tmp_path)
    place, workdir = Place(tmp_path, capsys), ("--workdir", "part")
    assert place("ask", "--out", "batch.csv", *workdir)[0] == 0
    place.fill(say=lambda id: "bee" if id == "3.png" else "skip")
    assert place("tell", "batch.csv", *workdir)[0] == 0
    status, said = place("classes", *workdir)
    assert (status, said.split()) == (0, ["0", "ant", "1", "bee", "0", "cat"])
    before = journal.path.read_bytes()
    for words in (
        ("classes", "--merge", "ant=bee"),  # a run has as many as its data from first to last
        ("classes", "--add", "dog"),
        ("classes", "--rename", "ant=dog"),
        ("ask", "--out", "next.csv"),
        ("ask", "--out", "next.csv", "--budget", "5"),
        ("predict", "--out", "p.csv"),
        ("export", "--to", "csv", "--labeled-only", "--out", "e.csv"),
        ("review",),
    ):
        status, said = place(*words, *workdir)
        assert (status, "is a part of a run, which alone" in said) == (2, True), said
    assert journal.path.read_bytes() == before


def test_each_request_is_made_by_a_learner_whose_words_are_kept(place):
    for _ in range(2):
        place("ask", "--out", "batch.csv")
        place.fill()
        place("tell", "batch.csv")
        (place.root / "batch.csv").unlink()
    place("ask", "--out", "batch.csv")
    models = read_models(place.workdir)
    assert [model.num_labels for model in models] == [BUDGET, 2 * BUDGET]
    assert set(place.record().undecided()) <= models[-1].said.keys()


def test_a_folder_of_others_is_refused_where_it_stands_for_one_that_moved(place, tmp_path):
    (tmp_path / "others").mkdir()
    for number in range(3):
        (tmp_path / "others" / f"{number}.png").write_bytes(picture(number))
    before = place.journal()
    with pytest.raises(ValueError, match="3 are there"):
        open_project(place.workdir, source=tmp_path / "others")
    assert place.journal() == before
    assert len(place.project.items.all()) == COUNT
