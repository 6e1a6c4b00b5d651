"""The tables: who is better, by how much, how sure, and at what price in labels and seconds."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jax_al import statistics
from jax_al.report.charts import SIGNIFICANT, of_a_share, seconds
from jax_al.report.entrants import Entrant
from jax_al.report.styles import FIRST, LEGEND
from jax_al.report.wording import between, listed, number, p_value, seeds, signed
from jax_al.statistics import Curve, Difference, Interval, Penalties

DETAILED = 3  # strategies in a sentence that shows everything
NAMED = 6  # strategies in a sentence; the table has them all
PHASES = ("train", "evaluate", "embed", "select", "record")


class Standing(NamedTuple):
    """One strategy over the whole budget."""

    name: str
    area: Interval
    difference: Difference | None  # to the reference; None for the reference itself
    better: int  # label counts at which it differs after correction, and which way
    worse: int
    compared: int  # label counts at which a test was possible
    seconds: dict[str, float]  # {phase: mean over seeds of the sum over episodes}


class Reach(NamedTuple):
    """The labels a strategy needs for each target."""

    name: str
    labels: list[tuple[float | None, int]]  # median over seeds, seeds that reached it
    num_seeds: int


class Tables(NamedTuple):
    """All of them."""

    reference: str | None
    label_range: tuple[int, int] | None  # of the areas
    standings: list[Standing]  # best area first
    as_good: list[str]  # not distinguishable from the best area, Holm-corrected
    targets: list[tuple[str, float]]  # what it is, accuracy
    reach: list[Reach]
    penalties: Penalties | None

    @property
    def others(self) -> list[str]:
        """The strategies that the pictures do not show at first, for there are too many."""
        names = [standing.name for standing in self.standings]
        ranked = [name for name in names if name != self.reference]
        return ranked[FIRST:] if len(names) > LEGEND else []


def make_tables(entrants: Sequence[Entrant], reference: str | None) -> Tables:
    """Computes the tables; `reference` is None where there is nothing to compare."""
    curves = {entrant.name: entrant.curve() for entrant in entrants}
    span = statistics.shared_range(list(curves.values()))
    areas = {name: statistics.areas(curve, *span) if span else {} for name, curve in curves.items()}
    differences = statistics.area_differences(areas, reference) if reference else {}
    by_count = statistics.paired_differences(curves, reference) if reference else {}
    standings = []
    for entrant in entrants:
        name = entrant.name
        tested = [d for d in by_count.get(name, {}).values() if not math.isnan(d.adjusted_p)]
        sure = [difference for difference in tested if difference.adjusted_p < SIGNIFICANT]
        standings.append(
            Standing(
                name,
                of_a_share(statistics.mean_interval(list(areas[name].values()))),
                differences.get(name),
                sum(d.interval.estimate > 0 for d in sure),
                sum(d.interval.estimate < 0 for d in sure),
                len(tested),
                _seconds(entrant),
            )
        )
    standings.sort(key=lambda s: -s.area.estimate if not math.isnan(s.area.estimate) else math.inf)
    targets = _targets(curves, reference)
    reach = [
        Reach(
            standing.name,
            [statistics.median_labels_to_reach(curves[standing.name], t) for _, t in targets],
            len(curves[standing.name]),
        )
        for standing in standings
    ]
    penalties = statistics.penalty_matrix({s.name: curves[s.name] for s in standings})
    nothing = bool(np.isnan(penalties.matrix).all())
    as_good = _as_good(areas, standings[0].name) if reference and span else []
    return Tables(
        reference, span, standings, as_good, targets, reach, None if nothing else penalties
    )


def outcome(tables: Tables) -> list[str]:
    """Returns a line for each of the best strategies beside the reference, for a terminal.

    The difference of the mean test accuracy over the label counts, and half of its 95% interval.
    """
    beside = [s for s in tables.standings if s.difference is not None]
    if tables.label_range is None or not beside:
        return []
    beside = [s for s in beside if s.difference and s.difference.interval.num_seeds]
    if not beside:
        return [f"No strategy has seeds in common with {tables.reference} yet."]
    low, high = tables.label_range
    lines = []
    for standing in beside[:DETAILED]:
        assert standing.difference is not None
        interval = standing.difference.interval
        half = (interval.high - interval.low) / 2
        sure = "" if math.isnan(half) else f" +- {half:.3f}"
        lines.append(f"{standing.name} - {tables.reference}: {interval.estimate:+.3f}{sure}")
    if len(beside) > DETAILED:
        lines.append(f"... and {len(beside) - DETAILED} more")
    fewest = min(s.difference.interval.num_seeds for s in beside if s.difference)
    sure = ", 95% t interval" if fewest > 1 else ": no interval"
    lines.append(f"(mean accuracy over {low:,} to {high:,} labels, {seeds(fewest)}{sure})")
    if len(beside) > 1:
        lines.append(f"(each alone: of {len(beside)} together the report says what is sure)")
    return lines


def verdict(tables: Tables) -> list[str]:
    """Returns the honest sentences at the top: what can be said, what cannot, and from how much."""
    reference, missing = tables.reference, []
    if not any(reach.num_seeds for reach in tables.reach):
        missing.append("No test accuracy is on record, so there are no curves of it.")
    if reference is None:
        only = tables.standings[0]
        return [f"One strategy, {only.name}: nothing to compare it with.", *missing]
    if missing:
        return [f"Nothing can be said yet of any strategy against {reference}.", *missing]
    kinds = ("better", "worse", "open", "constant", "untested")
    groups: dict[str, list[Standing]] = {kind: [] for kind in kinds}
    for standing in tables.standings:
        if standing.difference is not None:
            groups[_group(standing.difference)].append(standing)
    better, worse, undecided, constant, untested = groups.values()
    sentences = []
    if better:
        sentences.append(f"Better than {reference}: {_sizes(better)}.")
    elif worse or undecided:
        sentences.append(f"No strategy is shown to be better than {reference}.")
        sentences += _could_have_shown(undecided, len(worse) + len(undecided))
    else:
        sentences.append(f"Nothing can be said yet of any strategy against {reference}.")
    if worse:
        sentences.append(f"Worse than {reference}: {_sizes(worse)}.")
    if undecided:
        sentences.append(f"Not distinguishable from {reference}: {_sizes(undecided)}.")
    if constant:
        sentences.append(
            f"Not tested against {reference}, as the difference is the same in every seed, which "
            f"leaves no spread to judge by: {_estimates(constant)}."
        )
    if untested:
        names = listed([standing.name for standing in untested], NAMED)
        sentences.append(
            f"Not tested against {reference}, for lack of common seeds (two at least) or of label "
            f"counts: {names}."
        )
    best = tables.standings[0].name
    if better and tables.as_good:
        sentences.append(
            f"{best} has the highest mean; not shown to be worse: {listed(tables.as_good, NAMED)}."
        )
    elif len(better) > 1:
        sentences.append(f"{best} is better than every other.")
    if better or worse or undecided:
        low, high = tables.label_range or (0, 0)
        sentences.append(
            f"What is compared is the mean test accuracy over {low:,} to {high:,} labels, paired "
            "by seed: difference, 95% t interval, p after Holm's correction over the strategies."
        )
    fewest = min((s.area.num_seeds for s in tables.standings), default=0)
    if fewest < 5:
        sentences.append(
            f"With {seeds(fewest)} small differences cannot be seen; ten or more are better."
        )
    return sentences


def _could_have_shown(undecided: Sequence[Standing], comparisons: int) -> list[str]:
    """Returns which difference the seeds at hand would have found, if that can be said."""
    differences = [s.difference.interval for s in undecided if s.difference]
    found = [statistics.detectable(interval, comparisons) for interval in differences]
    found = [size for size in found if not math.isnan(size)]
    if not found:
        return []
    fewest = min(interval.num_seeds for interval in differences)
    apart = number(float(np.median(found)))
    spread = f" ({between(min(found), max(found))})" if len(found) > 1 else ""
    beside = f" and {comparisons} strategies to tell apart" if comparisons > 1 else ""
    return [
        f"With {seeds(fewest)}{beside} a difference of {apart}{spread} would be found four times "
        "in five; a smaller one may be there and be missed."
    ]


def _group(difference: Difference) -> str:
    if math.isnan(difference.adjusted_p):
        return "constant" if difference.interval.num_seeds > 1 else "untested"
    if difference.adjusted_p >= SIGNIFICANT:
        return "open"
    return "better" if difference.interval.estimate > 0 else "worse"


def _estimates(standings: Sequence[Standing]) -> str:
    """Returns them with their differences."""
    differences = [(s.name, s.difference.interval) for s in standings if s.difference]
    return listed([f"{name} by {signed(i.estimate)}" for name, i in differences], NAMED, "; ")


def _sizes(standings: Sequence[Standing]) -> str:
    """Returns them with their differences, and with all there is to it where they are few."""
    texts = []
    for standing in standings:
        assert standing.difference is not None
        interval, _, p = standing.difference
        text = f"{standing.name} by {signed(interval.estimate)}"
        if len(standings) <= DETAILED:
            sign = "" if p_value(p).startswith("<") else "= "
            text += (
                f" ({between(interval.low, interval.high, sign=True)}, p {sign}{p_value(p)}, "
                f"{seeds(interval.num_seeds)})"
            )
        texts.append(text)
    return listed(texts, NAMED, "; ")


def _as_good(areas: Mapping[str, Mapping[int, float]], best: str) -> list[str]:
    """Returns the strategies whose area is not shown to be below that of the best."""
    return [
        name
        for name, difference in statistics.area_differences(areas, best).items()
        if not difference.adjusted_p < SIGNIFICANT
    ]


def _seconds(entrant: Entrant) -> dict[str, float]:
    total: dict[str, float] = {}
    for row in entrant.metrics:
        for phase, value in seconds(row).items():
            total[phase] = total.get(phase, 0.0) + value
    known = [phase for phase in PHASES if phase in total]
    order = known + sorted(total.keys() - set(PHASES))
    return {phase: total[phase] / len(entrant.seeds) for phase in order}


def _targets(curves: Mapping[str, Curve], reference: str | None) -> list[tuple[str, float]]:
    """Returns round accuracies that tell strategies apart, and where the reference ends."""
    means: dict[str, list[float]] = {}
    for name, curve in curves.items():
        by_count: dict[int, list[float]] = {}
        for scores in curve.values():
            for count, score in scores.items():
                by_count.setdefault(count, []).append(score)
        if by_count:
            means[name] = [float(np.mean(by_count[count])) for count in sorted(by_count)]
    if not means:
        return []
    start = max(values[0] for values in means.values())
    best = max(max(values) for values in means.values())
    targets = []
    span = best - start
    if span > 0:
        step = next((s for s in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if span / s <= 6), 0.2)
        first = math.floor(start / step) + 1
        round_ones = [k * step for k in range(first, math.floor(best / step + 1e-9) + 1)]
        targets = [(f"{value:.1%}", value) for value in round_ones]
    if reference is not None and reference in means:
        end = means[reference][-1]
        whose = reference if len(curves[reference]) == 1 else f"the mean of {reference}"
        targets.append((f"{end:.1%}, where {whose} ends", end))
    return [(name, value) for name, value in targets if _is_reached(curves, value)]


def _is_reached(curves: Mapping[str, Curve], target: float) -> bool:
    """Whether the median over the seeds of any strategy reaches it, as the mean may do alone."""
    medians = (statistics.median_labels_to_reach(curve, target)[0] for curve in curves.values())
    return any(median is not None for median in medians)
