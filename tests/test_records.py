import json
import math
import os
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jax_al.errors import UsageError
from jax_al.session import records
from jax_al.session.records import (
    Pick,
    append_metrics,
    append_picks,
    read_json,
    read_metrics,
    read_picks,
    rewrite,
    write_atomically,
    write_json,
)

ROWS = [{"seed": 0, "episode": e, "loss": 0.1 * e, "counts": [e, 2], "r": None} for e in (1, 2, 3)]
PICKS = [Pick(0, 0, 0, 17, "cat.png", 3), Pick(0, 0, 1, 4, "", 0), Pick(0, 1, 2, 9, "dog.png", 5)]
AWKWARD = ["a,b", 'say "x"', '"', ",", "  spaced ", "Ünïcödé/ß.png", "", "'", "#", "\\"]


def test_metrics_come_back_as_written_and_floats_to_the_last_bit(tmp_path):
    path = tmp_path / "metrics.jsonl"
    rows = [*ROWS, {"seed": 0, "episode": 4, "loss": math.pi * 1e-30}]
    for row in rows:
        append_metrics(path, row)
    assert read_metrics(path) == rows
    assert [json.loads(line) for line in path.read_text().splitlines()] == rows


def test_picks_come_back_as_written_under_one_header(tmp_path):
    path = tmp_path / "picks.csv"
    append_picks(path, PICKS[:2])
    append_picks(path, PICKS[2:])
    assert read_picks(path) == PICKS
    assert path.read_text().splitlines()[0] == "seed,episode,order,index,id,label"
    assert len(path.read_text().splitlines()) == 1 + len(PICKS)


@given(st.lists(st.sampled_from(AWKWARD) | st.text(st.characters(exclude_categories=["C", "Z"]))))
def test_any_id_comes_back(tmp_path_factory, ids):
    path = tmp_path_factory.mktemp("ids") / "picks.csv"
    picks = [Pick(0, 0, order, order, name, 1) for order, name in enumerate(ids)]
    append_picks(path, picks)
    assert read_picks(path) == picks


