"""Benchmarks are run by hand and seldom, so that they can be started at all is tested here."""

import subprocess
import sys

import pytest
from PIL import Image

from tests.made_up_runs import make_root
from tests.runs import ROOT

SCRIPTS = sorted(path.name for path in (ROOT / "benchmarks").glob("[!_]*.py"))
NO_COMMAND = {"setting.py"}  # what the others share


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name not in NO_COMMAND])
def test_a_benchmark_starts_or_says_what_it_lacks(script):
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / script), "--help"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        assert "pip install 'jax_al[bench]'" in done.stderr
        assert "Traceback" not in done.stderr
    else:
        assert "usage:" in done.stdout


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize(
    "gains", [{"margin": 0}, {"random": 0}, {"random": 0, "margin": 0.1}, {"coreset": 0, "bait": 0}]
)
def test_a_comparison_of_one_strategy_or_two_is_a_whole_table_and_a_picture(tmp_path, gains, seeds):
    make_root(tmp_path / "runs", gains, seeds=range(seeds))
    script = ROOT / "benchmarks" / "compare.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "runs"), "--out", str(tmp_path / "out")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    head, _, *rows = (tmp_path / "out.md").read_text().splitlines()
    assert {row.split(" | ")[0].strip("| ") for row in rows} == set(gains)
    assert {row.count("|") for row in rows} == {head.count("|")}
    assert ("minus random" in head) == (len(gains) == 2 and "random" in gains)
    assert "nan" not in done.stdout
    with Image.open(tmp_path / "out.png") as picture:
        picture.load()
