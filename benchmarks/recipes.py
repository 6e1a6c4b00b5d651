"""Puts finished runs side by side: a table of accuracies, a table of times, a picture.

    python benchmarks/recipes.py runs/cifar_coreset runs/cifar_random --out docs/cifar

writes docs/cifar.png and docs/cifar.md, of every strategy in these workdirs (of the layout before
parts, too); the table has the mean and the sample standard deviation
over seeds, the picture 95% intervals.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from jax_al.report import plot_curves
from jax_al.report.workdirs import read

PHASES = ("train", "evaluate", "embed", "select")


def accuracy_table(runs: dict[str, list[dict]]) -> str:
    """Returns Markdown: a row per label count, a column per run."""
    lines = ["| labels | " + " | ".join(runs) + " |", "|---:|" + "---|" * len(runs)]
    for count in sorted({row["num_labeled"] for metrics in runs.values() for row in metrics}):
        cells = []
        for metrics in runs.values():
            found = [row["test_accuracy"] for row in metrics if row["num_labeled"] == count]
            spread = statistics.stdev(found) if len(found) > 1 else float("nan")
            cells.append(f"{statistics.fmean(found):.3f} ± {spread:.3f}" if found else "")
        lines.append(f"| {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def time_table(runs: dict[str, list[dict]]) -> str:
    """Returns Markdown: seconds of each phase over all episodes, median over seeds."""
    lines = ["| seconds per seed | " + " | ".join(PHASES) + " |", "|---|" + "---:|" * len(PHASES)]
    for name, metrics in runs.items():
        seeds = sorted({row["seed"] for row in metrics})
        cells = []
        for phase in PHASES:
            sums = [sum(r[f"seconds_{phase}"] for r in metrics if r["seed"] == s) for s in seeds]
            cells.append(f"{statistics.median(sums):.1f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Reads the workdirs named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("workdirs", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path, help="without an ending")
    args = parser.parse_args()
    runs, data = {}, set()
    for workdir in args.workdirs:
        for run in read(workdir):
            runs[run.title] = run.metrics
            data.add(run.config["data.name"])
    plot_curves(args.out.with_suffix(".png"), runs, " and ".join(sorted(data)))
    text = accuracy_table(runs) + "\n\n" + time_table(runs) + "\n"
    args.out.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
