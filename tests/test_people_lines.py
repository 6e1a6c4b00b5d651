"""Of which lines of an export a check speaks, and that it is right about them."""

import numpy as np
import pytest

from jax_al.people import audit
from jax_al.people.intervals import Width, count_interval
from jax_al.people.lines import OTHERS, checked, drawn_from
from jax_al.people.predictions import MODEL, finals
from jax_al.session.journal import Journal
from jax_al.session.opening import begin
from jax_al.session.teller import Teller
from jax_al.types import BROKEN, SKIP, UNSURE

CLASSES = ("ant", "bee")
LABELED, CHECK, NEAR, WAITS = 60, 50, 10, 5


class Made:
    """A project in memory: what is true, what a model says, and what people said of it.

    Args:
      seed: of all chance.
      size: rows of the pool.
      copied: share of the rows that have two lines.
      passed: share of the rows that people skip or are unsure of, whenever they are asked.
      right: share of the rows that the model has right, and of those with copies.
    """

    def __init__(self, seed, size, *, copied, passed, right=(0.8, 0.8)):
        rng = np.random.default_rng(seed)
        self.lines = 1 + (rng.random(size) < copied)
        self.truth = rng.integers(0, 2, size)
        chance = np.where(self.lines > 1, right[1], right[0])
        self.model = np.where(rng.random(size) < chance, self.truth, 1 - self.truth)
        self.passed = rng.random(size) < passed
        self.ids = [str(row) for row in range(size)]
        self.journal = Journal(None)
        begin(
            self.journal,
            strategy="random",
            seed=seed,
            data={"name": "made_up", "version": "", "size": size},
            classes=CLASSES,
            config={},
            versions={},
        )
        self.teller = Teller(self.journal)
        for why, count in (("twin", NEAR), ("audit", WAITS), ("given", LABELED), ("check", CHECK)):
            names = self.teller.draw_among(self.ids, count, why, seed=seed)
            if why in ("given", "check"):
                self.teller.tell({name: self.says(int(name)) for name in names})

    def says(self, row):
        return (SKIP, UNSURE)[row % 2] if self.passed[row] else CLASSES[self.truth[row]]

    def check(self):
        record = self.teller.record()
        draw = next(draw for draw in record.draws if draw.why == "check")
        told = {row: one.decision for row in draw.rows if (one := record.said(row)) is not None}
        predicted = {row: int(self.model[row]) for row in told}
        frame = drawn_from(self.journal.events(), draw.number)
        return checked(record, predicted, told, frame, self.lines.tolist())

    def export(self):
        """Returns the lines of an export as it is written: row, whether it is right, by whom."""
        record = self.teller.record()
        said = {row: record.said(row) for row in range(len(self.ids))}
        words = {
            self.ids[row]: one.decision if one.decision < 0 else CLASSES[one.decision]
            for row, one in said.items()
            if one is not None
        }
        rows = np.repeat(np.arange(len(self.ids)), self.lines)
        probs = np.eye(2, dtype=np.float32)[self.model[rows]]
        ids = [self.ids[row] for row in rows]
        return [
            (int(one.id), one.label == CLASSES[self.truth[int(one.id)]], one.by)
            for one in finals(ids, CLASSES, probs, words)
            if one.label is not None
        ]


def spoken_of(made):
    """Returns whether each line is right that the figure of a check is of."""
    record = made.teller.record()
    aside = {row for draw in record.draws if draw.why in ("twin", "audit") for row in draw.rows}
    aside |= {
        row
        for row in range(len(made.ids))
        if (one := record.said(row)) is not None and one.decision < 0
    }
    return [is_right for row, is_right, _ in made.export() if row not in aside]


def test_the_lines_of_a_check_are_those_of_the_export():
    made = Made(0, 300, copied=0.1, passed=0.1)
    made.teller.tell(dict.fromkeys(made.teller.draw_among(made.ids, 1, "given"), BROKEN))
    says, lines = made.check(), made.export()
    by_model = sum(by == MODEL for _, _, by in lines)
    assert says.export.told == len(lines) - by_model
    assert says.export.predicted == by_model - sum(says.beside.values())
    assert says.export.told + says.export.predicted == len(spoken_of(made))
    record = made.teller.record()
    passed = [row for row in range(300) if record.said(row) and record.said(row).decision == SKIP]
    assert says.beside["skipped"] == made.lines[passed].sum() > 0
    aside = [row for draw in record.draws[:2] for row in draw.rows]
    assert says.beside[OTHERS] == made.lines[aside].sum()
    told = audit.by_check(*says)
    assert f"of the {len(spoken_of(made)):,} classes of an export are right" in told
    assert f"{says.beside['skipped']} skipped" in told
    assert told.endswith(f"{says.beside[OTHERS]} {OTHERS}.")


@pytest.mark.parametrize(
    ("checks", "copied", "right"),
    [(1000, 0.03, (0.8, 0.8)), (200, 0.03, (0.9, 0.1)), (200, 0.3, (0.9, 0.5))],
)
def test_the_interval_holds_the_share_of_the_export(checks, copied, right):
    held = 0
    for seed in range(checks):
        made = Made(seed, 300, copied=copied, passed=0.05, right=right)
        export, truth = made.check().export, sum(spoken_of(made))
        held += export.low <= truth <= export.high
    assert held >= 0.93 * checks


def test_who_has_looked_at_all_knows_the_lines():
    made = Made(1, LABELED + CHECK + NEAR + WAITS, copied=0.2, passed=0.0)
    export, truth = made.check().export, sum(spoken_of(made))
    assert export.low == export.right == export.high == truth


@pytest.mark.parametrize("wanted", [Width(0.05), Width(0.05, 0.9), Width(0.02)])
def test_a_check_is_as_large_as_its_interval_wants_it(wanted):
    told, unlabeled = 300, 1500
    size = audit.check_size(wanted, told, unlabeled)

    def half(answered):
        low, high = count_interval(round(wanted.share * answered), answered, unlabeled)
        return (high - low) / 2 / (told + unlabeled)

    assert half(size) <= wanted.half < half(int(0.95 * size))
    assert audit.check_size(wanted, 10**6, unlabeled) == 1  # nearly all are by people
