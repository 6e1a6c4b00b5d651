"""What is put on record when a project is opened: once, whoever opens it and however often."""

import contextlib
import re
import shutil
import threading

import numpy as np
import pytest

from jax_al.cli import label
from jax_al.cli.status import lines
from jax_al.features.named import features_named
from jax_al.people import project as project_room
from jax_al.people.foretold import what_follows
from jax_al.people.preparing import prepare
from jax_al.people.project import Project, begin_project, open_project
from jax_al.people.settings import COMPONENTS, PATCHES, Settings, read_settings, suited
from jax_al.pools import scan
from jax_al.session.journal import Journal
from jax_al.session.teller import Teller
from jax_al.types import BROKEN
from tests.made_up_pictures import encoded, pixels

pytestmark = pytest.mark.usefixtures("compiled_plainly")


@pytest.fixture
def photos(tmp_path):
    """Returns a folder of six cats and six dogs, in subfolders."""
    for number in range(12):
        path = tmp_path / "photos" / ("cat" if number % 2 else "dog") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(pixels(number), "PNG"))
    return tmp_path / "photos"


def settings(photos, **changes):
    given = {"size": 8, "features": "pixels_pca", "features_args": {"pca": 3}, "audit": 0}
    more = {"learner": "linear", "learner_args": {"penalty": 0.1}, "strategy": "random"}
    return Settings(str(photos), cache_dir=str(photos.parent / "cache"), **given | more | changes)


def begun(photos, **changes):
    project = begin_project(settings(photos, **changes), photos.parent / "work")
    project.session()
    return project


def opened(project):
    """Opens a project anew; returns it and what it says."""
    said = []
    again = open_project(project.place, said.append)
    again.session()
    return again, said


def events(project):
    return len(Journal(project.place).events())


def test_what_very_many_pictures_take_is_said_before_they_are_read(photos, monkeypatch, capsys):
    monkeypatch.setattr(scan, "_MANY", 12)
    monkeypatch.setattr(project_room, "MANY", 12)
    opened_at = list[int]()
    content_of = scan.content_of
    monkeypatch.setattr(scan, "content_of", lambda *file: opened_at.append(1) or content_of(*file))

    def say(sentence):
        said.append((len(opened_at), sentence))

    said = list[tuple[int, str]]()
    begin_project(settings(photos, features_args=None), photos.parent / "work", say).session()
    (tried, first), *_ = said
    assert re.fullmatch(
        r"After that, features \(pixels_pca\) take about \d+ seconds and 0\.0 GiB\. "
        r"Looking for near duplicates takes about \d+ seconds\.",
        first,
    )
    assert len(opened_at) - tried == 12  # all of them come later
    assert "Reading the 12 files of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("features", "width"), [("patches", 4 * PATCHES["centroids"]), ("lite0", 1280)]
)
def test_what_features_take_on_disk_is_told_of_all_that_is_kept(photos, features, width):
    wanted = settings(photos, features=features, features_args=None, size=16)
    kept = 4 * 100_000 * (width + COMPONENTS) / 2**30
    assert f" and {kept:.1f} GiB. Looking for" in what_follows(wanted, 100_000)


def test_what_was_called_broken_and_then_removed_is_put_on_record_once(photos):
    project = begun(photos, classes=("cat", "dog"))
    project.teller.draw_among(project.pool.ids, 12, "random")
    project.teller.tell({"cat/01.png": BROKEN, "cat/03.png": "cat"})
    for name in ("cat/01.png", "cat/03.png"):
        (photos / name).unlink()
    project, _ = opened(project)
    assert [project.teller.record().said(row).why for row in (0, 1)] == ["random", "gone"]
    before = events(project)
    opened(project)
    assert events(project) == before
    (photos / "cat/03.png").write_bytes(encoded(pixels(3), "PNG"))
    project, _ = opened(project)
    assert project.teller.labels() == {"cat/03.png": "cat"}
    assert project.teller.record().said(0).decision == BROKEN


def test_known_labels_go_by_what_classes_are_called_now(photos):
    project = begun(photos, known="folders")
    project.teller.rename_class("cat", "kitten")
    project.teller.merge_class("dog", "kitten")
    before = events(project)
    project, _ = opened(project)
    assert events(project) == before
    for number, name in ((20, "cat"), (22, "dog")):
        (photos / name / f"{number}.png").write_bytes(encoded(pixels(number), "PNG"))
    project, _ = opened(project)
    assert list(project.teller.record().classes.values()) == ["kitten"]
    assert len(project.teller.labels()) == 14


def test_ids_of_known_labels_may_be_as_batches_have_them(photos):
    (photos / "007").write_bytes(encoded(pixels(30), "PNG"))
    (photos / "'=it").write_bytes(encoded(pixels(31), "PNG"))
    table = photos.parent / "known.csv"
    table.write_text("id,label\n'007,cat\n'=it,dog\n", encoding="utf-8")
    project = begun(photos, known=str(table))
    assert project.teller.labels() == {"007": "cat", "'=it": "dog"}


