r"""Features of a data set: how long do they take, how much memory, and what is learned on them?

    python benchmarks/features.py [--data cifar10] [--data-dir DIR] [--features patches]
        [--option NAME=VALUE ...] [--labels 100 1000] [--seeds 5]

In a process of its own and with an empty cache: the seconds of the fit on the pool, and of applying
it to pool and test set, images a second, the CPU seconds of all, and the peak of the anonymous
memory (RssAnon in /proc/PID/status, seen every 50 ms). Then `linear` is trained on random labels, a
draw for each seed, and tested on the whole test set. A gibibyte or more of anonymous memory is a
failure.
"""

import argparse
import ast
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import jax
import numpy as np

from benchmarks import setting
from benchmarks.big_pool import POLL, anonymous
from jax_al.drivers.engine import Engine
from jax_al.features.named import features_named
from jax_al.features.pool import with_features
from jax_al.learners import linear
from jax_al.pools.load import benchmark
from jax_al.statistics import mean_interval
from jax_al.types import Benchmark

LIMIT = 2**30  # bytes of anonymous memory


def compute(data: Benchmark, name: str, options: dict[str, Any], cache: str) -> dict[str, float]:
    """Computes the features as a user does, after a fit for the clock alone; seconds of each."""
    start = time.perf_counter()
    features_named(name, **options)[0].fit(data.pool)
    fitted, busy = time.perf_counter(), time.process_time()
    made = with_features(data, name, cache_dir=cache, **options)
    seconds = time.perf_counter() - fitted
    return {
        "fit": fitted - start,
        "all": seconds,
        "cpu": time.process_time() - busy,
        "width": made.pool.spec.shape[0],
        "images": len(data.pool) + len(data.test or ()),
    }


def learn(data: Benchmark, labels: int, seeds: int, penalty: float | None) -> list[float]:
    """Returns the test accuracy of `linear` on so many random labels, for each seed."""
    engine = Engine(data, linear(penalty=penalty), setting.LOOKING)
    found = []
    for seed in range(seeds):
        rows = np.random.default_rng(seed).permutation(len(data.pool))[:labels]
        key, truth = jax.random.key(seed), data.truth[rows].tolist()
        state, _ = engine.fit(key, engine.init(key), rows.tolist(), truth, labels)
        found.append(engine.test(state).accuracy)
    return found


def watched(words: list[str]) -> tuple[dict[str, float], int]:
    """Returns what a process of its own found, and the peak of its anonymous memory in bytes."""
    command, peak = [sys.executable, __file__, *words, "--child"], 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, anonymous(process.pid))
            time.sleep(POLL)
        said = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise RuntimeError(f"the features failed ({process.returncode})")
    return json.loads(said.splitlines()[-1]), peak


def main() -> None:
    """Measures, writes and judges."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="cifar10", help="digits or a TFDS name")
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--features", default="patches")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--penalty", type=float, help="of linear; else by cross-validation")
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "features.md")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    pairs = (option.partition("=") for option in arguments.option)
    options = {name: ast.literal_eval(value) for name, _, value in pairs}
    data = benchmark(arguments.data, data_dir=arguments.data_dir)
    if arguments.child:
        with tempfile.TemporaryDirectory() as cache:
            print(json.dumps(compute(data, arguments.features, options, cache)))
        return
    found, peak = watched(sys.argv[1:])
    print(found, f"{peak / 2**20:.0f} MiB", flush=True)
    data = with_features(data, arguments.features, **options)
    penalty = arguments.penalty or "by cross-validation"
    given = " ".join([arguments.features, *(f"--option {option}" for option in arguments.option)])
    with setting.written(arguments.out) as lines:
        lines += [
            "# Features",
            "",
            f"`python benchmarks/features.py --data {arguments.data} --features {given}`: "
            f"{setting.machine()}.",
            "",
            "| images | numbers each | fit, s | all, s | images/s | CPU s | anonymous memory |",
            "|---:|---:|---:|---:|---:|---:|---:|",
            f"| {found['images']:,} | {found['width']:,} | {found['fit']:.1f} | {found['all']:.1f} "
            f"| {found['images'] / found['all']:,.0f} | {found['cpu']:.0f} "
            f"| {peak / 2**20:,.0f} MiB |",
            "",
            f"`linear` (penalty {penalty}) on random labels, the whole test set, "
            f"{arguments.seeds} seeds, 95% intervals:",
            "",
            "| labels | accuracy | interval |",
            "|---:|---:|---:|",
        ]
        for labels in arguments.labels:
            mean = mean_interval(learn(data, labels, arguments.seeds, arguments.penalty))
            lines.append(
                f"| {labels:,} | {mean.estimate:.3f} | {mean.low:.3f} to {mean.high:.3f} |"
            )
    if peak >= LIMIT:
        sys.exit(f"{peak / 2**30:.2f} GiB of anonymous memory; it must stay below 1 GiB.")


if __name__ == "__main__":
    main()
