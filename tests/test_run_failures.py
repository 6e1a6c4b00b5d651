"""What goes wrong in one part, on the disk or in the room: told in a sentence, and gone on with."""

import os
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

import jax_al as al
from jax_al import strategies
from jax_al.errors import PartsError, UsageError
from jax_al.oracles.simulated import simulated
from jax_al.session.locks import computing
from jax_al.session.records import read_picks
from jax_al.types import Benchmark
from tests.made_up_benchmarks import table
from tests.runs import ROOT, assert_same, part_of, rows_of, run, run_study, study

HOST = {"name": "tests.made_up_benchmarks:nearest_mean_on_host"}
QUICK = {"model": HOST, "strategy": "random", "max_episodes": 2}


def named(rows):
    return [(row["strategy"], row["seed"], row["episode"]) for row in rows]


def test_a_seed_that_diverges_fails_alone_and_buys_nothing(tmp_path):
    told = []
    sentence = (
        r"^1 of 2 parts failed. coreset, seed 0: Training diverged \(seed 0, episode 1: .*"
        r"lower learning rate\.$"
    )
    with pytest.raises(UsageError, match=sentence):
        run(
            tmp_path,
            told.append,
            model={"name": "tests.test_run_failures:diverging"},
            num_seeds=2,
            max_episodes=2,
        )
    assert named(rows_of(tmp_path)) == [("coreset", 1, 1), ("coreset", 1, 2)]
    picks = read_picks(part_of(tmp_path) / "picks.csv")
    assert {pick.episode for pick in picks} == {0}
    ends = [e for e in told if e["event"] in ("part_ended", "part_failed")]
    assert [(e["event"], e["seed"]) for e in ends] == [("part_failed", 0), ("part_ended", 1)]


def diverging(spec, num_classes):
    """A learner whose first fit, of seed 0, comes to nothing."""
    from tests.made_up_benchmarks import nearest_mean_on_host

    learner, fits = nearest_mean_on_host(spec, num_classes), []

    def finish(training):
        fits.append(1)
        state, fit = learner.finish(training)
        return state, fit._replace(loss=np.nan if len(fits) == 1 else 0.5)

    return learner._replace(finish=finish)


def test_a_real_network_diverges_too(tmp_path):
    with pytest.raises(UsageError, match=r"diverged.*learning rate"):
        run(tmp_path, lr=1e30, strategy="random")
    assert {pick.episode for pick in read_picks(tmp_path / "picks.csv")} == {0}


def failing(error):
    def make():
        def select(key, signals, pool, budget):
            raise error

        return strategies.make_strategy("random")._replace(select=select)

    return make


