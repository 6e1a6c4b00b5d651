"""kill -9 while somebody labels, at each write and each sync: no label is lost, none is doubled.

A process of its own, without JAX, forks for each moment: the child labels until it kills itself, in
the middle of a write where it is one, and says in a pipe what was acknowledged to it.
"""

import json
import subprocess
import sys

import pytest

from jax_al.session.journal import Journal
from jax_al.session.progress import Progress
from jax_al.session.teller import Teller
from jax_al.session.work import Course, Selected, Trained
from tests.made_up_journals import recorded
from tests.runs import ROOT

N, CLASSES = 24, ("ant", "bee", "cat")

PROGRAM = """
import json, os, shutil, signal, sys
from pathlib import Path
from jax_al.session.teller import Teller

CALLS = ("write", "fsync", "ftruncate", "truncate")
REAL = {name: getattr(os, name) for name in CALLS}

def label(place, names, acknowledge, moment, how):
    calls = 0
    def counted(name, *args):
        nonlocal calls
        number, calls = calls, calls + 1
        if number == moment:
            if how == "halfway" and name == "write":
                REAL[name](args[0], args[1][: len(args[1]) // 2])
            elif how == "after":
                REAL[name](*args)
            os.kill(os.getpid(), signal.SIGKILL)
        return REAL[name](*args)
    teller = Teller(Path(place))
    said = teller.labels()  # what stands is not told again, as a page would not
    for name in CALLS:
        setattr(os, name, lambda *args, name=name: counted(name, *args))
    for row in names:
        if row not in said:
            teller.tell({row: CLASSES[int(row) % 3]}, token=f"tab:{row}")
            acknowledge(row)
    return calls

CLASSES, (begun, work) = ("ant", "bee", "cat"), sys.argv[1:]
names = [str(row) for row in range(10)]
for how in ("before", "halfway", "after"):
    for moment in range(1000):
        place = f"{work}/{how}_{moment}"
        shutil.copytree(begun, place)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            label(place, names, lambda row: REAL["write"](writing, (row + "\\n").encode()),
                  moment, how)
            os._exit(0)
        os.close(writing)
        with open(reading) as pipe:
            acknowledged = pipe.read().split()
        status = os.waitpid(child, 0)[1]
        print(json.dumps([how, moment, os.waitstatus_to_exitcode(status), acknowledged]))
        if os.waitstatus_to_exitcode(status) == 0:  # that moment never came
            break
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Returns where each killed process worked, how it ended and what it was told is safe."""
    place = tmp_path_factory.mktemp("killed")
    journal = recorded(place / "begun", N, CLASSES)
    progress = Progress(journal, Course(N, 0, 8, None))
    progress.commit(Trained(1, journal.fold().num_events - 1, {}, "digest"))
    ids = [str(row) for row in range(8)]
    progress.commit(Selected(0, 1, range(8), ids, range(8), None, {}, 0.0, 0.0, 0.0, None))
    Teller(journal).draw([8, 9], ["8", "9"], "audit")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, place / "begun", place],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    return [(place / f"{how}_{moment}", *rest) for how, moment, *rest in ends]


def test_there_are_more_than_twenty_moments_and_all_but_the_last_kill(killed):
    codes = [code for _, code, _ in killed]
    assert codes.count(-9) >= 60
    assert codes.count(0) == 3
    assert {len(acknowledged) for _, _, acknowledged in killed} == set(range(11))


def test_what_was_acknowledged_stands(killed):
    for place, _, acknowledged in killed:
        labels = Teller(place).labels()
        assert labels.keys() >= set(acknowledged), place
        assert len(labels) <= len(acknowledged) + 1, place  # one may be saved and not yet said
        assert all(name == CLASSES[int(row) % 3] for row, name in labels.items())


def test_what_was_not_is_sent_again_and_nothing_is_there_twice(killed):
    for place, _, acknowledged in killed:
        teller = Teller(place)
        for row in map(str, range(10)):
            if row not in acknowledged:  # all that a page still holds
                teller.tell({row: CLASSES[int(row) % 3]}, token=f"tab:{row}")
        record = teller.record()
        assert teller.labels() == {str(row): CLASSES[row % 3] for row in range(10)}
        told = [
            row
            for event in Journal(place).events()
            if event["event"] == "answered"
            for row, _ in event["answers"]
        ]
        assert sorted(told) == list(range(10)), place
        assert record.order == tuple(range(8))
        assert set(record.held_out) == {8, 9}
