import errno
import fcntl
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap

import pytest
from made_up_journals import added, answered, asked, begun, closed, trained, undone

from jax_al.errors import UsageError
from jax_al.session import locks
from jax_al.session.fold import fold
from jax_al.session.journal import Journal
from jax_al.session.opening import begin

EVENTS = [
    begun(),
    {"event": "versions", "jax": "0.10.2", "cores": 2, "at": 1.5},
    asked(0, 0, [4, 9], scores=[math.pi * 1e-30, None], info={"cover_radius": 0.1 + 0.2}),
    answered({9: 1}),
    answered({4: 0}),
    undone(3),
    closed(0),
    trained(1, 6, test_accuracy=1 / 3),
    added(3, 'dog\nwith "quotes" and \udcff, which no file name\'s UTF-8 can hold'),
]


def filled(directory, events=tuple(EVENTS)):
    journal = Journal(directory)
    assert [journal.append(event) for event in events] == list(range(len(events)))
    return journal


def content(directory):
    return (directory / "journal.jsonl").read_bytes()


@pytest.mark.parametrize("is_file", [True, False])
def test_what_is_appended_comes_back_to_the_last_bit(tmp_path, is_file):
    directory = tmp_path / "a" / "part"
    journal = filled(directory if is_file else None)
    assert journal.events() == EVENTS
    assert journal.fold() == fold(EVENTS)
    if is_file:
        assert Journal(directory).events() == EVENTS
        lines = content(directory).decode("ascii").splitlines()
        assert [json.loads(line) for line in lines] == EVENTS


def test_an_event_is_given_the_time_if_it_has_none():
    journal = filled(None)
    journal.append({"event": "closed", "request": 0})
    assert journal.events()[-1]["at"] > 1.7e9


def test_what_is_read_does_not_change_with_what_was_given():
    event = begun()
    journal = filled(None, [event])
    event["classes"].append("dog")
    assert journal.events() == [begun()]


def test_a_journal_that_is_not_there_is_empty_and_reading_makes_nothing(tmp_path):
    journal = Journal(tmp_path / "part")
    assert journal.events() == []
    assert journal.fold() == fold([])
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_off_at_any_byte_is_read_up_to_its_last_whole_line_and_gone_on_with(tmp_path):
    filled(tmp_path / "whole")
    whole = content(tmp_path / "whole")
    for cut in range(len(whole)):
        directory = tmp_path / str(cut)
        directory.mkdir()
        (directory / "journal.jsonl").write_bytes(whole[:cut])
        count = whole[:cut].count(b"\n")
        journal = Journal(directory)
        assert journal.events() == EVENTS[:count]
        if cut % 7 == 0:  # a sync for each takes long
            journal.append(EVENTS[count])
            assert content(directory) == b"".join(whole.splitlines(keepends=True)[: count + 1])


def test_two_that_append_in_turn_see_each_others_events(tmp_path):
    one, other = filled(tmp_path, EVENTS[:3]), Journal(tmp_path)
    assert other.append(EVENTS[3]) == 3
    assert one.append(EVENTS[4]) == 4
    assert one.events() == other.events() == EVENTS[:5]


def test_only_what_is_new_is_read(tmp_path):
    journal = filled(tmp_path, EVENTS[:3])
    first, rest = content(tmp_path).split(b"\n", 1)
    (tmp_path / "journal.jsonl").write_bytes(b" " * len(first) + b"\n" + rest)
    assert journal.append(EVENTS[3]) == 3
    assert journal.events() == EVENTS[:4]


