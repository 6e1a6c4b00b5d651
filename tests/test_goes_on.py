"""What a run or a session goes on with is what it began with, or a sentence says that it is not."""

import functools
import importlib
import json
import sys

import numpy as np
import pytest

import jax_al as al
from jax_al.errors import UsageError
from tests import runs

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = (X[:, 1] > 0).astype(np.int32)
X[:, 1] += np.where(Y, 2, -2)  # so that it can be learned
BENCHMARK = al.Benchmark(al.arrays(X), Y, ("a", "b"))
LINEAR = al.linear(penalty=0.1)


def opened(directory, pool=None, learner=LINEAR, strategy="random"):
    pool = al.arrays(X) if pool is None else pool
    given = {"classes": ["a", "b"], "learner": learner, "strategy": strategy, "budget": 20}
    return al.Session(pool, directory=directory, **given)


def answered(session):
    request = session.ask()
    session.tell({id: "ab"[Y[int(id)]] for id in request.ids})


def accuracy(session):
    return (session.predict(session.pool).argmax(axis=1) == Y).mean()


def run(directory, benchmark=BENCHMARK, strategies=("random",), episodes=1, oracle="simulated"):
    given = {"learner": LINEAR, "initial": 5, "budget": 5, "directory": directory}
    return al.run(benchmark, strategies=strategies, episodes=episodes, oracle=oracle, **given)


def test_a_session_on_another_file_of_features_learns_them_anew(tmp_path):
    file = tmp_path / "f.npy"
    np.save(file, X)
    pool = functools.partial(al.with_features, al.arrays(X), str(file))
    session = opened(tmp_path / "s", pool())
    answered(session)
    session.train()
    before = session.predict(session.pool)
    session.close()
    again = opened(tmp_path / "s", pool())
    np.testing.assert_array_equal(again.predict(again.pool), before)
    again.close()
    np.save(file, 7 - X)  # what was learned from the file before would be wrong on each of them
    other = opened(tmp_path / "s", pool())
    assert accuracy(other) > 0.9


def test_a_run_on_another_file_of_features_is_refused(tmp_path):
    file = tmp_path / "f.npy"
    np.save(file, X)
    run(tmp_path / "r", al.with_features(BENCHMARK, str(file)))
    assert len(run(tmp_path / "r", al.with_features(BENCHMARK, str(file)), episodes=2)) == 2
    np.save(file, 7 - X)
    with pytest.raises(UsageError, match="the data set has changed since the run began"):
        run(tmp_path / "r", al.with_features(BENCHMARK, str(file)), episodes=3)


@pytest.mark.parametrize(
    "of", [lambda pool: pool, lambda pool: al.with_features(pool, "pixels_pca")]
)
def test_a_session_on_the_same_numbers_in_another_order_is_refused(tmp_path, of):
    session = opened(tmp_path / "s", of(al.arrays(X)))
    answered(session)
    session.close()
    with pytest.raises(UsageError, match="not those that the session began with"):
        opened(tmp_path / "s", of(al.arrays(X[::-1])))
    opened(tmp_path / "s", of(al.arrays(X))).close()


def test_a_session_goes_on_where_rows_have_come_behind_the_others_twice(tmp_path):
    answered(opened(tmp_path / "s"))
    for more in (5, 9):
        session = opened(tmp_path / "s", al.arrays(np.concatenate([X, X[:more] + 1])))
        assert len(session.labels) == 20
    with pytest.raises(UsageError, match="not those that the session began with"):
        opened(tmp_path / "s", al.arrays(np.concatenate([X, X[:9] - 1])))


def test_a_strategy_of_the_same_name_but_made_of_another_is_refused(tmp_path):
    made = al.make_strategy
    assert len(run(tmp_path / "r", strategies={"mine": made("margin")}, episodes=2)) == 2
    for other in (made("random"), made("coreset"), al.strategy(made("margin").select, needs=set())):
        with pytest.raises(UsageError, match=r"began with the strategy margin\(\), which is "):
            run(tmp_path / "r", strategies={"mine": other}, episodes=3)
    both = {"other": made("random"), "mine": made("margin")}
    assert len(run(tmp_path / "r", strategies=both, episodes=3)) == 6


def test_a_session_with_a_strategy_made_of_another_is_refused(tmp_path):
    opened(tmp_path / "s", strategy=al.make_strategy("max_herding", bandwidth=0.5)).close()
    for other in ("max_herding", "kmedoids"):
        with pytest.raises(UsageError, match=r"is of max_herding\(bandwidth=0.5\), seed 0, and n"):
            opened(tmp_path / "s", strategy=al.make_strategy(other))
    opened(tmp_path / "s", strategy=al.make_strategy("max_herding", bandwidth=0.5)).close()


