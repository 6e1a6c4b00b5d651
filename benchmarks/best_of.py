r"""The ceiling: how far above strategies is the best of what they would ask?

    python benchmarks/best_of.py --pool FILE --pool-labels FILE --test FILE --test-labels FILE
        [--size 10000] [--seeds 5] [--directory runs/best_of]

All files are .npy: features float32 [N, F] and labels int [N], of pool and test set. The first
`--size` rows of the pool, 256 components, rows of length 1, `linear` with a penalty of
0.1, 50 labels and six times 50 more. `best_of` with its defaults, 20 candidates an
episode, judged by the test set and by the pool. What is on record in `--directory` stays.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import numpy as np

import jax_al as al
from benchmarks import setting
from jax_al.features.columns import columns
from jax_al.statistics import areas, mean_interval

STRATEGIES = ("random", "margin", "coreset", "badge", "typiclust")
START, STEP, EPISODES = 50, 50, 7


def options(text: str, out: str) -> argparse.ArgumentParser:
    """Returns a parser of what a benchmark on features in files takes."""
    parser = argparse.ArgumentParser(description=text)
    for name in ("pool", "pool-labels", "test", "test-labels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--title", default="Features")
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--out", type=Path, default=setting.RESULTS / out)
    return parser


def read(arguments: argparse.Namespace, pca: int) -> al.Benchmark:
    """Returns the features as a benchmark, `pca` components of them in rows of length 1."""
    pool, test = np.load(arguments.pool, mmap_mode="r"), np.load(arguments.test)
    truth, theirs = (
        np.load(path).astype(np.int32) for path in (arguments.pool_labels, arguments.test_labels)
    )
    names = tuple(map(str, range(int(truth.max()) + 1)))
    size = arguments.size
    data = al.Benchmark(al.arrays(pool[:size]), truth[:size], names, al.arrays(test), theirs)
    return al.with_features(data, columns(pca=pca, l2norm=True), cache=False)


def say(event: Any) -> None:
    """Tells what is done."""
    if event["event"] == "phase":
        print(time.strftime("%H:%M:%S"), event["text"], flush=True)


def curves_of(rows: list[dict[str, Any]]) -> dict[str, dict[int, dict[int, float]]]:
    """Returns accuracies by strategy, seed and labels."""
    found: dict[str, dict[int, dict[int, float]]] = {}
    for row in rows:
        of_seed = found.setdefault(row["strategy"], {}).setdefault(row["seed"], {})
        of_seed[row["num_labeled"]] = row["test_accuracy"]
    return found


def picked(rows: list[dict[str, Any]], name: str) -> str:
    """Returns how often each strategy's batch was the best."""
    counts = [0] * len(STRATEGIES)
    for row in rows:
        if row["strategy"] == name and "best_of_strategy" in (row.get("query_info") or {}):
            counts[int(row["query_info"]["best_of_strategy"])] += 1
    return ", ".join(f"{one} {count}" for one, count in zip(STRATEGIES, counts, strict=True))


def table(rows: list[dict[str, Any]], start: int, step: int, episodes: int) -> list[str]:
    """Returns a table of the strategies, the best first, beside `random`."""
    curves = curves_of(rows)
    low, high = start, start + step * (episodes - 1)
    shown = [start + step, start + step * (episodes // 2), high]
    of = {name: areas(curve, low, high) for name, curve in curves.items()}
    means = {name: float(np.mean(list(one.values()))) for name, one in of.items()}
    lines = [
        f"| strategy | {' | '.join(f'at {n}' for n in shown)} | area | minus random's (95%) |",
        f"|---|{'---:|' * (len(shown) + 2)}",
    ]
    for name in sorted(curves, key=lambda name: -means[name]):
        at = [np.mean([one[n] for one in curves[name].values()]) for n in shown]
        gap = mean_interval([of[name][seed] - of["random"][seed] for seed in of["random"]])
        apart = f"{gap.estimate:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
        lines.append(
            f"| {name} | {' | '.join(f'{mean:.3f}' for mean in at)} | {means[name]:.3f} | "
            f"{'' if name == 'random' else apart} |"
        )
    return lines


def main() -> None:
    """Measures and writes."""
    arguments = options(__doc__.partition("\n")[0], "best_of.md").parse_args()
    data = read(arguments, 256)
    ceilings = {f"best_of by the {judge}": al.best_of(judge=judge) for judge in ("pool", "test")}
    rows = al.run(
        data,
        learner=al.linear(penalty=0.1, scale="one"),
        strategies={name: al.make_strategy(name) for name in STRATEGIES} | ceilings,
        initial=START,
        budget=STEP,
        episodes=EPISODES,
        seeds=range(arguments.seeds),
        directory=arguments.directory,
        tell=say,
    )
    with setting.written(arguments.out) as lines:
        lines += [
            "# A ceiling of choosing",
            "",
            f"`benchmarks/best_of.py`: {arguments.title}, the first {len(data.pool):,} examples, "
            f"256 components, rows of length 1; {arguments.seeds} paired seeds, the "
            f"{len(data.test or ()):,} examples of the test set; {setting.machine()}. Area: mean "
            f"accuracy from {START} to {START + STEP * (EPISODES - 1)} labels.",
            "",
            *table(rows, START, STEP, EPISODES),
        ]
        for name in ceilings:
            lines += ["", f"{name}: the batch kept was that of {picked(rows, name)}."]


if __name__ == "__main__":
    main()
