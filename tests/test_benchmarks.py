"""Benchmarks are run by hand and seldom, so that they can be started at all is tested here."""

import json

import pytest
from PIL import Image

from tests.made_up_runs import CLASSES, make_root
from tests.runs import ROOT

SCRIPTS = sorted(path.name for path in (ROOT / "benchmarks").glob("[!_]*.py"))
NO_COMMAND = {"setting.py"}  # what the others share
STARTED = [name for name in SCRIPTS if name not in NO_COMMAND]


@pytest.mark.parametrize("script", STARTED)
def test_a_benchmark_starts_or_says_what_it_lacks(fork, script):
    done = fork(ROOT / "benchmarks" / script, "--help", cwd=ROOT)
    if done.returncode:
        assert "pip install 'jax_al[bench]'" in done.stderr
        assert "Traceback" not in done.stderr
    else:
        assert "usage:" in done.stdout


@pytest.mark.parametrize(
    ("gains", "seeds"),
    [
        ({"margin": 0}, 1),
        ({"random": 0}, 3),
        ({"random": 0, "margin": 0.1}, 1),
        ({"random": 0, "margin": 0.1}, 3),
        ({"coreset": 0, "bait": 0}, 3),
    ],
)
def test_a_comparison_of_one_strategy_or_two_is_a_whole_table_and_a_picture(
    fork, tmp_path, gains, seeds
):
    make_root(tmp_path / "runs", gains, seeds=range(seeds))
    script = ROOT / "benchmarks" / "compare.py"
    done = fork(script, tmp_path / "runs", "--out", tmp_path / "out", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    head, _, *rows = (tmp_path / "out.md").read_text().splitlines()
    assert {row.split(" | ")[0].strip("| ") for row in rows} == set(gains)
    assert {row.count("|") for row in rows} == {head.count("|")}
    assert ("minus random" in head) == (len(gains) == 2 and "random" in gains)
    assert "nan" not in done.stdout
    with Image.open(tmp_path / "out.png") as picture:
        picture.load()


def test_a_comparison_shows_the_label_counts_that_are_asked_for(fork, tmp_path):
    make_root(tmp_path / "runs", {"random": 0, "margin": 0.1})
    script = ROOT / "benchmarks" / "compare.py"
    given = [script, tmp_path / "runs", "--out", tmp_path / "out", "--at"]
    done = fork(*given, 20, 40, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    head = (tmp_path / "out.md").read_text().splitlines()[0]
    assert [name for name in head.strip("| ").split(" | ") if name[:2] == "at"] == [
        "at 20",
        "at 40",
    ]
    refused = fork(*given, 21, cwd=ROOT)
    assert refused.returncode == 2
    assert "20, 30, 40 labels" in refused.stderr


def test_a_table_by_class_holds_the_labels_and_the_accuracy_of_the_end(fork, tmp_path):
    root = make_root(tmp_path / "runs", {"random": 0, "margin": 0.1}, looks=True)
    done = fork(ROOT / "benchmarks" / "by_class.py", root, "--out", tmp_path / "out.md", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| \n").split(" | ") for line in (tmp_path / "out.md").open()]
    assert set(rows[0][: len(CLASSES)]) == set(CLASSES)
    (_, *bought), (_, *right) = rows[4:6]
    assert sum(map(int, bought)) == pytest.approx(4 * 10, abs=len(CLASSES) / 2)  # rounded, each
    ends = [json.loads(line) for line in (root / "metrics.jsonl").open()]
    of_margin = [row for row in ends if row["strategy"] == "margin" and row["episode"] == 4]
    mean = sum(row["test_accuracy"] for row in of_margin) / len(of_margin)
    assert set(right) == {f"{mean:.3f}"}  # every class of this run is as right as any


def test_two_settings_are_paired_by_the_seeds_that_both_have(fork, tmp_path):
    with_it = make_root(tmp_path / "with", {"random": 0.1, "margin": 0.2}, seeds=range(4))
    without = make_root(tmp_path / "without", {"random": 0, "bald": 0}, seeds=range(1, 6))
    script = ROOT / "benchmarks" / "two_settings.py"
    done = fork(script, with_it, without, "--out", tmp_path / "out.md", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    head, _, *rows = (line.strip("| \n").split(" | ") for line in (tmp_path / "out.md").open())
    assert [row[0] for row in rows] == ["`random`"]  # what both have
    one, other = map(float, rows[0][1:3])
    apart = rows[0][head.index("difference, 95% interval")]
    assert one > other
    assert float(apart.split()[0]) == pytest.approx(one - other, abs=1e-4)
    assert rows[0][head.index("seeds")] == "3"
