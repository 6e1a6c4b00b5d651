import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from jax_al.cli.build import study_of
from jax_al.drivers import cluster, cluster_processes, experiment
from jax_al.drivers.study import part_directory
from jax_al.errors import UsageError
from jax_al.session.locks import computing
from tests.runs import ROOT, run, tiny_config, tiny_flags, without_times

SECONDS = 180  # more than anything here takes, on a machine that is busy with other things
FIELDS = {"num_seeds": 3, "max_episodes": 2}
# Where it is not the bits of a network that count, a learner that compiles nothing.
HOST = {"model": {"name": "tests.made_up_benchmarks:nearest_mean_on_host"}}
PHASES = ("training", "evaluating", "asking for labels")
ALONE = """
import json, os, sys
from jax_al.cli.build import study_of
from jax_al.drivers import experiment
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # as many cores as a worker has
import pathlib
experiment.run(study_of(json.loads(sys.argv[1])), pathlib.Path(sys.argv[2]),
               tell=lambda event: None, overwrite=False, check_same=lambda *_: None)
"""
# Without the guard that multiprocessing wants; a strategy, a learner and data of its own.
SCRIPT = """
import sys
import numpy as np
import jax_al as al
from jax_al.errors import UsageError

print("once")
images = np.random.default_rng(0).integers(0, 255, (60, 8, 8, 1), np.uint8)
labels = images[:, 0, 0, 0] % 3
bench = al.Benchmark(al.arrays(images), labels, ("a", "b", "c"), al.arrays(images), labels)

def least_sure(key, signals, pool, budget):
    return al.by_score(key, -signals.log_probs.max(1), pool, budget)

def broken(key, signals, pool, budget):
    raise ZeroDivisionError("a mistake in the strategy")

def mendable(key, signals, pool, budget):
    raise UsageError("Mend me.")

def show(event):
    if event["event"] in ("part_failed", "part_ended"):
        print(event["event"], event["strategy"], event.get("error", ""), flush=True)

needs = {"needs": {"log_probs"}}
strategies = {"broken": al.strategy(broken, on_host=True, **needs),
              "mendable": al.strategy(mendable, on_host=True, **needs),
              "least_sure": al.strategy(least_sure, **needs)}
try:
    al.run(bench, learner=al.linear(), strategies=strategies, initial=5, budget=5, episodes=2,
           directory=sys.argv[1], jobs=2, tell=show)
except RuntimeError as error:
    print(error)
"""


def started(*words, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, *map(str, words)], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def ended(process):
    out, errors = process.communicate(timeout=SECONDS)
    return process.returncode, out, errors


def public(**fields):
    return json.loads(tiny_config(**FIELDS | fields).to_json_best_effort())


def journal(root, seed):
    """The events of a part without what tells when, where and in how many processes."""

    def known(value):
        if not isinstance(value, dict):
            return value
        apart = ("at", "when", "jobs", "scheduler", "pid")
        return {k: known(v) for k, v in value.items() if k not in apart and "seconds" not in k}

    lines = (part_directory(root, "coreset", seed) / "journal.jsonl").read_text().splitlines()
    return [known(json.loads(line)) for line in lines]


def same(root, other):
    assert without_times(root) == without_times(other)
    assert (root / "picks.csv").read_bytes() == (other / "picks.csv").read_bytes()
    for seed in range(FIELDS["num_seeds"]):
        assert journal(root, seed) == journal(other, seed)


def run_there(
    root, tell=lambda event: None, listen=lambda study: lambda event: None, fields=(),
    overwrite=False, **how,
):  # fmt: skip
    make = functools.partial(study_of, public(**dict(fields)))
    experiment.run(
        make(),
        root,
        tell=tell,
        overwrite=overwrite,
        check_same=lambda *_: None,
        run_all=cluster.executor(make, listen, **how),
    )


def launch(root, *flags):
    of_cnn = ("--config.model.widths", "--config.model.embedding_size")
    wide = [flag for flag in tiny_flags(**FIELDS) if not flag.startswith(of_cnn)]
    host = f"--config.model.name={HOST['model']['name']}"
    words = (ROOT / "launch.py", *wide, host, f"--workdir={root}", *flags)
    return started(*words, process_group=0)


def is_free(directory):
    try:
        with computing(directory):
            return True
    except UsageError:
        return False


