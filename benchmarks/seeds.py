"""What a run costs as seeds, labels and pool grow: seconds side by side, and fitted exponents.

    python benchmarks/seeds.py [--seeds 1 2 4 8]

Seeds: one epoch over 320 labels and the evaluation of 2,000 images for S seeds, by a loop in
Python, by one program that takes the seeds in turn ("map") and by one that takes them at once
("vmap"); they take turns, the figures are medians. Then one seed: an epoch against the number of
labels, and embedding and core-set selection (100 picks, 1,000 labels) against the pool. An exponent
is the slope of the least-squares line through the logarithms. The pixels are random: time does not
depend on them. On several devices, the programs split the seeds among them.
"""

import argparse
import functools
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from jax_al.drivers.learner import Learner
from jax_al.drivers.replicates import FORMS, Layout, make_layout, stack

from benchmarks import setting
from jax_al.strategies import make_strategy
from jax_al.types import PoolState, empty_pool, label_points

OUT = Path(__file__).parent / "results" / "seeds.md"
NUM_TEST, LABELS = 2_000, 320
LABEL_COUNTS, POOLS = (160, 320, 640, 1_280), (5_000, 10_000, 20_000, 40_000)
OPTIONS = setting.OPTIONS._replace(budget=100, capacity=max(LABEL_COUNTS), epochs=1)


def learner(num_points: int, strategy: str, layout: Layout | None) -> Learner:
    """Returns the CNN of the recipes over made-up images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (num_points, 32, 32, 3), np.uint8)
    model = setting.small_cnn((32, 32, 3), 10, 128)
    test = images[:NUM_TEST], rng.integers(0, 10, NUM_TEST).astype(np.int32)
    return Learner(model, make_strategy(strategy), images, *test, OPTIONS, layout=layout)


def labeled(num_points: int, count: int) -> PoolState:
    """Returns a pool whose first `count` points have labels."""
    rows = jnp.arange(count, dtype=jnp.int32)
    return label_points(empty_pool(num_points, OPTIONS.capacity), rows, rows % 10)


def loop(num_seeds: int) -> Callable[[], object]:
    """One seed after another, from Python."""
    one = learner(NUM_TEST, "random", None)
    pool = labeled(NUM_TEST, LABELS)

    def run():
        scores = []
        for seed in range(num_seeds):
            key = jax.random.key(seed)
            state, _ = one.fit(key, one.init(key), pool)
            scores.append(one.evaluate(state))
        return scores

    return run


def together(form: str, num_seeds: int) -> Callable[[], object]:
    """All seeds in one program."""
    layout = make_layout(num_seeds, form, jax.devices())
    several = learner(NUM_TEST, "random", layout)
    pools = stack([labeled(NUM_TEST, LABELS)] * num_seeds, layout)
    keys = stack([jax.random.key(seed) for seed in range(num_seeds)], layout)

    def run():
        state, _ = several.fit(keys, several.init(keys, num_seeds), pools, count=num_seeds)
        return several.evaluate(state, num_seeds)

    return run


def medians(contestants: dict[str, Callable[[], object]], turns: int) -> dict[str, float]:
    """Returns the median seconds of each, after one call that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(turns + 1):
        for name, run in contestants.items():
            start = time.perf_counter()
            jax.block_until_ready(run())
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Returns b of seconds ~ a * size^b."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def row(name: str, sizes: Sequence[int], seconds: Sequence[float]) -> str:
    cells = [f"{value:.3g}" for value in seconds]
    return f"| {name} | {' | '.join(cells)} | {exponent(sizes, seconds):.2f} |"


def head(name: str, sizes: Sequence[int]) -> list[str]:
    cells = [f"{size:,}" for size in sizes]
    return ["", f"| {name} | {' | '.join(cells)} | exponent |", "|---" * (len(sizes) + 2) + "|"]


def main() -> None:
    """Measures, prints and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    device = jax.devices()[0].device_kind
    text = [
        "# Cost against seeds, labels and pool",
        "",
        f"`python benchmarks/seeds.py`: {len(jax.devices())} x {device}, {os.cpu_count()} cores, "
        f"{platform.machine()}, jax {jax.__version__}. Seconds, medians of {args.turns}.",
    ]
    by_seeds = []
    for count in args.seeds:
        contestants = {"a loop in Python": loop(count)}
        contestants |= {form: together(form, count) for form in FORMS}
        by_seeds.append(medians(contestants, args.turns))
        print(count, by_seeds[-1], flush=True)
    text += head(f"seeds: an epoch over {LABELS} labels and {NUM_TEST:,} test images", args.seeds)
    for name in by_seeds[0]:
        text.append(row(name, args.seeds, [found[name] for found in by_seeds]))

    one = learner(NUM_TEST, "random", None)
    key = jax.random.key(0)
    epochs: dict[str, Callable[[], object]] = {
        str(count): functools.partial(
            lambda pool: one.fit(key, one.init(key), pool), labeled(NUM_TEST, count)
        )
        for count in LABEL_COUNTS
    }
    text += head("labels", LABEL_COUNTS)
    found = medians(epochs, args.turns)
    text.append(row("an epoch", LABEL_COUNTS, list(found.values())))

    embed, select = [], []
    for size in POOLS:
        coreset, pool = learner(size, "coreset", None), labeled(size, 1_000)
        state, halves = coreset.init(key), []
        for _ in range(args.turns + 1):
            asked = coreset.ask(key, state, pool)
            halves.append((asked.seconds_embed, asked.seconds_select))
        embed.append(statistics.median(half for half, _ in halves[1:]))
        select.append(statistics.median(half for _, half in halves[1:]))
    text += head("pool", POOLS)
    text += [row("embedding", POOLS, embed), row("core-set, 100 picks", POOLS, select)]
    OUT.write_text("\n".join(text) + "\n")
    print(OUT.read_text())


if __name__ == "__main__":
    main()
