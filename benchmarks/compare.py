"""A comparison in one table and one picture that can be read with thirty strategies in it.

    python benchmarks/compare.py runs/digits_compare --out docs/digits_compare

writes docs/digits_compare.md (accuracy at the first, middle and last label count, or at those of
--at, the area under the curve with its 95% t interval, the paired difference to random) and
docs/digits_compare.png (the curves, a panel for each family of strategies). Without random, or with
one strategy alone, there is nothing to subtract: then it shows the accuracies themselves.
"""

import argparse
import itertools
import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from jax_al import statistics
from jax_al.report import workdirs
from jax_al.report.charts import accuracy_chart
from jax_al.report.entrants import curve_of
from jax_al.report.wording import DASH
from jax_al.statistics import Curve, Interval

REFERENCE = "random"
FAMILIES = {
    "baselines": ("class_balanced", "oracle_uncertainty"),
    "uncertainty": ("least_confidence", "margin", "ratio", "entropy"),
    "MC dropout": (
        "mc_entropy", "mc_least_confidence", "mc_margin", "variation_ratios", "mean_std", "bald",
        "epig", "committee_vote_entropy",
    ),
    "MC dropout, batches": ("batchbald", "power_bald", "softmax_bald", "softrank_bald"),
    "diversity: covering": (
        "coreset", "coreset_robust", "kmeans", "kmedoids", "facility_location", "max_herding",
        "typiclust", "probcover", "lcmd",
    ),
    "diversity: unlike the labeled": (
        "representative", "adaptive_representative", "model_outliers", "discriminative",
    ),
    "hybrid": (
        "badge", "cluster_margin", "bait", "uncertainty_coreset", "uncertainty_herding",
        "dropquery", "alfa_mix", "direct", "ceal", "active_transfer", "atlas",
    ),
}  # fmt: skip
SIGNIFICANT = 0.05


def read_curves(directory: Path) -> tuple[dict[str, Curve], str]:
    """Returns the accuracies of every finished seed of every strategy, and the data's name.

    The directory is the root of a run, or of the layout before: a directory for each strategy.
    """
    curves: dict[str, Curve] = {}
    data = ""
    for path in workdirs.find([directory]):
        for run in workdirs.read(path):
            data = run.config["data.name"]
            curve = curve_of(run.metrics, "test_accuracy")
            episodes = run.config["max_episodes"]
            whole = {seed: scores for seed, scores in curve.items() if len(scores) == episodes}
            if whole:
                curves[run.name or path.name] = whole
    return curves, data


def shared_counts(curves: dict[str, Curve]) -> list[int]:
    """Returns the label counts at which every seed of every strategy has an accuracy, sorted."""
    each = (set(scores) for curve in curves.values() for scores in curve.values())
    return sorted(set.intersection(*each))


