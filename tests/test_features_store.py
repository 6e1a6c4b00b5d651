"""What is computed once: kept whole or not at all, made again if damaged, resumed after a kill."""

import subprocess
import sys
import time

import numpy as np
import pytest

from jax_al.features.store import kept_state, kept_table
from tests.runs import ROOT

TABLE = np.random.default_rng(0).normal(size=(60, 20)).astype(np.float32)
# What a process of its own does: JAX is not needed.
PROGRAM = """
import os, pathlib, resource, signal, sys, time
import numpy as np
from jax_al.features.store import kept_table

def blocks(start):
    for first in range(start, 60, 16):
        if first == 32:
            {}
        yield TABLE[first : first + 16]

TABLE = np.random.default_rng(0).normal(size=(60, 20)).astype(np.float32)
found = kept_table(pathlib.Path(sys.argv[1], "x.npy"), 60, blocks)
assert np.array_equal(found, TABLE)
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)"
FULL = """
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
"""


def start(what, directory):
    command = [sys.executable, "-c", PROGRAM.format(what), str(directory)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def blocks():
    """TABLE in blocks of 16 rows; remembers the first row of each that it gave."""

    def of(first_row):
        for first in range(first_row, 60, 16):
            of.given.append(first)
            yield TABLE[first : first + 16]

    of.given = []
    return of


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_table_is_made_once_mapped_and_read_only(tmp_path, blocks):
    path = tmp_path / "there" / "x.npy"
    for _ in range(2):
        found = kept_table(path, 60, blocks)
        np.testing.assert_array_equal(found, TABLE)
        assert isinstance(found.base, np.memmap) or isinstance(found, np.memmap)
        assert not found.flags.writeable
    assert blocks.given == [0, 16, 32, 48]
    assert names(path.parent) == ["x.npy", "x.sums"]
    np.testing.assert_array_equal(np.load(path), TABLE)


def test_without_a_path_it_is_made_in_memory(blocks):
    np.testing.assert_array_equal(kept_table(None, 60, blocks), TABLE)


@pytest.mark.parametrize("damage", ["cut", "longer", "text", "empty", "rows", "dtype", "flipped"])
def test_a_damaged_table_is_made_again(tmp_path, blocks, caplog, damage):
    path = tmp_path / "x.npy"
    kept_table(path, 60, blocks)
    content = path.read_bytes()
    if damage in ("rows", "dtype"):
        np.save(path, TABLE[:59] if damage == "rows" else TABLE.astype(np.float64))
    else:
        flipped = content[:900] + bytes([content[900] ^ 1]) + content[901:]
        cases = {"cut": content[:-1], "longer": content + b"1", "text": b"text", "empty": b""}
        cases["flipped"] = flipped
        path.write_bytes(cases[damage])
    np.testing.assert_array_equal(kept_table(path, 60, blocks), TABLE)
    assert "damaged cache" in caplog.text
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", [None, "flipped", "cut", "text"])
def test_a_state_is_made_once_and_again_if_it_is_damaged(tmp_path, caplog, damage):
    path, made = tmp_path / "x.npz", []

    def make():
        made.append(1)
        return {"a": TABLE, "b": TABLE[0]}

    kept_state(path, make)
    content = path.read_bytes()
    flipped = content[:900] + bytes([content[900] ^ 1]) + content[901:]
    cases = {None: content, "flipped": flipped, "cut": content[:-30], "text": b"text"}
    path.write_bytes(cases[damage])
    found = kept_state(path, make)
    assert list(found) == ["a", "b"]
    np.testing.assert_array_equal(found["a"], TABLE)
    assert len(made) == (1 if damage is None else 2)
    assert ("damaged cache" in caplog.text) == (damage is not None)
    assert names(tmp_path) == ["x.npz"]


def test_a_table_of_a_version_without_checksums_is_taken_as_it_is(tmp_path, blocks):
    path = tmp_path / "x.npy"
    kept_table(path, 60, blocks)
    (tmp_path / "x.sums").unlink()
    np.testing.assert_array_equal(kept_table(path, 60, blocks), TABLE)
    assert blocks.given == [0, 16, 32, 48]


def test_what_is_damaged_does_not_outlive_its_checksums(tmp_path, blocks):
    path = tmp_path / "x.npy"
    kept_table(path, 60, blocks)
    content = bytearray(path.read_bytes())
    content[900] ^= 1
    path.write_bytes(content)

    def full(first):
        raise OSError(28, "No space left on device")
        yield first

    with pytest.raises(OSError, match="No space"):
        kept_table(path, 60, full)  # in memory, too
    np.testing.assert_array_equal(kept_table(path, 60, blocks), TABLE)


def test_where_nothing_can_be_written_it_goes_on(tmp_path, blocks, caplog):
    (tmp_path / "file").write_text("in the way")
    np.testing.assert_array_equal(kept_table(tmp_path / "file" / "x.npy", 60, blocks), TABLE)
    assert kept_state(tmp_path / "file" / "x.npz", lambda: {"a": TABLE})["a"] is TABLE
    assert caplog.text.count("Going on without a cache of the features") == 2


def test_a_full_disk_is_told_and_leaves_nothing_on_it(tmp_path):
    process = start(FULL, tmp_path)
    assert "Going on without a cache of the features" in process.communicate(timeout=60)[1]
    assert process.returncode == 0
    assert set(names(tmp_path)) <= {"x.lock"}


@pytest.mark.parametrize("damage", [None, "part", "line", "header"])
def test_what_was_killed_goes_on_behind_the_last_whole_block(tmp_path, blocks, damage):
    process = start(KILL, tmp_path)
    process.communicate(timeout=60)
    assert process.returncode == -9
    assert names(tmp_path) == ["x.lock", "x.part", "x.sums"]
    name = {"part": "x.part", "line": "x.sums", "header": "x.part"}.get(damage, "x.part")
    content = bytearray((tmp_path / name).read_bytes())
    if damage is not None:
        content[0 if damage == "header" else -1] ^= 1
    (tmp_path / name).write_bytes(content)
    np.testing.assert_array_equal(kept_table(tmp_path / "x.npy", 60, blocks), TABLE)
    assert blocks.given == {None: [32, 48], "header": [0, 16, 32, 48]}.get(damage, [16, 32, 48])
    assert names(tmp_path) == ["x.npy", "x.sums"]


def test_a_kill_before_the_next_block_loses_nothing(tmp_path, blocks):
    for _ in range(2):  # the second goes on behind row 32, and no block is computed before it ends
        process = start(KILL, tmp_path)
        process.communicate(timeout=60)
        assert process.returncode == -9
    np.testing.assert_array_equal(kept_table(tmp_path / "x.npy", 60, blocks), TABLE)
    assert blocks.given == [32, 48]


def test_two_processes_share_the_work(tmp_path):
    first = start("time.sleep(2)", tmp_path)
    while not (tmp_path / "x.sums").exists() and first.poll() is None:
        time.sleep(0.01)
    second = start("raise SystemExit('computed twice')", tmp_path)
    errors = [process.communicate(timeout=60)[1] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], errors
    assert "Waiting for another process" in errors[1]
    assert names(tmp_path) == ["x.npy", "x.sums"]
