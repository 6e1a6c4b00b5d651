import time
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_journals import (
    added,
    answered,
    asked,
    begun,
    closed,
    drawn,
    merged,
    renamed,
    trained,
    undone,
    withdrawn,
)

from jax_al.session.drafts import grown
from jax_al.session.fold import Draft, Trained, fold
from jax_al.session.readers import picks_of, rows_of
from jax_al.session.records import Pick
from jax_al.types import BROKEN, SKIP, UNSURE


def labeled(*events):
    record = fold([begun(), *events])
    return dict(zip(record.order, record.labels, strict=True))


def order(*events):
    return fold([begun(), *events]).order


def test_before_the_first_event_there_is_nothing():
    record = fold([])
    assert (record.requests, record.open, record.order, record.num_events) == ((), None, (), 0)


def test_rows_join_in_pick_order_whatever_the_order_of_the_answers():
    answers = [answered({9: 2}), answered({4: 0, 7: 1})]
    assert order(asked(0, 0, [4, 9, 7]), *answers) == ()
    assert order(asked(0, 0, [4, 9, 7]), *answers, closed(0)) == (4, 9, 7)


def test_what_comes_later_joins_at_the_next_close_after_the_rows_of_its_request():
    events = [
        asked(0, 0, [7, 9, 4]),
        answered({9: 2}),
        closed(0),
        asked(1, 1, [3, 1]),
        closed(1),
        asked(2, 2, [5, 2]),
        answered({1: 1, 4: 1}),
        answered({2: 1, 5: 0}),
        answered({7: 1}),
    ]
    assert order(*events) == (9,)
    assert fold([begun(), *events]).late == (1, 4, 7)
    assert order(*events, closed(2)) == (9, 5, 2, 7, 4, 1)


def test_a_row_that_is_asked_again_counts_to_the_last_request():
    events = [asked(0, 0, [4, 9]), answered({9: 2}), closed(0), asked(1, 1, [3, 4]), closed(1)]
    events += [answered({4: 1}), asked(2, 2, [8]), answered({8: 0}), closed(2)]
    assert order(*events) == (9, 8, 4)
    assert [pick.episode for pick in picks_of([begun(), *events])] == [0, 2, 1]


@pytest.mark.parametrize("decision", [SKIP, UNSURE, BROKEN])
def test_what_has_no_class_is_excluded_and_never_joins(decision):
    record = fold([begun(), asked(0, 0, [4, 9]), answered({9: decision, 4: 1}), closed(0)])
    assert (record.order, record.excluded) == ((4,), (9,))
    assert record.decisions[9].decision == decision
    assert record.decisions[9][1:] == ("eve", 3.0, "strategy", None, "")


def test_a_later_answer_replaces_only_if_it_says_so_and_keeps_its_place():
    events = [asked(0, 0, [4, 9]), answered({4: 0, 9: 0}), closed(0)]
    assert labeled(*events, answered({4: 2})) == {4: 0, 9: 0}
    assert list(labeled(*events, answered({4: 2}, relabel=True)).items()) == [(4, 2), (9, 0)]


def test_a_labeled_row_that_loses_its_class_leaves_and_joins_again_at_a_close():
    events = [asked(0, 0, [4, 9]), answered({4: 0, 9: 0}), closed(0)]
    events += [answered({4: BROKEN}, relabel=True)]
    record = fold([begun(), *events])
    assert (record.order, record.excluded, record.num_initial) == ((9,), (4,), 1)
    events += [answered({4: 1}, relabel=True), asked(1, 1, [5]), answered({5: 1})]
    assert order(*events) == (9,)
    assert order(*events, closed(1)) == (9, 5, 4)


def test_an_answer_that_is_undone_brings_back_what_was_there_before():
    events = [asked(0, 0, [4, 9]), answered({4: 0, 9: 0}), closed(0)]
    events += [answered({4: SKIP, 9: 1}, relabel=True)]
    assert labeled(*events) == {9: 1}
    assert list(labeled(*events, undone(4)).items()) == [(4, 0), (9, 0)]
    record = fold([begun(), *events, undone(2)])
    assert (record.order, record.excluded, record.answered) == ((), (4,), (4,))


