"""What learning curves and picks of several seeds say: numbers from numbers, in NumPy and SciPy.

A curve is {seed: {label count: score}}. Seeds may be missing and episodes too: a comparison uses
the seeds and label counts that both sides have, and says how many seeds that were. What cannot be
said from so few is nan, never a guess: one seed has a mean and no interval.
"""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special  # scipy.stats would add 0.6 s to the start of every run

Curve = Mapping[int, Mapping[int, float]]  # {seed: {label count: score}}

CONFIDENCE = 0.95
POWER = 0.8
# Differences that agree to this over all seeds have no spread to test against. Accuracies are
# recorded in float32, so equal ones differ by their last bit.
SAME = 1e-6


class Interval(NamedTuple):
    """An estimate over seeds and its 95% confidence interval."""

    estimate: float
    low: float  # nan where there are too few seeds
    high: float
    num_seeds: int


class Difference(NamedTuple):
    """A paired difference to a reference."""

    interval: Interval
    p: float  # two-sided, of this one comparison; nan where it cannot be tested
    adjusted_p: float  # after Holm's correction over the family it was computed with


class Penalties(NamedTuple):
    """The pairwise penalty matrix."""

    names: list[str]  # [A]
    # float64 [A, A]: share of label counts at which the row beats the column; nan where there is no
    # label count to compare them at, as for each and itself
    matrix: np.ndarray
    column_means: np.ndarray  # float64 [A]: over the rows compared to it, nan if none; low is good


def area(counts: Sequence[float], scores: Sequence[float], low: float, high: float) -> float:
    """Returns the area under one budget curve between two label counts, over their distance.

    That is the mean score over the budget, so of an accuracy it lies in [0, 1]:
    1 / (high - low) * integral of the piecewise linear curve through (counts, scores), by the
    trapezoid rule, which is exact whatever the spacing (Zhan et al. 2021, "A Comparative Survey:
    Benchmarking for Pool-based Active Learning", IJCAI, section 4, with an evenly spaced budget).

    Args:
      counts: label counts [L], rising.
      scores: [L].
      low: the first label count.
      high: the last one, larger.

    Returns:
      The area; nan if the curve does not reach over the whole range.
    """
    if not len(counts) or not counts[0] <= low < high <= counts[-1]:
        return math.nan
    inside = [count for count in counts if low < count < high]
    grid = np.array([low, *inside, high], float)
    return float(np.trapezoid(np.interp(grid, counts, scores), grid) / (high - low))


def areas(curve: Curve, low: float, high: float) -> dict[int, float]:
    """Returns `area` of each seed that reaches over the whole range."""
    by_seed = {}
    for seed, scores in sorted(curve.items()):
        counts = sorted(scores)
        value = area(counts, [scores[count] for count in counts], low, high)
        if not math.isnan(value):
            by_seed[seed] = value
    return by_seed


def shared_range(curves: Collection[Curve]) -> tuple[int, int] | None:
    """Returns the first and last label count that every curve has reached with some seed.

    A curve of fewer than two label counts does not take part. None if nothing is shared.
    """
    reached = [sorted(set(itertools.chain.from_iterable(curve.values()))) for curve in curves]
    reached = [counts for counts in reached if len(counts) > 1]
    if not reached:
        return None
    low, high = max(counts[0] for counts in reached), min(counts[-1] for counts in reached)
    return (low, high) if low < high else None


