"""The simulated oracle: the one place that knows the truth, so no strategy can see a label."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jax_al import types
from jax_al.errors import UsageError
from jax_al.types import SKIP, Answer

INITIAL = ("random", "class_balanced")


class _Coming(NamedTuple):
    answer: Answer
    collects: int  # how many more of them before it is there


class _Simulated:
    def __init__(self, truth: np.ndarray, noise: float, delay: int, skip: float, seed: int):
        self._truth = truth
        self._num_classes = int(truth.max(initial=0)) + 1
        self._noise, self._delay, self._skip, self._seed = noise, delay, skip, seed
        self._asked: set[tuple[int, int]] = set()
        self._coming: list[_Coming] = []

    def ask(self, request: int, rows: Sequence[int]) -> None:
        for row in map(int, rows):
            if (request, row) not in self._asked:
                self._asked.add((request, row))
                self._coming.append(self._said(row))

    def collect(self) -> list[Answer]:
        there = [one.answer for one in self._coming if not one.collects]
        self._coming = [
            one._replace(collects=one.collects - 1) for one in self._coming if one.collects
        ]
        return there

    def _said(self, row: int) -> _Coming:
        """Returns what is said of `row`, whoever asks and whenever: its chance is its own."""
        true = int(self._truth[row])
        if not (self._noise or self._delay or self._skip):
            return _Coming(Answer(row, true, "simulated"), 0)
        rng = np.random.default_rng((self._seed, row))
        # All are drawn whatever is used, so that one option never changes what another draws.
        skips, errs = rng.random() < self._skip, rng.random() < self._noise
        wrong = (true + int(rng.integers(1, max(self._num_classes, 2)))) % self._num_classes
        collects = int(rng.integers(0, self._delay + 1))
        return _Coming(
            Answer(row, SKIP if skips else wrong if errs else true, "simulated"), collects
        )


def simulated(
    truth: np.ndarray, *, noise: float = 0.0, delay: int = 0, skip: float = 0.0, seed: int = 0
) -> types.Oracle:
    """Returns an oracle that answers from `truth`, as a benchmark does.

    Errors, skips and delays are drawn for each row from (seed, row) alone, whatever the order or
    the number of calls, so a run that was interrupted meets the same answers.

    Args:
      truth: int [N].
      noise: the chance that an answer is another class, each of them as likely.
      delay: how many calls of `collect` an answer may be late at most; uniform from 0.
      skip: the chance that a row is skipped.
      seed: of all chance.

    Raises:
      UsageError: an option is out of range, or there is no other class to err to.
    """
    for name, share in (("noise", noise), ("skip", skip)):
        if not 0 <= share <= 1:
            raise UsageError(f"{name} is a share of the answers, from 0 to 1, and not {share}.")
    for name, number in (("delay", delay), ("seed", seed)):
        if number < 0:
            raise UsageError(f"{name} is {number}, but it cannot be negative.")
    if noise and truth.max(initial=0) < 1:
        raise UsageError("noise needs two classes at least, and the truth holds one.")
    return _Simulated(truth, noise, delay, skip, seed)


def initial_indices(
    rng: np.random.Generator, how: str, labels: np.ndarray, size: int
) -> np.ndarray:
    """Chooses the points labeled before the first episode.

    Args:
      rng: the source of chance, made from the seed of the run.
      how: "random" (uniform without replacement) or "class_balanced" (as equal class counts as
        the pool allows, which only a simulation can do: it looks at the truth).
      labels: int32 [N], the truth.
      size: how many points, at most N.

    Returns:
      int64 [size], distinct pool indices.
    """
    shuffled = rng.permutation(labels.size)
    if how == "random":
        return shuffled[:size]
    # Deal the classes like cards: everyone's first point, then everyone's second, and so on. The
    # classes of an incomplete last deal are random because the sort is stable on a shuffled pool.
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    _, first, counts = np.unique(labels[by_class], return_index=True, return_counts=True)
    rank_in_class = np.arange(labels.size) - np.repeat(first, counts)
    chance = rng.random(labels.size)
    return by_class[np.lexsort((chance, rank_in_class))][:size]
