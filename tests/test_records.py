import csv
import io
import json
import math
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jax_al.durable import write_atomically
from jax_al.errors import UsageError
from jax_al.session.records import (
    OLD_COLUMNS,
    Pick,
    csv_text,
    read_json,
    read_metrics,
    read_picks,
    replace_if_other,
    write_json,
)

ROWS = [{"seed": 0, "episode": e, "loss": 0.1 * e, "counts": [e, 2], "r": None} for e in (1, 2, 3)]
PICKS = [
    Pick(0, 0, 0, 17, "cat.png", 3, "random"),
    Pick(0, 0, 1, 4, "", 0, "random"),
    Pick(0, 1, 2, 9, "dog.png", 5, "coreset@pixels_pca"),
]
AWKWARD = ["a,b", 'say "x"', '"', ",", "  spaced ", "Ünïcödé/ß.png", "", "'", "#", "\\"]


def write_metrics(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_picks(path, picks, columns=Pick._fields):
    path.write_text(csv_text([columns, *(pick[: len(columns)] for pick in picks)]))


def test_a_csv_keeps_every_name_and_its_lines_end_in_a_newline():
    rows = [[name, str(k)] for k, name in enumerate([*AWKWARD, "a\rb", "a\r\nb", "\n", "a\r"])]
    text = csv_text(rows)
    assert list(csv.reader(io.StringIO(text, newline=""))) == rows
    assert csv_text([["a", 1], ["b", 2.5]]) == "a,1\nb,2.5\n"


def test_metrics_come_back_as_written_and_floats_to_the_last_bit(tmp_path):
    rows = [*ROWS, {"seed": 0, "episode": 4, "loss": math.pi * 1e-30}]
    write_metrics(tmp_path / "metrics.jsonl", rows)
    assert read_metrics(tmp_path / "metrics.jsonl") == rows


def test_a_later_row_of_an_episode_stands_in_place_of_the_earlier(tmp_path):
    again = ROWS[1] | {"loss": 7.0}
    other = ROWS[1] | {"strategy": "random"}
    write_metrics(tmp_path / "metrics.jsonl", [*ROWS, again, other])
    assert read_metrics(tmp_path / "metrics.jsonl") == [ROWS[0], again, ROWS[2], other]


def test_picks_come_back_as_written_with_and_without_a_strategy(tmp_path):
    path = tmp_path / "picks.csv"
    write_picks(path, PICKS)
    assert read_picks(path) == PICKS
    write_picks(path, PICKS, OLD_COLUMNS)
    assert read_picks(path) == [pick._replace(strategy="") for pick in PICKS]
    assert path.read_text().splitlines()[0] == "seed,episode,order,index,id,label"


@given(st.lists(st.sampled_from(AWKWARD) | st.text(st.characters(exclude_categories=["C", "Z"]))))
def test_any_id_comes_back(tmp_path_factory, ids):
    path = tmp_path_factory.mktemp("ids") / "picks.csv"
    picks = [Pick(0, 0, order, order, name, 1, name) for order, name in enumerate(ids)]
    write_picks(path, picks)
    assert read_picks(path) == picks


def test_there_is_nothing_before_the_first_line(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []
    assert read_picks(tmp_path / "picks.csv") == []
    assert read_json(tmp_path / "config.json") is None


def test_a_partial_last_line_is_passed_over(tmp_path):
    metrics, picks = tmp_path / "metrics.jsonl", tmp_path / "picks.csv"
    write_metrics(metrics, ROWS)
    write_picks(picks, PICKS)
    for path, read, whole in ((metrics, read_metrics, ROWS), (picks, read_picks, PICKS)):
        data = path.read_bytes()
        header = path == picks
        for cut in range(len(data)):
            path.write_bytes(data[:cut])
            assert read(path) == whole[: max(0, data[:cut].count(b"\n") - header)]


def test_a_file_that_says_the_same_is_left_alone(tmp_path):
    path = tmp_path / "picks.csv"
    replace_if_other(path, "")
    assert not path.exists()
    replace_if_other(path, "a\n")
    before = os.stat(path).st_ino
    replace_if_other(path, "a\n")
    assert os.stat(path).st_ino == before
    replace_if_other(path, "b\n")
    assert path.read_text() == "b\n"


@pytest.mark.parametrize("damage", ["{nonsense\n", "\n", '{"seed": 0}\n', "[1]\n"])
def test_a_whole_line_that_is_not_a_row_is_named(tmp_path, damage):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n" + damage + json.dumps(ROWS[1]) + "\n")
    with pytest.raises(UsageError, match=r"Line 2 .*metrics\.jsonl"):
        read_metrics(path)


@pytest.mark.parametrize(("name", "read"), [("m.jsonl", read_metrics), ("p.csv", read_picks)])
def test_a_file_that_is_not_text_is_named(tmp_path, name, read):
    (tmp_path / name).write_bytes(b"\xff\xfe\n")
    with pytest.raises(UsageError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("damage", ["1,2,3\n", "0,0,zero,1,,2,a\n", "0,0,0,1,,2,a,9\n"])
def test_a_whole_line_with_other_columns_is_named(tmp_path, damage):
    path = tmp_path / "picks.csv"
    write_picks(path, PICKS[:1])
    path.write_text(path.read_text() + damage)
    with pytest.raises(UsageError, match=r"Line 3 .*picks\.csv"):
        read_picks(path)


def test_a_line_without_its_strategy_or_with_no_row_number_is_named(tmp_path):
    path = tmp_path / "picks.csv"
    write_picks(path, PICKS[:1])
    text = path.read_text()
    for row in (0, 2**63 - 1):  # what a row number may be, as NumPy holds it
        path.write_text(f"{text}0,0,1,{row},,2,random\n")
        assert read_picks(path)[1].index == row
    for damage in ("0,0,1,4,,2", "0,0,1,-1,,2,random", f"0,0,1,{2**63},,2,random"):
        path.write_text(f"{text}{damage}\n")
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


def test_many_may_replace_one_file_at_once(tmp_path):
    contents = [f"{k}\n" * 1000 for k in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write_atomically(tmp_path / "page", text), contents * 5))
    assert (tmp_path / "page").read_text() in contents
    assert [p.name for p in tmp_path.iterdir()] == ["page"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_replacement_that_fails_leaves_the_old_file(tmp_path, monkeypatch, failing):
    path = tmp_path / "config.json"
    write_atomically(path, "old\n")

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, fail)
        with pytest.raises(OSError, match=r"No space.*config.json"):
            write_atomically(path, "new\n")
    assert path.read_text() == "old\n"
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]
    write_atomically(path, "new\n")
    assert path.read_text() == "new\n"
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def test_a_file_that_cannot_be_written_is_told_by_its_own_name(tmp_path):
    (tmp_path / "directory").mkdir()
    for path in (tmp_path / "nowhere" / "report.html", tmp_path / "directory"):
        with pytest.raises(OSError, match=path.name) as caught:
            write_atomically(path, "x")
        assert caught.value.filename == str(path)
        assert ".tmp" not in str(caught.value)