def mean_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Returns the mean over seeds with its 95% Student interval, as `t_interval`.

    At 2 to 5 seeds no bootstrap holds what it says: the percentiles of resampled means of normal
    values cover the mean 51, 75, 80 and 84 times in 100 there, Student's interval 95 times.
    """
    return t_interval(values)[0]


def t_interval(values: Sequence[float] | np.ndarray) -> tuple[Interval, float]:
    """Returns the mean, its 95% Student interval and the two-sided p-value against zero.

    mean ± t_{0.975, n-1} * s / sqrt(n), the interval that belongs to the paired t-test. Values that
    are all the same number have no spread to judge by: then, and for one seed, ends and p are nan.
    Several values that are all zero have p = 1.
    """
    values = np.asarray(values, float)
    n, mean = len(values), float(np.mean(values)) if len(values) else math.nan
    if n > 1 and np.abs(values).max() <= SAME:
        return Interval(mean, mean, mean, n), 1.0
    if n < 2 or np.ptp(values) <= SAME:
        return Interval(mean, math.nan, math.nan, n), math.nan
    error = float(values.std(ddof=1)) / math.sqrt(n)
    half = float(special.stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * error
    p = float(2 * special.stdtr(n - 1, -abs(mean) / error))
    return Interval(mean, mean - half, mean + half, n), p


def detectable(interval: Interval, comparisons: int = 1) -> float:
    """Returns the difference that such a paired t-test finds four times in five; nan without one.

    That d for which P(T > t) = 0.8, T of Student's noncentral distribution with n - 1 degrees of
    freedom and noncentrality d / (s / sqrt(n)), s / sqrt(n) taken from the interval as if it were
    known (Cohen 1988, *Statistical Power Analysis*, chapter 2).

    Args:
      interval: of the differences; of one without width nothing can be said.
      comparisons: m; t is the quantile of 1 - 0.05 / 2m, as the first step of `holm` wants. Later
        steps ask for less, so that four in five is the least there.
    """
    n, half = interval.num_seeds, (interval.high - interval.low) / 2
    if n < 2 or not half > 0:
        return math.nan
    error = half / special.stdtrit(n - 1, (1 + CONFIDENCE) / 2)
    critical = special.stdtrit(n - 1, 1 - (1 - CONFIDENCE) / (2 * comparisons))
    return float(error * special.nctdtrinc(n - 1, 1 - POWER, critical))


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values adjusted so that a family of tests errs at most as often as one.

    Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure": with p sorted, the k-th
    smallest of m becomes max over j <= k of min(1, (m - j + 1) * p_(j)). It needs no independence.
    nan (not tested) stays nan and does not count into m.
    """
    p = np.asarray(p_values, float)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return [float(value) for value in adjusted]


def paired_differences(
    curves: Mapping[str, Curve], reference: str
) -> dict[str, dict[int, Difference]]:
    """Compares every strategy to the reference at every label count, paired by seed.

    At a label count the differences d_s = score_s - reference_s over the seeds both have give a
    Student interval and p-value (`t_interval`). The p-values are Holm-corrected over all label
    counts and all strategies together; the intervals are of one comparison each. A first label
    count at which all differences are zero is the shared start, not a comparison, and is left out.

    Returns:
      {strategy: {label count: Difference}} without the reference.
    """
    found: list[tuple[str, int, Interval, float]] = []
    for name, curve in curves.items():
        if name == reference:
            continue
        for count, values in _paired(curve, curves[reference]).items():
            found.append((name, count, *t_interval(values)))
    adjusted = holm([p for *_, p in found])
    result: dict[str, dict[int, Difference]] = {name: {} for name in curves if name != reference}
    for (name, count, interval, p), corrected in zip(found, adjusted, strict=True):
        result[name][count] = Difference(interval, p, corrected)
    return result


def area_differences(
    by_strategy: Mapping[str, Mapping[int, float]], reference: str
) -> dict[str, Difference]:
    """Compares areas to the reference's, paired by seed; Holm-corrected over the strategies.

    Args:
      by_strategy: {strategy: {seed: area}}.
      reference: the strategy to compare to.
    """
    base, found = by_strategy[reference], {}
    for name, mine in by_strategy.items():
        if name != reference:
            found[name] = t_interval(
                [mine[seed] - base[seed] for seed in sorted(mine) if seed in base]
            )
    adjusted = holm([p for _, p in found.values()])
    return {
        name: Difference(interval, p, corrected)
        for (name, (interval, p)), corrected in zip(found.items(), adjusted, strict=True)
    }


def penalty_matrix(curves: Mapping[str, Curve]) -> Penalties:
    """Returns who beats whom how often, after the BADGE paper.

    Ash et al. 2020 (arXiv 1906.03671), section 4: at each of the L label counts of an experiment,
    i beats j if the paired two-sided t-test over the seeds, t = sqrt(n) * mean / s with the sample
    deviation s, is beyond its 0.05 value (2.776 for their five seeds) in favor of i; then 1 / L is
    added to P[i, j]. So P[i, j] is in [0, 1], P[i, j] + P[j, i] <= 1, and the mean of column j,
    over the strategies it was compared to, says how often j was beaten. Their test is not corrected
    for the number of comparisons, and neither is this one. The shared start does not count into L,
    nor do label counts with fewer than two common seeds; where none is left, P[i, j] is nan.
    Differences that are the same number in every seed beat nobody.
    """
    names = list(curves)
    matrix = np.full((len(names), len(names)), np.nan)
    for (i, one), (j, other) in itertools.combinations(enumerate(names), 2):
        tests = [
            t_interval(values)
            for values in _paired(curves[one], curves[other]).values()
            if len(values) > 1
        ]
        if not tests:
            continue
        ahead = [np.sign(interval.estimate) for interval, p in tests if p < 1 - CONFIDENCE]
        matrix[i, j] = ahead.count(1) / len(tests)
        matrix[j, i] = ahead.count(-1) / len(tests)
    compared = (~np.isnan(matrix)).sum(axis=0)
    means = np.where(compared > 0, np.nansum(matrix, axis=0) / np.maximum(compared, 1), np.nan)
    return Penalties(names, matrix, means)


