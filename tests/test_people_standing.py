"""How a project stands, by made-up records; and the commands that say it."""

import math

import numpy as np
import pytest

from jax_al.people import advice, audit
from jax_al.people.models import Model, append_model, read_models
from jax_al.people.standing import agreements, last_check, of_check, standing
from jax_al.session.progress import Progress
from jax_al.session.teller import Teller
from jax_al.session.work import Course, Selected, Trained
from jax_al.types import SKIP, UNSURE
from tests.made_up_journals import recorded

N, CLASSES = 60, ("ant", "bee", "cat")
TRUTH = np.arange(N) % 3


class Made:
    """A record that is written as people and a learner would."""

    def __init__(self, directory):
        self.directory = directory
        journal = recorded(directory, N, CLASSES)
        self.progress = Progress(journal, Course(N, 0, 5, None))
        self.teller = Teller(journal)
        self.models = []

    def draw(self, rows, why):
        self.teller.draw(rows, [str(row) for row in rows], why)

    def tell(self, *rows, said=None):
        self.teller.tell({str(row): CLASSES[TRUTH[row]] if said is None else said for row in rows})

    def episode(self, rows, right=1.0, floor=None):
        """Trains, says of each row what a learner would that has so many right, asks `rows`."""
        number, record = len(self.models) + 1, self.teller.record()
        trained = Trained(number, record.num_events - 1, {}, f"digest {number}")
        self.progress.commit(trained)
        wrong = np.random.default_rng(number).random(N) >= right
        said = {row: int((TRUTH[row] + wrong[row]) % 3) for row in range(N)}
        model = Model(number, trained.as_of, trained.digest, len(record.order), 0.0, said, floor)
        self.models.append(model)
        append_model(self.directory, model)
        work = self.progress.plan()
        ids = [str(row) for row in rows]
        self.progress.commit(
            Selected(work.request, work.episode, rows, ids, rows, None, {}, 0.0, 0.0, 0.0, None)
        )

    @property
    def record(self):
        return self.teller.record()

    def standing(self):
        return standing(self.record, self.models, 5)


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path)


def test_models_come_back_as_they_were_kept(made):
    made.episode([0, 1, 2, 3, 4], floor=0.5)
    made.tell(0, 1, 2, 3, 4)
    made.episode([5, 6, 7, 8, 9])
    assert read_models(made.directory) == made.models


def test_it_stays_until_the_next_training_when_classes_change(made):
    made.draw([50, 51, 52], "audit")
    made.tell(50, 51, 52)
    made.episode([0, 1, 2, 3, 4], right=1.0)
    made.tell(0, 1, 2, 3, 4)
    before = made.standing().accuracy
    assert before[:2] == (3, 3)
    made.teller.add_class("dog")
    assert made.standing().accuracy == before
    made.teller.draw([53], ["53"], "audit")
    made.tell(53, said="dog")
    assert made.standing().accuracy[:2] == (3, 4)  # of a class that it does not know
    made.teller.merge_class("bee", "ant")
    assert made.standing().accuracy[:2] == (3, 4)
    made.episode([5, 6, 7, 8, 9], right=0.0)
    assert made.standing().accuracy[0] < 3


def test_it_stays_as_well_where_there_is_no_audit(made):
    for number, right in enumerate((0.0, 1.0, 1.0)):
        rows = range(5 * number, 5 * number + 5)
        made.episode(list(rows), right=right)
        made.tell(*rows)
    made.episode([15, 16, 17, 18, 19], right=1.0)  # of which nobody has said anything
    before = made.standing()
    assert before.accuracy[:2] == (10, 10)
    made.teller.add_class("dog")
    assert made.standing()[:3] == before[:3]
    assert any("0 of 3 pairs" in one for one in made.standing().advice)


def test_accuracy_is_of_the_last_learner_by_the_audit_and_by_nothing_else(made):
    made.draw([50, 51, 52, 53, 54, 55], "audit")
    made.tell(50, 51, 52)
    made.tell(53, said=UNSURE)
    made.episode([0, 1, 2, 3, 4], right=0.0)
    made.tell(0, 1, 2, 3, 4)
    assert made.standing().accuracy[:3] == (0, 3, 1)
    made.episode([5, 6, 7, 8, 9], right=1.0)
    now = made.standing()
    assert (now.kind, now.accuracy[:3]) == ("audit", (3, 3, 1))
    assert "so far, 4 of 6 being answered" in now.says
    made.tell(54, said="bee")  # people are believed, right or wrong
    assert made.standing().accuracy[:3] == (3, 4, 1)