def test_an_undone_answer_of_a_closed_request_may_be_told_again_and_joins_later():
    events = [asked(0, 0, [4, 9]), answered({4: 0}), answered({9: 0}), closed(0), undone(2)]
    assert order(*events) == (9,)
    events += [answered({4: 2}), asked(1, 1, [5]), answered({5: 1}), closed(1)]
    assert list(labeled(*events).items()) == [(9, 0), (5, 1), (4, 2)]


def test_classes_keep_their_ids_and_labels_follow_merges():
    events = [asked(0, 0, [4, 9, 7]), answered({4: 0, 9: 1, 7: 2}), closed(0)]
    events += [added(3, "dog"), merged(0, 1), merged(1, 3), renamed(3, "hound")]
    record = fold([begun(), *events])
    assert record.classes == {2: "cat", 3: "hound"}
    assert (record.num_classes, record.merged) == (4, {0: 3, 1: 3})
    assert (record.order, record.labels) == ((4, 9, 7), (3, 3, 2))
    assert record.label_of(0) == 3
    assert record.label_of(SKIP) == SKIP


@pytest.mark.parametrize("event", [added(3, "dog"), renamed(0, "dog"), merged(0, 1)])
def test_a_change_of_the_classes_closes_the_open_request(event):
    record = fold([begun(), asked(0, 0, [4, 9]), answered({9: 2}), event])
    assert (record.open, record.requests[0].closed, record.order) == (None, True, (9,))


def test_what_is_counted():
    events = [begun(), asked(0, 0, [4, 9]), answered({4: 0, 9: SKIP}), closed(0)]
    events += [trained(1, 3, x=1), asked(1, 1, [5]), answered({5: 1}), closed(1)]
    events += [trained(2, 7, x=2), trained(2, 7, x=3), asked(2, 2, [8, 1])]
    record = fold(events)
    assert (record.num_initial, record.num_queries, record.num_events) == (1, 1, len(events))
    assert record.trained == {1: Trained(1, 3, {"x": 1}, "d1"), 2: Trained(2, 7, {"x": 3}, "d2")}
    assert (record.open.number, record.open.asked_at, record.undecided()) == (2, 10, (8, 1))
    without_initial = [begun(), asked(0, 1, [5]), answered({5: 1}), closed(0)]
    record = fold(without_initial)
    assert (record.num_initial, record.num_queries) == (0, 1)


OPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True)),
        st.tuples(
            st.just("answer"),
            st.dictionaries(st.integers(0, 7), st.integers(-4, 2).filter(lambda d: d != -1)),
            st.booleans(),
        ),
        st.tuples(
            st.just("draw"),
            st.lists(st.integers(0, 7), min_size=1, max_size=3, unique=True),
            st.sampled_from(["audit", "check", "random", "alike", "given"]),
        ),
        st.tuples(st.just("withdraw"), st.integers(0, 3)),
        st.tuples(st.just("close")),
        st.tuples(st.just("undo"), st.integers(0, 30)),
        st.tuples(st.just("merge"), st.sampled_from([(0, 1), (1, 0), (2, 1), (0, 2)])),
    ),
    max_size=25,
)


def legal(ops):
    """The events of those `ops` that could be committed when they come."""
    events = [begun()]
    for op, *args in ops:
        record = fold(events)
        if op == "ask" and record.open is None:
            taken = record.decisions.keys() | record.held_out.keys()
            if rows := [row for row in args[0] if row not in taken]:
                events.append(asked(len(record.requests), len(record.requests), rows))
        elif op == "answer":
            answers, relabel = args
            known = {
                row: decision
                for row, decision in answers.items()
                if row in record.asked and (relabel or record.said(row) is None)
            }
            events += [answered(known, relabel)] if known else []
        elif op == "draw":
            taken = {*record.decisions, *record.held_out, *record.undecided()}
            if rows := [row for row in args[0] if row not in taken]:
                events.append(drawn(rows, args[1]))
        elif op == "withdraw" and args[0] < len(record.draws):
            waits = {row for row, said in record.held_out.items() if said is None}
            if rows := [row for row in record.draws[args[0]].rows if row in waits]:
                events.append(withdrawn(args[0], rows))
        elif op == "close" and record.open is not None:
            events.append(closed(record.open.number))
        elif op == "undo" and args[0] in record.answered:
            events.append(undone(args[0]))
        elif op == "merge" and set(args[0]) <= set(record.classes):
            events.append(merged(*args[0]))
    return events


