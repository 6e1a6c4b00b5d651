"""Robust k-center: radius, proven bound and seconds, in the paper's setting and a smaller one.

    python benchmarks/robust.py [--points embeddings.npy] [CASE ...]
    python benchmarks/robust.py --report

The paper (Sener & Savarese 2018, section 5.1) reports 244 s in Gurobi beside 104 s for the
distances. The last covering problems that the search poses are put to OR-tools' CP-SAT as well,
if it is installed, to see whether it decides sooner than HiGHS. Replaces its lines in
results/kcenter_robust.jsonl.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from kcenter import PAPER, machine, problem

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from jax_al.geometry.kcenter import kcenter_greedy
from jax_al.geometry.robust import covering, robust_kcenter

try:
    from ortools.sat.python import cp_model
except ImportError:
    cp_model = None

RESULTS = Path(__file__).parent / "results"
LINES = RESULTS / "kcenter_robust.jsonl"
CASES = {
    "paper": PAPER,
    "1000+1000": PAPER | {"initial": 1_000, "picks": 1_000},
}
CP_SAT_LIMIT = 3.0  # of its deterministic time, about seconds
CP_SAT_PROBLEMS = 4  # the last ones posed, which are the hardest


def cp_sat(covers, outliers: int) -> tuple[float, float]:
    """Fewest centers by CP-SAT: what it found, and its bound."""
    model = cp_model.CpModel()
    R, C = covers.shape
    center = [model.new_bool_var("") for _ in range(C)]
    left_out = [model.new_bool_var("") for _ in range(R)] if outliers else []
    rows = covers.tocsr()
    for i in range(R):
        choices = [center[j] for j in rows.indices[rows.indptr[i] : rows.indptr[i + 1]]]
        model.add_bool_or(choices + left_out[i : i + 1])
    if outliers:
        model.add(sum(left_out) <= outliers)
    model.minimize(sum(center))
    solver = cp_model.CpSolver()
    solver.parameters.max_deterministic_time = CP_SAT_LIMIT
    status = solver.solve(model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return (solver.objective_value if found else np.inf), solver.best_objective_bound


def measure(name: str, path: str | None) -> dict:
    setting = CASES[name]
    points, initial = problem(setting, path)
    greedy = kcenter_greedy(points, setting["picks"], initial)
    posed: dict[tuple, tuple] = {}
    solve = covering._solve
    highs_seconds = [0.0, 0]

    def watched(covers, outliers, *, integral, max_nodes):
        start = time.perf_counter()
        solved = solve(covers, outliers, integral=integral, max_nodes=max_nodes)
        highs_seconds[0] += time.perf_counter() - start
        highs_seconds[1] += 1
        posed[covers.shape, covers.nnz] = covers, outliers
        print(name, covers.shape, f"{'MIP' if integral else 'LP'} {solved.status}", file=sys.stderr)
        return solved

    covering._solve = watched
    start = time.perf_counter()
    result = robust_kcenter(points, setting["picks"], initial)
    seconds = time.perf_counter() - start
    row = {
        "case": name,
        **setting,
        "points": Path(path).name if path else "made up",
        "greedy_radius": greedy.radius,
        "radius": result.radius,
        "lower_bound": result.lower_bound,
        "outliers": len(result.outliers),
        "status": result.status,
        "seconds": seconds,
        "highs_calls": highs_seconds[1],
        "highs_seconds": highs_seconds[0],
        "machine": machine(),
    }
    if cp_model is not None:
        start = time.perf_counter()
        answers = [cp_sat(*instance) for instance in list(posed.values())[-CP_SAT_PROBLEMS:]]
        row["cp_sat_calls"] = len(answers)
        row["cp_sat_seconds"] = time.perf_counter() - start
        row["cp_sat_decided"] = sum(
            bound > setting["picks"] or found <= setting["picks"] for found, bound in answers
        )
    return row


def read() -> list[dict]:
    return [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.exists() else []


def report() -> None:
    lines = [
        "| | N, D | centers + picks | outliers | greedy's radius | radius | proven bound | gap "
        "| status | seconds | HiGHS: calls, seconds | CP-SAT: problems, decided, seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in read():
        cells = [
            f"{row['case']} ({row['points']})",
            f"{row['N']:,}, {row['D']}",
            f"{row['initial']:,} + {row['picks']:,}",
            f"{row['outliers']}",
            *(f"{row[name]:.4f}" for name in ("greedy_radius", "radius", "lower_bound")),
            f"{row['radius'] / row['lower_bound'] - 1:.2%}",
            row["status"],
            f"{row['seconds']:.1f}",
            f"{row['highs_calls']}, {row['highs_seconds']:.2f}",
            f"{row['cp_sat_calls']}, {row['cp_sat_decided']}, {row['cp_sat_seconds']:.2f}"
            if "cp_sat_calls" in row
            else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    text = "\n".join([*lines, "", read()[0]["machine"]]) + "\n"
    (RESULTS / "kcenter_robust.md").write_text(text)
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; default all")
    parser.add_argument("--points")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if arguments.report:
        return report()
    for name in arguments.cases or CASES:
        row = measure(name, arguments.points)
        kept = [old for old in read() if old["case"] != name]
        LINES.write_text("".join(json.dumps(line) + "\n" for line in [*kept, row]))
        print(row, flush=True)
    return None


if __name__ == "__main__":
    main()
