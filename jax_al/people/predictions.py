"""What a model says of every picture, beside what a person said: tables as CSV text.

An id stands there exactly as it is, for programs to join by; a batch that people fill in is
`batch.py`'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jax_al.people.batch import word
from jax_al.session.records import csv_text
from jax_al.types import BROKEN

PERSON, MODEL = "person", "model"
DIGITS = 12  # of the digest by which a table names its model
COLUMNS = ("id", "class", "probability", "entropy", "model", "said")  # of predictions


class Final(NamedTuple):
    """What an export says of one example."""

    id: str
    label: str | None  # a class; None where a person said that the example is broken
    by: str  # PERSON or MODEL
    probability: float | None  # of that class, by the model; None where there is no prediction


def predictions_text(
    ids: Sequence[str],
    classes: Sequence[str],
    probs: np.ndarray,
    model: str,
    said: Mapping[str, str | int],
) -> str:
    """Returns a line for each example: id, class, probability, entropy, model, said.

    Args:
      ids: n.
      classes: C names.
      probs: float32 [n, C], by the model.
      model: its digest, of which DIGITS are told.
      said: what people said, by id.
    """
    entropy = entropies(probs)
    rows: list[Sequence[object]] = [COLUMNS]
    for row, id in enumerate(ids):
        best = int(probs[row].argmax())
        told = said.get(id, "")
        rows.append(
            (
                id,
                classes[best],
                f"{probs[row, best]:.6f}",
                f"{entropy[row]:.6f}",
                model[:DIGITS],
                told if isinstance(told, str) else word(told),
            )
        )
    return csv_text(rows)


def entropies(probs: np.ndarray) -> np.ndarray:
    """Returns the entropy of each row of `probs` [n, C] in nats, float64 [n]."""
    p = np.asarray(probs, np.float64)
    return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=1) + 0.0  # no -0


def finals(
    ids: Sequence[str],
    classes: Sequence[str],
    probs: np.ndarray | None,
    said: Mapping[str, str | int],
) -> Iterator[Final]:
    """Yields what an export says of each example: a person's label before the model's.

    What a person skipped or was unsure of is as the model says. Without a model, only what has a
    person's label is there.

    Args:
      ids: n.
      classes: C names.
      probs: float32 [n, C], by the model; None: there is none.
      said: what people said, by id.
    """
    place = {name: number for number, name in enumerate(classes)}
    for row, id in enumerate(ids):
        told = said.get(id)
        if told == BROKEN:
            yield Final(id, None, PERSON, None)
        elif isinstance(told, str):
            known = None if probs is None else float(probs[row, place[told]])
            yield Final(id, told, PERSON, known)
        elif probs is not None:
            best = int(probs[row].argmax())
            yield Final(id, classes[best], MODEL, float(probs[row, best]))


def finals_text(rows: Sequence[Final]) -> str:
    """Returns a line for each: id, class, by, probability."""
    lines: list[Sequence[object]] = [("id", "class", "by", "probability")]
    for one in rows:
        lines.append((one.id, one.label or "", one.by, shown(one.probability)))
    return csv_text(lines)


def shown(probability: float | None) -> str:
    """Returns a probability as tables have it."""
    return "" if probability is None else f"{probability:.6f}"