def table(curves: dict[str, Curve], at: Collection[int] | None = None) -> str:
    """Returns Markdown, the largest area first; accuracies at those label counts, or at three."""
    counts = shared_counts(curves)
    three = [counts[0], counts[len(counts) // 2], counts[-1]] if counts else []
    shown = list(dict.fromkeys(three if at is None else at))
    span = statistics.shared_range(list(curves.values())) or (0, 0)
    areas = {name: statistics.areas(curve, *span) for name, curve in curves.items()}
    has_reference = has_differences(curves)
    differences = statistics.area_differences(areas, REFERENCE) if has_reference else {}
    heads = ["strategy", *(f"at {count:,}" for count in shown), "area, 95% interval"]
    heads += ["minus random, 95% interval", "p (Holm)"] if has_reference else []
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    found = {name: statistics.mean_interval(list(mine.values())) for name, mine in areas.items()}
    for name in sorted(curves, key=lambda name: -np.nan_to_num(found[name].estimate, nan=-1)):
        cells = [f"{np.mean([c[n] for c in curves[name].values()]):.3f}" for n in shown]
        cells.append(written(found[name], ".3f"))
        if name in differences:
            interval, _, p = differences[name]
            apart = written(interval, "+.3f")
            cells.append(f"**{apart}**" if p < SIGNIFICANT else apart)
            cells.append("not tested" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}")
        elif has_reference:
            cells += ["", ""]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def has_differences(curves: dict[str, Curve]) -> bool:
    """Whether there is a reference, and something to compare to it."""
    return REFERENCE in curves and len(curves) > 1


def written(interval: Interval, form: str) -> str:
    """Returns 0.312 (0.301 to 0.323), what there is of it."""
    if np.isnan(interval.estimate):
        return DASH
    if np.isnan(interval.low):
        return f"{interval.estimate:{form}}"
    return f"{interval.estimate:{form}} ({interval.low:{form}} to {interval.high:{form}})"


def families_of(names: Collection[str]) -> dict[str, list[str]]:
    """Returns {family: names}, those of no family we know under their own or under "other"."""
    families = {
        family: [name for name in members if name in names] for family, members in FAMILIES.items()
    }
    known = {name for members in families.values() for name in members}
    for name in sorted(set(names) - known):  # one strategy with several embeddings is a family
        strategy, _, embedding = name.partition("@")
        families.setdefault(strategy if embedding else "other", []).append(name)
    return {family: members for family, members in families.items() if members}


def draw(curves: dict[str, Curve], title: str) -> Figure:
    """Returns the curves as differences to random, if it is there; a panel for each family."""
    is_apart = has_differences(curves)
    if is_apart:
        found = statistics.paired_differences(curves, REFERENCE)
        lines = {name: {n: d.interval for n, d in line.items()} for name, line in found.items()}
    else:
        chart = accuracy_chart(curves)
        lines = {line.name: {p.x: p.value for p in line.points} for line in chart.lines}
    families = families_of(lines)
    columns = min(2, len(families))
    rows = -(-len(families) // columns)
    figure = Figure(figsize=(5.5 * columns, 3.1 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels[len(families) :]:
        axes.set_axis_off()
    for axes in panels[len(families) - columns : len(families)]:  # where none is below
        axes.tick_params(labelbottom=True)
    for axes, (family, names) in zip(panels, families.items(), strict=False):
        if is_apart:
            axes.axhline(0, color="0.5", lw=1)
        for name, marker in zip(names, itertools.cycle("os^Dv*P"), strict=False):
            counts, values = list(lines[name]), list(lines[name].values())
            means = [value.estimate for value in values]
            (line,) = axes.plot(counts, means, marker=marker, markersize=4, label=name)
            low, high = [value.low for value in values], [value.high for value in values]
            axes.fill_between(counts, low, high, color=line.get_color(), alpha=0.1, lw=0)
        axes.set_title(family, fontsize=10)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, ncols=2)
    figure.supxlabel("labels")
    what = "accuracy minus random's, paired by seed" if is_apart else "test accuracy"
    values = [value for line in lines.values() for value in line.values()]
    spread = "" if all(np.isnan(value.low) for value in values) else "\n(mean, 95% interval)"
    figure.supylabel(what + spread, fontsize=10)
    figure.suptitle(title)
    return figure


def main() -> None:
    """Reads the directory named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--out", required=True, type=Path, help="without an ending")
    parser.add_argument("--at", type=int, nargs="+", metavar="LABELS", help="what the table shows")
    args = parser.parse_args()
    curves, data = read_curves(args.directory)
    if not curves:
        parser.error(f"{args.directory} holds no finished run with test accuracies")
    counts = shared_counts(curves)
    if not set(args.at or ()) <= set(counts):
        parser.error(f"the runs have accuracies at {', '.join(map(str, counts))} labels")
    num_seeds = "/".join(map(str, sorted({len(curve) for curve in curves.values()})))
    who = next(iter(curves)) if len(curves) == 1 else f"{len(curves)} strategies"
    if has_differences(curves):
        others = len(curves) - 1
        who = f"{others} {'strategy' if others == 1 else 'strategies'} beside {REFERENCE}"
    title = f"{data}: {who}, {num_seeds} seed{'' if num_seeds == '1' else 's'}"
    draw(curves, title).savefig(args.out.with_suffix(".png"), dpi=120)
    text = table(curves, args.at) + "\n"
    args.out.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
