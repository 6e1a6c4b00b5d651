"""What a run costs as seeds, labels and pool grow: seconds side by side, and fitted exponents.

    python benchmarks/seeds.py [--seeds 1 2 4 8]

Seeds: a recipe so small that starting it is most of it (digits, two episodes of five epochs), for S
seeds in one process and in two of a core each (`--config.jobs=2`); wall seconds of the whole
command, by turns. Then one seed: an epoch against the number of labels, and embedding and core-set
selection (100 picks, 1,000 labels) against the pool. An exponent is the slope of the least-squares
line through the logarithms. The pixels are random: time does not depend on them. Medians.
"""

import argparse
import functools
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from benchmarks import setting
from jax_al.drivers.engine import Engine
from jax_al.pools.arrays import arrays
from jax_al.strategies import make_strategy
from jax_al.types import Benchmark

NUM_CLASSES, BUDGET = 10, 100
LABEL_COUNTS, POOLS = (160, 320, 640, 1_280), (5_000, 10_000, 20_000, 40_000)
CAPACITY = max(LABEL_COUNTS)
TINY = [
    "--config=digits_random", "--config.max_episodes=2", "--config.epochs=5",
    "--config.data.pool_size=500",
]  # fmt: skip
PROCESSES = {"one process": 1, "two processes": 2}


def engine(num_points: int) -> Engine:
    """Returns the CNN of the recipes, an epoch a fit, over made-up images."""
    images = np.random.default_rng(0).integers(0, 256, (num_points, 32, 32, 3), np.uint8)
    classes = tuple(map(str, range(NUM_CLASSES)))
    data = Benchmark(arrays(images), None, classes)
    return Engine(data, setting.small_cnn(128, epochs=1), setting.LOOKING)


def by_seeds(seeds: Sequence[int], turns: int) -> dict[str, list[float]]:
    """Returns the wall seconds of so many seeds, by the number of processes."""
    found: dict[str, list[float]] = {name: [] for name in PROCESSES}
    for count in seeds:
        times: dict[str, list[float]] = {name: [] for name in PROCESSES}
        for turn in range(turns + 1):  # the first one fills the cache of programs
            for name, jobs in PROCESSES.items():
                how = [f"--config.num_seeds={count}", f"--config.jobs={jobs}"]
                seconds, _ = setting.launch([*TINY, *how])
                if turn:
                    times[name].append(seconds)
        for name, values in times.items():
            found[name].append(setting.median(values))
        print(count, {name: values[-1] for name, values in found.items()}, flush=True)
    return found


def medians(contestants: dict[int, Callable[[], object]], turns: int) -> list[float]:
    """Returns the median seconds of each, after one call that does not count."""
    seconds: dict[int, list[float]] = {size: [] for size in contestants}
    for turn in range(turns + 1):
        for size, run in contestants.items():
            start = time.perf_counter()
            jax.block_until_ready(run())
            if turn:
                seconds[size].append(time.perf_counter() - start)
    return [setting.median(values) for values in seconds.values()]


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Returns b of seconds ~ a * size^b."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def row(name: str, sizes: Sequence[int], seconds: Sequence[float]) -> str:
    cells = [f"{value:.3g}" for value in seconds]
    slope = f"{exponent(sizes, seconds):.2f}" if len(sizes) > 1 else ""
    return f"| {name} | {' | '.join(cells)} | {slope} |"


def head(name: str, sizes: Sequence[int]) -> list[str]:
    cells = [f"{size:,}" for size in sizes]
    return ["", f"| {name} | {' | '.join(cells)} | exponent |", "|---" * (len(sizes) + 2) + "|"]


def main() -> None:
    """Measures, prints and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "seeds.md")
    args = parser.parse_args()
    text = [
        "# Cost against seeds, labels and pool",
        "",
        f"`python benchmarks/seeds.py`: {setting.machine()}. Seconds, medians of {args.turns}.",
    ]
    text += head("seeds: two small episodes of digits, whole commands", args.seeds)
    for name, seconds in by_seeds(args.seeds, args.turns).items():
        text.append(row(name, args.seeds, seconds))

    one, key = engine(max(LABEL_COUNTS)), jax.random.key(0)

    def epoch(count: int) -> object:
        rows = range(count)
        return one.fit(key, one.init(key), rows, [i % NUM_CLASSES for i in rows], CAPACITY)

    epochs: dict[int, Callable[[], object]] = {
        count: functools.partial(epoch, count) for count in LABEL_COUNTS
    }
    text += head("labels", LABEL_COUNTS)
    text.append(row("an epoch", LABEL_COUNTS, medians(epochs, args.turns)))

    embed, select = [], []
    for size in POOLS:
        this, owned = engine(size), np.arange(1_000)
        pool = setting.labeled(size, CAPACITY, owned, owned % NUM_CLASSES)
        state, strategy = this.init(key), make_strategy("coreset")
        turns = [
            this.ask(key, state, strategy, pool, BUDGET, BUDGET) for _ in range(args.turns + 1)
        ]
        embed.append(setting.median([asked.seconds_embed for asked in turns[1:]]))
        select.append(setting.median([asked.seconds_select for asked in turns[1:]]))
    text += head("pool", POOLS)
    text += [row("embedding", POOLS, embed), row("core-set, 100 picks", POOLS, select)]
    with setting.written(args.out) as lines:
        lines += text


if __name__ == "__main__":
    main()
