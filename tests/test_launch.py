import os
import pathlib
import resource
import shlex
import signal
import subprocess
import sys
import time

import pytest

from jax_al.session.locks import computing
from tests.forks import SECONDS
from tests.runs import ROOT, tiny_flags, without_times

HOST = ["--config.model.name=tests.made_up_benchmarks:nearest_mean_on_host"]
QUICK = [*tiny_flags(max_episodes=2, strategy="random"), *HOST]
QUICK = [flag for flag in QUICK if not flag.startswith("--config.model.widths")]
QUICK = [flag for flag in QUICK if not flag.startswith("--config.model.embedding_size")]


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Caches of its own, and a proxy nobody listens at: no test reaches a network."""
    dead = "http://127.0.0.1:9"
    return os.environ | {
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
        "http_proxy": dead,
        "https_proxy": dead,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(ROOT),
    }


def command(*flags):
    return [sys.executable, str(ROOT / "launch.py"), *flags]


@pytest.fixture
def launch(environment, tmp_path):
    """Starts a process and waits for its end."""

    def run(*flags, **more):
        return subprocess.run(
            command(*flags), cwd=tmp_path, capture_output=True, text=True, check=False,
            timeout=SECONDS, **{"env": environment, **more},
        )  # fmt: skip

    return run


@pytest.fixture
def launched(fork, environment, tmp_path):
    """The same as `launch`, without the seconds of the imports."""
    return lambda *flags: fork(*command(*flags)[1:], cwd=tmp_path, env=environment)


def test_a_whole_run_then_again_then_another_config_then_anew(launch, launched, tmp_path):
    done = launch(*tiny_flags(), "--workdir=out")
    assert done.returncode == 0, done.stderr
    for fact in ("jax ", "cpu", "digits", "pool 150", "coreset", "out/curve.png"):
        assert fact in done.stdout
    assert "\x1b" not in done.stdout
    rows = without_times(tmp_path / "out")

    again = launched(*tiny_flags(), "--workdir=out")
    assert again.returncode == 0
    assert "finished" in again.stdout

    other = launched(*tiny_flags(lr=0.1, budget=5), "--workdir=out")
    assert other.returncode == 2
    assert "lr (was 0.001, now 0.1)" in other.stderr
    assert "budget (was 7, now 5)" in other.stderr
    assert "--overwrite" in other.stderr
    assert without_times(tmp_path / "out") == rows

    anew = launched(*tiny_flags(seed=1, max_episodes=2), "--workdir=out", "--overwrite")
    assert anew.returncode == 0
    assert [(row["seed"], row["episode"]) for row in without_times(tmp_path / "out")] == [
        (1, 1), (1, 2),
    ]  # fmt: skip


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
def test_a_mistake_is_one_sentence(launched, flags, sentence):
    failed = launched(*flags)
    assert failed.returncode == 2
    assert sentence in failed.stderr
    assert "Traceback" not in failed.stderr
    assert "workdir" not in failed.stdout  # the facts at the start of a run


def test_help_is_no_failure(launched):
    done = launched("--help")
    assert done.returncode == 0
    assert "--workdir" in done.stdout


def test_two_processes_on_one_workdir(launched, tmp_path):
    with computing(tmp_path / "out"):
        second = launched(*QUICK, "--workdir=out")
    assert second.returncode == 2
    assert "Another process is running in out" in second.stderr


def test_what_the_user_cannot_mend_is_printed_and_told_at_the_end(launch, environment, tmp_path):
    """Its programs are kept in our own cache, as nobody has said where."""
    (tmp_path / "broken.py").write_text(
        "import jax_al as al\n\n"
        "def make():\n"
        "    return al.strategy(lambda *given: 1 // 0, needs=set())\n"
    )
    mine = environment | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    mine.pop("JAX_COMPILATION_CACHE_DIR", None)
    done = launch(*QUICK, "--workdir=out", "--config.compare=broken:make,random", env=mine)
    assert done.returncode == 1, done.stderr
    assert "ZeroDivisionError" in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("launch.py: 1 of 2 parts failed. broken:make, seed 0: ZeroDivisionError")
    assert "to go on: " in last
    assert {row["strategy"] for row in without_times(tmp_path / "out")} == {"random"}
    assert list(pathlib.Path(mine["XDG_CACHE_HOME"], "jax_al", "programs").glob("*-cache"))


def test_what_the_user_can_mend_is_told_at_the_end(launched):
    learner = "--config.model.name=tests.test_run_failures:diverging"
    done = launched(*QUICK, learner, "--workdir=out")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "1 of 1 parts failed. random, seed 0: Training diverged" in done.stderr


def test_a_full_disk_is_one_sentence_and_gone_on_with(launch, launched, tmp_path):
    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_500, resource.RLIM_INFINITY))

    done = launch(*QUICK, "--workdir=out", preexec_fn=full)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "What was finished is kept; to go on: " in last
    done = launched(*QUICK, "--workdir=out")
    assert done.returncode == 0, done.stderr
    assert len(without_times(tmp_path / "out")) == 2


def unhurried(spec, num_classes):
    """A learner that leaves time for a signal, whatever else the machine does."""
    from tests.made_up_benchmarks import nearest_mean_on_host

    learner = nearest_mean_on_host(spec, num_classes)

    def begin(*given):
        time.sleep(0.3)
        return learner.begin(*given)

    return learner._replace(begin=begin)


def closed(place):
    """How many requests have been answered and closed."""
    # Not below a part: directories of checkpoints come and go there.
    journals = place.glob("out/parts/*/*/journal.jsonl")
    return sum(journal.read_text().count('"closed"') for journal in journals)


def test_an_interrupt_tells_the_command_that_goes_on(launched, environment, tmp_path):
    """First one of the keyboard, then, while the same command goes on, one of the system."""
    learner = "--config.model.name=tests.test_launch:unhurried"
    flags = [*QUICK, learner, "--config.max_episodes=10", "--workdir=out"]
    before = 0
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(
            command(*flags), cwd=tmp_path, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        start = time.monotonic()
        # The journal says at once what metrics.jsonl tells people a little later; the first request
        # that it closes is that of the initial labels.
        while closed(tmp_path) <= before + 1:
            assert process.poll() is None
            assert time.monotonic() < start + SECONDS
            time.sleep(0.01)
        process.send_signal(number)
        _, errors = process.communicate(timeout=SECONDS)
        assert process.returncode == 130
        assert "Traceback" not in errors
        told = errors.strip().splitlines()[-1].split("to go on: ")[1]
        assert shlex.split(told) == command(*flags)
        before = closed(tmp_path) - 1
        assert before < 10
    done = launched(*flags)
    assert done.returncode == 0
    assert [row["episode"] for row in without_times(tmp_path / "out")] == list(range(1, 11))


INTERRUPTED_ON_THE_HOST = """
import importlib, os, pathlib, signal, sys
from jax_al import interrupt
from tests.runs import run

def stop(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):  # the handler runs before the strategy answers
        pass

importlib.import_module("jax_al.strategies.coreset_robust").robust_kcenter = stop
interrupt.listen()
try:
    host = {"name": "tests.made_up_benchmarks:nearest_mean_on_host"}
    run(pathlib.Path(sys.argv[1]), strategy="coreset_robust", model=host)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_while_a_strategy_works_on_the_host(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_ON_THE_HOST, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("interrupted\n")