def test_a_name_that_a_class_has_given_up_is_that_of_the_next(photos):
    project = begun(photos, known="folders")
    teller = project.teller
    teller.rename_class("cat", "kitten")
    teller.add_class("cat")
    (photos / "cat" / "20.png").write_bytes(encoded(pixels(20), "PNG"))
    project, _ = opened(project)
    assert project.teller.labels()["cat/20.png"] == "cat"


def test_a_folder_whose_name_is_an_answer_is_no_class(photos):
    (photos / "cat").rename(photos / "Skip")
    project, said = opened(begun(photos, known="folders"))
    assert list(project.teller.record().classes.values()) == ["dog"]
    assert len(project.teller.labels()) == 6
    assert [text for text in said if "'Skip' cannot be a class" in text]


def test_what_of_a_table_of_labels_is_not_taken_is_said_and_it_may_go(photos, tmp_path):
    table = tmp_path / "known.csv"
    (photos / "cat" / "copy.png").write_bytes((photos / "dog" / "00.png").read_bytes())
    table.write_text("id,label\ndog/00.png,dog\ncat/copy.png,cat\ncat/01.png,cat\nx.png,cat\n")
    said = []
    given = settings(photos, known=str(table))
    project = begin_project(given, tmp_path / "work", said.append)
    project.session()
    assert project.teller.labels() == {"cat/01.png": "cat"}
    assert [text for text in said if "no example: x.png" in text]
    assert [text for text in said if "Of two classes at once" in text and ".png" in text]
    table.unlink()
    project, said = opened(project)
    assert [text for text in said if "known.csv cannot be read" in text]
    assert project.teller.labels() == {"cat/01.png": "cat"}


def test_what_has_not_changed_since_is_not_told_again(photos):
    (photos / "notes.txt").write_text("no picture")
    project = begun(photos)  # nobody listens
    assert [text for text in opened(project)[1] if "1 file is no picture" in text]
    assert opened(project)[1] == []
    (photos / "more.txt").write_text("no picture")
    (photos / "cat" / "01.png").rename(photos / "cat" / "one.png")
    said = opened(project)[1]
    assert [text for text in said if "2 files are no pictures" in text and "more.txt" in text]
    assert [text for text in said if "cat/01.png is now cat/one.png" in text]
    assert opened(project)[1] == []
    assert (
        "2 files passed over (passed_over.csv)." in lines(project.teller.record(), project.place)[0]
    )


def test_an_audit_that_is_drawn_is_told_once_and_one_that_cannot_be_likewise(photos):
    said = []
    project = begin_project(settings(photos, audit=381), photos.parent / "work", said.append)
    project.session()
    assert [text for text in said if text.startswith("2 examples are held out for an audit")]
    assert [text for text in opened(project)[1] if "audit" in text] == []
    said = []
    project = begin_project(settings(photos, audit=0), photos.parent / "without", said.append)
    project.session()
    assert [text for text in said if "audit" in text] == []


