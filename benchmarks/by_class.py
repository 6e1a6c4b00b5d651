"""What each class got of the labels, and how right it is, where a run ended.

    python benchmarks/by_class.py runs/cifar_tail --out /tmp/by_class.md

writes two lines for each strategy, means over the seeds that have ended: labels bought, and
accuracy on the test set. The classes stand as they are frequent in the pool; the last columns hold
the mean over classes, and the mean weighted as the pool is. A pool whose classes nobody knows has
no weights.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from jax_al.report import workdirs
from jax_al.report.look_files import read_pool


def read(directory: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns {strategy: (labels bought [C], accuracy [C])}; NaN where a class has no test."""
    found = {}
    for run in workdirs.read(directory):
        episodes = run.config["max_episodes"]
        ends = [row for row in run.metrics if row["episode"] == episodes]
        known = [row for row in ends if row.get("test_class_accuracy")]
        if known:
            counts = np.mean([row["labeled_class_counts"] for row in known], axis=0)
            shares = np.mean([np.array(row["test_class_accuracy"], float) for row in known], axis=0)
            found[run.title] = counts, shares
    return found


def table(
    found: dict[str, tuple[np.ndarray, np.ndarray]], names: list[str], weights: np.ndarray
) -> str:
    """Returns Markdown; `weights` says how frequent each of the classes `names` is, if known."""
    order = np.argsort(-weights, kind="stable") if weights.any() else np.arange(len(names))
    means = ["classes alike", *(["as in the pool"] if weights.any() else [])]
    heads = ["", *(names[c] for c in order), *means]
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1)]
    for strategy, (counts, shares) in found.items():
        bought = [f"{counts[c]:.0f}" for c in order] + [""] * len(means)
        right = [f"{shares[c]:.3f}" for c in order] + [f"{np.nanmean(shares):.3f}"]
        if weights.any():
            is_tested = ~np.isnan(shares)
            right.append(f"{np.average(shares[is_tested], weights=weights[is_tested]):.3f}")
        lines.append(f"| `{strategy}`: labels | {' | '.join(bought)} |")
        lines.append(f"| `{strategy}`: accuracy | {' | '.join(right)} |")
    return "\n".join(lines)


def main() -> None:
    """Reads the directory named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()
    found, pool = read(args.directory), read_pool(args.directory)
    if not found or pool is None:
        parser.error(f"{args.directory} holds no pool, or no end with an accuracy of each class")
    labels = pool.labels[pool.labels >= 0]
    weights = np.bincount(labels, minlength=len(pool.class_names))
    text = table(found, pool.class_names, weights) + "\n"
    args.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