def labels_to_reach(
    counts: Sequence[float], scores: Sequence[float], target: float
) -> float | None:
    """Returns the label count at which one curve first has `target`, linearly interpolated.

    None where it is not reached. A curve that starts at or above it has reached it at its start.
    A first crossing of a noisy curve is early by luck; the median over seeds is what to report.
    """
    for k, score in enumerate(scores):
        if score >= target:
            if k == 0:
                return float(counts[0])
            rise = (target - scores[k - 1]) / (score - scores[k - 1])
            return float(counts[k - 1] + rise * (counts[k] - counts[k - 1]))
    return None


def median_labels_to_reach(curve: Curve, target: float) -> tuple[float | None, int]:
    """Returns the median over seeds of `labels_to_reach`, and how many seeds reached it.

    A seed that has not reached it counts as needing more than all others; the median is None where
    half of the seeds or more have not.
    """
    needed = []
    for scores in curve.values():
        counts = sorted(scores)
        found = labels_to_reach(counts, [scores[count] for count in counts], target)
        needed.append(math.inf if found is None else found)
    median = float(np.median(needed)) if needed else math.inf
    return (median if math.isfinite(median) else None), sum(map(math.isfinite, needed))


def class_balance(class_counts: Sequence[int] | np.ndarray) -> float:
    """Returns the entropy of the labeled classes over its largest value, ln C.

    1: every class has equally many labels; 0: one class has them all; nan: no labels. With one
    class there is nothing to balance: 1.
    """
    counts = np.asarray(class_counts, float)
    if counts.sum() == 0:
        return math.nan
    if len(counts) < 2:
        return 1.0
    shares = counts[counts > 0] / counts.sum()
    return float(np.clip(-(shares * np.log(shares)).sum() / math.log(len(counts)), 0.0, 1.0))


def jaccard(one: Collection[int], other: Collection[int]) -> float:
    """Returns |A and B| / |A or B| of two sets of picks; nan if both are empty."""
    a, b = set(one), set(other)
    return len(a & b) / len(a | b) if a | b else math.nan


def overlaps(
    one: Mapping[int, Mapping[int, Collection[int]]],
    other: Mapping[int, Mapping[int, Collection[int]]],
) -> dict[int, list[float]]:
    """Returns how much of what two strategies have bought by an episode is the same.

    The Jaccard index of all picks of the same seed up to and including the episode, without the
    initial labels (episode 0), which are shared by design.

    Args:
      one: {seed: {episode: picks}} of one strategy.
      other: the same of the other.

    Returns:
      {episode: [the index for each seed that has this episode in both]}.
    """
    found: dict[int, list[float]] = {}
    for seed in sorted(one.keys() & other.keys()):
        mine: set[int] = set()
        theirs: set[int] = set()
        for episode in sorted((one[seed].keys() & other[seed].keys()) - {0}):
            mine |= set(one[seed][episode])
            theirs |= set(other[seed][episode])
            found.setdefault(episode, []).append(jaccard(mine, theirs))
    return dict(sorted(found.items()))


def _paired(one: Curve, other: Curve) -> dict[int, list[float]]:
    """Returns {label count: differences over the common seeds}, without the shared start."""
    found: dict[int, list[float]] = {}
    for seed in sorted(one.keys() & other.keys()):
        for count in one[seed].keys() & other[seed].keys():
            found.setdefault(count, []).append(one[seed][count] - other[seed][count])
    found = dict(sorted(found.items()))
    if found:
        first = next(iter(found))
        if max(map(abs, found[first])) <= SAME:
            del found[first]
    return found
