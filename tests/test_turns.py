"""In what order people look at what waits for them."""

from made_up_journals import answered, asked, begun, closed, drawn

from jax_al.people.turns import in_batch, in_turn, said_by_people
from jax_al.session.fold import fold

AUDIT = drawn([30, 31, 32], "audit")


def turn(*events, of=in_turn):
    return of(fold([begun(), *events]))


def test_one_in_five_is_of_the_audit_until_it_is_done():
    assert turn(AUDIT, asked(0, 1, range(9))) == [0, 1, 2, 3, 30, 4, 5, 6, 7, 31, 8, 32]
    said = answered({0: 0, 1: 0, 2: 0, 3: 0})
    assert turn(AUDIT, asked(0, 1, range(9)), said)[:2] == [30, 4]


def test_without_a_request_the_audit_comes_first_and_then_what_is_drawn_at_random():
    assert turn(drawn([7, 8], "random"), AUDIT) == [30, 31, 32, 7, 8]
    assert turn(drawn([7, 8], "random"), asked(0, 1, [8, 2])) == [8, 2, 7]


def test_twins_and_what_is_decided_are_nobodys_turn():
    events = [drawn([20, 21], "twin"), drawn([7, 8], "random"), answered({7: 1})]
    assert turn(*events) == [8]
    assert turn(AUDIT, answered({30: 0, 31: -2, 32: 1})) == []


def test_labels_that_were_known_do_not_bring_the_audit_forward():
    known = [drawn(range(9, 19), "given"), answered(dict.fromkeys(range(9, 19), 0))]
    known[1]["why"] = ["given"] * 10
    assert turn(*known, AUDIT, asked(0, 1, range(3)))[:3] == [0, 1, 2]
    assert said_by_people(fold([begun(), *known])) == {}


def test_a_batch_has_one_of_the_audit_at_least_until_it_is_done():
    assert turn(AUDIT, asked(0, 1, [7]), of=in_batch) == [7, 30]
    assert turn(AUDIT, asked(0, 1, range(5)), of=in_batch) == [0, 1, 2, 3, 30, 4]
    assert turn(AUDIT, asked(0, 1, range(4)), of=in_batch) == [0, 1, 2, 3, 30]
    assert turn(AUDIT, asked(0, 1, [7]), answered({7: 0}), closed(0), of=in_batch) == [30]
    done = answered({30: 0, 31: 0, 32: 0})
    assert turn(AUDIT, done, asked(0, 1, [7]), of=in_batch) == [7]
    assert turn(drawn([3], "random"), of=in_batch) == []
