"""The numbers behind the line pictures, free of any drawing library: a line per strategy.

The page draws them with plotly, the files beside it with matplotlib, and the CSV and the tables
under the pictures come from them too, so that all four say the same.
"""

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jax_al import statistics
from jax_al.report.entrants import Entrant
from jax_al.report.workdirs import SECONDS
from jax_al.statistics import Curve, Difference, Interval

SIGNIFICANT = 0.05
MOST_PAIRS = 6  # lines in the picture of overlaps


class Point(NamedTuple):
    """One value of a line, over the seeds that have it."""

    x: int
    value: Interval
    strong: bool | None = None  # differs from the reference after correction; None: not tested


class Line(NamedTuple):
    """One strategy, or a pair of them."""

    name: str
    points: list[Point]


class Chart(NamedTuple):
    """One picture of lines."""

    key: str  # of files and elements
    title: str
    xlabel: str
    ylabel: str
    lines: list[Line]
    caption: str
    zero: bool = False  # whether zero is a line to compare with
    whole: bool = False  # whether the axis starts at zero
    share: bool = False  # whether the axis is from 0 to 1, as of all shares
    pairs: bool = False  # whether a line is of two strategies

    @property
    def has_intervals(self) -> bool:
        """Whether any value is of seeds enough for one."""
        return has_intervals(self.lines)


def has_intervals(lines: Sequence[Line]) -> bool:
    """Whether any value of `lines` is of seeds enough for an interval."""
    return any(not math.isnan(point.value.low) for line in lines for point in line.points)


def charts(
    entrants: Sequence[Entrant], reference: str | None, others: Collection[str] = ()
) -> list[Chart]:
    """Returns the pictures for which there are numbers, in the order of the page.

    Args:
      entrants: the strategies.
      reference: the one the others are compared to, or None.
      others: names of those that are not shown at first, and take no part in pairs.
    """
    found = [
        accuracy_chart({entrant.name: entrant.curve() for entrant in entrants}),
        _difference(entrants, reference) if reference else None,
        _curves(
            entrants, "nll", "test_nll", "Likelihood of the test labels",
            "negative log-likelihood (nats)", "Lower is better: being sure and wrong is punished.",
        ),
        _curves(
            entrants, "ece", "test_ece", "Calibration", "expected calibration error",
            "Lower is better: how far confidence and accuracy are apart, in 15 equal bins.",
            share=True,
        ),
        _over_episodes(
            entrants, "cover_radius", "Coverage", "cover radius",
            lambda row: row.get("cover_radius"),
            "Largest distance of a pool point to its nearest labeled one, after the purchase, in "
            "that episode's embedding. Each episode has an embedding, and so a scale, of its own.",
        ),
        _over_episodes(
            entrants, "class_balance", "Class balance of the labels", "entropy / ln C",
            lambda row: statistics.class_balance(row["labeled_class_counts"])
            if row.get("labeled_class_counts") else None,
            "1: every class has equally many labels; lower: some classes are hardly labeled.",
            share=True,
        ),
        _over_episodes(
            entrants, "near_duplicates", "Near-duplicates among the picks", "share of the picks",
            lambda row: row.get("near_duplicate_share"),
            "Share of an episode's picks that lie almost on another labeled point.",
            share=True,
        ),
        _over_episodes(
            entrants, "seconds", "Time per episode", "seconds",
            lambda row: sum(seconds(row).values()) or None,
            "Training, evaluating, embedding and selecting, on the machine of the run.",
        )._replace(whole=True),
        _overlap([entrant for entrant in entrants if entrant.name not in others], bool(others)),
    ]  # fmt: skip
    return [chart for chart in found if chart and any(line.points for line in chart.lines)]


def seconds(row: Mapping[str, Any]) -> dict[str, float]:
    """Returns {phase: seconds} of one episode."""
    return {
        name.removeprefix(SECONDS): float(value)
        for name, value in row.items()
        if name.startswith(SECONDS) and value is not None
    }


