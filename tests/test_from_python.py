"""Runs from Python: own strategies, pools, oracles and learners, and what `import jax_al` costs."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import jax_al as al
from jax_al.session.records import read_picks
from tests.made_up_benchmarks import benchmark_of, images, nearest_mean_on_host, table
from tests.runs import ROOT, assert_same, rows_of, run, without_times

MADE_UP = benchmark_of(table(40))


def study(directory=None, **changes):
    given = {
        "learner": nearest_mean_on_host,
        "strategies": ["random", "margin"],
        "initial": 6,
        "budget": 4,
        "episodes": 3,
        "directory": directory,
    }
    return al.run(changes.pop("benchmark", MADE_UP), **{**given, **changes})


def timeless(rows):
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in rows]


def test_in_memory_and_in_a_directory_the_rows_are_the_same(tmp_path):
    rows = study(tmp_path / "run", seeds=range(2))
    assert [(r["strategy"], r["seed"], r["episode"]) for r in rows] == [
        (name, seed, episode)
        for name in ("random", "margin")
        for seed in (0, 1)
        for episode in (1, 2, 3)
    ]
    assert rows == rows_of(tmp_path / "run")
    assert timeless(study(seeds=range(2))) == timeless(rows)
    study(tmp_path / "parts", seeds=[0], episodes=2, strategies=["random"])
    study(tmp_path / "parts", seeds=range(2), strategies=["random", "margin"])
    assert_same(tmp_path / "parts", tmp_path / "run")


def test_what_differs_is_named_in_the_words_of_the_function(tmp_path):
    study(tmp_path)
    with pytest.raises(ValueError, match=r"budget \(was 4, now 5\).*overwrite=True"):
        study(tmp_path, budget=5)
    with pytest.raises(ValueError, match="can only grow"):
        study(tmp_path, episodes=2)
    study(tmp_path, budget=5, overwrite=True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"strategies": "random"}, "list of one or more names"),
        ({"strategies": []}, "list of one or more names"),
        ({"strategies": ["random", "random"]}, "called 'random': name each once"),
        ({"strategies": ["corset"]}, "did you mean 'coreset'"),
        ({"seeds": [0, 2]}, "consecutive"),
        ({"seeds": range(2**32 - 1, 2**32 + 1)}, r"seeds\[0\] and all .* must be below 2\*\*32"),
        ({"seeds": [2**70]}, r"seeds\[0\] and all .* must be below 2\*\*32"),
        ({"strategies": {}}, "list of one or more names"),
        ({"strategies": {1: al.make_strategy("margin")}}, "A part cannot be called 1"),
        ({"strategies": {"mine": "margin"}}, r"strategies\['mine'\] must be a Strategy"),
        ({"budget": 0}, "budget is 0"),
        ({"budget": "4"}, "budget is '4', but must be a whole number"),
        ({"episodes": 2.0}, "episodes is 2.0, but must be a whole number"),
        ({"keep_checkpoints": 0}, "keep_checkpoints is 0"),
        ({"keep_checkpoints": "all"}, "keep_checkpoints is 'all'"),
        ({"directory": ""}, "directory is '', but must name one"),
        ({"directory": __file__}, "which is a file"),
        ({"learner": al.linear}, r"which linear is not .*: al.linear\(\) is one"),
        ({"oracle": lambda benchmark, seed: None}, "oracle made a NoneType"),
        ({"budget": 41}, "budget is 41, but the pool holds 40 examples"),
        ({"initial": 41}, "initial is 41, but the pool holds 40"),
        ({"jobs": 2}, "need a directory"),
        ({"oracle": "nobody"}, "no oracle 'nobody'"),
        ({"benchmark": MADE_UP._replace(truth=None)}, "no labels to simulate"),
        ({"benchmark": MADE_UP._replace(truth=MADE_UP.truth - 1)}, "truth .* a class from 0 to"),
        ({"benchmark": MADE_UP._replace(truth=MADE_UP.truth + 1)}, "truth .* a class from 0 to"),
        ({"benchmark": MADE_UP._replace(truth=MADE_UP.truth * 1.0)}, "truth .* whole numbers"),
        ({"benchmark": MADE_UP._replace(truth=MADE_UP.truth.astype(">i4"))}, "truth .* order that"),
        ({"benchmark": MADE_UP._replace(truth=MADE_UP.truth[1:])}, "each of the 40 examples"),
        ({"benchmark": MADE_UP._replace(classes=("a",))}, "two or more different names"),
        ({"benchmark": MADE_UP._replace(classes=("a", "a"))}, "two or more different names"),
        ({"benchmark": MADE_UP._replace(classes="ab")}, "two or more different names"),
        ({"benchmark": MADE_UP._replace(test=table(9).read([0]))}, "test set .* must be a Pool"),
        ({"benchmark": MADE_UP._replace(test=images(9))}, "of the test set are .* be alike"),
        ({"benchmark": MADE_UP._replace(test_labels=None)}, "without test_labels"),
    ],
)
def test_mistakes(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        study(**changes)


def test_an_own_strategy(tmp_path):
    def least_sure(key, signals, pool, budget):
        return al.by_score(key, -signals.log_probs.max(1), pool, budget)

    mine = al.strategy(least_sure, needs={"log_probs"})
    rows = study(tmp_path, strategies={"mine": mine})
    assert [(row["strategy"], row["num_labeled"]) for row in rows] == [
        ("mine", 6), ("mine", 10), ("mine", 14),
    ]  # fmt: skip


def answering(**options):
    """Returns the (benchmark, seed) -> oracle of `al.run`."""
    from jax_al.oracles import make_oracle

    return lambda benchmark, seed: make_oracle("simulated", benchmark, seed=seed, **options)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        *((one, "must return a list of answers, .* returned a ") for one in (None, {}, iter(()))),
        ([(0, 1)], r"must return a list of al.Answer\(row, decision\), and one of it is a tuple"),
    ],
)
def test_an_oracle_that_returns_no_list_of_answers_is_not_waited_for(answer, words):
    class Silent:
        def ask(self, request, rows):
            """Nobody is there."""

        def collect(self):
            return answer

    with pytest.raises(ValueError, match=words):
        study(oracle=lambda benchmark, seed: Silent())


@pytest.mark.parametrize("on_host", [False, True])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: -x, "are no logarithms of probabilities: those of row 0 add up to .* and not"),
        (lambda x: x[:, :2], r"have a shape of \[2\] for each example, but must have one of \[3\]"),
    ],
)
def test_what_is_no_log_probability_buys_nothing(change, words, on_host, tmp_path):
    def wrong(spec, num_classes):
        make = nearest_mean_on_host if on_host else al.linear(penalty=0.1)
        learner = make(spec, num_classes)

        def predict(state, inputs):
            outputs = learner.predict(state, inputs)
            return outputs._replace(log_probs=change(outputs.log_probs))

        return learner._replace(predict=predict)

    untested = MADE_UP._replace(test=None, test_labels=None)
    with pytest.raises(ValueError, match=words):
        study(tmp_path, learner=wrong, strategies=["margin"], benchmark=untested)
    bought = tmp_path / "picks.csv"  # compiled ahead, it is refused before there is one
    assert not bought.exists() or {pick.episode for pick in read_picks(bought)} == {0}


def picks(directory):
    return (directory / "picks.csv").read_text()


def test_the_picks_are_the_same_whatever_the_delay(tmp_path):
    for delay in (0, 1, 3):
        oracle = answering(delay=delay, noise=0.3)
        study(tmp_path / str(delay), oracle=oracle)
    assert picks(tmp_path / "0") == picks(tmp_path / "1") == picks(tmp_path / "3")
    study(tmp_path / "right")
    assert picks(tmp_path / "right") != picks(tmp_path / "0")


def test_what_is_skipped_counts_as_asked_and_is_never_asked_again(tmp_path):
    rows = study(tmp_path, oracle=answering(skip=0.5), episodes=20, strategies=["random"])
    events = [
        json.loads(line)
        for line in (tmp_path / "parts/random/seed_0/journal.jsonl").read_text().splitlines()
    ]
    asked = [row for event in events if event["event"] == "asked" for row in event["rows"]]
    assert sorted(asked) == list(range(40))
    assert 10 < rows[-1]["num_labeled"] < 30


def test_noisy_answers_resume(tmp_path):
    oracle = answering(delay=2, noise=0.3, skip=0.2)
    study(tmp_path / "whole", oracle=oracle)
    for episodes in (1, 2, 3):
        study(tmp_path / "parts", oracle=oracle, episodes=episodes)
    assert_same(tmp_path / "parts", tmp_path / "whole")


OUTSIDE = """
import numpy as np
import jax_al as al
from jax_al.oracles.simulated import simulated

