import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jax_al.errors import UsageError
from jax_al.oracles import make_oracle
from jax_al.oracles.people import people
from jax_al.oracles.simulated import INITIAL, initial_indices, simulated
from jax_al.testing.oracle import check_oracle
from jax_al.types import SKIP, Answer, Benchmark


@st.composite
def choices(draw):
    """A truth over some classes, and how many points to choose."""
    labels = np.array(draw(st.lists(st.integers(0, 4), min_size=1, max_size=40)), np.int32)
    return labels, draw(st.integers(1, labels.size)), draw(st.integers(0, 2**32 - 1))


@pytest.mark.parametrize("how", INITIAL)
@given(case=choices())
def test_initial_points_are_as_many_as_asked_distinct_and_repeat_for_one_seed(how, case):
    labels, size, seed = case
    chosen = initial_indices(np.random.default_rng(seed), how, labels, size)
    assert len(set(chosen.tolist())) == len(chosen) == size
    assert set(chosen.tolist()) <= set(range(labels.size))
    again = initial_indices(np.random.default_rng(seed), how, labels, size)
    np.testing.assert_array_equal(chosen, again)


@given(choices())
def test_balanced_counts_differ_by_at_most_one_except_where_a_class_is_used_up(case):
    labels, size, seed = case
    chosen = initial_indices(np.random.default_rng(seed), "class_balanced", labels, size)
    available = np.bincount(labels, minlength=5)
    counts = np.bincount(labels[chosen], minlength=5)
    can_give_more = counts < available
    if can_give_more.any():
        assert counts.max() <= counts[can_give_more].min() + 1


@pytest.mark.parametrize("how", INITIAL)
def test_chance_reaches_every_point(how):
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2], np.int32)
    seen = {
        int(index)
        for seed in range(200)
        for index in initial_indices(np.random.default_rng(seed), how, labels, 2)
    }
    assert seen == set(range(8))


def test_random_does_not_look_at_the_truth():
    one, other = np.zeros(20, np.int32), np.arange(20, dtype=np.int32)
    np.testing.assert_array_equal(
        initial_indices(np.random.default_rng(3), "random", one, 7),
        initial_indices(np.random.default_rng(3), "random", other, 7),
    )


def answers_of(oracle, *requests, collects=20):
    for number, rows in enumerate(requests):
        oracle.ask(number, rows)
    return [answer for _ in range(collects) for answer in oracle.collect()]


def decisions_of(*args, **kwargs):
    return {answer.row: answer.decision for answer in answers_of(*args, **kwargs)}


TRUTH = np.arange(2000, dtype=np.int32) % 4


def test_the_truth_is_told_at_once_in_the_order_asked():
    oracle = simulated(np.array([5, 6, 7, 8], np.int32))
    oracle.ask(0, [3, 0, 2])
    assert [(a.row, a.decision) for a in oracle.collect()] == [(3, 8), (0, 5), (2, 7)]
    assert oracle.collect() == []


@settings(max_examples=50)
@given(
    cuts=st.sets(st.integers(1, 29), max_size=4),
    order=st.permutations(range(30)),
    noise=st.sampled_from([0.0, 0.5]),
    skip=st.sampled_from([0.0, 0.5]),
    delay=st.integers(0, 3),
    seed=st.integers(0, 5),
)
def test_what_is_said_of_a_row_does_not_depend_on_who_asks_when(
    cuts, order, noise, skip, delay, seed
):
    def make():
        return simulated(TRUTH, noise=noise, skip=skip, delay=delay, seed=seed)

    bounds = [0, *sorted(cuts), len(order)]
    parts = [order[a:b] for a, b in itertools.pairwise(bounds)]
    expected = decisions_of(make(), range(30))
    assert len(expected) == 30
    assert decisions_of(make(), *parts) == expected
    oracle, late = make(), {}
    for number, rows in enumerate(parts):
        oracle.ask(number, rows)
        oracle.ask(number, rows)
        late |= {answer.row: answer.decision for answer in oracle.collect()}
    assert late | decisions_of(oracle) == expected


def test_shares_are_what_was_asked_for_and_errors_are_spread_over_the_other_classes():
    decisions = decisions_of(simulated(TRUTH, noise=0.3, skip=0.2), range(len(TRUTH)))
    told = np.array([decisions[row] for row in range(len(TRUTH))])
    skipped = told == SKIP
    wrong = (told != TRUTH) & ~skipped
    assert abs(skipped.mean() - 0.2) < 0.04
    assert abs(wrong.sum() / (~skipped).sum() - 0.3) < 0.04
    counts = np.bincount((told - TRUTH)[wrong] % 4, minlength=4)
    assert counts[0] == 0
    assert abs(counts[1:] / counts.sum() - 1 / 3).max() < 0.06


def test_answers_are_as_late_as_was_asked_for_and_no_later():
    oracle = simulated(TRUTH, delay=3)
    oracle.ask(0, range(len(TRUTH)))
    counts = [len(oracle.collect()) for _ in range(5)]
    assert counts[4] == 0
    assert abs(np.array(counts[:4]) / len(TRUTH) - 1 / 4).max() < 0.04


