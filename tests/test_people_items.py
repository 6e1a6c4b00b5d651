"""The rows of a project keep their places and their ids, whatever becomes of the files."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from made_up_pictures import encoded, pixels

import jax_al as al
from jax_al.errors import UsageError
from jax_al.people.items import Item, Items
from jax_al.people.known import known_labels
from jax_al.people.ledger_pool import GRAY, take_in
from jax_al.people.lists import (
    MOVED,
    note_moved,
    num_passed_over,
    other_names,
    write_near_duplicates,
    write_passed_over,
)
from jax_al.people.reconcile import Present, Seen, reconcile, sentences
from jax_al.pools import scan
from jax_al.pools.folder import PassedOver
from jax_al.pools.labeled_folder import labels_from_csv, labels_from_folders
from jax_al.session import locks
from jax_al.testing import check_pool

NAMES = ("a.png", "b.png", "c.png")


def png(seed, **options):
    return encoded(pixels(seed), "PNG", **options)


@pytest.fixture
def project(tmp_path):
    """A function that opens the project of a folder of three pictures, as it is now."""
    root = tmp_path / "photos"
    root.mkdir()
    for seed, name in enumerate(NAMES):
        (root / name).write_bytes(png(seed))
    before = []

    def opened(root=root, size=8):
        pool = al.folder(root, size=size, cache_dir=str(tmp_path / "cache"))
        found = take_in(Items(tmp_path / "work"), pool, before)
        before[:] = found.missing
        return found

    opened.root, opened.work = root, tmp_path / "work"
    return opened


def told(pool):
    return sentences(pool.change, items_of(pool))


def items_of(pool):
    return [Item(id, sha256) for id, sha256 in zip(pool.ids, pool.sha256, strict=True)]


def test_the_first_time_all_are_new_and_later_nothing_has_happened(project):
    pool = project()
    check_pool(pool)
    assert list(pool.ids) == list(pool.paths) == list(NAMES)
    assert [one.id for one in pool.change.new] == list(NAMES)
    np.testing.assert_array_equal(pool.read(slice(None)), pool.source.read(slice(None)))
    np.testing.assert_array_equal(pool.show(1), pixels(1))
    again = project()
    assert (again.change.new, again.missing, again.change.moved, told(again)) == ((), {}, {}, [])
    lines = list(map(json.loads, (project.work / "items.jsonl").read_bytes().splitlines()))
    assert [line["row"] for line in lines] == [0, 1, 2]
    assert [line["sha256"] for line in lines] == list(pool.sha256)


def test_new_files_are_appended_although_they_come_before_others(project):
    project()
    (project.root / "aa.png").write_bytes(png(7))
    (project.root / "0.png").write_bytes(png(8))
    pool = project()
    assert list(pool.ids) == [*NAMES, "0.png", "aa.png"]
    for row, seed in enumerate((0, 1, 2, 8, 7)):
        np.testing.assert_array_equal(pool.show(row), pixels(seed))
    assert told(pool) == ["New: 0.png, aa.png."]


def test_a_moved_file_keeps_its_row_and_its_id(project):
    first = project()
    (project.root / "sub").mkdir()
    (project.root / "a.png").rename(project.root / "sub/z.png")
    pool = project()
    assert list(pool.ids) == list(NAMES)
    assert pool.paths == ("sub/z.png", "b.png", "c.png")
    assert (pool.missing, pool.change.new) == ({}, ())
    assert told(pool) == ["Moved, with their labels: a.png is now sub/z.png."]
    np.testing.assert_array_equal(pool.show(0), pixels(0))
    np.testing.assert_array_equal(pool.read(slice(None)), first.read(slice(None)))


def test_two_files_that_change_names_keep_their_rows(project):
    project()
    (project.root / "a.png").rename(project.root / "x")
    (project.root / "b.png").rename(project.root / "a.png")
    (project.root / "x").rename(project.root / "b.png")
    pool = project()
    assert pool.paths == ("b.png", "a.png", "c.png")
    np.testing.assert_array_equal(pool.show(0), pixels(0))
    np.testing.assert_array_equal(pool.show(1), pixels(1))


def test_another_picture_under_a_name_never_takes_its_row(project):
    first = project()
    (project.root / "a.png").write_bytes(png(9))
    pool = project()
    assert list(pool.ids) == list(NAMES)
    assert pool.missing == {0: "changed"}
    assert pool.paths == (None, "b.png", "c.png")
    assert (pool.change.taken, pool.change.new) == (("a.png",), ())
    assert [line.partition(":")[0] for line in told(pool)] == [
        "Other content than when first seen, and put aside until the old one is back",
        "Not asked, as their names are those of others that were there before; rename them",
    ]
    with pytest.raises(UsageError, match=r"a\.png holds another content than when it was first"):
        pool.show(0)
    with pytest.raises(UsageError, match="put aside"):
        pool.content(0)
    # What was looked at is what the row stands for, not what lies there now.
    np.testing.assert_array_equal(pool.read(slice(None)), first.read(slice(None)))
    (project.root / "a.png").rename(project.root / "new.png")
    pool = project()
    assert list(pool.ids) == [*NAMES, "new.png"]
    assert pool.missing == {0: "gone"}
    (project.root / "a.png").write_bytes(png(0))
    pool = project()
    assert (pool.missing, pool.change.back) == ({}, (0,))
    assert told(pool) == ["Back again: a.png."]
    np.testing.assert_array_equal(pool.show(0), pixels(0))


@pytest.mark.parametrize("content", [b"", png(0)[:100], b"a text"], ids=["empty", "cut", "text"])
def test_a_file_that_breaks_has_changed(project, content):
    project()
    (project.root / "a.png").write_bytes(content)
    assert project().missing == {0: "changed"}


def test_a_file_that_cannot_be_read_today_is_gone_until_it_can(project, monkeypatch):
    def denied(root, name):
        raise PermissionError(13, "Permission denied")

    project()
    os.utime(project.root / "a.png", (1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(scan, "content_of", denied)
        assert project().missing == {0: "gone"}
    assert project().change.back == (0,)


def test_a_file_that_goes_is_put_aside_and_comes_back(project):
    first = project()
    content = (project.root / "b.png").read_bytes()
    (project.root / "b.png").unlink()
    pool = project()
    assert pool.missing == {1: "gone"}
    assert told(pool) == ["Not there any more, and put aside until they are back: b.png."]
    with pytest.raises(UsageError, match=r"b\.png is not there any more"):
        pool.show(1)
    np.testing.assert_array_equal(pool.read(slice(None)), first.read(slice(None)))
    (project.root / "b.png").write_bytes(content)
    pool = project()
    assert (pool.missing, pool.change.back) == ({}, (1,))


def test_what_only_the_metadata_say_changes_nothing(project):
    project()
    other = png(0, pnginfo=None, compress_level=1)
    assert other != (project.root / "a.png").read_bytes()
    (project.root / "a.png").write_bytes(other)
    pool = project()
    assert (pool.missing, pool.change.moved, told(pool)) == ({}, {}, [])
    assert pool.content(0) == other


def test_a_file_that_changes_while_the_project_is_open_is_refused(project):
    pool = project()
    (project.root / "a.png").write_bytes(png(9))
    with pytest.raises(UsageError, match=r"a\.png has changed since the folder was read"):
        pool.show(0)
    (project.root / "b.png").unlink()
    with pytest.raises(UsageError, match=r"b\.png cannot be read any more"):
        pool.content(1)


def test_copies_have_no_rows_and_stand_in_for_each_other(project):
    project()
    (project.root / "0.bmp").write_bytes(encoded(pixels(1), "BMP"))
    pool = project()
    assert list(pool.ids) == list(NAMES)
    assert (pool.paths[1], pool.copies) == ("b.png", {1: ("0.bmp",)})
    (project.root / "b.png").unlink()
    pool = project()
    assert (pool.paths[1], pool.copies, pool.missing) == ("0.bmp", {}, {})
    np.testing.assert_array_equal(pool.show(1), pixels(1))
    (project.root / "a.png").write_bytes(png(1))
    pool = project()
    assert pool.missing == {0: "changed"}
    assert (pool.paths[1], pool.copies) == ("0.bmp", {1: ("a.png",)})


def test_a_folder_that_has_moved_goes_on_and_what_is_lost_is_gray(project, tmp_path):
    first = project()
    (project.root / "b.png").unlink()
    shutil.move(project.root, tmp_path / "elsewhere")
    pool = project(tmp_path / "elsewhere")
    assert list(pool.ids) == list(NAMES)
    assert pool.missing == {1: "gone"}
    rows = pool.read(np.array([2, 1, 0]))
    np.testing.assert_array_equal(rows[[0, 2]], first.read(np.array([2, 0])))
    assert (rows[1] == GRAY).all()  # another cache, which never saw it


def test_another_folder_is_refused_and_none_of_it_is_taken(project, tmp_path):
    project()
    before = (project.work / "items.jsonl").read_bytes()
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.png").write_bytes(png(20))
    with pytest.raises(UsageError, match=r"knows 0 are there, and a\.png for one is not"):
        project(other)
    assert (project.work / "items.jsonl").read_bytes() == before


def test_both_forms_of_a_letter_are_two_names_and_come_back_as_they_were(project):
    forms = [unicodedata.normalize(form, "Zoë.png") for form in ("NFC", "NFD")]
    assert forms[0] != forms[1]
    project()
    for seed, name in enumerate(forms, 10):
        (project.root / name).write_bytes(png(seed))
    project()
    pool = project()
    assert sorted(pool.ids[3:]) == sorted(forms)
    for seed, name in enumerate(forms, 10):
        np.testing.assert_array_equal(pool.show(list(pool.ids).index(name)), pixels(seed))


def test_a_line_that_was_cut_off_is_not_there_and_the_next_writer_takes_it_away(project):
    project()
    path = project.work / "items.jsonl"
    whole = path.read_bytes()
    for cut in (1, 40, len(whole.splitlines()[-1])):
        path.write_bytes(whole[:-cut])
        assert len(Items(project.work).all()) == 2
        pool = project()
        assert [one.id for one in pool.change.new] == ["c.png"]
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        b"broken",
        b"[1]",
        b'{"row": 1, "id": "x", "sha256": "y"}',
        b'{"row": 1, "id": "x", "sha256": "y", "pixels": 3}',
        b'{"row": 2, "id": "x", "sha256": "y", "pixels": "z"}',
        b"",
    ],
)
def test_a_damaged_line_among_others_is_told_and_nothing_is_written(project, line):
    project()
    path = project.work / "items.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[1] = line
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(UsageError, match=r"Line 2 of .*items\.jsonl is not that of row 1"):
        project()
    assert path.read_bytes() == b"\n".join(lines)


def test_several_processes_append_each_thing_once(project):
    program = (
        "import sys, jax_al as al; from pathlib import Path\n"
        "from jax_al.people.items import Items; from jax_al.people.ledger_pool import take_in\n"
        "pool = al.folder(sys.argv[1], size=8, cache_dir=sys.argv[2])\n"
        "take_in(Items(Path(sys.argv[3])), pool)"
    )
    options = [str(project.root), str(project.work / "cache"), str(project.work)]
    env = os.environ | {"PYTHONPATH": str(pathlib.Path(al.__file__).parents[1])}
    command = [sys.executable, "-c", program, *options]
    started = [subprocess.Popen(command, env=env) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert [one.id for one in Items(project.work).all()] == list(NAMES)


def test_one_at_a_time_appends(tmp_path):
    with Items(tmp_path).alone():
        (lock,) = tmp_path.iterdir()
        with pytest.raises(BlockingIOError), locks.held(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
            pass
    with locks.held(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
        pass


def test_a_workdir_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match=r"items\.jsonl cannot be written: "):
        take_in(Items(tmp_path / "file"), al.arrays(np.eye(2, dtype=np.float32)))


def test_who_reads_sees_what_others_append_and_an_id_is_for_ever(tmp_path):
    one, other = Items(tmp_path), Items(tmp_path)
    with one.alone():
        one.append([Item("a", "1")])
    assert other.all() == (Item("a", "1"),)
    with other.alone():
        other.append([Item("b", "2", "p")])
    assert one.all() == (Item("a", "1"), Item("b", "2", "p"))
    with one.alone(), pytest.raises(UsageError, match="There is an item 'a' already"):
        one.append([Item("c", "3"), Item("a", "4")])
    assert len(other.all()) == 2
    (tmp_path / "items.jsonl").write_bytes(b"")
    with pytest.raises(UsageError, match="shorter than it was"):
        one.all()


def test_the_rows_of_a_table_go_by_id_and_content(tmp_path):
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    x[3] = x[2]  # equal rows of a table are rows of their own
    items = Items(tmp_path)
    pool = take_in(items, al.arrays(x, ids=["a", "b", "c", "d"]))
    check_pool(pool)
    np.testing.assert_array_equal(pool.read(slice(None)), x)
    # a was renamed, b has changed, d is gone, e is new.
    there = np.stack([x[2], [9, 9, 9], x[0], [7, 7, 7]])
    pool = take_in(items, al.arrays(there, ids=["c", "b", "z", "e"]))
    assert list(pool.ids) == ["a", "b", "c", "d", "e"]
    assert pool.paths == ("z", None, "c", None, "e")
    assert pool.missing == {1: "changed", 3: "gone"}
    found = pool.read(slice(None))
    np.testing.assert_array_equal(found[[0, 2, 4]], [x[0], x[2], [7, 7, 7]])
    assert (found[[1, 3]] == 0).all()
    with pytest.raises(UsageError, match="a is no file"):
        pool.content(0)


def test_a_picture_of_a_table_that_is_gone_is_gray(tmp_path):
    images = np.stack([pixels(seed, 8, 8) for seed in range(2)])
    items = Items(tmp_path)
    take_in(items, al.arrays(images))
    found = take_in(items, al.arrays(images[:1])).read(slice(None))
    np.testing.assert_array_equal(found[0], images[0])
    assert (found[1] == GRAY).all()


def test_bytes_count_before_pixels():
    """A new decoder: all pixels are others, and those of one file are what another's once were."""
    ledger = [Item("a", "A", "1"), Item("b", "B", "2")]
    present = Present((Seen(("y",), ("B",), "1"), Seen(("x",), ("A",), "3")))
    change = reconcile(ledger, present)
    assert change.paths == ("x", "y")
    assert (change.missing, change.new) == ({}, ())