def without_counting(record):
    return record._replace(
        num_events=0,
        answered=(),
        told=(),
        outdated=0,
        requests=[r._replace(asked_at=0) for r in record.requests],
        open=0,
    )


@settings(max_examples=100)
@given(OPS, st.sampled_from([1, 3, 256]))
def test_folding_event_by_event_gives_what_folding_all_at_once_gives(ops, behind):
    events, drafts = legal(ops), None
    with mock.patch("jax_al.session.drafts.BEHIND", behind):
        for k in range(len(events) + 1):
            drafts = grown(drafts, events[:k])
            assert drafts.record() == fold(events[:k])


def test_what_is_taken_back_is_not_folded_from_the_first_event(monkeypatch):
    rows, folded = range(3000), []
    events = [begun(size=3000), asked(0, 0, rows), *(answered({row: 0}) for row in rows)]
    answer = Draft._answered

    def counted(draft, event):
        folded.append(event)
        answer(draft, event)

    monkeypatch.setattr(Draft, "_answered", counted)
    drafts = grown(None, events)
    assert len(folded) == len(rows)
    for number in reversed(range(2, len(events))):
        folded.clear()
        events.append(undone(number))
        drafts = grown(drafts, events)
        if number == 2950:
            assert len(folded) < 1000
        if number == 2700:
            break
    assert len(drafts.record().decisions) == 2698


@settings(max_examples=100)
@given(OPS)
def test_what_is_undone_is_as_if_it_had_never_been_told(ops):
    events = legal(ops)
    undone_ones = {event["of"] for event in events if event["event"] == "undone"}
    others = [
        event
        for number, event in enumerate(events)
        if number not in undone_ones and event["event"] != "undone"
    ]
    assert without_counting(fold(events)) == without_counting(fold(others))


@settings(max_examples=100)
@given(OPS, st.lists(st.integers(0, 7), min_size=1, unique=True))
def test_what_is_called_off_is_as_if_it_had_not_been_drawn(before, rows):
    events = legal([*before, ("close",)])
    record = fold(events)
    rows = [row for row in rows if row not in record.decisions.keys() | record.held_out.keys()]
    number = len(record.draws)
    requests = [asked(len(record.requests), 9, [row]) for row in rows[:1]]  # chosen meanwhile
    called_off = [drawn(rows, "check"), *requests, withdrawn(number, rows)]
    found, without = fold([*events, *called_off]), fold([*events, *requests])
    for name in ("asked", "drawn", "decisions", "held_out", "excluded", "late", "order"):
        assert getattr(found, name) == getattr(without, name)
    assert found.undecided() == without.undecided()


@settings(max_examples=100)
@given(OPS)
def test_what_holds_of_every_record(ops):
    record = fold(legal(ops))
    has_class = {row for row, decision in record.decisions.items() if decision.decision >= 0}
    waits = {row for row in has_class if record.open and row in record.open.rows}
    assert len(set(record.order)) == len(record.order) == len(record.labels)
    assert set(record.order) | set(record.late) | waits == has_class
    assert not set(record.order) & (set(record.late) | waits)
    assert set(record.excluded) == (set(record.decisions) - has_class) | set(record.held_out)
    assert not set(record.held_out) & set(record.decisions)
    assert set(record.labels) <= set(record.classes)
    for row, label in zip(record.order, record.labels, strict=True):
        assert label == record.label_of(record.decisions[row].decision)
    assert record.num_initial <= len(record.order)
    assert len(picks_of(legal(ops))) == len(record.order)


def test_a_record_does_not_change_when_more_is_told():
    events = [begun(), asked(0, 0, [4, 9]), answered({4: 0})]
    draft = grown(None, events)
    record, again = draft.record(), fold(events)
    grown(draft, [*events, answered({9: 1}), closed(0), merged(0, 1)])
    assert record == again


