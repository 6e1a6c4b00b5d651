"""One process beside two of a core each (`--config.jobs=2`): wall seconds, and the same numbers?

    TFDS_DATA_DIR=... python benchmarks/jobs.py [--turns 3] [--cases digits cifar]

Whole commands, by turns, after one of each that fills the caches: digits (two strategies, four
seeds) and two CIFAR-10 seeds (core-set, a pool of 10,000, three episodes). A part on one core may
round otherwise than one on two, so the accuracies of the two are compared and the table says how
many differ, and by how much at most; that is told and no failure. The CPU seconds are of all the
processes: where one keeps both cores at work, two cannot be faster.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from benchmarks import setting

CASES = {
    "digits": [
        "--config=digits_compare", "--config.compare=random,coreset", "--config.num_seeds=4",
    ],
    "cifar": [
        "--config=cifar_coreset", "--config.num_seeds=2", "--config.max_episodes=3",
        "--config.data.pool_size=10000",
    ],
}  # fmt: skip
JOBS = (1, 2)


def measure(
    options: list[str], turns: int
) -> tuple[dict[int, list[tuple[float, float]]], dict[int, dict]]:
    """Returns wall and CPU seconds of each turn and the accuracies, by the number of processes."""
    seconds: dict[int, list[tuple[float, float]]] = {jobs: [] for jobs in JOBS}
    found: dict[int, dict] = {}
    for turn in range(turns + 1):
        for jobs in JOBS:
            before = of_children()
            wall, rows = setting.launch([*options, f"--config.jobs={jobs}"])
            cpu = of_children() - before
            found[jobs] = setting.accuracies(rows)
            if turn:
                seconds[jobs].append((wall, cpu))
                print(options[0], jobs, f"{wall:.1f} s, {cpu:.1f} s of CPU time", flush=True)
    return seconds, found


def of_children() -> float:
    """Returns the CPU seconds of all processes that this one has started and that are over."""
    times = os.times()
    return times.children_user + times.children_system


def told(one: dict, other: dict) -> str:
    """Says how far the accuracies of two runs agree."""
    if one.keys() != other.keys():
        return "not of the same episodes"
    apart = [abs(one[key] - other[key]) for key in one if one[key] != other[key]]
    if not apart:
        return f"all {len(one)} equal"
    return f"{len(apart)} of {len(one)} differ, by {max(apart):.4f} at most"


def main() -> None:
    """Measures, prints and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "jobs.md")
    parser.add_argument("more", nargs="*", metavar="OPTION", help="of launch.py, after --")
    args = parser.parse_args()
    lines = [
        "# One process beside two",
        "",
        f"`python benchmarks/jobs.py --turns {args.turns}`"
        f"{' with ' + ' '.join(args.more) if args.more else ''}: {setting.machine()}. Wall "
        f"and CPU seconds, medians of {args.turns}.",
        "",
        "| | one process | CPU | two processes | CPU | times as fast | accuracies |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for case in args.cases:
        seconds, found = measure([*CASES[case], *args.more], args.turns)
        (one, its), (two, their) = (
            map(setting.median, zip(*seconds[jobs], strict=True)) for jobs in JOBS
        )
        agreed = told(found[1], found[2])
        took = f"{one:.1f} | {its:.1f} | {two:.1f} | {their:.1f} | {one / two:.2f}"
        lines.append(f"| {case} | {took} | {agreed} |")
    with setting.written(args.out) as text:
        text += lines


if __name__ == "__main__":
    main()
