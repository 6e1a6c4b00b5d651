r"""Learners on features: how right, how sure, in how many seconds?

    python benchmarks/learners.py --pool FILE --pool-labels FILE --test FILE --test-labels FILE
        [--title WORDS] [--pca 256] [--labels 100 1000] [--seeds 5] [--learners linear mlp]

All files are .npy: features float32 [N, F] and labels int [N], of pool and test set. For each seed
and number of labels the same random rows are labeled for every learner, and the whole test set is
asked; 20 draws (or as many as members), where there are any, of its first 1,000. `--pca K` puts K
principal components, found on the pool, in place of the features. The seconds are of a fit whose
program is compiled, medians over the seeds; learners take turns.
"""

import argparse
import math
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import setting
from jax_al.drivers.engine import Engine
from jax_al.learners import MakeLearner, calibrated, ensemble, laplace, linear, mlp
from jax_al.pools.arrays import arrays
from jax_al.statistics import mean_interval
from jax_al.types import Benchmark

MLP: dict[str, Any] = {"widths": (256,), "epochs": 50}
LEARNERS: dict[str, MakeLearner] = {
    "linear": linear(),
    "linear(penalty=0.1)": linear(penalty=0.1),
    "calibrated(linear)": calibrated(linear()),
    "ensemble(linear)": ensemble(linear()),
    "laplace": laplace(),
    "mlp": mlp(**MLP),
    "mlp, validation_share=0.2": mlp(validation_share=0.2, **MLP),
    "calibrated(mlp)": calibrated(mlp(**MLP)),
    "ensemble(mlp) by key": ensemble(mlp(**MLP), by="key"),
}
MEASURES = ("accuracy", "nll", "ece", "draw", "draws_nll", "seconds")
DRAWS, DRAWN = 20, 1000  # how many, of how many test examples


def components(pool: np.ndarray, test: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns both in the first `count` principal components of the pool, float32."""
    mean = pool.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(np.cov(pool.T.astype(np.float64)))
    axes = vectors[:, ::-1][:, :count]
    first, second = (((x - mean) @ axes).astype(np.float32) for x in (pool, test))
    return first, second


def read(arguments: argparse.Namespace) -> Benchmark:
    """Returns the features as a benchmark."""
    pool, test = np.load(arguments.pool), np.load(arguments.test)
    if arguments.pca:
        pool, test = components(pool, test, arguments.pca)
    truth, theirs = (
        np.load(path).astype(np.int32) for path in (arguments.pool_labels, arguments.test_labels)
    )
    names = tuple(map(str, range(int(truth.max()) + 1)))
    return Benchmark(arrays(pool), truth, names, arrays(test), theirs)


def draws_of(engine: Engine, data: Benchmark, state: Any) -> tuple[float, float]:
    """Returns the mean accuracy of a draw, and the NLL of the mean of all; NaN where are none."""
    if engine.learner.sample is None:
        return math.nan, math.nan
    assert data.test is not None
    assert data.test_labels is not None
    numbers = jnp.arange(min(DRAWS, engine.learner.draws or DRAWS))
    inputs, truth = jnp.asarray(data.test.read(slice(0, DRAWN))), data.test_labels[:DRAWN]
    sample = jax.jit(jax.vmap(engine.learner.sample, (None, 0, None, None)))
    log_probs = np.asarray(sample(jax.random.key(0), numbers, state, inputs), np.float64)
    accuracy = (log_probs.argmax(axis=2) == truth).mean()
    mean = np.exp(log_probs).mean(axis=0)[np.arange(len(truth)), truth]
    return float(accuracy), float(-np.log(np.maximum(mean, 1e-12)).mean())


def measure(
    engines: dict[str, Engine], data: Benchmark, labels: int, seeds: int
) -> dict[str, list[dict[str, float]]]:
    """Returns what is found for each learner and seed."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in engines}
    assert data.truth is not None
    for seed in range(seeds):
        rows = np.random.default_rng(seed).permutation(len(data.pool))[:labels]
        given = rows.tolist(), data.truth[rows].tolist(), labels
        key = jax.random.key(seed)
        for name, engine in engines.items():
            start_state = engine.init(key)
            if not found[name]:
                engine.fit(key, start_state, *given)  # compiles
            start = time.perf_counter()
            state, _ = engine.fit(key, start_state, *given)
            jax.block_until_ready(state)
            seconds = time.perf_counter() - start
            tested = engine.test(state)
            drawn = draws_of(engine, data, state)
            numbers = tested.accuracy, tested.nll, tested.ece, *drawn, seconds
            found[name].append(dict(zip(MEASURES, numbers, strict=True)))
            print(labels, seed, name, numbers, flush=True)
    return found


def row(name: str, labels: int, found: list[dict[str, float]], bare: list[dict[str, float]]) -> str:
    """Returns a row of the table: means, and how far its accuracy is from `linear`'s."""
    means = {what: statistics.fmean(one[what] for one in found) for what in MEASURES[:5]}
    seconds = statistics.median(one["seconds"] for one in found)
    gaps = [one["accuracy"] - other["accuracy"] for one, other in zip(found, bare, strict=True)]
    gap = mean_interval(gaps)
    apart = "" if found is bare else f"{gap.estimate:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
    return (
        f"| {labels:,} | {name} | {means['accuracy']:.3f} | {apart} | {means['nll']:.3f} "
        f"| {means['ece']:.3f} | {_shown(means['draw'])} | {_shown(means['draws_nll'])} "
        f"| {seconds:.2f} |"
    )


def _shown(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.3f}"


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("pool", "pool-labels", "test", "test-labels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--title", default="Features")
    parser.add_argument("--pca", type=int)
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--learners", nargs="+", default=list(LEARNERS), choices=LEARNERS)
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "learners.md")
    arguments = parser.parse_args()
    data = read(arguments)
    engines = {name: Engine(data, LEARNERS[name], setting.LOOKING) for name in arguments.learners}
    with setting.written(arguments.out) as lines:
        lines += [
            "# Learners",
            "",
            f"`benchmarks/learners.py`{f' --pca {arguments.pca}' if arguments.pca else ''}: "
            f"{arguments.title}, {len(data.pool):,} x {data.pool.spec.shape[0]:,}, random labels, "
            f"{arguments.seeds} seeds, the {len(data.test or ()):,} examples of the test set; "
            f"{setting.machine()}. `mlp` has one hidden layer of {MLP['widths'][0]} and "
            f"{MLP['epochs']} epochs.",
            "",
            f"| labels | learner | accuracy | minus {arguments.learners[0]}'s (95%) | NLL | ECE "
            "| accuracy of a draw | NLL of the mean draw | s a fit |",
            "|---:|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for labels in arguments.labels:
            found = measure(engines, data, labels, arguments.seeds)
            bare = found[arguments.learners[0]]
            lines += [row(name, labels, ours, bare) for name, ours in found.items()]


if __name__ == "__main__":
    main()
