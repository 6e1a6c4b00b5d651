"""How right a model is, by labels that it has never seen: audit, check, progressive validation.

An audit is a uniform draw from the pool, labeled blind and never trained on: the share of it that a
model gets right is its accuracy on examples like those of the pool. A check is a fresh draw from
what is still unlabeled at the end: it tells how much of an export is right. Both leave out what
people cannot name. Cross-validation on bought labels is none of these: they were chosen because
they are hard, or odd, and no figure here is made from them but one that is marked so.
"""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from jax_al.errors import UsageError
from jax_al.people.intervals import Width, count_interval, first, share_interval
from jax_al.types import BROKEN, SKIP, UNSURE

OTHERS = 4  # labels between one of the audit and the next
NOTHING: Mapping[str, int] = MappingProxyType({})
_ROUNDING = 1e-6  # of lines


class Accuracy(NamedTuple):
    """How many of the answers a model had right, and what that says of all: a 95% interval."""

    right: int
    answered: int  # with a class
    unsure: int  # said to be unsure; these three are in no figure
    low: float
    high: float
    skipped: int
    broken: int  # or gone from the folder

    @property
    def share(self) -> float:
        """The share of right answers; nan of none."""
        return self.right / self.answered if self.answered else float("nan")


class Export(NamedTuple):
    """How much of an export is right: what people said counts as right, the rest is estimated."""

    told: int  # L, lines by people, those of the check among them
    predicted: int  # N - L, lines by the model, of what the check was drawn from
    low: int  # of those N, how many are right: a 95% interval
    right: float  # L + (N - L) accuracy
    high: int


class _End(NamedTuple):
    """How far an interval goes to one side."""

    off: float
    is_farthest: bool  # that can be


class Stratum(NamedTuple):
    """Examples that have so many lines each, of which a check was drawn."""

    lines: int  # of each
    right: int  # of those that were answered
    answered: int
    size: int  # how many there are


def accuracy(predicted: Mapping[int, int], told: Mapping[int, int]) -> Accuracy:
    """Returns the accuracy of what was predicted, by what people said of the same rows.

    Args:
      predicted: the class of each row of `told`, by a model that was not trained on it.
      told: what was said by row: a class, or SKIP, UNSURE, BROKEN.
    """
    named = {row: said for row, said in told.items() if said >= 0}
    right = sum(predicted[row] == said for row, said in named.items())
    passed = [told[row] for row in told.keys() - named.keys()]
    return counted(
        right,
        len(named),
        unsure=passed.count(UNSURE),
        skipped=passed.count(SKIP),
        broken=passed.count(BROKEN),
    )


def counted(right: int, answered: int, *, unsure: int, skipped: int, broken: int) -> Accuracy:
    """Returns the accuracy that counts come to, see `Accuracy`."""
    low, high = share_interval(right, answered)
    return Accuracy(right, answered, unsure, low, high, skipped, broken)


def exported(check: Accuracy, told: int, unlabeled: int) -> Export:
    """Returns how much of an export is right, (L + (N - L) acc) / N, by a check.

    Exact in the number of examples that are left, so the interval ends where all of them were
    looked at. Whatever nobody labels is taken to be as right as what was answered.

    Args:
      check: of a uniform draw from what was unlabeled.
      told: labels by people before the check.
      unlabeled: M, examples without a label before it, of which it was drawn.

    Raises:
      UsageError: nothing was answered.
    """
    return exported_lines([Stratum(1, check.right, check.answered, unlabeled)], told)


def exported_lines(strata: Sequence[Stratum], told: int) -> Export:
    """Returns what `exported` does, where examples may have copies, which are lines of their own.

    Copies are right or wrong together, and may be as a rule more often so than the rest. So each
    stratum has an interval of its own, and that of their sum is what it is off by on each side,
    added as squares (Zou & Donner 2008, "Construction of confidence limits about effect measures",
    Statistics in Medicine 27). But an end at which all that was not looked at is right, or none of
    it, is off by no chance: such are added as they are. As squares, among copies of many numbers of
    lines the interval would hold the truth 83 times in 100. Of a stratum that nothing was drawn of,
    nothing is known.

    Args:
      strata: of what the check was drawn from.
      told: lines by people before the check.

    Raises:
      UsageError: nothing was answered.
    """
    answered = sum(one.answered for one in strata)
    if not answered:
        raise UsageError("No example of the check has a class yet: answer some of them first.")
    share = sum(one.right for one in strata) / answered
    right, below, above = 0.0, list[_End](), list[_End]()
    for one in strata:
        low, high = count_interval(one.right, one.answered, one.size)
        own = one.right / one.answered if one.answered else share
        expected = one.right + (one.size - one.answered) * own
        right += one.lines * expected
        most = one.size - (one.answered - one.right)
        below.append(_End(one.lines * (expected - low), low == one.right))
        above.append(_End(one.lines * (high - expected), high == most))
    seen = sum(one.lines * one.answered for one in strata)
    # What the check found wrong is right in the export: people have said it.
    sure = told + sum(one.lines * (one.answered - one.right) for one in strata)
    return Export(
        told + seen,
        sum(one.lines * one.size for one in strata) - seen,
        sure + math.floor(right - _off(below) + _ROUNDING),
        sure + right,
        sure + math.ceil(right + _off(above) - _ROUNDING),
    )


