"""Rows that are answered outside of any request: held out, at random, known beforehand."""

import jax
import numpy as np
import pytest
from made_up_journals import (
    added,
    answered,
    asked,
    begun,
    closed,
    drawn,
    merged,
    trained,
    undone,
    withdrawn,
)

import jax_al as al
from jax_al.drivers.waiting import open_request
from jax_al.errors import UsageError
from jax_al.session.events import decode, encode
from jax_al.session.fold import fold
from jax_al.session.journal import Journal
from jax_al.session.readers import picks_of, rows_of
from jax_al.session.teller import Teller
from jax_al.types import BROKEN, SKIP, UNSURE


def told(events):
    """Returns a teller of a journal in memory."""
    journal = Journal(None)
    for event in events:
        journal.append(event)
    return Teller(journal)


@pytest.mark.parametrize("why", ["audit", "check"])
def test_what_is_held_out_is_never_trained_on_and_counts_as_taken(why):
    events = [begun(), drawn([3, 5, 8], why), answered({3: 1, 8: UNSURE})]
    record = fold([*events, asked(0, 1, [2]), answered({2: 0}), closed(0)])
    assert (record.order, record.late, record.decisions.keys()) == ((2,), (), {2})
    assert record.excluded == (3, 5, 8)
    assert record.num_taken == 4
    said = {row: one and one.decision for row, one in record.held_out.items()}
    assert said == {3: 1, 5: None, 8: UNSURE}
    assert record.said(3).why == why
    assert record.said(5) is None


@pytest.mark.parametrize("why", ["random", "given"])
def test_what_is_drawn_otherwise_joins_late(why):
    events = [begun(), drawn([3, 5], why), answered({5: 1}), asked(0, 1, [2]), answered({3: 0})]
    record = fold([*events, closed(0)])
    assert (record.order, record.labels, record.num_initial) == ((3, 5), (0, 1), 0)
    assert {pick.id: pick.episode for pick in picks_of([*events, closed(0)])} == {
        "3.png": 0,
        "5.png": 0,
    }
    assert rows_of([*events, closed(0), trained(1, 3)])[0]["num_labeled"] == 0


def test_a_random_row_that_the_strategy_asks_is_of_its_request():
    events = [begun(), drawn([3, 5], "random"), asked(0, 1, [5, 2]), answered({5: 1})]
    record = fold(events)
    assert (record.why(3), record.why(5)) == ("random", "strategy")
    assert (record.late, record.undecided()) == ((), (2,))


def test_a_request_passes_over_what_was_held_out_while_it_was_made():
    record = fold([begun(), drawn([5], "audit"), asked(0, 1, [5, 2]), answered({2: 1})])
    assert record.undecided() == ()
    assert (record.why(5), record.why(2)) == ("audit", "strategy")
    assert open_request(fold([begun(), drawn([5], "audit"), asked(0, 1, [5, 2])])).rows == (2,)


def test_what_waits_of_a_draw_that_is_called_off_is_ordinary_and_what_is_answered_stays():
    teller = told([begun(), drawn([6], "random"), drawn([3, 5, 6, 8], "check"), answered({5: 1})])
    assert teller.call_off("check") == 3
    assert teller.call_off("check") == 0
    record = teller.record()
    assert record.draws[1].rows == (5,)
    assert record.draws[1].ids == ("5.png",)
    assert record.held_out.keys() == {5}
    assert record.excluded == (5,)
    assert record.asked.keys() == {5, 6}
    assert record.why(6) == "random"  # as before
    with pytest.raises(UsageError, match="never asked"):
        teller.tell({"3.png": "ant"})
    teller.draw([3], ["3.png"], "given")
    teller.tell({"3.png": "ant", "6.png": "bee"})
    teller.join_late()
    assert sorted(teller.record().order) == [3, 6]


def test_a_row_whose_answer_is_taken_back_after_that_waits_again():
    events = [begun(), drawn([3, 5], "check"), answered({5: 1}), withdrawn(0, [3]), undone(2)]
    record = fold(events)
    assert (record.held_out, record.draws[0].rows) == ({5: None}, (5,))


def test_a_file_that_has_gone_keeps_its_place_and_comes_back():
    events = [begun(), asked(0, 1, [4, 2]), answered({4: 1, 2: 0}), closed(0), drawn([4], "gone")]
    gone = answered({4: BROKEN}, relabel=True) | {"why": ["gone"]}
    record = fold([*events, gone])
    assert (record.order, record.excluded) == ((2,), (4,))
    assert record.told == (2,)
    assert fold([*events, gone, undone(5)]).order == (4, 2)
    teller = told([*events, gone])
    assert teller.undo() == ("4.png", "2.png")  # of people, not of the data


def test_classes_that_change_are_told():
    events = [begun(), added(3, "dog"), merged(0, 2)]
    assert [fold(events[:k]).outdated for k in (1, 2, 3)] == [-1, 1, 2]
    assert fold(events).begun_classes == ("ant", "bee", "cat")


