"""Which labels a model doubts: what people said, by models that have not seen it.

A model has learned its labels, wrong ones too. So the labels are dealt into FOLDS parts, class by
class, and each part is predicted by the learner fitted to the others (Northcutt, Jiang & Chuang
2021, "Confident Learning", rank labels by the same out-of-sample probability).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

FOLDS = 5

# (rows taught, their labels, rows to predict) -> float32 [n, C]
FitAndPredict = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Doubt(NamedTuple):
    """One label, and what the others say of its example."""

    row: int
    told: int  # the class that a person said
    probability: float  # of that class
    best: int  # the most probable class
    best_probability: float


def doubts(
    rows: Sequence[int], labels: Sequence[int], fit_and_predict: FitAndPredict, *, seed: int
) -> list[Doubt]:
    """Returns all labels that can be judged, the least probable first.

    A label that is the only one of its class cannot: no other tells what the class is like. Nor
    can any where all others are of one class.

    Args:
      rows: n, labeled.
      labels: their classes, n.
      fit_and_predict: of a learner, see FitAndPredict.
      seed: of how they are dealt.
    """
    taught, classes = np.asarray(rows, np.int64), np.asarray(labels, np.int32)
    part = dealt(classes, seed)
    found = []
    for fold in range(FOLDS):
        rest = part != fold
        here = np.flatnonzero((part == fold) & np.isin(classes, classes[rest]))
        if not here.size or len(np.unique(classes[rest])) < 2:
            continue
        probs = fit_and_predict(taught[rest], classes[rest], taught[here])
        for place, row in enumerate(here.tolist()):
            told, best = int(classes[row]), int(probs[place].argmax())
            own, other = float(probs[place, told]), float(probs[place, best])
            found.append(Doubt(int(taught[row]), told, own, best, other))
    return sorted(found, key=lambda one: (one.probability, one.row))


def dealt(classes: np.ndarray, seed: int) -> np.ndarray:
    """Returns the part 0..FOLDS-1 of each label, int [n]: each class spread as evenly as it goes.

    Args:
      classes: int [n].
      seed: of the chance.
    """
    shuffled = np.random.default_rng(seed).permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    part = np.empty(len(classes), np.int64)
    part[by_class] = np.arange(len(classes)) % FOLDS  # on from class to class, so parts are even
    return part
