import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from jax_al.session import workdir
from tests.runs import ROOT, tiny_flags, without_times


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Caches of its own, and a proxy nobody listens at: no test reaches a network."""
    dead = "http://127.0.0.1:9"
    inherited = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    return inherited | {
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "http_proxy": dead,
        "https_proxy": dead,
        "JAX_PLATFORMS": "cpu",
    }


def command(*flags):
    return [sys.executable, str(ROOT / "launch.py"), *flags]


@pytest.fixture
def launch(environment, tmp_path):
    def run(*flags):
        return subprocess.run(
            command(*flags), cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    return run


def test_a_whole_run_then_again_then_another_config_then_anew(launch, tmp_path):
    done = launch(*tiny_flags(), "--workdir=out")
    assert done.returncode == 0, done.stderr
    for fact in ("jax ", "cpu", "digits", "pool 150", "coreset", "out/curve.png"):
        assert fact in done.stdout
    assert "\x1b" not in done.stdout
    rows = without_times(tmp_path / "out")

    again = launch(*tiny_flags(), "--workdir=out")
    assert again.returncode == 0
    assert "finished" in again.stdout

    other = launch(*tiny_flags(lr=0.1, budget=5), "--workdir=out")
    assert other.returncode == 2
    assert "lr (was 0.001, now 0.1)" in other.stderr
    assert "budget (was 7, now 5)" in other.stderr
    assert "--overwrite" in other.stderr
    assert without_times(tmp_path / "out") == rows

    anew = launch(*tiny_flags(budget=5), "--workdir=out", "--overwrite")
    assert anew.returncode == 0
    assert [row["num_labeled"] for row in without_times(tmp_path / "out")] == [10, 15, 20]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--config.lrr=1"], "no field 'lrr': did you mean 'lr'"),
        (["--strategy=margin"], "write --config.strategy=margin."),
        (["--workdir="], "--workdir is empty: name a directory"),
        (["--confg=x"], "Did you mean"),
        (["--config=missing.py"], "There is no config file missing.py"),
        (["digits"], "'digits' is not a flag"),
        (["--config.strategy_args={'depth': 2}"], "has no option 'depth'"),
        (["--config.data.name=cifar1O"], "cifar10"),
        (
            ["--config.data.name=cifar10", "--config.data.data_dir=nowhere"],
            "nowhere",
        ),
    ],
)
def test_a_mistake_is_one_sentence(launch, flags, sentence):
    failed = launch(*flags)
    assert failed.returncode == 2
    assert sentence in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "workdir" not in failed.stdout  # the facts at the start of a run


def test_help_is_no_failure(launch):
    done = launch("--help")
    assert done.returncode == 0
    assert "--workdir" in done.stdout


def test_two_processes_on_one_workdir(launch, tmp_path):
    with workdir.locked(tmp_path / "out"):
        second = launch(*tiny_flags(), "--workdir=out")
    assert second.returncode == 2
    assert "Another process is running in out" in second.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_tells_the_command_that_goes_on(launch, environment, tmp_path, number):
    flags = [*tiny_flags(max_episodes=20), "--workdir=out"]
    process = subprocess.Popen(
        command(*flags), cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not (tmp_path / "out" / "metrics.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in errors
    told = errors.strip().splitlines()[-1].split("to go on: ")[1]
    assert shlex.split(told) == command(*flags)
    done = launch(*flags)
    assert done.returncode == 0
    assert len(without_times(tmp_path / "out")) == 20