def test_who_opens_a_project_at_the_same_time_draws_one_audit(photos, monkeypatch):
    project = begin_project(settings(photos, audit=2), photos.parent / "work")
    both, draw_among = threading.Barrier(2), Teller.draw_among

    def draw_together(*args, **options):
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(1)  # for the other, who comes if nothing keeps them apart
        return draw_among(*args, **options)

    monkeypatch.setattr(Teller, "draw_among", draw_together)
    openers = [Project(project.place, project.settings) for _ in range(2)]
    threads = [threading.Thread(target=one.session) for one in openers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    draws = project.teller.record().draws
    assert [(draw.why, len(draw.rows)) for draw in draws] == [("audit", 2)]


def test_of_near_duplicates_one_that_is_there_is_asked(photos):
    for number in range(12):
        name = f"{'cat' if number % 2 else 'dog'}/{number:02}"
        brighter = np.clip(pixels(number) * 1.02, 0, 255).astype(np.uint8)
        (photos / f"{name}b.png").write_bytes(encoded(brighter, "PNG"))
    project = begun(photos, size=16, classes=("cat", "dog"))
    project.teller.draw_among(project.pool.ids, 24, "random")
    project.teller.tell({"cat/03b.png": "cat"})
    (photos / "cat/01.png").unlink()
    project.settle(project.settings._replace(merge_near=True))
    project, _ = opened(project)
    held_out = {project.pool.ids[row] for row in project.teller.record().held_out}
    first = [f"{'cat' if number % 2 else 'dog'}/{number:02}" for number in range(12)]
    twins = {f"{name}b.png" for name in first if name not in ("cat/01", "cat/03")}
    assert held_out == twins | {"cat/03.png"}
    standing = lines(project.teller.record(), project.place)
    assert standing[0].endswith(
        "1 put aside as their files are gone or others, 11 not asked as near duplicates."
    )
    before = events(project)
    project, _ = opened(project)
    assert events(project) == before, "those that are to be asked were held out, too"
    brighter = np.clip(pixels(0) * 1.04, 0, 255).astype(np.uint8)
    (photos / "dog" / "00c.png").write_bytes(encoded(brighter, "PNG"))
    project, _ = opened(project)
    now = {project.pool.ids[row] for row in project.teller.record().held_out}
    assert now == held_out | {"dog/00c.png"}


@pytest.mark.parametrize(("becomes", "is_kept"), [("nothing", False), ("another", True)])
def test_the_next_near_duplicate_stands_for_one_that_is_missing(photos, becomes, is_kept):
    for number in range(3):
        brighter = np.clip(pixels(0) * (1.01 + 0.01 * number), 0, 255).astype(np.uint8)
        (photos / f"dog/00{number}.png").write_bytes(encoded(brighter, "PNG"))
    brighter = np.clip(pixels(2) * 1.02, 0, 255).astype(np.uint8)
    (photos / "dog/02b.png").write_bytes(encoded(brighter, "PNG"))
    names = ["dog/00.png", "dog/000.png", "dog/001.png", "dog/002.png"]

    def asked(project):
        """Returns which of the group may be asked."""
        held_out = {project.pool.ids[row] for row in project.teller.record().excluded}
        assert ("dog/02.png" in held_out, "dog/02b.png" in held_out) == (False, True)
        return [name for name in names if name not in held_out]

    def lose(name):
        (photos / name).unlink()
        if becomes == "another":
            (photos / name).write_bytes(encoded(pixels(names.index(name) + 40), "PNG"))
        if not is_kept:  # what was there is not known any more
            shutil.rmtree(photos.parent / "cache")
        return prepared()

    def prepared():
        """Opens the project anew, as far as that writes anything."""
        again = open_project(project.place)
        prepare(again.teller, again.pool, again.settings, again.place, said.append)
        return again

    said = list[str]()
    project = begun(photos, size=16, classes=("cat", "dog"), merge_near=True)
    assert asked(project) == names[:1]
    whole = (photos / names[0]).read_bytes()
    assert asked(lose(names[0])) == names[1:2]
    assert asked(lose(names[1])) == names[2:3]
    assert asked(lose(names[2])) == names[3:]
    before = events(project)
    assert asked(prepared()) == names[3:]
    assert events(project) == before
    project.teller.draw([project.pool.ids.index(names[3])], names[3:], "random")
    project.teller.tell({names[3]: "dog"})
    (photos / names[0]).write_bytes(whole)
    assert asked(prepared()) == names[3:], "it is asked beside one that was"
    assert list(project.teller.labels()) == names[3:]


def test_features_are_chosen_before_anything_is_computed_by_them(photos):
    project = begin_project(settings(photos, features_args=None), photos.parent / "work")
    assert (
        read_settings(project.place).features_args is None
    )  # as a Ctrl-C while it reads leaves it
    project, _ = opened(project)
    assert read_settings(project.place).features_args == {"l2norm": True}


@pytest.mark.parametrize(
    ("features", "num_points", "expected"),
    [
        ("lite0", 1_023, {"l2norm": True}),
        ("lite0", 1_024, {"l2norm": True, "pca": 256}),
        ("patches", 1_023, {**PATCHES, "l2norm": True}),
        ("patches", 1_024, {**PATCHES, "l2norm": True, "pca": 256, "whiten": 0.5}),
    ],
)
def test_features_suit_their_kind_and_how_many_there_are(features, num_points, expected):
    found = suited(Settings("photos", features=features), num_points)
    assert (found.features_args, found.learner) == (expected, "propagate")
    features_named(features, **expected)  # there are such options


def test_the_same_command_goes_on_and_another_is_refused(photos, capsys, monkeypatch):
    monkeypatch.chdir(photos.parent)
    flags = ["--features", "pixels_pca", "--size", "8", "--learner", "linear", "--no-page"]
    words = ["photos", "--classes", "cat, dog", *flags, "--cache-dir", "cache"]
    assert [label.main(words), label.main(words)] == [0, 0]
    capsys.readouterr()
    assert label.main([*words, "--budget", "7"]) == 2
    assert "--budget is said when a project begins" in capsys.readouterr().err
    assert label.main(["photos", "--labels-from-folders", "--no-page"]) == 2


def test_a_mistake_when_it_begins_is_mended_by_the_command_that_is_right(
    photos, capsys, monkeypatch
):
    monkeypatch.chdir(photos.parent)
    words = ["photos", "--classes", "cat,dog", "--features", "pixels_pca", "--size", "8"]
    flags = ["--learner", "linear", "--no-page", "--cache-dir", "cache"]
    assert label.main([*words, *flags, "--strategy", "margni", "--labels", "none.csv"]) == 2
    assert "none.csv cannot be read" in capsys.readouterr().err
    assert label.main([*words, *flags, "--strategy", "margni"]) == 2
    assert "did you mean 'margin'" in capsys.readouterr().err
    assert label.main([*words, *flags, "--strategy", "margin"]) == 0
    begun = read_settings(photos.parent / "runs" / "photos")
    assert (begun.strategy, begun.classes, begun.size) == ("margin", ("cat", "dog"), 8)
    assert label.main(["photos/cat/01.png", "--no-page", "--workdir", "other"]) == 2
    assert "must be a folder of pictures, or end in .csv, .npy" in capsys.readouterr().err