def test_a_file_that_lost_events_is_refused(tmp_path):
    journal = filled(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(content(tmp_path).split(b"\n", 1)[0] + b"\n")
    for use in (journal.events, lambda: journal.append(closed(0))):
        with pytest.raises(UsageError, match="shorter than it was"):
            use()


def test_a_file_that_is_gone_is_not_begun_anew_with_the_event_that_comes_next(tmp_path):
    place = tmp_path / "part"
    journal = filled(place)
    shutil.rmtree(place)
    for use in (journal.events, lambda: journal.append(closed(0))):
        with pytest.raises(UsageError, match="is gone; restore it"):
            use()
        assert not place.exists()


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ({"event": "closed", "request": math.nan}, "finite"),
        ({"event": "closed", "request": {1, 2}}, "JSON"),
        ({"event": "closed"}, "lacks 'request'"),
        ({"event": "teleported"}, "newer format"),
        ({}, "not an event"),
        (begun(), "first event"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, event, sentence):
    journal = filled(tmp_path)
    before = content(tmp_path)
    with pytest.raises(UsageError, match=sentence):
        journal.append(event)
    assert content(tmp_path) == before
    assert journal.events() == EVENTS


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"", "Line 3 of .*journal.jsonl is not JSON"),
        (b"\xff", "Line 3 of .*journal.jsonl is not JSON"),
        (b"[" * 100_000, "Line 3 of .*journal.jsonl is not JSON"),
        (b'{"event": ["closed"]}', "Line 3 of .*journal.jsonl is not an event"),
        (b"[1]", "Line 3 of .*journal.jsonl is not an event"),
        (b'{"event": "undone", "at": 1}', "Line 3 of .*journal.jsonl .* lacks 'of'"),
        (b'{"event": "teleported", "at": 1}', "Line 3 of .*'teleported' of a newer format; update"),
        (json.dumps(begun()).encode(), "Line 3 of .*'begun' is the first event"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_left_alone(tmp_path, line, sentence):
    filled(tmp_path, EVENTS[:2])
    with open(tmp_path / "journal.jsonl", "ab") as file:
        file.write(line + b"\n")
    before = content(tmp_path)
    for use in (Journal.events, Journal.fold, lambda journal: journal.append(closed(0))):
        with pytest.raises(UsageError, match=sentence):
            use(Journal(tmp_path))
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("first", "sentence"), [(begun() | {"format": 2}, "newer than 1"), (closed(0), "first event")]
)
def test_the_first_line_says_what_the_others_are(tmp_path, first, sentence):
    (tmp_path / "journal.jsonl").write_text(json.dumps(first) + "\n")
    with pytest.raises(UsageError, match=f"Line 1 of .*{sentence}"):
        Journal(tmp_path).events()


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", ["write", "short write", "fsync"])
def test_of_a_line_that_fails_nothing_stays(tmp_path, monkeypatch, name):
    write = os.write
    journal, reader = filled(tmp_path, EVENTS[:3]), Journal(tmp_path)
    before = content(tmp_path)
    with monkeypatch.context() as patch:
        short = {"short write": lambda file, line: write(file, line[:5])}
        patch.setattr(os, name.split()[-1], short.get(name, full))
        with pytest.raises(OSError, match="No space left"):
            journal.append(EVENTS[3])
    assert content(tmp_path) == before
    assert journal.events() == reader.events() == EVENTS[:3]
    assert journal.append(EVENTS[3]) == 3
    assert reader.events() == EVENTS[:4]


def test_nobody_reads_a_line_that_is_taken_back(tmp_path, monkeypatch):
    """A reader in another process looks while the line is written and its sync has yet to fail."""
    journal, reader = filled(tmp_path, EVENTS[:3]), Journal(tmp_path)
    flock = fcntl.flock

    def sync(*_):
        with pytest.raises(BlockingIOError):
            reader.events()
        full()

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", lambda file, how: flock(file, how | fcntl.LOCK_NB))
        patch.setattr(os, "fsync", sync)
        with pytest.raises(OSError, match="No space left"):
            journal.append(EVENTS[3])
    assert reader.events() == EVENTS[:3]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_in_a_sentence(tmp_path, monkeypatch, code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UsageError, match="has no locks"):
        Journal(tmp_path).append(begun())
    with pytest.raises(UsageError, match="has no locks"), locks.computing(tmp_path):
        pass


def test_one_computes_in_a_directory(tmp_path):
    with locks.computing(tmp_path / "new"):
        filled(tmp_path / "new")  # telling needs another lock
        with pytest.raises(UsageError, match="Another process"), locks.computing(tmp_path / "new"):
            pass
    with locks.computing(tmp_path / "new"):
        pass
    (tmp_path / "file").touch()
    odd = tmp_path / os.fsdecode(b"odd\xff")
    with pytest.raises(UsageError, match="not UTF-8"), locks.computing(odd):
        pass
    assert not odd.exists()
    with pytest.raises(UsageError, match="it is a file"), locks.computing(tmp_path / "file"):
        pass


