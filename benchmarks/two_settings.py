"""The same strategies in two settings: the area of the one minus that of the other, paired by seed.

    python benchmarks/two_settings.py runs/with runs/without --out /tmp/two_settings.md

The seeds of both have the same first labels, so what differs is the setting. A line for each
strategy that both have: the mean areas under the accuracy over the label counts that both reached,
and their difference over the seeds that both have finished, with its 95% t interval.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from benchmarks.compare import read_curves, written
from jax_al import statistics
from jax_al.statistics import Curve


def table(one: dict[str, Curve], other: dict[str, Curve]) -> str:
    """Returns Markdown; strategies stand as they do in `one`."""
    lines = ["| strategy | area | area without | difference, 95% interval | seeds |"]
    lines += ["|---|---:|---:|---|---:|"]
    for name in (name for name in one if name in other):
        span = statistics.shared_range([one[name], other[name]])
        if span is None:
            continue
        mine, theirs = (statistics.areas(curves[name], *span) for curves in (one, other))
        seeds = sorted(mine.keys() & theirs.keys())
        found = [mine[seed] - theirs[seed] for seed in seeds]
        means = (
            statistics.mean_interval([area[seed] for seed in seeds]).estimate
            for area in (mine, theirs)
        )
        apart = written(statistics.mean_interval(found), "+.4f")
        cells = [f"`{name}`", *(f"{mean:.4f}" for mean in means), apart, f"{len(seeds)}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Reads the two directories named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("without", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()
    text = table(read_curves(args.directory)[0], read_curves(args.without)[0]) + "\n"
    args.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
