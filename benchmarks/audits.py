r"""Does the interval of an audit hold the truth as often as it says? Simulated, and exactly.

    python benchmarks/audits.py [--audits 1000] [--size 5000]

A pool of examples of which a model has a known share right; people are unsure of one in twenty of
them, right or wrong. An audit is drawn as a project draws it, answered, and gives its interval. A
check is the same of what is left after 500 labels, and its interval is of the share right in the
export. Beside each count stands the chance that it should be near: the sum over all outcomes of a
binomial (audit) or hypergeometric (check) distribution, where nobody is unsure.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import numpy as np
from scipy import stats

from benchmarks import setting
from jax_al.people import audit
from jax_al.people.intervals import count_interval, share_interval, wilson
from jax_al.types import UNSURE

SHARES, SIZES = (0.5, 0.8, 0.95, 0.99), (50, 100, 200)
DOUBT = 0.05  # share of examples that people are unsure of
LABELED = 500  # before a check


def simulated(share: float, size: int, num_points: int, audits: int) -> tuple[int, int, int]:
    """Returns how often an audit, Wilson's plain interval of it, and a check hold the truth."""
    held = plain = in_export = 0
    for seed in range(audits):
        rng = np.random.default_rng((seed, size, round(1000 * share)))
        right = rng.permutation(num_points) < round(share * num_points)
        doubt = rng.random(num_points) < DOUBT
        said = np.where(doubt, UNSURE, np.where(right, 1, 0))
        # Of those that people can name; a project draws from all.
        truth = right[~doubt].mean()
        found = _found(said, rng.permutation(num_points)[:size])
        low, high = wilson(found.right, found.answered)
        held += found.low <= truth <= found.high
        plain += low <= truth <= high
        labeled = rng.permutation(num_points)[:LABELED]
        rest = np.setdiff1d(np.arange(num_points), labeled)
        seen = rng.permutation(rest)[:size]
        check = _found(said, seen)
        export = audit.exported(check, LABELED, len(rest))
        named = [row for row in seen if not doubt[row]]
        truth_now = LABELED + right[rest].sum() + (~right[named]).sum()
        in_export += export.low <= truth_now <= export.high
    return held, plain, in_export


def _found(said: np.ndarray, rows: np.ndarray) -> audit.Accuracy:
    told = {row: int(said[row]) for row in rows.tolist()}
    return audit.accuracy(dict.fromkeys(told, 1), told)


def exact(share: float, size: int, num_points: int) -> tuple[float, float, float]:
    """Returns the chances of the same three, where nobody is unsure."""
    k = np.arange(size + 1)
    chances = stats.binom.pmf(k, size, share)
    left = num_points - LABELED
    count = round(share * left)
    of_count = stats.hypergeom.pmf(k, left, count, size)

    def chance(ends: list[tuple[float, float]], weights: np.ndarray, truth: float) -> float:
        low, high = np.array(ends).T
        return float(weights[(low <= truth) & (truth <= high)].sum())

    return (
        chance([share_interval(right, size) for right in k], chances, share),
        chance([wilson(right, size) for right in k], chances, share),
        chance([count_interval(right, size, left) for right in k], of_count, count),
    )


def main() -> None:
    """Simulates and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--audits", type=int, default=1000)
    parser.add_argument("--size", type=int, default=5000, help="of the pool")
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "audits.md")
    arguments = parser.parse_args()
    audits, N = arguments.audits, arguments.size
    with setting.written(arguments.out) as lines:
        lines += [
            "# Audits",
            "",
            f"`python benchmarks/audits.py`: how many of {audits:,} simulated intervals hold the "
            f"truth; 95% is what they say. A pool of {N:,}, {DOUBT:.0%} of which people are unsure "
            f"of; a check comes after {LABELED} labels, and its truth is the share right in the "
            "export. In brackets the exact chance where nobody is unsure. Wilson's plain interval "
            "stands beside ours to show what the moved ends are for.",
            "",
            "| accuracy | size | audit | Wilson, plain | check |",
            "|---:|---:|---:|---:|---:|",
        ]
        for share in SHARES:
            for size in SIZES:
                cells = zip(simulated(share, size, N, audits), exact(share, size, N), strict=True)
                row = " | ".join(f"{held:,} ({chance:.3f})" for held, chance in cells)
                lines.append(f"| {share} | {size} | {row} |")


if __name__ == "__main__":
    main()