def until(condition):
    start = time.monotonic()
    while not (found := condition()):
        assert time.monotonic() < start + SECONDS
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The run in one process on one core."""
    root = tmp_path_factory.mktemp("alone")
    status, _, errors = ended(started("-c", ALONE, json.dumps(public()), root))
    assert status == 0, errors
    return root


@pytest.fixture(scope="module")
def alone_on_the_host(tmp_path_factory):
    """The same of the learner that compiles nothing."""
    root = tmp_path_factory.mktemp("alone_on_the_host")
    with cluster_processes.on(cluster_processes.share_of(0, 2)):
        run(root, **FIELDS | HOST)
    return root


def test_killed_workers_cost_a_phase_and_change_no_bit(alone, tmp_path):
    cores = cluster_processes.share_of(0, 2)
    if cores is None or len(cores) != 1:
        pytest.skip("the run alone has one core")
    root = tmp_path / "killed"

    def listen(study):
        """Stands still, once for each seed, in the phase in which its worker is to be killed."""

        def on_event(event):
            if event["event"] == "phase":
                for seed, phase in enumerate(PHASES):
                    if f"seed {seed}, episode 1: {phase}" in event["text"]:
                        flag = root / f"stood_{seed}"
                        if not flag.exists():
                            flag.touch()
                            time.sleep(30)  # it is killed meanwhile, or later if word comes late

        return on_event

    events = []

    def tell(event):
        events.append(event)
        if event["event"] == "phase":
            for seed, phase in enumerate(PHASES):
                text = f"seed {seed}, episode 1: {phase}"
                if text in event["text"] and text not in killed:
                    killed.append(text)
                    os.kill(event["pid"], signal.SIGKILL)

    killed = []
    run_there(root, tell, listen, jobs=2)
    assert len(killed) == 3
    said = [e["text"] for e in events if e["event"] == "say" and "killed by signal 9" in e["text"]]
    assert len(said) == 3
    same(root, alone)
    rows = [(e["row"]["seed"], e["row"]["episode"]) for e in events if e["event"] == "row"]
    assert sorted(rows) == [(seed, episode) for seed in range(3) for episode in (1, 2)]
    assert sorted(e["seed"] for e in events if e["event"] == "part_ended") == [0, 1, 2]
    for seed in range(3):  # not even a core has changed for those who took over
        versions = [e for e in journal(root, seed) if e["event"] == "versions"]
        assert [event["cores"] for event in versions] == [1]


def test_a_scheduler_of_ones_own_whose_worker_keeps_its_programs(tmp_path):
    import distributed

    def kept(dask_worker):
        return [one for name, one in dask_worker.plugins.items() if name.startswith("jax_al")]

    def count(dask_worker):
        (one,) = kept(dask_worker)
        return one.ready[1].programs.compiles

    counts, waited = [], []
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as mine,
        distributed.Client(mine) as client,
        contextlib.ExitStack() as opened,
    ):

        def tell(event):
            if event["event"] == "run_begun":  # a worker on its way out still holds a part
                opened.enter_context(computing(event["parts"][0].directory))
            if event["event"] == "phase" and "waiting for its directory" in event["text"]:
                waited.append(event)
                opened.close()
            if event["event"] == "part_ended":
                counts.extend(client.run(count).values())

        run_there(tmp_path / "run", tell, scheduler=mine.scheduler_address)
        with pytest.raises(UsageError, match=r"2 of 2 parts failed\..*Training diverged"):
            run_there(
                tmp_path / "other", scheduler=mine.scheduler_address,
                fields={"lr": 1e30, "num_seeds": 2},
            )  # fmt: skip

        def stop(event):
            if event["event"] == "row":
                raise KeyboardInterrupt

        stopped = tmp_path / "stopped"
        with pytest.raises(KeyboardInterrupt):
            run_there(
                stopped, stop, scheduler=mine.scheduler_address, fields={"max_episodes": 50}
            )  # fmt: skip
        assert list(client.run(kept).values()) == [[]]  # nothing stays with a worker
        until(lambda: is_free(part_directory(stopped, "coreset", 0)))
        assert len(without_times(stopped)) < 50
    assert waited
    assert len(without_times(tmp_path / "run")) == 6
    assert len(counts) == 3
    assert counts[0] > 0
    assert len(set(counts)) == 1


def test_one_failed_part_leaves_the_others_alone(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    status, out, errors = ended(started(tmp_path / "script.py", tmp_path / "run"))
    assert status == 0, errors
    lines = out.splitlines()
    assert lines[0] == "once"
    assert sorted(lines[1:4]) == [
        "part_ended least_sure ",
        "part_failed broken ZeroDivisionError (above)",
        "part_failed mendable Mend me.",
    ]
    assert lines[4].startswith("2 of 3 parts failed.")
    assert errors.count("Traceback") == errors.count("a mistake in the strategy") == 1
    assert "in broken" in errors
    assert "distributed" not in errors
    assert [row["strategy"] for row in without_times(tmp_path / "run")] == ["least_sure"] * 2


def test_the_command_line_shows_rows_and_sentences_alone(alone_on_the_host, tmp_path):
    """The seeds after an interrupt go on where they were."""
    root = tmp_path / "run"
    process = launch(root, "--jobs=2")
    until(lambda: (root / "metrics.jsonl").exists() and (root / "metrics.jsonl").read_text())
    workers = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    start = time.monotonic()
    status, _, errors = ended(process)
    assert time.monotonic() < start + 10  # one or two when nothing else runs
    assert status == 130
    assert len(errors.strip().splitlines()) == 1
    assert "what was finished is kept; to go on: " in errors
    assert not any(worker.is_running() for worker in workers)
    status, out, errors = ended(launch(root, "--jobs=2"))
    assert status == 0, errors
    assert not errors
    assert "distributed" not in out
    same(root, alone_on_the_host)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_end_while_the_workers_start_leaves_none(tmp_path, number):
    process = launch(tmp_path / "run", "--jobs=2")

    def workers():
        return psutil.Process(process.pid).children(recursive=True)

    found = until(workers)
    process.send_signal(number)
    status, _, errors = ended(process)
    assert "Traceback" not in errors
    assert status == (130 if number == signal.SIGINT else -signal.SIGKILL)
    until(lambda: not any(one.is_running() and one.status() != "zombie" for one in found))


def test_two_processes_share_a_run(alone_on_the_host, tmp_path):
    root = tmp_path / "run"
    both = []
    for number in (1, 2):
        with cluster_processes.on(cluster_processes.share_of(number - 1, 2)):
            both.append(launch(root, f"--part={number}/2"))
    until(lambda: (root / "config.json").exists())
    with pytest.raises(UsageError, match="Another process is running"), computing(root):
        pass
    for process in both:
        status, _, errors = ended(process)
        assert status == 0, errors
        assert not errors
    assert json.loads((root / "config.json").read_text())["part"] is None
    assert (root / "curve.png").exists()
    assert not list(root.glob(".*.tmp"))
    same(root, alone_on_the_host)
    study = study_of(public(**HOST))
    with pytest.raises(UsageError, match="cannot overwrite"):
        experiment.run(
            study, root, tell=lambda event: None, overwrite=True, check_same=lambda *_: None,
            share=(1, 2),
        )  # fmt: skip


def test_without_dask_or_a_scheduler_there_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 0.5)
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(UsageError, match="There is no Dask scheduler at"):
            run_there(tmp_path / "run", scheduler=address)
    (tmp_path / "run" / "metrics.jsonl").write_text("{}")  # of an earlier run
    with pytest.raises(UsageError, match="There is no Dask scheduler at"):
        run_there(tmp_path / "run", scheduler="nonsense://x", overwrite=True)
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == "{}"
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"pip install 'jax_al\[cluster\]'"):
        cluster.executor(lambda: None, lambda study: None, jobs=2)


@pytest.mark.parametrize(
    ("cores", "jobs", "shares"),
    [
        ({0, 1}, 2, [{0}, {1}]),
        ({2, 4, 6, 8, 9}, 2, [{2, 4}, {6, 8}]),  # all have as many
        ({0, 1}, 3, [{0}, {1}, {0}]),
        ({5}, 2, [{5}, {5}]),
    ],
)
def test_cores_are_shared_out_evenly(monkeypatch, cores, jobs, shares):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: cores)
    assert [cluster_processes.share_of(place, jobs) for place in range(jobs)] == shares