@pytest.mark.parametrize("each", [1, 1000])
def test_50_000_labels_fold_within_a_second(each):
    rows = range(50_000)
    events = [begun(), asked(0, 0, rows)]
    events += [answered({r: r % 3 for r in rows[k : k + each]}) for k in rows[::each]]
    events += [closed(0), asked(1, 1, []), closed(1)]
    start = time.process_time()
    record = fold(events)
    assert time.process_time() - start < 1
    assert record.order == tuple(rows)


def a_run():
    """Two initial labels, two episodes that ask, a third that is trained."""
    return [
        begun(),
        asked(0, 0, [4, 9]),
        answered({4: 0, 9: 1}),
        closed(0),
        trained(1, 3, test_accuracy=0.5, train_loss=0.25, seconds_train=2.0, compiles=7),
        asked(1, 1, [5, 2, 8], info={"cover_radius": 1.5, "x": None}, near_duplicate_share=0.0),
        answered({5: 1, 2: SKIP}),
        closed(1),
        trained(2, 7, test_accuracy=0.75),
        asked(2, 2, [1], pseudo_labels={"file": "episode_002.npy", "digest": "d"}),
        answered({1: 2, 8: 0}),
        closed(2),
        trained(3, 11, test_accuracy=1.0),
    ]


def test_picks_are_the_labels_in_the_order_in_which_they_count():
    pick = Pick(0, 0, 0, 104, "4.png", 0, "made_up")
    assert Pick._fields[-1] == "strategy"
    assert picks_of(a_run()) == [
        pick,
        pick._replace(order=1, index=109, id="9.png", label=1),
        pick._replace(episode=1, order=2, index=105, id="5.png", label=1),
        pick._replace(episode=2, order=3, index=101, id="1.png", label=2),
        pick._replace(episode=1, order=4, index=108, id="8.png", label=0),
    ]


def test_a_row_tells_what_was_trained_on_and_what_was_asked():
    first, second, last = rows_of(a_run())
    assert first == {
        "seed": 0,
        "episode": 1,
        "num_labeled": 2,
        "num_bought": 2,
        "train_loss": 0.25,
        "train_accuracy": None,
        "test_accuracy": 0.5,
        "test_nll": None,
        "test_ece": None,
        "test_class_accuracy": None,
        "cover_radius": 1.5,
        "near_duplicate_share": 0.0,
        "query_info": {"cover_radius": 1.5, "x": None},
        "labeled_class_counts": [1, 1, 0],
        "seconds_train": 2.0,
        "seconds_evaluate": None,
        "seconds_embed": 0.5,
        "seconds_select": 0.25,
        "seconds_record": 0.0,
        "compiles": 7,
        "strategy": "made_up",
    }
    assert (second["num_labeled"], second["labeled_class_counts"]) == (3, [1, 2, 0])
    assert last | {"test_accuracy": None, "strategy": None} == first | {
        "episode": 3,
        "num_labeled": 5,
        "num_bought": 0,
        "train_loss": None,
        "test_accuracy": None,
        "cover_radius": None,
        "near_duplicate_share": None,
        "query_info": {},
        "labeled_class_counts": [2, 2, 1],
        "seconds_train": None,
        "seconds_embed": 0.0,
        "seconds_select": 0.0,
        "seconds_record": 0.0,
        "compiles": None,
        "strategy": None,
    }


def test_a_row_is_there_when_its_request_is_closed_or_none_will_come():
    events = a_run()
    counts = [len(rows_of(events[:k], finished=False)) for k in range(len(events) + 1)]
    assert counts == [0] * 8 + [1] * 4 + [2] * 2
    assert len(rows_of(events)) == 3
    assert len(rows_of(events[:5])) == 1  # if it was the last
    assert len(rows_of(events[:6])) == 0


def test_a_correction_changes_the_picks_and_the_past_stays_what_it_was():
    events = [*a_run(), answered({4: 2}, relabel=True)]
    assert rows_of(events) == rows_of(a_run())
    assert picks_of(events)[0].label == 2
