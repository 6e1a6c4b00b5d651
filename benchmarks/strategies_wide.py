"""Seconds of a query on wide embeddings: N = 50,000, D = 1,280, 1,000 labels, budget 1,000.

    python benchmarks/strategies_wide.py [--small] [--repeats 3] [NAME ...]

On a mixture of 100 Gaussians in 10 classes, compiled beforehand. Before each strategy a product of
two matrices of 4,096 is timed, as whatever else the machine does slows both: a quiet one of two
cores makes 200 to 260 GFLOP/s. A run replaces the rows of the strategies it is for.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from benchmarks import setting
from jax_al.strategies import make_strategy
from jax_al.types import Signals

NAMES = (
    "max_herding", "facility_location", "uncertainty_herding", "coreset", "coreset metric=cosine",
    "lcmd", "dropquery", "alfa_mix", "epig", "committee_vote_entropy", "direct",
)  # fmt: skip
LINES = setting.RESULTS / "strategies_wide.jsonl"
CLASSES, DRAWS = 10, 20


def mixture(num_points: int, dim: int) -> dict[str, np.ndarray]:
    """Returns all signals, of points around 100 centers and a linear head."""
    rng, N, C = np.random.default_rng(0), num_points, CLASSES
    truth = rng.integers(0, C, N).astype(np.int32)
    centers = rng.normal(size=(100, dim)).astype(np.float32)
    points = centers[10 * truth + rng.integers(0, 10, N)]
    points += 0.8 * rng.normal(size=(N, dim)).astype(np.float32)
    head = np.append(2 * rng.normal(size=(dim, C)) / np.sqrt(dim), np.zeros((1, C)), axis=0)
    head = head.astype(np.float32)
    logits = points @ head[:-1]
    draws = np.exp(logits[None] + rng.normal(size=(DRAWS, N, C)))
    draws /= draws.sum(axis=2, keepdims=True)
    return {
        "embedding": points,
        "head_inputs": points,
        "head": head,
        "log_probs": logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)),
        "mc_votes": np.eye(C, dtype=np.float32)[draws.argmax(axis=2)].mean(axis=0),
        "sampled_probs": draws.astype(np.float32),
        "true_labels": truth,
    }


def gflops() -> float:
    """Returns the speed of a matrix product now, in GFLOP/s."""
    product, a = jax.jit(lambda a: a @ a), jnp.ones((4096, 4096))
    product(a).block_until_ready()
    start = time.perf_counter()
    product(a).block_until_ready()
    return 2 * 4096**3 / (time.perf_counter() - start) / 1e9


def measure(
    case: str, arrays: dict[str, np.ndarray], num_labels: int, budget: int, repeats: int
) -> dict[str, Any]:
    """Returns what is told of one strategy."""
    name, *words = case.split()
    strategy = make_strategy(name, **dict(word.split("=") for word in words))
    truth = arrays["true_labels"]
    rows = np.random.default_rng(1).permutation(len(truth))[:num_labels]
    pool = setting.labeled(len(truth), num_labels + budget, rows, truth[rows])
    signals = Signals(**{need: jnp.asarray(arrays[need]) for need in strategy.needs})
    select = jax.jit(strategy.select, static_argnums=3)
    compiled = select.lower(jax.random.key(0), signals, pool, budget).compile()
    speed, seconds = gflops(), []
    for repeat in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(compiled(jax.random.key(repeat), signals, pool))
        seconds.append(time.perf_counter() - start)
    plan = compiled.memory_analysis()
    return {
        "case": case,
        "seconds": setting.median(seconds),
        "gflops": min(speed, gflops()),
        "load": os.getloadavg()[0],
        "memory_mb": plan.temp_size_in_bytes / 2**20,
        "machine": setting.machine(),
    }


def main() -> None:
    """Measures, prints and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", help="strategies; all the table is for if none is named"
    )
    parser.add_argument("--small", action="store_true", help="N = 500, D = 16: to see it work")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    N, D, labels, budget = (500, 16, 50, 50) if args.small else (50_000, 1_280, 1_000, 1_000)
    arrays = mixture(N, D)
    known = {}
    if LINES.exists() and not args.small:
        known = {line["case"]: line for line in map(json.loads, LINES.read_text().splitlines())}
    for case in args.names or NAMES:
        known[case] = measure(case, arrays, labels, budget, args.repeats)
        print(known[case], flush=True)
        if not args.small:
            LINES.write_text("".join(json.dumps(line) + "\n" for line in known.values()))
    if args.small:
        return
    with setting.written(setting.RESULTS / "strategies_wide.md") as lines:
        lines += [
            "# Strategies on wide embeddings",
            "",
            f"`python benchmarks/strategies_wide.py`: {next(iter(known.values()))['machine']}. "
            f"N = {N:,}, D = {D:,}, {labels:,} labels, budget {budget:,}; the median of some "
            "queries in seconds, and beside it what a product of two matrices of 4,096 reached "
            "just then: a quiet machine makes 200 to 260 GFLOP/s.",
            "",
            "| | seconds | GFLOP/s then | load | temporaries |",
            "|---|---:|---:|---:|---:|",
        ]
        for case in sorted(known):
            line = known[case]
            lines.append(
                f"| `{case}` | {line['seconds']:.2g} | {line['gflops']:.0f} | {line['load']:.0f} "
                f"| {line['memory_mb']:,.0f} MB |"
            )


if __name__ == "__main__":
    main()
