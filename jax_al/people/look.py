"""A look at all examples with the last learner, and what is kept of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jax_al.people.advice import THRESHOLD, WINDOW, noise_floor, stop_set
from jax_al.people.models import Model
from jax_al.people.standing import agreements

if TYPE_CHECKING:
    from jax_al.drivers.session import Session

NEAR = 0.02  # below the threshold of agreement the noise floor is asked for, at two fits a time


def look(session: "Session", seed: int, seconds: float) -> tuple[Model, np.ndarray, list[int]]:
    """Returns what the last learner of a session says.

    Args:
      session: in which something was trained.
      seed: of the stop set.
      seconds: that the training took.

    Returns:
      What is kept of it: the classes of the stop set, of what is held out and of what is asked, as
      ids; the probabilities of all rows, float32 [N, C]; and the ids of their columns.
    """
    probs, record = session.predicted(session.pool)
    last = record.trained[max(record.trained)]
    ids, best = list(record.classes), probs.argmax(axis=1)
    rows = {*stop_set(len(probs), seed).tolist(), *record.held_out, *record.undecided()}
    said = {row: ids[best[row]] for row in sorted(rows)}
    kept = Model(last.episode, last.as_of, last.digest, len(record.order), seconds, said)
    return kept, probs, ids


def with_floor(model: Model, before: Sequence[Model], session: "Session", seed: int) -> Model:
    """Returns `model` with the noise floor, where its agreement with those before is near enough.

    Args:
      model: the last learner of `session`.
      before: those that were trained before it.
      session: of the project.
      seed: of the stop set.
    """
    record = session.record
    kappas, _ = agreements(record, [*before, model])
    if len(kappas) < WINDOW or np.mean(kappas[-WINDOW:]) < THRESHOLD - NEAR:
        return model
    column = {number: place for place, number in enumerate(record.classes)}
    order = np.array(record.order, np.int64)
    labels = np.array([column[label] for label in record.labels], np.int64)
    stop = stop_set(len(session.pool), seed)
    free = np.setdiff1d(stop, np.array([*record.decisions], np.int64))
    if not len(free):
        return model

    def fit(places: np.ndarray) -> np.ndarray:
        some = order[places].tolist(), labels[places].tolist()
        return session.predict_by(*some, free).argmax(axis=1)

    return model._replace(floor=noise_floor(fit, len(order), seed))