def test_without_an_audit_progress_is_shown_and_says_so(made):
    assert made.standing().says.startswith("No accuracy")
    made.episode([0, 1, 2, 3, 4], right=0.0)
    made.tell(0, 1, 2, 3)
    made.tell(4, said=SKIP)
    made.episode([5, 6, 7, 8, 9], right=1.0)
    made.tell(5, 6)
    now = made.standing()
    assert now.kind == "progress"
    assert now.accuracy[:2] == (2, 6)  # each by the learner before the answer
    assert now.accuracy.skipped == 1
    assert "so no accuracy" in now.says


def test_what_was_learned_from_labels_is_no_accuracy(made):
    """A learner that has learned its labels by heart is as right on them as can be."""
    made.draw([50, 51, 52], "audit")
    made.episode([0, 1, 2, 3, 4])
    made.tell(0, 1, 2, 3, 4)
    said = {row: int(TRUTH[row] if row < 5 else (TRUTH[row] + 1) % 3) for row in range(N)}
    made.episode([5, 6, 7, 8, 9])
    made.models[-1] = made.models[-1]._replace(said=said)
    assert made.standing().accuracy.answered == 0
    made.tell(50, 51, 52)
    assert made.standing().accuracy[:2] == (0, 3)


def test_learners_are_compared_on_what_had_no_label_for_the_earlier_one(made):
    for rows in ([0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14]):
        made.episode(rows, right=0.7)
        made.tell(*rows)
    free = np.arange(5, N)  # not those that the second was trained on
    one, other = (np.array([m.said[row] for row in free]) for m in made.models[-2:])
    kappas, count = agreements(made.record, made.models)
    assert count == len(free)
    assert len(kappas) == 2
    assert kappas[-1] == advice.kappa(one, other)
    again = made.models[-1]._replace(said=dict.fromkeys(range(N), 0))
    assert len(agreements(made.record, [*made.models, again])[0]) == 2  # of the same episode


def test_merged_classes_are_one(made):
    made.draw([1, 2], "audit")
    made.tell(1, 2)
    made.teller.merge_class("cat", "bee")
    made.episode([0, 4, 3, 6, 7])
    now = made.models[-1]._replace(said={1: 1, 2: 1})
    assert standing(made.record, [now], 5).accuracy[:2] == (2, 2)
    assert "No label to train on yet of 2 of 2 classes: ant, bee." in made.standing().advice


def test_advice_comes_with_its_numbers(made):
    made.draw(list(range(40, 60)), "audit")
    made.tell(*range(40, 60))
    for k in range(6):
        rows = list(range(5 * k, 5 * k + 5))
        made.episode(rows, right=0.5 + 0.08 * k, floor=0.97 if k == 5 else None)
        made.tell(*rows)
    settled, gained = made.standing().advice
    assert settled.startswith("Models still change")
    assert "resampled labels: 0.970" in settled
    right = [sum(m.said[row] == TRUTH[row] for row in range(40, 60)) for m in made.models]
    labels = [5 * k for k in range(6)]
    gain = advice.expected_gain(labels[1:], right[1:], [20] * 5, 5)
    assert f"{100 * gain.estimate:+.1f} points" in gained


def test_a_check_is_the_last_one_and_its_answers_are_right_in_the_export(made):
    made.episode([0, 1, 2, 3, 4])
    made.tell(0, 1, 2, 3, 4)
    assert last_check(made.record) is None
    made.draw([20, 21], "check")
    made.draw([30, 31, 32, 33], "check")
    made.episode([5, 6, 7, 8, 9], right=0.0)
    made.tell(20, 30, 31)
    made.tell(32, said=UNSURE)
    check = last_check(made.record)
    assert check.rows == (30, 31, 32, 33)
    found = of_check(made.record, made.models, check)
    assert found[1] == {30: 0, 31: 1, 32: UNSURE}
    assert audit.accuracy(*found)[:3] == (0, 2, 1)
    # One that began to look before the check was drawn says nothing of it.
    part = made.models[-1]._replace(said=dict.fromkeys(range(30), 0))
    assert of_check(made.record, [*made.models, part], check) == found
    assert of_check(made.record, [part], check) is None
    export = audit.exported(audit.accuracy(*found), 6, N - 6)
    assert export.told == 8
    assert export.right == 8
    assert math.isclose(export.low, 8)
