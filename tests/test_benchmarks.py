"""Benchmarks are run by hand and seldom, so that they can be started at all is tested here."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from tests.made_up_runs import make_root
from tests.runs import ROOT

SCRIPTS = sorted(path.name for path in (ROOT / "benchmarks").glob("[!_]*.py"))
NO_COMMAND = {"setting.py"}  # what the others share
STARTED = [name for name in SCRIPTS if name not in NO_COMMAND]
# Imports once what most of them import, and forks for each, before JAX starts.
FORKS = """
import json, os, pathlib, runpy, sys
import jax, numpy, sklearn.datasets, jax_al.learners, jax_al.strategies

folder, *scripts = sys.argv[1:]
for script in scripts:
    child = os.fork()
    if not child:
        break
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps([pathlib.Path(script).name, status]))
else:
    sys.exit()
for number, name in ((1, "out"), (2, "errors")):
    path = pathlib.Path(folder, f"{pathlib.Path(script).name}.{name}")
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
sys.argv = [script, "--help"]
sys.path[0] = os.path.dirname(script)
runpy.run_path(script, run_name="__main__")
"""


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """The exit status of each script, its output and its errors."""
    folder = tmp_path_factory.mktemp("started")
    paths = [str(ROOT / "benchmarks" / name) for name in STARTED]
    done = subprocess.run(
        [sys.executable, "-u", "-W", "ignore", "-c", FORKS, str(folder), *paths],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=500,
    )  # fmt: skip
    found = dict(map(json.loads, done.stdout.splitlines()))
    return {
        name: (status, *((folder / f"{name}.{which}").read_text() for which in ("out", "errors")))
        for name, status in found.items()
    }


@pytest.mark.parametrize("script", STARTED)
def test_a_benchmark_starts_or_says_what_it_lacks(script, started):
    status, out, errors = started[script]
    if status:
        assert "pip install 'jax_al[bench]'" in errors
        assert "Traceback" not in errors
    else:
        assert "usage:" in out


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
