"""The contract of an oracle."""

import numbers
from collections.abc import Callable

from jax_al.types import BROKEN, SKIP, UNSURE, Answer, Oracle


def check_oracle(
    make: Callable[[], Oracle], *, num_points: int, num_classes: int, patience: int = 20
) -> None:
    """Makes sure that an oracle keeps its promises.

    Nothing is answered that was not asked, no row twice, each answer is one, and to hand a request
    over again changes nothing. That answers come at all is not promised, nor in what order: people
    may be slow.

    Args:
      make: returns a new oracle at each call, always the same.
      num_points: N, of its pool; at least 3.
      num_classes: C.
      patience: how often it is asked for answers.

    Raises:
      AssertionError: a promise is broken; says which.
    """
    rows, more = list(range(num_points - 1, 0, -2)), list(range(num_points - 2, -1, -2))
    oracle = make()
    for name in ("ask", "collect"):
        assert hasattr(oracle, name), f"A {type(oracle).__name__} has no {name}: it is no oracle."
    assert _collected(oracle) == [], "An oracle that was asked nothing has answered."
    once = _answers(oracle, 0, rows, patience, again=False)
    _check(once, rows, num_classes)
    later = _answers(oracle, 1, more, patience, again=False)  # of the first request, too
    _check([*once, *later], [*rows, *more], num_classes)
    twice = _answers(make(), 0, rows, patience, again=True)
    _check(twice, rows, num_classes)
    told = {a.row: a.decision for a in [*once, *later]}
    assert all(told.get(a.row, a.decision) == a.decision for a in twice), (
        "A request that was handed over again got other answers."
    )


def _answers(
    oracle: Oracle, request: int, rows: list[int], patience: int, *, again: bool
) -> list[Answer]:
    """Returns what comes of a request that is handed over once, or again before each collect."""
    answers: list[Answer] = []
    oracle.ask(request, rows)
    for _ in range(patience):
        if again:
            oracle.ask(request, rows)
        answers += _collected(oracle)
    return answers


def _collected(oracle: Oracle) -> list[Answer]:
    found = oracle.collect()
    assert isinstance(found, list | tuple), (
        f"collect must return a list, empty where there is no answer yet, not {found!r}."
    )
    return list(found)


def _check(answers: list[Answer], rows: list[int], num_classes: int) -> None:
    told: set[int] = set()
    for answer in answers:
        assert isinstance(answer, Answer), f"{answer!r} is not an Answer."
        row, decision = answer.row, answer.decision
        assert isinstance(row, numbers.Integral), f"Row {row!r} is not an integer."
        assert row in rows, f"Row {row} was answered and not asked."
        assert row not in told, f"Row {row} was answered twice."
        is_class = isinstance(decision, numbers.Integral) and 0 <= decision < num_classes
        assert is_class or decision in (SKIP, UNSURE, BROKEN), (
            f"{decision!r} is neither a class below {num_classes} nor SKIP, UNSURE, BROKEN."
        )
        assert isinstance(answer.who, str), f"who is {answer.who!r}, not text."
        assert isinstance(answer.when, numbers.Real), f"when is {answer.when!r}, not a number."
        told.add(row)