def test_rows_that_are_equal_move_in_their_order():
    ledger = [Item("a", "A"), Item("b", "A")]
    change = reconcile(ledger, Present((Seen(("x",), ("A",)), Seen(("y",), ("A",)))))
    assert change.paths == ("x", "y")


def test_a_new_content_is_called_by_a_name_that_is_free():
    ledger = [Item("a", "A", "1")]
    change = reconcile(ledger, Present((Seen(("a", "b"), ("B", "C"), "2"),)))
    assert change.missing == {0: "changed"}
    assert change.new == (Item("b", "C", "2"),)
    assert (change.paths, change.places, change.taken) == ((None, "b"), (-1, 0), ())


def test_no_two_rows_are_given_one_moved_file():
    ledger = [Item("a", "A", "1"), Item("b", "B", "1")]
    change = reconcile(ledger, Present((Seen(("x",), ("A",), "1"),)))
    assert (change.paths, change.missing) == (("x", None), {1: "gone"})


def test_many_names_are_counted_and_not_all_told():
    ledger = [Item(str(row), str(row)) for row in range(2_000)]
    (line,) = sentences(reconcile(ledger, Present(())), ledger)
    assert line.endswith("0, 1, 2, 3, 4, 5, 6, 7 and 1,992 more.")


def test_subfolders_are_labels_and_follow_a_file(project):
    for name, place in (("a.png", "cat/1.png"), ("b.png", "dog/deep/2.png")):
        (project.root / place).parent.mkdir(parents=True)
        (project.root / name).rename(project.root / place)
    project()
    (project.root / "dog/copy.png").write_bytes(png(0))  # of cat/1.png
    (project.root / "c.png").rename(project.root / "cat/c.png")
    pool = project()
    found = known_labels(pool, labels_from_folders(pool.source))
    assert found.labels == {"c.png": "cat", "dog/deep/2.png": "dog"}
    assert found.torn == ("cat/1.png",)
    assert found.unknown == ()


