"""How long it takes is told once, where it is long and no progress bar can be seen."""

import pytest

from jax_al.pools import progress
from jax_al.pools.progress import in_words, tracked


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves when it is told to; yields its hands."""
    hands = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: hands[0])
    return hands


def through(clock, seconds, **how):
    """Goes through steps that take so many seconds each."""
    done = []
    for step in tracked(range(10, 10 + len(seconds)), "Counting", **how):
        clock[0] += seconds[step - 10]
        done.append(step)
    assert done == list(range(10, 10 + len(seconds)))


def test_after_the_second_step_what_is_left_is_told(clock, capsys):
    through(clock, [60, 4, *[4] * 30])  # the first one compiles
    assert capsys.readouterr().err == "Counting: about 2.0 minutes.\n"


@pytest.mark.parametrize("seconds", [[], [60], [60, 60], [60, 4, 4, 4], [0] * 1_000])
def test_nothing_is_told_of_what_is_short(clock, capsys, seconds):
    through(clock, seconds)
    assert capsys.readouterr().err == ""


def test_nothing_is_told_twice(clock, capsys):
    through(clock, [60] * 10, is_foretold=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.1, "1 seconds"), (89, "89 seconds"), (90, "1.5 minutes"), (9_000, "2.5 hours")],
)
def test_a_time_is_told_in_words(seconds, words):
    assert in_words(seconds) == words