def _off(ends: Sequence[_End]) -> float:
    """Returns how far a sum goes to a side that its parts go to so far."""
    farthest = sum(end.off for end in ends if end.is_farthest)
    return farthest + math.hypot(*(end.off for end in ends if not end.is_farthest))


def check_size(wanted: Width, told: int, unlabeled: int) -> int:
    """Returns how many answers tell the share right in an export to within `wanted.half`.

    Args:
      wanted: how near, and the share of right classes by the model that is expected.
      told: labels by people, which count as right.
      unlabeled: M, of which the check is drawn.
    """

    def is_near(answered: int) -> bool:
        low, high = count_interval(round(wanted.share * answered), answered, unlabeled)
        return high - low <= 2 * wanted.half * (told + unlabeled)

    return first(1, unlabeled, is_near)


def audit_is_next(num_answered_audit: int, num_answered_others: int, size: int) -> bool:
    """Whether the next example is one of the audit: one in five, until it is done.

    Args:
      num_answered_audit: answers of any kind to rows of the audit.
      num_answered_others: answers to others.
      size: rows of the audit.
    """
    return num_answered_audit < size and num_answered_others >= OTHERS * (num_answered_audit + 1)


def by_audit(found: Accuracy, size: int) -> str:
    """Returns the sentence about an audit of `size` rows, done or not."""
    if not found.answered:
        return (
            f"No accuracy yet: of the {size:,} examples of the audit none has both a class by "
            "people and one by a model."
        )
    done = found.answered + found.unsure + found.skipped + found.broken
    so_far = "" if done >= size else f" so far, {done:,} of {size:,} being answered"
    return (
        f"Accuracy {_percent(found.share)} ({_percent(found.low)} to {_percent(found.high)}) by "
        f"audit{so_far}: {_right(found)}{_passed(found)}."
    )


def by_progress(found: Accuracy) -> str:
    """Returns the sentence about answers that came after the predictions, without an audit."""
    if not found.answered:
        return "No accuracy: there is no audit, and no label that a model had predicted before."
    return (
        f"No audit, so no accuracy: before the last answers came, the models had {_right(found)}, "
        f"{_percent(found.share)} ({_percent(found.low)} to {_percent(found.high)}); the strategy "
        f"chose these examples, so the others may be easier or harder{_passed(found)}."
    )


def by_check(found: Accuracy, export: Export, beside: Mapping[str, int] = NOTHING) -> str:
    """Returns the sentence about a check.

    Args:
      found: of it.
      export: what it says of one.
      beside: lines by the model that it says nothing of, by what they are.
    """
    N = export.told + export.predicted
    low, right, high = (_percent(x / N) for x in (export.low, export.right, export.high))
    others = ", ".join(f"{count:,} {what}" for what, count in beside.items() if count)
    return (
        f"{right} ({low} to {high}) of the {N:,} classes of an export are right: {export.told:,} "
        f"are by people and count as right; of those that the model names, a fresh draw had "
        f"{_right(found)}, {_percent(found.share)}{_passed(found)}."
    ) + (f" Not among the {N:,}, though the model names them, too: {others}." if others else "")


def _right(found: Accuracy) -> str:
    return f"{found.right:,} of {found.answered:,} right"


def _passed(found: Accuracy) -> str:
    """Says what has no class and is in no figure."""
    words = [
        f"{count:,} {word}"
        for count, word in (
            (found.unsure, "unsure"),
            (found.skipped, "skipped"),
            (found.broken, "broken or gone"),
        )
        if count
    ]
    return f"; left out: {', '.join(words)}" if words else ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