def test_what_was_checked_under_the_lock_still_holds_when_it_is_appended(tmp_path, monkeypatch):
    one, other = filled(tmp_path, EVENTS[:2]), Journal(tmp_path)
    flock = fcntl.flock
    with one.writing():
        monkeypatch.setattr(fcntl, "flock", lambda file, how: flock(file, how | fcntl.LOCK_NB))
        with pytest.raises(BlockingIOError):
            other.append(EVENTS[2])
        assert one.append(EVENTS[2]) == 2
    assert other.append(EVENTS[3]) == 3


WRITER = """
    import pathlib, sys
    from jax_al.session.journal import Journal

    assert "jax" not in sys.modules
    journal = Journal(pathlib.Path(sys.argv[1]))
    for count in range(int(sys.argv[2])):
        number = journal.append({"event": "closed", "request": count, "who": sys.argv[3]})
        print(number, count, flush=True)
"""


def writer(directory, count, who):
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(directory), str(count), who]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_what_was_acknowledged_survives_other_processes_and_kill_9(tmp_path):
    filled(tmp_path, EVENTS[:1])
    whole, killed = writer(tmp_path, 40, "whole"), writer(tmp_path, 10**6, "killed")
    told = [killed.stdout.readline() for _ in range(20)]
    killed.send_signal(signal.SIGKILL)
    acknowledged = {
        "whole": whole.communicate(timeout=300)[0],
        "killed": "".join(told) + killed.stdout.read(),
    }
    assert (whole.returncode, killed.wait(timeout=300)) == (0, -9)
    events = Journal(tmp_path).events()
    for who, lines in acknowledged.items():
        whole_lines = lines.rpartition("\n")[0].splitlines()  # the last one may be cut off
        pairs = [tuple(map(int, line.split())) for line in whole_lines]
        numbers = [number for number, event in enumerate(events) if event.get("who") == who]
        assert [events[number]["request"] for number in numbers] == list(range(len(numbers)))
        assert [(number, events[number]["request"]) for number in numbers[: len(pairs)]] == pairs
    assert sum(event.get("who") == "whole" for event in events) == 40


BEGIN = {
    "strategy": "made_up",
    "seed": 3,
    "data": {"name": "made_up", "version": "1", "size": 40},
    "classes": ["ant", "bee"],
    "config": {"budget": 3},
    "versions": {"jax": "1", "cores": 2},
}


def test_a_part_begins_once_and_tells_of_other_versions(tmp_path):
    assert begin(Journal(tmp_path), **BEGIN) == []
    assert begin(Journal(tmp_path), **BEGIN) == []
    newer = BEGIN | {"versions": {"jax": "2", "cores": 2, "numpy": "3"}}
    assert begin(Journal(tmp_path), **newer) == ["jax 1 -> 2", "numpy absent -> 3"]
    names = [event["event"] for event in Journal(tmp_path).events()]
    assert names == ["begun", "versions", "versions"]
    record = Journal(tmp_path).fold()
    assert (record.strategy, record.seed, record.classes) == ("made_up", 3, {0: "ant", 1: "bee"})
    assert record.versions == newer["versions"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"seed": 4}, "seed 4"), ({"strategy": "x"}, "not of x"), ({"data": {"size": 2}}, "changed")],
)
def test_another_part_is_not_gone_on_with(tmp_path, change, sentence):
    begin(Journal(tmp_path), **BEGIN)
    before = content(tmp_path)
    with pytest.raises(UsageError, match=sentence):
        begin(Journal(tmp_path), **(BEGIN | change))
    assert content(tmp_path) == before


def test_a_directory_may_be_read_where_nothing_may_be_written(tmp_path):
    """Also as root, who may write everywhere: nothing in the directory changes by reading."""
    filled(tmp_path)
    before = {path: path.stat() for path in pathlib.Path(tmp_path).iterdir()}
    assert Journal(tmp_path).events() == EVENTS
    after = {path: path.stat() for path in pathlib.Path(tmp_path).iterdir()}
    assert {p: s.st_mtime_ns for p, s in after.items()} == {
        p: s.st_mtime_ns for p, s in before.items()
    }
