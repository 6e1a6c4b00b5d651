"""A simulated person, and the paths that it is driven over."""

import numpy as np
import pytest

import jax_al as al
from jax_al.errors import UsageError
from jax_al.oracles.person import Person, label_session
from jax_al.types import SKIP, UNSURE
from tests.made_up_benchmarks import nearest_mean_on_host

CLASSES = ("ant", "bee", "cat", "dog")
TRUTH = np.arange(2000) % 4


def said(rows=range(2000), **options):
    person = Person(TRUTH, CLASSES, **options)
    return np.array([person.say(row).decision for row in rows])


def test_what_is_said_of_a_row_does_not_depend_on_order_or_on_other_options():
    options = {"noise": 0.3, "skip": 0.2, "unsure": 0.2, "seed": 3}
    forth = said(range(100), **options)
    np.testing.assert_array_equal(said(range(99, -1, -1), **options)[::-1], forth)
    without = said(range(100), noise=0.3, unsure=0.2, seed=3)
    named = forth != SKIP
    np.testing.assert_array_equal(forth[named], without[named])
    assert (said(range(100), **options | {"seed": 4}) != forth).any()


def test_shares_are_what_was_asked_for():
    found = said(noise=0.3, skip=0.2, unsure=0.1)
    skipped, unsure = found == SKIP, found == UNSURE
    assert abs(skipped.mean() - 0.2) < 0.04
    assert abs(unsure.sum() / (~skipped).sum() - 0.1) < 0.03
    named = found >= 0
    wrong = named & (found != TRUTH)
    assert abs(wrong.sum() / named.sum() - 0.3) < 0.04
    counts = np.bincount((found - TRUTH)[wrong] % 4, minlength=4)
    assert counts[0] == 0
    assert abs(counts[1:] / counts.sum() - 1 / 3).max() < 0.06


def test_time_passes_on_a_clock_of_its_own():
    person = Person(TRUTH, CLASSES, seconds=3.0)
    seconds = [person.answer(row)[1] for row in range(2000)]
    assert person.clock == pytest.approx(sum(seconds))
    assert abs(np.median(seconds) - 3) < 0.2
    assert person.answer(1)[0] == "bee"
    assert [person.say(0).seconds for _ in range(2)] == seconds[:1] * 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"noise": 1.5}, "noise is a share"),
        ({"skip": -0.1}, "skip is a share"),
        ({"unsure": 2}, "unsure is a share"),
        ({"seconds": 0}, "seconds is 0"),
        ({"seed": -1}, "seed -1"),
        ({"classes": CLASSES[:3]}, "3 classes for a truth of 0 to 3"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        Person(TRUTH, **{"classes": CLASSES, **options})


def test_a_person_labels_a_session():
    x = np.random.default_rng(0).normal(size=(40, 3)) + 4 * (np.arange(40) % 4)[:, None]
    pool = al.arrays(x.astype(np.float32))
    person = Person(TRUTH[:40], CLASSES, skip=0.3, seed=1)
    session = al.Session(
        pool, classes=CLASSES, learner=nearest_mean_on_host, strategy="random", budget=15
    )
    with session:
        assert label_session(person, session, 2) == 2
        expected = {
            name: CLASSES[row % 4] for row, name in enumerate(pool.ids) if name in session.labels
        }
        assert session.labels == expected
        assert 10 < len(expected) < 30
        assert label_session(person, session, 5) == 1  # ten are left
