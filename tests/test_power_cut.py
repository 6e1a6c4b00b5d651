"""The power fails: what was said to be safe is there, though nothing is that was not synced.

A process that is killed leaves what it wrote to the system; a power cut leaves what is on the disk.
Here that is kept account of as POSIX promises it: of a file its content at its last fsync, under
the names that its directory had at the last fsync of that, and nothing else.
"""

import os

import pytest

from jax_al.durable import make_directory, write_atomically
from jax_al.people.items import Item, Items
from jax_al.people.settings import Settings, read_settings, write_settings
from jax_al.session.journal import Journal
from jax_al.session.progress import Progress
from jax_al.session.teller import Teller
from jax_al.session.work import Answered, Course, Selected
from jax_al.types import Answer
from tests.made_up_journals import recorded

N, CLASSES = 12, ("ant", "bee")
COURSE = Course(N, N, 1, None)


class Disk:
    """What of the files below `root` is on it."""

    def __init__(self, root, monkeypatch):
        self._root, self._sync = root, os.fsync
        self._contents = {}  # of files, by inode
        self._names = {os.stat(root).st_ino: {}}  # of directories, by inode: inodes by name
        monkeypatch.setattr(os, "fsync", self._synced)

    def _synced(self, descriptor):
        self._sync(descriptor)
        number, path = os.fstat(descriptor).st_ino, f"/proc/self/fd/{descriptor}"
        if os.path.isdir(path):
            self._names[number] = {one.name: one.inode() for one in os.scandir(path)}
        else:
            with open(path, "rb") as file:
                self._contents[number] = file.read()

    def after_a_cut(self, place):
        """Makes a directory of what is on the disk, and returns it."""
        self._restore(os.stat(self._root).st_ino, place)
        return place

    def _restore(self, number, place):
        place.mkdir()
        for name, inode in self._names.get(number, {}).items():
            if inode in self._contents:
                (place / name).write_bytes(self._contents[inode])
            elif inode in self._names:
                self._restore(inode, place / name)
            # Else it is a name without content, or a directory without names.


@pytest.fixture
def disk(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    return Disk(tmp_path / "disk", monkeypatch)


def begun(directory):
    """A record in which N rows are asked, as a run or a session makes it."""
    journal = recorded(directory, N, CLASSES)
    progress = Progress(journal, COURSE)
    rows = range(N)
    progress.commit(Selected(0, 0, rows, list(map(str, rows)), rows, None, {}, 0.0, 0.0, 0.0, None))
    return progress


def test_a_label_is_there_as_soon_as_tell_returns(disk, tmp_path):
    begun(tmp_path / "disk" / "new" / "work")
    teller, told = Teller(tmp_path / "disk" / "new" / "work"), {}
    for row in range(N):
        told[str(row)] = CLASSES[row % 2]
        teller.tell({str(row): told[str(row)]})
        there = disk.after_a_cut(tmp_path / f"cut_{row}")
        assert Teller(there / "new" / "work").labels() == told
    teller.undo()
    there = disk.after_a_cut(tmp_path / "undone")
    assert len(Teller(there / "new" / "work").labels()) == N - 1


def test_after_a_cut_a_record_is_gone_on_with(disk, tmp_path):
    progress = begun(tmp_path / "disk" / "work")
    for row in range(N // 2):
        progress.commit(Answered([Answer(row, row % 2)]))
    there = disk.after_a_cut(tmp_path / "cut") / "work"
    again = Progress(Journal(there), COURSE)
    again.commit(Answered([Answer(row, row % 2) for row in again.plan().rows]))
    assert again.record.order == tuple(range(N))


def test_a_file_that_is_replaced_is_the_new_one(disk, tmp_path):
    directory = tmp_path / "disk" / "a" / "b"
    make_directory(directory)
    for content in ("old", "new, and longer"):
        write_atomically(directory / "out.csv", content)
        there = disk.after_a_cut(tmp_path / content)
        assert {path.name: path.read_text() for path in (there / "a" / "b").iterdir()} == {
            "out.csv": content
        }


def test_what_a_project_is_made_of_is_there(disk, tmp_path):
    work = tmp_path / "disk" / "deep" / "work"
    settings = Settings("photos", CLASSES)
    write_settings(work, settings)
    items = Items(work)
    with items.alone():
        items.append([Item(f"{k}.jpg", f"{k:064x}") for k in range(3)])
    there = disk.after_a_cut(tmp_path / "cut") / "deep" / "work"
    assert read_settings(there) == settings
    assert Items(there).all() == items.all()
