"""How a project stands: how right it is so far, and whether to go on.

From the record and what each learner said (`models.py`): nothing is trained, and nobody waits.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jax_al.people import advice, audit
from jax_al.people.models import Model
from jax_al.session.fold import Decision, Draw, Record

LAST = 3  # requests whose answers make the accuracy by progress


class Standing(NamedTuple):
    """What is known of a project without looking at it anew."""

    kind: str  # what the accuracy is made of: "audit", or "progress" where there is none
    accuracy: audit.Accuracy
    says: str  # the sentence about it
    advice: list[str]  # sentences, most important first


def standing(record: Record, models: Sequence[Model], budget: int) -> Standing:
    """Returns how a project stands.

    Args:
      record: of it.
      models: all that were trained, in their order.
      budget: rows of the next request.
    """
    # After classes or files have changed, the figure of the last learner stands until the next one.
    ours = _successive(models, record.outdated)
    shown = ours or _successive(models, -1)
    size = len(record.drawn_as("audit"))
    if size:
        found, source = _by_audit(record, shown), "audit"
        says = audit.by_audit(found[-1], size)
    else:
        each, source = _by_progress(record, shown), "progressive validation"
        found = [*each, _together(each[-LAST:])]
        says = audit.by_progress(found[-1])
    curve = [
        (model.num_labels, one)
        for model, one in zip(ours, found, strict=False)
        if model.num_labels and one.answered
    ]
    counts = Counter(record.label_of(one.decision) for one in record.decisions.values())
    kappas, num_free = agreements(record, models)
    sentences = advice.sentences(
        classes=list(record.classes.values()),
        counts=[counts[number] for number in record.classes],
        kappas=kappas,
        floor=ours[-1].floor if ours and ours[-1].floor is not None else math.nan,
        num_free=num_free,
        gain=advice.expected_gain(
            [labels for labels, _ in curve],
            [one.right for _, one in curve],
            [one.answered for _, one in curve],
            budget,
        ),
        source=source,
    )
    return Standing("audit" if size else "progress", found[-1], says, sentences)


def last_check(record: Record) -> Draw | None:
    """Returns the last check; None: there was none, or nothing is left of any."""
    return next(
        (draw for draw in reversed(record.draws) if draw.why == "check" and draw.rows), None
    )


def of_check(
    record: Record, models: Sequence[Model], check: Draw
) -> tuple[dict[int, int], dict[int, int]] | None:
    """Returns what the last learner that has said of all of a check said, and what people told.

    Both by row, of what was told; after all merges. None: there is no such learner, as where one
    looked at all examples while the check was drawn.
    """
    of = [model for model in models if model.said.keys() >= set(check.rows)]
    if not of:
        return None
    told = _told(record, {row: record.said(row) for row in check.rows})
    return {row: record.label_of(of[-1].said[row]) for row in told}, told


def agreements(record: Record, models: Sequence[Model]) -> tuple[list[float], int]:
    """Returns the kappas of the last learners, each with that of the episode before it.

    They are compared on what both have said of and what had no label for the earlier one. What was
    asked in between is among it, on which they differ most: without it, the rest of a small pool
    would look settled as what is hard gets labeled.

    Args:
      record: of the project.
      models: all that were trained, in their order.

    Returns:
      At most WINDOW kappas, and on how many examples the last of them is.
    """
    kappas, num_free = [], 0
    last = _successive(models, record.outdated)[-advice.WINDOW - 1 :]
    for one, other in itertools.pairwise(last):
        both = sorted(one.said.keys() & other.said.keys())
        rows = [row for row in both if _asked_at(record, row) >= one.episode]
        pair = (
            np.array([record.label_of(model.said[row]) for row in rows], int)
            for model in (one, other)
        )
        kappas.append(advice.kappa(*pair))
        num_free = len(rows)
    return kappas, num_free


def _asked_at(record: Record, row: int) -> float:
    """Returns the episode whose learner was the last when `row` was asked; infinity: it never was.

    What is held out is never trained on, whatever was said of it.
    """
    if row not in record.decisions:
        return math.inf
    number = record.asked[row]
    return record.requests[number].episode if number >= 0 else record.draws[~number].episode


def _successive(models: Sequence[Model], outdated: int) -> list[Model]:
    """Returns the last learner of each episode: one a batch, whatever was told in between."""
    fit = [model for model in models if model.as_of >= outdated]
    return [of for _, of in sorted({model.episode: model for model in fit}.items())]


def _by_audit(record: Record, models: Sequence[Model]) -> list[audit.Accuracy]:
    """Returns the accuracy of each learner by the audit of now; at least one, of none."""
    rows = set(record.drawn_as("audit"))
    told = _told(record, {row: one for row, one in record.held_out.items() if row in rows})
    return [_accuracy(record, [model], told) for model in models] or [audit.accuracy({}, {})]


def _by_progress(record: Record, models: Sequence[Model]) -> list[audit.Accuracy]:
    """Returns how right each learner was about what was asked after it, before anybody told."""
    found = []
    for model in models:
        asked = [row for one in record.requests if one.episode == model.episode for row in one.rows]
        said = {row: one for row in asked if (one := record.decisions.get(row)) is not None}
        found.append(_accuracy(record, [model], _told(record, said)))
    return found


def _together(some: Sequence[audit.Accuracy]) -> audit.Accuracy:
    """Returns the accuracy over the answers of several learners."""
    right, answered, unsure, skipped, broken = (
        sum(getattr(one, name) for one in some)
        for name in ("right", "answered", "unsure", "skipped", "broken")
    )
    return audit.counted(right, answered, unsure=unsure, skipped=skipped, broken=broken)


def _told(record: Record, said: Mapping[int, Decision | None]) -> dict[int, int]:
    return {row: record.label_of(one.decision) for row, one in said.items() if one is not None}


def _accuracy(record: Record, models: Sequence[Model], told: Mapping[int, int]) -> audit.Accuracy:
    """Returns the accuracy of one learner, or of none, on what it has said of."""
    said = models[0].said if models else {}
    known = {row: record.label_of(said[row]) for row in told if row in said}
    return audit.accuracy(known, {row: told[row] for row in known})
