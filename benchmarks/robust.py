"""Robust k-center: radius, proven bound and seconds, in the paper's setting and a smaller one.

    python benchmarks/robust.py [--points embeddings.npy] [CASE ...]

The paper (Sener & Savarese 2018, section 5.1) reports 244 s in Gurobi beside 104 s for the
distances. Appends to results/kcenter_robust.jsonl.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from kcenter import PAPER, machine, problem

from jax_al.kcenter import kcenter_greedy
from jax_al.robust import robust_kcenter

LINES = Path(__file__).parent / "results" / "kcenter_robust.jsonl"
CASES = {
    "paper": (PAPER, {}),
    "1000+1000": (PAPER | {"initial": 1_000, "picks": 1_000}, {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--points")
    arguments = parser.parse_args()
    for name in arguments.cases or CASES:
        setting, options = CASES[name]
        points, initial = problem(setting, arguments.points)
        greedy = kcenter_greedy(points, setting["picks"], initial)
        start = time.perf_counter()
        result = robust_kcenter(points, setting["picks"], initial, **options)
        row = {
            "case": name,
            **setting,
            "points": Path(arguments.points).name if arguments.points else "made up",
            "greedy_radius": greedy.radius,
            "radius": result.radius,
            "lower_bound": result.lower_bound,
            "outliers": len(result.outliers),
            "status": result.status,
            "seconds": time.perf_counter() - start,
            "machine": machine(),
        }
        with LINES.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row)


if __name__ == "__main__":
    main()