def accuracy_chart(curves: Mapping[str, Curve]) -> Chart:
    """Returns the picture of {name: learning curve}, for the page, its files and curve.png."""
    lines = [Line(name, _points(_by_count(curve), share=True)) for name, curve in curves.items()]
    caption = "Mean over seeds with a 95% t interval."
    if not has_intervals(lines):
        caption = "One seed each: no interval."
    return Chart("accuracy", "Test accuracy", "labels", "test accuracy", lines, caption)


def _curves(
    entrants: Sequence[Entrant],
    key: str,
    field: str,
    title: str,
    ylabel: str,
    caption: str,
    *,
    share: bool = False,
) -> Chart:
    curves = {entrant.name: _by_count(entrant.curve(field)) for entrant in entrants}
    lines = [Line(name, _points(curve, share=share)) for name, curve in curves.items()]
    return Chart(key, title, "labels", ylabel, lines, caption)


def _over_episodes(
    entrants: Sequence[Entrant],
    key: str,
    title: str,
    ylabel: str,
    value: Callable[[Mapping[str, Any]], float | None],
    caption: str,
    *,
    share: bool = False,
) -> Chart:
    lines = []
    for entrant in entrants:
        by_episode: dict[int, list[float]] = {}
        for row in entrant.metrics:
            number = value(row)
            if number is not None and not math.isnan(number):
                by_episode.setdefault(row["episode"], []).append(number)
        lines.append(Line(entrant.name, _points(by_episode, share=share)))
    return Chart(key, title, "episode", ylabel, lines, caption, share=share)


def _difference(entrants: Sequence[Entrant], reference: str) -> Chart:
    found = statistics.paired_differences({e.name: e.curve() for e in entrants}, reference)
    lines = [
        Line(
            name,
            [
                Point(count, difference.interval, _differs(difference))
                for count, difference in differences.items()
            ],
        )
        for name, differences in found.items()
    ]
    caption = "Too few common seeds for an interval or a test."
    if has_intervals(lines):
        caption = (
            "Mean of the differences seed by seed, with a 95% t interval of each comparison. A "
            "filled marker differs from zero after Holm's correction over all label counts and "
            f"strategies (p < {SIGNIFICANT})."
        )
    return Chart(
        "difference", f"Difference to {reference}", "labels", f"accuracy minus {reference}'s",
        lines, caption, zero=True,
    )  # fmt: skip


def _differs(difference: Difference) -> bool | None:
    p = difference.adjusted_p
    return None if math.isnan(p) else p < SIGNIFICANT


def _overlap(entrants: Sequence[Entrant], are_some: bool) -> Chart | None:
    """Returns the picture of pairs of `entrants`, which may be but some of all."""
    lines = []
    for one, other in itertools.combinations(entrants, 2):
        found = statistics.overlaps(one.picks, other.picks)
        lines.append(Line(f"{one.name} and {other.name}", _points(found, share=True)))
    lines = [line for line in lines if line.points]
    if not lines:
        return None
    lines.sort(key=lambda line: -line.points[-1].value.estimate)
    rest = f" The {MOST_PAIRS} pairs that end highest" if len(lines) > MOST_PAIRS else ""
    if are_some:
        rest = f"{rest or ' Pairs'} of the strategies shown at first"
    return Chart(
        "overlap", "Overlap of the picks", "episode", "Jaccard index", lines[:MOST_PAIRS],
        "Share of what two strategies have bought by an episode that both have bought, same seed, "
        f"without the initial labels.{rest and rest + '.'}",
        share=True, pairs=True,
    )  # fmt: skip


def _by_count(curve: Curve) -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for scores in curve.values():
        for count, score in scores.items():
            found.setdefault(count, []).append(score)
    return found


def _points(values: Mapping[int, Sequence[float]], *, share: bool = False) -> list[Point]:
    found = {x: statistics.mean_interval(values[x]) for x in sorted(values)}
    return [Point(x, of_a_share(value) if share else value) for x, value in found.items()]


def of_a_share(value: Interval) -> Interval:
    """Returns the interval of a share as it is shown: cut at 0 and 1, which no share is beyond."""
    low, high = np.clip([value.low, value.high], 0, 1).tolist()  # nan stays nan
    return value._replace(low=low, high=high)