def strategy():
    def select(key, signals, pool, budget):
        return al.by_score(key, -signals.log_probs.max(1), pool, budget)
    return al.strategy(select, needs={"log_probs"})

def pool():
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    return al.Benchmark(al.arrays(x), (x[:, 0] > 0).astype(np.int32), ("low", "high"))

def oracle(benchmark, **options):
    return simulated(benchmark.truth, delay=1)

def learner(spec, num_classes):
    from sklearn.naive_bayes import GaussianNB
    return al.host_learner(GaussianNB())(spec, num_classes)
"""


def test_own_parts_from_outside_the_clone_by_their_names(tmp_path, monkeypatch):
    """Each is a function of ten lines in a module on PYTHONPATH."""
    (tmp_path / "outside_mine.py").write_text(textwrap.dedent(OUTSIDE))
    monkeypatch.syspath_prepend(tmp_path)
    fields = {
        "strategy": "outside_mine:strategy",
        "data.name": "outside_mine:pool",
        "data.pool_size": None,
        "data.test_size": None,
        "oracle": "outside_mine:oracle",
        "model": {"name": "outside_mine:learner"},
    }
    run(tmp_path / "run", **fields, max_episodes=2)
    run(tmp_path / "run", **fields)
    rows = without_times(tmp_path / "run")
    assert [row["num_labeled"] for row in rows] == [10, 17, 24]
    assert {row["strategy"] for row in rows} == {"outside_mine:strategy"}
    assert {row["test_accuracy"] for row in rows} == {None}


def test_importing_the_package_is_light():
    program = (
        "import sys, jax_al; heavy = {'jax', 'flax', 'orbax', 'sklearn', 'optax', 'matplotlib', "
        "'tensorflow', 'absl', 'ml_collections', 'pandas', 'distributed'} & set(sys.modules); "
        "assert not heavy, heavy; assert len(jax_al.__all__) == len(set(dir(jax_al)) & "
        "set(jax_al.__all__))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there():
    assert all(getattr(al, name) is not None for name in al.__all__)
    with pytest.raises(AttributeError, match="no attribute 'corset'"):
        _ = al.corset


def test_a_seed_decides_everything_and_nothing_else_does():
    one, other = study(seeds=[1]), study(seeds=range(2))
    assert timeless(one) == [row for row in timeless(other) if row["seed"] == 1]
    assert np.isfinite([row["test_nll"] for row in one]).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pool": table(40, seed=3)}, "the data set has changed since the run began"),
        ({"pool": al.arrays(table(40).read(slice(None))[:, :2])}, "the data set has changed"),
        ({"classes": ("a", "b", "d")}, "classes of the data were a, b, c .* are a, b, d now"),
    ],
)
def test_other_data_of_the_same_size_are_refused(changes, words, tmp_path):
    untested = MADE_UP._replace(test=None, test_labels=None)
    study(tmp_path, benchmark=untested)
    before = timeless(rows_of(tmp_path))
    with pytest.raises(ValueError, match=words):
        study(tmp_path, benchmark=untested._replace(**changes), episodes=4)
    assert timeless(rows_of(tmp_path)) == before
    study(tmp_path, benchmark=untested, episodes=4)


@pytest.mark.parametrize(
    "changes",
    [
        {"test": table(len(MADE_UP.test), seed=8)},
        {"test_labels": (MADE_UP.test_labels + 1) % 3},
        {"test": None, "test_labels": None},
    ],
)
def test_a_run_is_tested_on_one_test_set(changes, tmp_path):
    """Half of a curve was told of the one, and half of the other."""
    study(tmp_path)
    before = timeless(rows_of(tmp_path))
    with pytest.raises(ValueError, match="the data set has changed since the run began"):
        study(tmp_path, benchmark=MADE_UP._replace(**changes), episodes=4)
    assert timeless(rows_of(tmp_path)) == before


def test_a_run_may_be_given_a_test_set_later(tmp_path):
    study(tmp_path, benchmark=MADE_UP._replace(test=None, test_labels=None))
    rows = study(tmp_path, episodes=4)
    assert [row["test_accuracy"] is None for row in rows] == 2 * [True, True, True, False]


def test_a_record_that_tells_nothing_of_its_examples_goes_on(tmp_path):
    study(tmp_path / "whole")
    study(tmp_path / "old", episodes=2)
    for path in (tmp_path / "old").glob("parts/*/seed_0/journal.jsonl"):
        first, *rest = path.read_text().splitlines()
        begun = json.loads(first)
        del begun["data"]["examples"], begun["data"]["test"]
        path.write_text("".join(f"{line}\n" for line in (json.dumps(begun), *rest)))
    study(tmp_path / "old")
    assert_same(tmp_path / "old", tmp_path / "whole")


def test_numbers_of_numpy_do_as_numbers(tmp_path):
    small = {"budget": np.int64(4), "initial": np.int32(6), "episodes": np.uint8(3)}
    study(tmp_path / "numpy", seeds=np.arange(1), **small)
    study(tmp_path / "python")
    assert_same(tmp_path / "numpy", tmp_path / "python")
