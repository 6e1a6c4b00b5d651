"""What a share of right answers among a few says about all: intervals, in NumPy and SciPy."""

import math
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special  # scipy.stats would add 0.6 s to the start of every command

from jax_al.errors import UsageError

CONFIDENCE = 0.95
_Z = float(special.ndtri((1 + CONFIDENCE) / 2))
_NEAR = 3  # so many wrong answers, or right ones, are nearly none
LEAST = 0.001  # half of a width; a million answers
WORST = 0.5  # the share of right answers that an interval is widest at
_WIDTH = re.compile(r"([\d.]+)\s*%(?:\s*@\s*([\d.]+))?")  # 5% or 5%@0.9


def wilson(right: float, answered: int) -> tuple[float, float]:
    """Returns Wilson's score interval of a share, 95%.

    Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22:
    all p with |right / n - p| <= z sqrt(p (1 - p) / n).

    Args:
      right: k, from 0 to n.
      answered: n; of none nothing is known: (0, 1).
    """
    if not answered:
        return 0.0, 1.0
    share, part = right / answered, _Z**2 / answered
    middle = (share + part / 2) / (1 + part)
    half = math.sqrt(part * share * (1 - share) + part**2 / 4) / (1 + part)
    # Rounding leaves out neither what was found nor more than there is.
    return min(max(0.0, middle - half), share), max(min(1.0, middle + half), share)


def share_interval(right: int, answered: int) -> tuple[float, float]:
    """Returns `wilson`, with its inner end moved out where nearly all or nearly none are right.

    With 1, 2 or 3 wrong answers Wilson's upper end is so near to what was found that of 1,000
    audits of 50 at a true share of 0.99 only 911 hold it. There the end is Poisson's: 1 - m / n,
    where m is the mean at which so many wrong answers or more come once in twenty times. Brown, Cai
    and DasGupta 2001, "Interval Estimation for a Binomial Proportion", Statistical Science 16,
    section 4.1.1. They stop at two answers where n <= 50; with three no share of 0.5 to 0.9995 is
    held less often than 926 times in 1,000, whatever n from 20 to 1,000.

    Args:
      right: k, from 0 to n.
      answered: n.
    """
    low, high = wilson(right, answered)
    if 1 <= right <= _NEAR:
        low = min(low, _poisson(right) / answered)
    if 1 <= (wrong := answered - right) <= _NEAR:
        high = max(high, 1 - _poisson(wrong) / answered)
    return low, high


def _poisson(count: int) -> float:
    """Returns the mean at which `count` or more come with a chance of 1 - CONFIDENCE."""
    return float(special.gammaincinv(count, 1 - CONFIDENCE))


def count_interval(right: int, answered: int, size: int) -> tuple[int, int]:
    """Returns how many of a finite number are right, as an interval, 95%.

    All counts A that are not rejected on either side by the mid-P value of the hypergeometric
    distribution (Lancaster 1961, "Significance Tests in Discrete Distributions", JASA 56): those
    that were looked at are known, so it shrinks to nothing when all of them were. Wilson's interval
    with a finite population correction fails near the ends: 0.83 for 0.95, where 100 of 120 were
    looked at.

    Args:
      right: k, from 0 to n.
      answered: n, drawn uniformly without replacement.
      size: M, of how many; n at least.
    """
    lowest, highest = right, size - (answered - right)
    tail = (1 - CONFIDENCE) / 2 - 1e-9  # rounding alone rejects nothing

    def above(count: int) -> float:
        return _mid_p(right, answered, size, count)

    low = first(lowest, highest, lambda count: above(count) > tail)
    high = first(low, highest + 1, lambda count: above(count) >= 1 - tail)
    return low, max(low, high - 1)


def _mid_p(right: int, answered: int, size: int, count: int) -> float:
    """Returns P(X > right) + P(X = right) / 2 where `count` of `size` are right; rises with it."""
    some = np.arange(right, answered + 1)

    def choose(n: int, k: np.ndarray | int) -> np.ndarray:
        inside = (k >= 0) & (k <= n)
        k = np.where(inside, k, 0)
        logs = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
        return np.where(inside, logs, -np.inf)

    logs = choose(count, some) + choose(size - count, answered - some) - choose(size, answered)
    chances = np.exp(logs)
    return float(chances[1:].sum() + chances[0] / 2)


def first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Returns the first integer from `low` on for which `holds`, `high` if no smaller one does."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


class Width(NamedTuple):
    """How near an interval shall come, in place of a number of answers."""

    half: float  # of it, between 0 and 0.5
    share: float = WORST  # that is expected to be right


def size_or_width(text: str | int, flag: str) -> int | Width:
    """Returns what a person says of the size of an audit or a check: 100, 5%, 5%@0.9.

    Args:
      text: what was said.
      flag: where, for the sentence.

    Raises:
      UsageError: it is none of these.
    """
    said = str(text).strip()
    if re.fullmatch(r"\d+", said):
        return int(said)
    if found := _WIDTH.fullmatch(said):
        try:
            wanted = Width(float(found[1]) / 100, WORST if found[2] is None else float(found[2]))
        except ValueError:  # two points in a number
            wanted = Width(0)
        if LEAST <= wanted.half < 0.5 and 0 < wanted.share < 1:
            return wanted
    raise UsageError(
        f"{flag} is {said!r}, but must be a number of examples, or how near the 95% interval shall "
        "come: 5% for 5 points to either side at worst, 5%@0.9 where 0.9 are right; from 0.1% to "
        "below 50%."
    )


def audit_size(text: str | int, flag: str = "--audit") -> int:
    """Returns how many examples an audit holds out where a person says 100, 5% or 5%@0.9.

    Args:
      text: what was said, see `size_or_width`.
      flag: where, for the sentence.

    Raises:
      UsageError: it is none of these.
    """
    wanted = size_or_width(text, flag)
    return wanted if isinstance(wanted, int) else size_for(*wanted)


def size_for(half_width: float, share: float) -> int:
    """Returns how many answers bring Wilson's interval to so much on either side.

    Args:
      half_width: half of the interval's width, between 0 and 0.5.
      share: that is expected to be right; WORST is the one that needs most.
    """
    most = 1
    while half_width_of(most, share) > half_width:
        most *= 2
    return first(1, most, lambda answered: half_width_of(answered, share) <= half_width)


def half_width_of(answered: int, share: float) -> float:
    """Returns half of the width of Wilson's interval of so many answers, of which so many right."""
    low, high = wilson(share * answered, answered)
    return (high - low) / 2
