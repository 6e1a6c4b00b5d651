"""A comparison in one table and one picture that can be read with thirty strategies in it.

    python benchmarks/compare.py runs/digits_compare --out docs/digits_compare

writes docs/digits_compare.md (accuracy at the first, middle and last label count, the area under
the curve with its 95% t interval, the paired difference to random) and
docs/digits_compare.png (the curves, a panel for each family of strategies).
"""

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from jax_al import statistics
from jax_al.report import workdirs
from jax_al.statistics import Curve

REFERENCE = "random"
FAMILIES = {
    "baselines": ("class_balanced", "oracle_uncertainty"),
    "uncertainty": ("least_confidence", "margin", "ratio", "entropy"),
    "MC dropout": (
        "mc_entropy", "mc_least_confidence", "mc_margin", "variation_ratios", "mean_std", "bald",
    ),
    "MC dropout, batches": ("batchbald", "power_bald", "softmax_bald", "softrank_bald"),
    "diversity: covering": (
        "coreset", "coreset_robust", "kmeans", "kmedoids", "facility_location", "typiclust",
        "probcover",
    ),
    "diversity: unlike the labeled": (
        "representative", "adaptive_representative", "model_outliers", "discriminative",
    ),
    "hybrid": (
        "badge", "cluster_margin", "bait", "uncertainty_coreset", "ceal", "active_transfer",
        "atlas",
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
            curve: dict[int, dict[int, float]] = {}
            for row in run.metrics:
                curve.setdefault(row["seed"], {})[row["num_labeled"]] = row["test_accuracy"]
            episodes = run.config["max_episodes"]
            whole = {seed: scores for seed, scores in curve.items() if len(scores) == episodes}
            if whole:
                curves[run.name or path.name] = whole
    return curves, data


def table(curves: dict[str, Curve]) -> str:
    """Returns Markdown, the largest area first."""
    span = statistics.shared_range(list(curves.values()))
    assert span is not None, "the runs share no range of label counts"
    counts = sorted(next(iter(curves[REFERENCE].values())))
    shown = [counts[0], counts[len(counts) // 2], counts[-1]]
    areas = {name: statistics.areas(curve, *span) for name, curve in curves.items()}
    differences = statistics.area_differences(areas, REFERENCE)
    heads = [f"at {count:,}" for count in shown]
    lines = [
        f"| strategy | {' | '.join(heads)} | area, 95% interval | minus random, 95% interval "
        "| p (Holm) |",
        "|---|" + "---|" * (len(heads) + 3),
    ]
    for name in sorted(curves, key=lambda name: -np.mean(list(areas[name].values()))):
        cells = [f"{np.mean([c[n] for c in curves[name].values()]):.3f}" for n in shown]
        area = statistics.mean_interval(list(areas[name].values()))
        cells.append(f"{area.estimate:.3f} ({area.low:.3f} to {area.high:.3f})")
        if name == REFERENCE:
            cells += ["", ""]
        else:
            interval, _, p = differences[name]
            apart = f"{interval.estimate:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"
            is_sure = p < SIGNIFICANT
            cells.append(f"**{apart}**" if is_sure else apart)
            cells.append("< 0.001" if p < 0.001 else f"{p:.3f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def draw(curves: dict[str, Curve], title: str) -> Figure:
    """Returns the curves as differences to random, a panel for each family."""
    families = {
        family: [name for name in names if name in curves] for family, names in FAMILIES.items()
    }
    rest = curves.keys() - {REFERENCE} - {name for names in families.values() for name in names}
    for name in sorted(rest):  # one strategy with several embeddings is a family of its own
        strategy, _, embedding = name.partition("@")
        families.setdefault(strategy if embedding else "other", []).append(name)
    families = {family: names for family, names in families.items() if names}
    columns = 2
    lines = -(-len(families) // columns)
    figure = Figure(figsize=(11, 3.1 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels[len(families) :]:
        axes.set_axis_off()
    for axes, (family, names) in zip(panels, families.items(), strict=False):
        axes.axhline(0, color="0.5", lw=1)
        for name, marker in zip(names, itertools.cycle("os^Dv*P"), strict=False):
            means, low, high = [], [], []
            seeds = sorted(curves[name].keys() & curves[REFERENCE].keys())
            counts = sorted(curves[name][seeds[0]])
            for count in counts:
                apart = [curves[name][s][count] - curves[REFERENCE][s][count] for s in seeds]
                interval, _ = statistics.t_interval(apart)
                means.append(interval.estimate)
                low.append(interval.low)
                high.append(interval.high)
            (line,) = axes.plot(counts, means, marker=marker, markersize=4, label=name)
            axes.fill_between(counts, low, high, color=line.get_color(), alpha=0.1, lw=0)
        axes.set_title(family, fontsize=10)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, ncols=2)
    figure.supxlabel("labels")
    figure.supylabel("test accuracy minus random's, paired by seed (mean, 95% interval)")
    figure.suptitle(title)
    return figure


def main() -> None:
    """Reads the directory named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--out", required=True, type=Path, help="without an ending")
    args = parser.parse_args()
    curves, data = read_curves(args.directory)
    if REFERENCE not in curves:
        parser.error(f"{args.directory} holds no finished run of {REFERENCE}")
    num_seeds = {len(curve) for curve in curves.values()}
    title = f"{data}: {len(curves)} strategies, {'/'.join(map(str, sorted(num_seeds)))} seeds"
    draw(curves, title).savefig(args.out.with_suffix(".png"), dpi=120)
    text = table(curves) + "\n"
    args.out.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