def test_one_option_does_not_change_what_another_draws():
    noisy = decisions_of(simulated(TRUTH, noise=0.3), range(100))
    late = decisions_of(simulated(TRUTH, noise=0.3, delay=3), range(100))
    skipping = decisions_of(simulated(TRUTH, noise=0.3, skip=0.3), range(100))
    assert noisy == late
    assert {row: noisy[row] for row in noisy if skipping[row] != SKIP} == {
        row: decision for row, decision in skipping.items() if decision != SKIP
    }


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"noise": 1.5}, "noise is a share"),
        ({"skip": -0.1}, "skip is a share"),
        ({"delay": -1}, "delay is -1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        simulated(TRUTH, **options)


def test_noise_needs_another_class():
    with pytest.raises(UsageError, match="two classes"):
        simulated(np.zeros(3, np.int32), noise=0.1)


def test_people_are_not_collected_from():
    assert answers_of(people(), [1, 2]) == []


BENCHMARK = Benchmark(None, TRUTH, ("a", "b", "c", "d"))

OUTSIDE = """
from jax_al.oracles.simulated import simulated
def contrary(benchmark, shift=1):
    return simulated((benchmark.truth + shift) % len(benchmark.classes))
def nothing(benchmark):
    return None
a_number = 3
"""


@pytest.fixture
def outside(tmp_path, monkeypatch):
    (tmp_path / "my_oracles.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_oracles", None)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("simulated", {}),
        ("simulated", {"noise": 0.5, "skip": 0.5, "delay": 3}),
        ("people", {}),
        ("my_oracles:contrary", {"shift": 2}),
    ],
)
def test_every_oracle_keeps_its_promises(outside, name, options):
    check_oracle(lambda: make_oracle(name, BENCHMARK, **options), num_points=50, num_classes=4)


def test_an_oracle_from_outside_gets_the_benchmark_and_its_options(outside):
    oracle = make_oracle("my_oracles:contrary", BENCHMARK, shift=2)
    assert decisions_of(oracle, [0, 1]) == {0: 2, 1: 3}


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("simulate", {}, "did you mean 'simulated'"),
        ("simulated", {"nois": 1}, "unexpected keyword argument 'nois'"),
        ("people", {"noise": 1}, "unexpected keyword argument 'noise'"),
        ("no_such_module:f", {}, "there is no module 'no_such_module'"),
        ("my_oracles:no_such", {}, "no_such"),
        ("my_oracles:a_number", {}, "has no function 'a_number'"),
        ("my_oracles:nothing", {}, "returned a NoneType"),
        (":f", {}, "'' is no name of a module"),
    ],
)
def test_an_oracle_that_cannot_be_made_is_told_in_a_sentence(outside, name, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        make_oracle(name, BENCHMARK, **options)


def test_a_pool_without_truth_has_no_simulated_oracle():
    with pytest.raises(UsageError, match="no labels to simulate"):
        make_oracle("simulated", BENCHMARK._replace(truth=None))


class Broken:
    """An oracle that keeps all promises but one."""

    def __init__(self, fault):
        self._fault, self._waiting, self._asked = fault, [], 0

    def ask(self, request, rows):
        self._asked += 1
        if self._fault == "doubles":
            self._waiting += rows
        else:
            self._waiting = list(dict.fromkeys([*self._waiting, *rows]))

    def collect(self):
        rows, self._waiting = self._waiting, []
        if self._fault == "early":
            rows = rows or [0]
        if self._fault == "again" and self._asked == 2:
            rows = rows and [*rows, 9]  # of the first request
        if self._fault == "silent":
            return None
        if self._fault == "strange row":
            rows = [row + 1 for row in rows]
        if self._fault == "tuple":
            return [(row, 0, "", 0.0) for row in rows]
        decision = 9 if self._fault == "strange class" else -1 if self._fault == "minus one" else 0
        return [Answer(row, decision) for row in rows]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("doubles", "answered twice"),
        ("early", "asked nothing"),
        ("strange row", "not asked"),
        ("tuple", "not an Answer"),
        ("strange class", "9 is neither"),
        ("minus one", "-1 is neither"),
        ("again", "answered twice"),
        ("silent", "collect must return a list, .* not None"),
    ],
)
def test_a_promise_that_is_broken_is_named(fault, sentence):
    with pytest.raises(AssertionError, match=sentence):
        check_oracle(lambda: Broken(fault), num_points=10, num_classes=4)


class Slow:
    """An oracle that is right and answers a few rows at a time, which ones as it pleases."""

    def __init__(self, choose):
        self._choose, self._waiting, self._known = choose, [], set()

    def ask(self, request, rows):
        self._waiting += [row for row in rows if row not in self._known]
        self._known |= set(rows)

    def collect(self):
        told = self._choose(self._waiting)
        self._waiting = [row for row in self._waiting if row not in told]
        return [Answer(row, row % 4) for row in told]


class Fickle(Slow):
    """One that says something else when it is asked again."""

    asked = 0

    def ask(self, request, rows):
        self.asked += 1
        super().ask(request, rows)

    def collect(self):
        return [answer._replace(decision=self.asked % 2) for answer in super().collect()]


def now_and_then(waiting, rng=np.random.default_rng(0)):  # noqa: B008
    return [row for row in waiting if rng.random() < 0.1]


@pytest.mark.parametrize(
    "choose", [lambda waiting: waiting[:1], lambda waiting: waiting[-1:], now_and_then]
)
@pytest.mark.parametrize("patience", [3, 20])
def test_an_oracle_may_be_slow_and_answer_in_any_order(choose, patience):
    check_oracle(lambda: Slow(choose), num_points=50, num_classes=4, patience=patience)


def test_other_answers_to_the_same_request_are_a_promise_broken():
    with pytest.raises(AssertionError, match="handed over again got other answers"):
        check_oracle(lambda: Fickle(lambda waiting: waiting[:2]), num_points=50, num_classes=4)


def test_what_is_no_oracle_is_told():
    with pytest.raises(AssertionError, match="A NoneType has no ask: it is no oracle"):
        check_oracle(lambda: None, num_points=10, num_classes=4)
