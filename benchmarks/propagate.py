r"""A learner alone and on spread labels: where is propagation a help, and where does it hurt?

    python benchmarks/propagate.py [--data cifar10] [--data-dir DIR] [--pool-size 10000]
        [--features patches] [--option NAME=VALUE ...] [--labels 20 50 100] [--seeds 5]

Random labels, the same for all learners, a draw for each seed, accuracy on the whole test set.
Three pools: the data set as it is; the same with classes from common to 50 times as rare, tested on
the same set, where each class counts alike; and the data set as principal components of its pixels,
which do not cluster. For features of a file (--features FILE.npy) --option test=FILE.npy names the
file of the test set; only the name of the file is written down.
"""

import argparse
import ast
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import jax
import numpy as np

from benchmarks import setting
from jax_al.drivers.engine import Engine
from jax_al.features.pool import with_features
from jax_al.learners import MakeLearner, linear, propagate
from jax_al.pools.load import benchmark
from jax_al.pools.long_tail import long_tail_rows
from jax_al.pools.subset import subset
from jax_al.statistics import mean_interval
from jax_al.types import Benchmark

RAREST = 50  # times rarer than the most common class
LEARNERS: dict[str, MakeLearner] = {
    "linear": linear(),
    "linear(penalty=0.1)": linear(penalty=0.1),
    "propagate(linear)": propagate(linear()),
    "propagate(linear(penalty=0.1))": propagate(linear(penalty=0.1)),
    "the same, equal_classes=False": propagate(linear(penalty=0.1), equal_classes=False),
}
ALONE, SPREAD = "linear(penalty=0.1)", "propagate(linear(penalty=0.1))"  # what is compared


def long_tailed(data: Benchmark) -> Benchmark:
    """Returns `data` with less of each class than of the one before, its test set as it is."""
    assert data.truth is not None
    rows = long_tail_rows(data.truth, len(data.classes), RAREST)
    return data._replace(pool=subset(data.pool, rows), truth=data.truth[rows])


def accuracies(
    data: Benchmark, make: MakeLearner, counts: list[int], seeds: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Returns accuracies [seeds, counts], seconds of each fit, and of what is prepared."""
    assert data.truth is not None
    engine = Engine(data, make, setting.LOOKING)
    start = time.perf_counter()
    jax.block_until_ready(engine.context)
    prepared = time.perf_counter() - start
    found, seconds = np.zeros((2, seeds, len(counts)))
    for seed in range(seeds):
        rows = np.random.default_rng(seed).permutation(len(data.pool))
        key = jax.random.key(seed)
        for place, count in enumerate(counts):
            owned = rows[:count].tolist()
            start = time.perf_counter()
            state, _ = engine.fit(
                key, engine.init(key), owned, data.truth[owned].tolist(), max(counts)
            )
            seconds[seed, place] = time.perf_counter() - start
            found[seed, place] = engine.test(state).accuracy
    return found, seconds, prepared


def table(name: str, data: Benchmark, counts: list[int], seeds: int) -> list[str]:
    """Returns the lines of one pool."""
    found, seconds, prepared = {}, {}, {}
    for learner, make in LEARNERS.items():
        found[learner], seconds[learner], prepared[learner] = accuracies(data, make, counts, seeds)
        print(name, learner, found[learner].mean(axis=0).round(3), flush=True)
    lines = [
        "",
        f"## {name}",
        "",
        f"{len(data.pool):,} examples in the pool, {data.pool.spec.shape[0]:,} numbers each.",
        "",
        f"| labels | {' | '.join(LEARNERS)} | gain at penalty 0.1 |",
        "|---:|" + "---:|" * (len(LEARNERS) + 1),
    ]
    for place, count in enumerate(counts):
        gain = mean_interval(found[SPREAD][:, place] - found[ALONE][:, place])
        means = " | ".join(f"{found[learner][:, place].mean():.3f}" for learner in LEARNERS)
        lines.append(
            f"| {count:,} | {means} | {gain.estimate:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) |"
        )
    medians = " | ".join(f"{np.median(seconds[learner]):.2f}" for learner in LEARNERS)
    lines.append(f"| a fit, s | {medians} | |")
    lines.append(f"| prepared, s | {' | '.join(f'{prepared[x]:.1f}' for x in LEARNERS)} | |")
    return lines


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="cifar10", help="digits or a TFDS name")
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--pool-size", type=int, default=10_000, help="a random subset")
    parser.add_argument("--features", default="patches")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--labels", type=int, nargs="+", default=[20, 50, 100, 200, 500, 1000])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "propagate.md")
    arguments = parser.parse_args()
    pairs = (option.partition("=") for option in arguments.option)
    options: dict[str, Any] = {name: _value(value) for name, _, value in pairs}
    data = benchmark(arguments.data, data_dir=arguments.data_dir, pool_size=arguments.pool_size)
    seen = with_features(data, arguments.features, **options)
    pools = {
        "As it is": seen,
        f"Classes from common to {RAREST} times as rare": long_tailed(seen),
        "Components of pixels": with_features(data, "pixels_pca"),
    }
    with setting.written(arguments.out) as lines:
        lines += [
            "# Propagation",
            "",
            f"`python benchmarks/propagate.py --data {arguments.data} --features "
            f"{Path(arguments.features).name}`: {setting.machine()}. Random labels, "
            f"{arguments.seeds} seeds, means of the accuracy on the whole test set; of the gain a "
            "95% interval over the seeds, each with itself. Without a penalty it is by "
            "cross-validation. Seconds are medians, the first fit with its compiling among them.",
        ]
        for name, pool in pools.items():
            lines += table(name, pool, arguments.labels, arguments.seeds)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


if __name__ == "__main__":
    main()