def test_what_is_said_of_an_answer_is_kept():
    teller = told([begun(), asked(0, 1, [4, 2, 7])])
    teller.tell(
        {"4.png": "bee", "2.png": SKIP},
        who="eve",
        seconds={"4.png": 1.5},
        items={"4.png": "abc"},
        token="tab:1",
    )
    said = teller.record().decisions[4]
    assert (said.who, said.why, said.seconds, said.item) == ("eve", "strategy", 1.5, "abc")
    teller.tell({"7.png": "cat"}, why="review")
    assert teller.record().decisions[7].why == "review"
    assert teller.labels() == {"4.png": "bee", "7.png": "cat"}
    with pytest.raises(UsageError, match="why is 'because', but must be one of strategy, review"):
        teller.tell({"7.png": "bee"}, relabel=True, why="because")


def test_a_token_counts_once_even_when_it_was_undone():
    teller = told([begun(), asked(0, 1, [4, 2])])
    for _ in range(2):
        teller.tell({"4.png": "bee"}, token="a:1")
    assert teller.undo(token="a:2", by="a:") == ("4.png",)
    assert teller.undo(token="a:2", by="a:") == ()
    teller.tell({"4.png": "bee"}, token="a:1")  # sent again, before the undo
    assert teller.labels() == {}


def test_an_undo_takes_back_the_last_of_its_own():
    teller = told([begun(), asked(0, 1, [4, 2, 7])])
    teller.tell({"4.png": "bee"}, token="a:1")
    teller.tell({"2.png": "cat"}, token="b:1")
    assert teller.undo(by="a:") == ("4.png",)
    assert teller.undo(by="a:") == ("2.png",)  # it has none left
    with pytest.raises(UsageError, match="no answer to take back"):
        teller.undo()


def test_an_undo_by_token_takes_back_nothing_that_was_told_without_one():
    teller = told([begun(), asked(0, 1, [4, 2, 7])])
    teller.tell({"7.png": "ant"}, token="b:1")
    teller.tell({"4.png": "bee", "2.png": "cat"})
    for _ in range(2):
        with pytest.raises(UsageError, match="as 2 answers came last by jax-al tell"):
            teller.undo(token="a:1", by="a:")
    assert len(teller.labels()) == 3
    assert teller.undo(token="b:2", by="b:") == ("7.png",)  # its own, below them
    assert teller.undo() == ("4.png", "2.png")  # of a program that says so


@pytest.mark.parametrize(
    ("rows", "why", "sentence"),
    [
        ([4], "audit", "asked, decided or held out"),
        ([5], "check", "asked, decided or held out"),
        ([8], "random", "asked, decided or held out"),
        ([40], "audit", "not in the pool"),
        ([6, 6], "audit", "once each"),
        ([6], "fun", "Nothing is drawn for 'fun'"),
    ],
)
def test_a_draw_that_does_not_fit_is_refused(rows, why, sentence):
    teller = told([begun(), drawn([8], "audit"), asked(0, 1, [4, 5]), answered({4: 0})])
    with pytest.raises(UsageError, match=sentence):
        teller.draw(rows, [f"{row}.png" for row in rows], why)


def test_an_answer_to_what_is_held_out_is_replaced_only_on_purpose():
    teller = told([begun(), drawn([8], "audit")])
    teller.tell({"8.png": "ant"})
    with pytest.raises(UsageError, match="was answered 'ant' before"):
        teller.tell({"8.png": "bee"})
    teller.tell({"8.png": "bee"}, relabel=True)
    assert teller.labels() == {"8.png": "bee"}


def test_lines_without_the_newer_fields_are_read():
    event = answered({3: 1})
    assert decode(encode(event, 1).rstrip(), 1, "here") == event


def test_nothing_has_begun(tmp_path):
    with pytest.raises(UsageError, match="Nothing has begun in"):
        Teller(tmp_path)


# The same through al.Session.


def clouds(count=40, classes=2, seed=0):
    x = np.random.default_rng(seed).normal(size=(count, 4))
    x[np.arange(count), np.arange(count) % classes] += 6
    return al.arrays(x.astype(np.float32), ids=[f"p{row}" for row in range(count)])


def session(directory=None, classes=("0", "1"), **changes):
    given = {"learner": al.linear(penalty=0.1), "strategy": "random", "budget": 4}
    pool = changes.pop("pool", clouds())
    return al.Session(pool, classes=classes, directory=directory, **given | changes)


def true(names, classes=2):
    return {name: str(int(name[1:]) % classes) for name in names}


def test_an_audit_is_uniform_held_out_and_costs_no_budget():
    with session(budget=40) as s:
        audit = s.draw(10)
        assert len(set(audit)) == 10
        request = s.ask()
        assert len(request.ids) == 30
        assert not set(audit) & set(request.ids)
        s.tell(true(audit) | true(request.ids))
        s.train()
        assert len(s.record.order) == 30
        assert s.labels.keys() == set(audit) | set(request.ids)