def test_a_table_of_labels_may_name_a_row_or_a_copy(project, tmp_path):
    (project.root / "copy.png").write_bytes(png(1))
    project()
    (project.root / "a.png").rename(project.root / "moved.png")
    (tmp_path / "y.csv").write_text("id,label\na.png, NA \ncopy.png,=x\nc.png,\nnobody.png,dog\n")
    found = known_labels(project(), labels_from_csv(str(tmp_path / "y.csv")))
    assert found.labels == {"a.png": "NA", "b.png": "=x"}
    assert found.unknown == ("nobody.png",)
    # The name is another picture's now, so the label is not the old one's.
    (project.root / "a.png").write_bytes(png(30))
    pool = project()
    assert known_labels(pool, {"a.png": "NA"}) == ({}, (), ("a.png",))


def test_what_was_passed_over_and_what_is_alike_is_listed(project):
    (project.root / 'say "hi",\n.txt').write_text("x")
    pool = project()
    path = write_passed_over(project.work, pool.source.passed_over)
    assert path.read_text(encoding="utf-8") == (
        'id,why\n"say ""hi"",\n.txt","is none of JPEG, PNG, WEBP, BMP, GIF, TIFF"\n'
    )
    (project.root / os.fsdecode(b"\xff.png")).write_text("x")
    path = write_passed_over(project.work, project().source.passed_over)
    assert "\\udcff.png,has a name that is not UTF-8" in path.read_text(encoding="utf-8")
    path = write_near_duplicates(project.work, pool.ids, [(0, 2)])
    assert path.read_text() == "group,id\na.png,a.png\na.png,c.png\n"


def test_other_names_are_noted_once_whatever_they_are(tmp_path):
    assert other_names(tmp_path) == {}
    names = {"a\rb.jpg": "c\r\nd.jpg", 'q".jpg': "x,\ny.jpg", " z ": "c\r\nd.jpg"}
    note_moved(tmp_path, names)
    written = (tmp_path / MOVED).read_bytes()
    note_moved(tmp_path, names)
    assert (tmp_path / MOVED).read_bytes() == written
    assert other_names(tmp_path) == {"c\r\nd.jpg": {"a\rb.jpg", " z "}, "x,\ny.jpg": {'q".jpg'}}
    write_passed_over(tmp_path, [PassedOver("a\rb.txt", "no picture"), PassedOver("\r", "none")])
    assert num_passed_over(tmp_path) == 2


def test_a_folder_of_which_all_has_moved_is_compared_by_hash_and_not_pair_by_pair(tmp_path):
    class Name(str):
        compared = 0

        def __eq__(self, other):
            Name.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    names = {f"{number}.jpg": f"there/{number}.jpg" for number in range(300)}
    note_moved(tmp_path, names)
    note_moved(tmp_path, {Name(id): name for id, name in names.items()})
    assert Name.compared <= 2 * len(names)