def test_there_is_nothing_before_the_first_line(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []
    assert read_picks(tmp_path / "picks.csv") == []
    assert read_json(tmp_path / "config.json") is None


def test_a_partial_last_line_is_passed_over(tmp_path):
    metrics, picks = tmp_path / "metrics.jsonl", tmp_path / "picks.csv"
    for row in ROWS:
        append_metrics(metrics, row)
    append_picks(picks, PICKS)
    for path, read, whole in ((metrics, read_metrics, ROWS), (picks, read_picks, PICKS)):
        data = path.read_bytes()
        header = path == picks
        for cut in range(len(data)):
            path.write_bytes(data[:cut])
            assert read(path) == whole[: max(0, data[:cut].count(b"\n") - header)]


@pytest.mark.parametrize("cut", [0, 1, 4, 34, 35, 36, 40, 60])
def test_after_a_rewrite_lines_never_run_together(tmp_path, cut):
    """A write cut off in the header of picks.csv, at its end, in its first line or in a later."""
    metrics, picks = tmp_path / "metrics.jsonl", tmp_path / "picks.csv"
    for row in ROWS[:2]:
        append_metrics(metrics, row)
    append_picks(picks, PICKS)
    for path in (metrics, picks):
        path.write_bytes(path.read_bytes()[:cut])
    rows_left, picks_left = read_metrics(metrics), read_picks(picks)
    rewrite(tmp_path, rows_left, picks_left)
    for row in ROWS[len(rows_left) :]:
        append_metrics(metrics, row)
    append_picks(picks, PICKS[len(picks_left) :])
    assert read_metrics(metrics) == ROWS
    assert read_picks(picks) == PICKS


def test_a_rewrite_sorts_by_seed_and_episode_and_leaves_equal_files_alone(tmp_path):
    rows = [{"seed": s, "episode": e} for s in (1, 0) for e in (2, 1)]
    picks = [Pick(s, o, o, 7 - o, "", 0) for s in (1, 0) for o in (1, 0)]
    rewrite(tmp_path, rows, picks)
    assert read_metrics(tmp_path / "metrics.jsonl") == sorted(
        rows, key=lambda row: (row["seed"], row["episode"])
    )
    assert read_picks(tmp_path / "picks.csv") == sorted(picks)
    inodes = [os.stat(tmp_path / name).st_ino for name in ("metrics.jsonl", "picks.csv")]
    rewrite(tmp_path, rows, picks)
    assert inodes == [os.stat(tmp_path / name).st_ino for name in ("metrics.jsonl", "picks.csv")]


@pytest.mark.parametrize("damage", [b"{nonsense\n", b"\n"])
def test_a_whole_line_that_is_not_json_is_named(tmp_path, damage):
    path = tmp_path / "metrics.jsonl"
    append_metrics(path, ROWS[0])
    path.write_bytes(path.read_bytes() + damage)
    append_metrics(path, ROWS[1])
    with pytest.raises(UsageError, match=r"Line 2 .*metrics\.jsonl"):
        read_metrics(path)


@pytest.mark.parametrize(("name", "read"), [("m.jsonl", read_metrics), ("p.csv", read_picks)])
def test_a_file_that_is_not_text_is_named(tmp_path, name, read):
    (tmp_path / name).write_bytes(b"\xff\xfe\n")
    with pytest.raises(UsageError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("damage", [b"1,2,3\n", b"0,0,zero,1,,2\n", b"0,0,0,1,,2,9\n"])
def test_a_whole_line_with_other_columns_is_named(tmp_path, damage):
    path = tmp_path / "picks.csv"
    append_picks(path, PICKS[:1])
    path.write_bytes(path.read_bytes() + damage)
    with pytest.raises(UsageError, match=r"Line 3 .*picks\.csv"):
        read_picks(path)


def test_json_comes_back_and_damaged_json_is_a_sentence(tmp_path):
    path = tmp_path / "config.json"
    value = {"lr": 1e-3, "data": {"name": "digits", "size": None, "splits": ["train"]}}
    write_json(path, value)
    assert read_json(path) == value
    path.write_text("{")
    with pytest.raises(UsageError, match=r"config\.json"):
        read_json(path)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_not_every_json_reader_knows_is_not_written(tmp_path, value):
    write_json(tmp_path / "value.json", {"radius": 1.5})
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "value.json", {"radius": value})
    assert read_json(tmp_path / "value.json") == {"radius": 1.5}


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_replacement_that_fails_leaves_the_old_file(tmp_path, monkeypatch, failing):
    path = tmp_path / "config.json"
    write_atomically(path, "old\n")

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(records.os, failing, fail)
        with pytest.raises(OSError, match="No space"):
            write_atomically(path, "new\n")
    assert path.read_text() == "old\n"
    write_atomically(path, "new\n")
    assert path.read_text() == "new\n"
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def test_a_full_disk_leaves_no_part_of_a_line(tmp_path):
    """The system refuses to let files grow beyond 100 bytes, in the middle of a line."""
    program = """
        import pathlib, resource, sys
        from jax_al.session.records import Pick, append_picks

        path = pathlib.Path(sys.argv[1])
        append_picks(path, [Pick(0, 0, 0, 1, "first", 2)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
        picks = [Pick(0, 1, 1 + i, 5 + i, "second", 2) for i in range(20)]
        try:
            append_picks(path, picks)
        except OSError:
            before = path.read_bytes()
        else:
            sys.exit("the disk was not full")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        append_picks(path, picks)
        print(before.decode(), end="")
    """
    path = tmp_path / "picks.csv"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "seed,episode,order,index,id,label\n0,0,0,1,first,2\n"
    assert [pick.order for pick in read_picks(path)] == list(range(21))