def test_random_rows_are_trained_on_at_the_next_close():
    with session() as s:
        request = s.ask()
        extra = s.draw(3, "random")
        s.tell(true(extra))
        assert len(s.record.late) == 3
        s.tell(true(request.ids))
        assert len(s.record.order) == 7


@pytest.mark.parametrize("why", ["given", "gone", "changed", "twin", "alike", "fun", None])
def test_what_a_session_draws_by_chance_is_drawn_for_three_reasons(why):
    with session() as s:
        with pytest.raises(ValueError, match=r"is drawn for .*; say audit, check, random"):
            s.draw(2, why)
        assert not s.record.draws


@pytest.mark.parametrize("learner", [al.linear(penalty=0.1), al.propagate(al.linear(penalty=0.1))])
def test_classes_come_and_go_while_people_label(tmp_path, learner):
    pool = clouds(60, 3)
    with session(tmp_path, (), pool=pool, learner=learner) as s:
        assert len(s.ask().ids) == 4
        s.add_class("0")
        with pytest.raises(ValueError, match="fewer than two classes"):
            s.predict(pool)
        s.add_class("1")
        for _ in range(4):
            names = [name for name in s.ask().ids if int(name[1:]) % 3 < 2]
            s.tell(true(names, 3))
            s.train()
        assert s.predict(pool).shape == (60, 2)
        s.add_class("2")
        assert s.predict(pool).shape == (60, 3)
        for _ in range(4):
            s.tell(true(s.ask().ids, 3))
        s.train()
        right = s.predict(pool).argmax(1) == np.arange(60) % 3
        assert right.mean() > 0.9
    with session(tmp_path, (), pool=pool, learner=learner) as s:
        assert s.classes == ("0", "1", "2")
        s.merge_class("0", "2")
        assert s.classes == ("1", "2")
        probs = s.predict(pool)
        assert (probs.argmax(1) == (np.arange(60) % 3 != 1)).mean() > 0.9
        s.rename_class("2", "even")
        assert s.classes == ("1", "even")
        assert set(s.labels.values()) == {"1", "even"}
        np.testing.assert_array_equal(s.predict(pool), probs)


def test_other_features_of_the_same_pool_are_trained_on_anew(tmp_path):
    pool = clouds()
    with session(tmp_path, pool=al.with_features(pool, "pixels_pca", pca=3, cache=False)) as s:
        s.tell(true(s.ask().ids))
        s.train()
    flipped = al.with_features(pool, "pixels_pca", pca=3, cache=False)
    fitted = flipped.fitted[0]
    state = jax.tree.map(lambda x: -np.asarray(x), fitted.state)
    other = al.with_features(pool, (fitted._replace(state=state),), cache=False)
    with session(tmp_path, pool=other) as s:
        before = s.record.trained[2]
        right = s.predict(pool).argmax(1) == np.arange(40) % 2
        assert right.mean() > 0.7
        assert before.as_of < s.record.outdated <= s.record.trained[2].as_of


def test_a_pool_that_has_grown_goes_on(tmp_path):
    with session(tmp_path, strategy="coreset") as s:
        s.tell(true(s.ask().ids))
    with session(tmp_path, strategy="coreset", pool=clouds(50), budget=50) as s:
        assert s.record.data["size"] == 50
        assert len(s.ask().ids) == 46
    with pytest.raises(ValueError, match="have changed since the run began"):
        session(tmp_path, strategy="coreset")


def test_who_has_another_pool_than_is_on_record_trains_nothing(tmp_path):
    with session(tmp_path) as before:
        before.tell(true(before.ask().ids))
        before.train()
        with session(tmp_path, pool=clouds(50)) as after:
            after.ask()
            events = len(Journal(tmp_path).events())
            for refused in (before.ask, before.train, lambda: before.predict(clouds())):
                with pytest.raises(ValueError, match=r"50 examples where there were 40.*open it"):
                    refused()
            assert len(Journal(tmp_path).events()) == events
            after.tell(true(after.ask().ids))
            after.train()


def test_columns_are_those_of_the_record_that_comes_with_them(tmp_path):
    class Merging:
        """A pool at whose reading somebody merges classes."""

        def __init__(self, pool, teller):
            self.pool, self.teller = pool, teller
            self.ids, self.spec, self.show = pool.ids, pool.spec, pool.show

        def __len__(self):
            return len(self.pool)

        def read(self, rows):
            if "0" in self.teller.record().classes.values():
                self.teller.merge_class("0", "2")
            return self.pool.read(rows)

    pool = clouds(30, 3)
    with session(tmp_path, ("0", "1", "2"), pool=pool, budget=30) as s:
        s.tell(true(s.ask().ids, 3))
        s.train()
        probs, record = s.predicted(Merging(pool, Teller(tmp_path)))
        assert s.classes == ("1", "2")
        names = tuple(record.classes.values())
        right = [names[best] == str(row % 3) for row, best in enumerate(probs.argmax(1))]
        assert np.mean(right) > 0.9
