"""Whatever ends a run, the same command goes on and comes to the same bits."""

import json
import pathlib
import subprocess
import sys

import pytest

from tests.runs import ROOT, assert_same, run

SINGLE = {"max_episodes": 2}
COMPARISON = {"max_episodes": 2, "num_seeds": 2, "compare": ["random", "ceal"]}

# Dies by kill -9 at a point, in a child process for each of the points: what is told, and both
# sides of whatever is written and renamed. Forked before JAX starts, so that it starts in each.
KILLS = """
import json, os, pathlib, signal, sys
from jax_al.session import journal
from tests import runs

root, fields, first, step = sys.argv[1], json.loads(sys.argv[2]), *map(int, sys.argv[3:])
passed = 0

def point(*unused):
    global passed
    passed += 1
    if passed > last:
        os.kill(os.getpid(), signal.SIGKILL)

def guarded(function):
    def call(*args, **kwargs):
        point()
        result = function(*args, **kwargs)
        point()
        return result
    return call

journal._append = guarded(journal._append)
os.replace, os.rename = guarded(os.replace), guarded(os.rename)
last, code = first, None
while code != 0:
    child = os.fork()
    if not child:
        try:
            runs.run(pathlib.Path(root, str(last)), point, **fields)
            os._exit(0)
        except BaseException:
            import traceback
            traceback.print_exc()
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    last += step
"""


def killed(root: pathlib.Path, fields: dict, first: int, step: int) -> list[pathlib.Path]:
    """Returns the directories of runs that died at every `step`-th point from the `first` on."""
    command = [sys.executable, "-W", "ignore", "-c", KILLS]
    done = subprocess.run(
        [*command, str(root), json.dumps(fields), str(first), str(step)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return sorted(root.iterdir(), key=lambda path: int(path.name))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run of two seeds and three episodes."""
    workdir = tmp_path_factory.mktemp("whole")
    run(workdir, num_seeds=2)
    return workdir


@pytest.mark.parametrize(("fields", "step"), [(SINGLE, 1), (COMPARISON, 5)], ids=["one", "several"])
def test_kill_9_loses_nothing(tmp_path, fields, step):
    run(tmp_path / "whole", **fields)
    died = killed(tmp_path / "died", fields, 0, step)
    print(len(died))
    for workdir in died:
        run(workdir, **fields)
        assert_same(workdir, tmp_path / "whole")