@pytest.mark.parametrize("names", [("random", "broken", "entropy"), ("broken", "entropy")])
@pytest.mark.parametrize("kind", [UsageError, ZeroDivisionError])
def test_one_strategy_that_fails_does_not_stop_the_others(
    names, kind, tmp_path, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        patch.setitem(strategies.STRATEGIES, "broken", failing(kind("No.")))
        is_bug = kind is ZeroDivisionError
        reason = r"ZeroDivisionError \(above\)" if is_bug else r"No\."
        with pytest.raises(
            PartsError if is_bug else UsageError,
            match=rf"^1 of {len(names)} parts failed\. broken, seed 0: {reason}$",
        ):
            run(tmp_path, **QUICK, compare=names)
    assert ("Traceback" in capsys.readouterr().err) == is_bug
    assert named(rows_of(tmp_path)) == [
        (name, 0, episode) for name in names if name != "broken" for episode in (1, 2)
    ]


def test_what_fails_late_keeps_what_it_had_and_goes_on_next_time(tmp_path, monkeypatch):
    def until(key, signals, pool, budget):
        if int(pool.num_queries) == 1:
            raise ZeroDivisionError
        return entropy.select(key, signals, pool, budget)

    fields = QUICK | {"max_episodes": 4, "compare": ("entropy", "random")}
    entropy = strategies.make_strategy("entropy")
    run(tmp_path / "whole", **fields)
    with monkeypatch.context() as patch:
        late = entropy._replace(select=until, on_host=True)
        patch.setitem(strategies.STRATEGIES, "entropy", lambda: late)
        with pytest.raises(PartsError, match="entropy, seed 0"):
            run(tmp_path / "late", **fields)
    assert [row["strategy"] for row in rows_of(tmp_path / "late")] == ["entropy"] + ["random"] * 4
    run(tmp_path / "late", **fields)
    assert_same(tmp_path / "late", tmp_path / "whole")


def test_a_second_process_is_told_and_a_kill_lets_go(tmp_path):
    program = (
        "import pathlib, sys\nfrom jax_al.session.locks import computing\n"
        "with computing(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    run(tmp_path, **QUICK | {"max_episodes": 1})
    for place in (tmp_path, part_of(tmp_path, "random")):  # the run's, and one of its parts'
        with subprocess.Popen(
            [sys.executable, "-c", program, str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as holder:
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(UsageError, match="Another process is running in"):
                run(tmp_path, **QUICK)
            os.kill(holder.pid, signal.SIGKILL)
    run(tmp_path, **QUICK)


def test_a_lock_makes_the_directory_and_is_let_go_on_the_way_out(tmp_path):
    directory = tmp_path / "new" / "run"
    with pytest.raises(ZeroDivisionError), computing(directory):
        raise ZeroDivisionError
    with computing(directory):
        assert directory.is_dir()


def test_a_workdir_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be used"):
        run(tmp_path / "file", **QUICK)
    with pytest.raises(UsageError, match="cannot be used"):
        run(tmp_path / "file" / "run", **QUICK)


AS_NOBODY = """
import os, pathlib, sys
from jax_al.errors import UsageError
from tests import runs

fields = {"model": {"name": sys.argv[1]}, "strategy": "random"}
study = runs.study(**fields)
runs.run_study(study, None)  # imports and reads all, as nobody else may read root's Python
if not os.getuid():  # root may write everywhere
    os.setgid(65534)
    os.setuid(65534)
for path in sys.argv[2:]:
    try:
        runs.run_study(study, pathlib.Path(path))
    except UsageError as error:
        print(error)
"""


def test_a_workdir_that_may_not_be_written_to_is_told(tmp_path):
    run(tmp_path / "run", **QUICK)
    for path in (tmp_path, *tmp_path.parents[:3]):  # may be looked into by anybody
        path.chmod(path.stat().st_mode | 0o055)
    (tmp_path / "run").chmod(0o555)
    places = [str(tmp_path / "run"), str(tmp_path / "run" / "new")]
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, HOST["name"], *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == 2
    assert all("cannot be used: Permission denied" in sentence for sentence in told)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    run(workdir, **QUICK)
    return workdir


@pytest.mark.parametrize("size", [300, 1_100, 3_000])
def test_a_full_disk_is_an_error_of_the_system_and_gone_on_with(whole, tmp_path, size):
    """The system lets no file grow beyond `size`: the config, the journal at once or later."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        with pytest.raises(OSError, match=r"File too large|No space left"):
            run(tmp_path / "full", **QUICK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    run(tmp_path / "full", **QUICK)
    assert_same(tmp_path / "full", whole)


def one_class():
    return Benchmark(table(200), np.zeros(200, np.int32), ("a",), table(60), np.zeros(60, np.int32))


def same_class():
    return one_class()._replace(classes=("a", "a"))


PEOPLE = {"oracle": "people", "data__test_size": None}


def none():
    return Benchmark(table(200), None, ())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"initial_size": 151}, "initial_size is 151, but the pool holds 150"),
        ({"strategy": "corset"}, "did you mean 'coreset'"),
        ({"compare": ("random", "corset")}, "did you mean 'coreset'"),
        ({"compare": ("random", "random")}, "called 'random': name each once"),
        ({"compare": ("random@pixels_pca",)}, "'random' has no option 'embedding'"),
        ({"compare": ("coreset@nothing",)}, "'nothing', but must be model, random_net"),
        ({"model__name": "ccnn"}, "did you mean 'cnn'"),
        ({"model__widths": (2,)}, r"widths"),
        ({"model__dropout_rates": (1.5, 0.5)}, "dropout_rates"),
        ({"model": {"name": "linear"}, "strategy": "bald"}, "one opinion only"),
        ({"oracle": "nowhere:oracle"}, "nowhere"),
        ({"data__name": "tests.test_run_failures:one_class"}, "are 'a': a learner needs two or"),
        ({"data__name": "tests.test_run_failures:same_class"}, "are 'a', 'a': a learner needs two"),
        ({"data__name": "tests.test_run_failures:none", **PEOPLE}, "are not known"),
    ],
)
def test_mistakes_are_told_before_anything_is_written(fields, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        run(tmp_path / "run", **fields)
    assert not (tmp_path / "run" / "parts").exists()
    assert not (tmp_path / "run" / "config.json").exists()


WRAPPED = {"name": "ensemble", "learner": "linear", "by": "key"}
SPREAD = {"name": "propagate", "learner": "linear", "penalty": 1.0, "max_points": 100}
NO_ORACLE = {"oracle": "tests.test_run_failures:no_oracle"}
NO_TRUTH = {"oracle": "tests.test_run_failures:quiet", "initial": "class_balanced"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"compare": ("random", "coreset@short.npy")}, "has 3 rows"),
        ({"model": WRAPPED}, "by is 'key', but no key decides anything"),
        ({"model": SPREAD}, "propagate is for pools of at most 100 examples"),
        (NO_ORACLE, "which has no ask and collect"),
        ({"data__name": "tests.test_run_failures:no_truth", **NO_TRUTH}, "'class_balanced', which"),
    ],
)
def test_nothing_is_removed_while_anything_can_be_refused(fields, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "run", **QUICK)
    np.save(tmp_path / "short.npy", np.zeros((3, 2)))
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    with pytest.raises(UsageError, match=message):
        run(tmp_path / "run", overwrite=True, **QUICK | fields)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_a_run_that_was_refused_binds_nobody(tmp_path):
    with pytest.raises(UsageError, match="at most 100 examples"):
        run(tmp_path, **QUICK | {"model": SPREAD})
    run(tmp_path, **QUICK | {"model": SPREAD | {"max_points": 1000}})
    assert len(rows_of(tmp_path)) == 2
    with pytest.raises(UsageError, match="another config"):
        run(tmp_path, **QUICK | {"model": SPREAD})


def test_what_others_have_begun_is_not_removed_though_nothing_is_asked_yet(tmp_path):
    """Processes that share a run: of the first nobody knows whether it still compiles."""
    with pytest.raises(UsageError, match="at most 100 examples"):
        run(tmp_path, **QUICK | {"model": SPREAD})
    journals = sorted(tmp_path.rglob("journal.jsonl"))
    other = study(**QUICK | {"model": SPREAD | {"max_points": 1000}})
    with pytest.raises(UsageError, match="another config"):
        run_study(other, tmp_path, share=(2, 2))
    assert sorted(tmp_path.rglob("journal.jsonl")) == journals != []


def no_oracle(benchmark):
    """An oracle that nobody can ask."""
    return benchmark


def no_truth():
    """A benchmark whose labels nobody knows."""
    return al.benchmark("digits")._replace(truth=None)


def quiet(benchmark, seed=0):
    """An oracle that never answers."""
    return simulated(np.zeros(len(benchmark.pool), int), delay=9)


def test_a_file_of_features_that_is_another_one_by_now_is_refused(tmp_path):
    features, rng = tmp_path / "features.npy", np.random.default_rng(0)
    np.save(features, rng.normal(size=(150, 3)))
    fields = QUICK | {"strategy": f"coreset@{features}"}
    run(tmp_path / "run", **fields)
    before, first = rows_of(tmp_path / "run"), features.read_bytes()
    np.save(features, rng.normal(size=(150, 3)))
    with pytest.raises(UsageError, match=r"features.npy is not the file that .* began with"):
        run(tmp_path / "run", **fields | {"max_episodes": 3})
    assert rows_of(tmp_path / "run") == before
    features.write_bytes(first)
    run(tmp_path / "run", **fields | {"max_episodes": 3})
    assert len(rows_of(tmp_path / "run")) == 3


def test_interrupted_while_overwriting_it_goes_on_without(tmp_path):
    def until(event):
        if event == {"event": "part_begun", "strategy": "entropy", "seed": 0}:
            raise KeyboardInterrupt

    fields = QUICK | {"compare": ("random", "entropy")}
    run(tmp_path, **fields)
    (tmp_path / "report.html").write_text("about what is removed")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, until, overwrite=True, **fields | {"budget": 5})
    assert not (tmp_path / "report.html").exists()
    assert [row["num_labeled"] for row in rows_of(tmp_path)] == [10, 15]
    run(tmp_path, **fields | {"budget": 5})
    assert [row["num_labeled"] for row in rows_of(tmp_path)] == [10, 15, 10, 15]
