"""When to stop: never done, only advised, in sentences with the numbers that they stand on.

Three things are looked at. Whether models still change: the agreement of successive models on a
fixed set of unlabeled examples (Bloodgood & Vijay-Shanker 2009, "A Method for Stopping Active
Learning Based on Stabilizing Predictions and the Need for User-Adjustable Stopping", CoNLL).
Whether each class has a label. What the next labels may bring, by the curve so far.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special  # scipy.stats would add 0.6 s to the start of every command

from jax_al.errors import some_of

THRESHOLD, WINDOW = 0.99, 3  # of Bloodgood & Vijay-Shanker: mean of the last three kappas
STOP_SET = 2000  # examples, as theirs; the whole pool where it is smaller
LEAST = 5  # points of a curve to draw a line through, its last ones
CONFIDENCE = 0.95


class Gain(NamedTuple):
    """What the next labels are expected to bring: accuracy, and its 95% interval."""

    labels: int
    estimate: float
    low: float
    high: float


def kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Returns Cohen's kappa of two models' classes, int [n]: agreement beyond that by chance.

    (a - e) / (1 - e), a the share of equal classes, e what it would be if the two were independent
    (Cohen 1960, "A Coefficient of Agreement for Nominal Scales"). 1 where both name one and the
    same class throughout, where chance leaves nothing to agree on; nan of no examples.
    """
    if not len(one):
        return math.nan
    C = int(max(one.max(), other.max())) + 1
    by_chance = np.bincount(one, minlength=C) @ np.bincount(other, minlength=C) / len(one) ** 2
    return 1.0 if by_chance == 1 else float((np.mean(one == other) - by_chance) / (1 - by_chance))


def stop_set(num_points: int, seed: int) -> np.ndarray:
    """Returns the rows on which models are compared, int64, rising: the same for all of them."""
    rows = np.random.default_rng(seed).permutation(num_points)
    return np.sort(rows[:STOP_SET])


def noise_floor(fit: Callable[[np.ndarray], np.ndarray], num_labels: int, seed: int) -> float:
    """Returns the kappa of two models that differ by nothing but which labels were drawn.

    Args:
      fit: places among the labels, int64 [L], drawn with replacement -> classes int [n] of the
        stop set, of what has no label there, by a model trained on those.
      num_labels: L.
      seed: of the two draws.
    """
    rng = np.random.default_rng((seed, num_labels))
    one, other = (fit(rng.integers(0, num_labels, num_labels)) for _ in range(2))
    return kappa(one, other)


def has_settled(kappas: Sequence[float]) -> bool:
    """Whether the models have stopped changing: the rule of Bloodgood & Vijay-Shanker."""
    return len(kappas) >= WINDOW and float(np.mean(kappas[-WINDOW:])) >= THRESHOLD


def expected_gain(
    labels: Sequence[int], right: Sequence[int], answered: Sequence[int], batch: int
) -> Gain | None:
    """Returns what `batch` more labels bring if the curve goes on as it went; None: cannot tell.

    The error is taken to fall as a power of the number of labels, error = a n^-c: a straight line
    in logarithms, by least squares through the last LEAST points, as a curve bends where it ends.
    The interval is that of its slope: Student's, or where points lie straighter than so few answers
    allow, by the chance of a binomial count of each. Where an error is 0 the logarithm is of half
    an answer more, (wrong + 1/2) / (n + 1).

    Args:
      labels: that each model was trained on, above 0 and never fewer than before.
      right: how many answers each had right.
      answered: of how many, above 0; best the same ones for all.
      batch: labels to come.
    """
    if len(labels) < LEAST or labels[-LEAST] == labels[-1]:
        return None
    x = np.log(np.asarray(labels[-LEAST:], float))
    of = np.asarray(answered[-LEAST:], float)
    wrong = of - np.asarray(right[-LEAST:], float) + 0.5
    y, away = np.log(wrong / (of + 1)), x - x.mean()
    spread = float(away @ away)
    slope = float(away @ y) / spread
    line = y.mean() + slope * away
    scatter = math.sqrt(float(((y - line) ** 2).sum()) / (LEAST - 2) / spread)
    chance = math.sqrt(float(away**2 @ (1 / wrong - 1 / (of + 1)))) / spread
    tail = (1 + CONFIDENCE) / 2
    half = max(special.stdtrit(LEAST - 2, tail) * scatter, special.ndtri(tail) * chance)
    now, step = math.exp(line[-1]), math.log1p(batch / labels[-1])
    # The error stays between 0 and 1, however wide the slope's interval.
    slopes = (slope, slope + half, slope - half)
    return Gain(batch, *(now - min(1.0, now * math.exp(c * step)) for c in slopes))


def sentences(
    *,
    classes: Sequence[str],
    counts: Sequence[int],
    kappas: Sequence[float],
    floor: float,
    num_free: int,
    gain: Gain | None,
    source: str,
) -> list[str]:
    """Returns what is to be said, most important first.

    Args:
      classes: names of the C classes.
      counts: labels of each.
      kappas: of successive models, see `agreements`.
      floor: see `noise_floor`; nan where it is not known.
      num_free: examples on which the last two were compared.
      gain: see `expected_gain`; None: cannot tell yet.
      source: what the curve is made of, as "audit".
    """
    said = []
    if missing := [name for name, count in zip(classes, counts, strict=True) if not count]:
        names = some_of(missing)
        said.append(
            f"No label to train on yet of {len(missing)} of {len(classes)} classes: {names}."
        )
    said.append(_settled(kappas, floor, num_free, is_complete=not missing))
    said.append(_gained(gain, source))
    return said


def _settled(kappas: Sequence[float], floor: float, num_free: int, *, is_complete: bool) -> str:
    if len(kappas) < WINDOW:
        return (
            f"Too early to tell whether models have settled: {len(kappas)} of {WINDOW} pairs of "
            "successive models."
        )
    mean = float(np.mean(kappas[-WINDOW:]))
    beside = "" if math.isnan(floor) else f" (two models on resampled labels: {floor:.3f})"
    what = (
        f"the last {WINDOW} models agree with the one before at kappa {mean:.3f} on {num_free:,} "
        f"examples{beside}"
    )
    if not has_settled(kappas):
        return f"Models still change: {what}, {THRESHOLD} being settled."
    if not is_complete:
        return f"Models have settled, but on classes without a label they cannot: {what}."
    return f"You may stop: {what}, {THRESHOLD} being settled; check how right an export is."


def _gained(gain: Gain | None, source: str) -> str:
    if gain is None:
        return f"Too early to tell what more labels bring: a curve needs {LEAST} models."
    estimate, low, high = (100 * x for x in gain[1:])
    return (
        f"The next {gain.labels:,} labels bring {estimate:+.1f} points of accuracy ({low:+.1f} to "
        f"{high:+.1f}) if the curve by {source} goes on as it went."
    )
