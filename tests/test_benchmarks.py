"""Benchmarks are run by hand and seldom, so that they can be started at all is tested here."""

import subprocess
import sys

import pytest

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