def scaled(spec, num_classes, factor=1.0):
    return al.linear(penalty=0.1 * factor)(spec, num_classes)


class Even:
    """A classifier of somebody's own, whose words hold a place in memory."""

    def __init__(self, sharpness=1):
        self.sharpness = sharpness

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.mark.parametrize(
    "make",
    [
        lambda value: functools.partial(scaled, factor=value),
        lambda value: al.host_learner(Even(value)),
    ],
    ids=["partial", "classifier"],
)
def test_a_learner_of_ones_own_goes_on_and_another_option_of_it_is_refused(tmp_path, make):
    answered(opened(tmp_path / "s", learner=make(1)))
    assert len(opened(tmp_path / "s", learner=make(1)).labels) == 20
    with pytest.raises(UsageError, match="was begun with the learner"):
        opened(tmp_path / "s", learner=make(2))


class Says:
    """An oracle that knows the truth, and says it or not."""

    def __init__(self, flip):
        self.flip, self.rows = flip, []

    def ask(self, request, rows):
        self.rows = rows

    def collect(self):
        rows, self.rows = self.rows, []
        return [al.Answer(row, int(Y[row]) ^ self.flip) for row in rows]


def honest(benchmark, seed):
    return Says(0)


def liar(benchmark, seed):
    return Says(1)


def test_another_oracle_of_ones_own_is_refused(tmp_path):
    run(tmp_path / "r", oracle=honest)
    assert len(run(tmp_path / "r", oracle=honest, episodes=2)) == 2
    for other in (liar, "simulated", functools.partial(liar)):
        with pytest.raises(UsageError, match=r"oracle \(was 'of its own: honest, source "):
            run(tmp_path / "r", oracle=other, episodes=3)


def test_a_run_goes_on_that_tells_nothing_of_its_own_oracle(tmp_path):
    run(tmp_path / "r", oracle=honest)
    config = tmp_path / "r/config.json"
    older = json.loads(config.read_text()) | {"oracle": "of its own"}
    config.write_text(json.dumps(older))
    with pytest.raises(UsageError, match=r"oracle \(was 'of its own', now 'simulated'"):
        run(tmp_path / "r", episodes=2)
    assert len(run(tmp_path / "r", oracle=honest, episodes=2)) == 2
    with pytest.raises(UsageError, match="oracle"):
        run(tmp_path / "r", oracle=liar, episodes=3)


OUTSIDE = """
import jax_al as al
from jax_al.oracles.simulated import simulated

def learner(spec, num_classes):
    return al.linear(penalty=0.1)(spec, num_classes)

made = al.linear(penalty=0.1)

def oracle(benchmark, seed=0):
    return simulated(benchmark.truth, delay=0)
"""


@pytest.mark.parametrize(
    ("change", "fields", "told"),
    [
        (("(penalty=0.1)(", "(penalty=9.0)("), {}, "learner learner, source"),
        (("(penalty=0.1)\n", "(penalty=9.0)\n"), {"model": {"name": "outside_part:made"}}, "0.1"),
        (
            ("(penalty=0.1)(", "(penalty=9.0)("),
            {"model": {"name": "ensemble", "learner": "outside_part:learner", "members": 2}},
            "learner learner, source",
        ),
        (("delay=0", "delay=1"), {}, "oracle oracle, source"),
    ],
)
def test_another_source_of_a_part_named_by_its_module_is_told(
    tmp_path, monkeypatch, change, fields, told
):
    fields = {
        "model": {"name": "outside_part:learner"},
        "oracle": "outside_part:oracle",
        "strategy": "random",
    } | fields
    monkeypatch.syspath_prepend(tmp_path)

    def heard(source, episodes):
        (tmp_path / "outside_part.py").write_text(source)
        sys.modules.pop("outside_part", None)
        importlib.invalidate_caches()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)  # of the same size and second
        said = []
        runs.run(tmp_path / "r", said.append, max_episodes=episodes, **fields)
        return " ".join(event["text"] for event in said if event["event"] == "say")

    assert heard(OUTSIDE, 1) == ""
    assert heard(OUTSIDE + "# a word more", 2) == ""
    assert told in heard(OUTSIDE.replace(*change), 3)


def test_a_session_whose_classifier_was_named_by_its_place_in_memory_goes_on(tmp_path):
    answered(opened(tmp_path / "s", learner=al.host_learner(Even())))
    journal = tmp_path / "s/journal.jsonl"
    text = journal.read_text()
    start = text.index("host_learner(")
    older = "host_learner(estimator=<tests.test_goes_on.Even object at 0x7fb9632cc890>)"
    older = older.replace("tests.test_goes_on", Even.__module__)
    journal.write_text(text[:start] + older + text[text.index('"', start) :])
    assert len(opened(tmp_path / "s", learner=al.host_learner(Even())).labels) == 20
