"""What several benchmarks have in common: data, network, how pools are looked at, whole runs."""

import contextlib
import functools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_al.drivers.engine import Looking
from jax_al.learners import MakeLearner, cnn
from jax_al.pools.load import benchmark
from jax_al.types import Benchmark, PoolState, empty_pool, label_points

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).parent / "results"
LOOKING = Looking(chunk_size=1_000, num_samples=1)
TRAINING: dict[str, Any] = {
    "epochs": 10,
    "optimizer": "adam",
    "weight_decay": 0.0,
    "schedule": "step",
    "lr": 1e-3,
    "gamma": 0.1,
    "lr_step_epochs": 10,
    "batch_size": 32,
    "augment": False,
}


@functools.cache
def load_whole(name: str) -> Benchmark:
    """Returns the data set `name` with its whole pool and test set."""
    return benchmark(name)


def small_cnn(embedding_size: int, **training: Any) -> MakeLearner:
    """Returns the network of the recipes, trained as they train it but for `training`."""
    sizes: dict[str, Any] = {"widths": (32, 64), "dropout_rates": (0.25, 0.5)}
    return cnn(embedding_size=embedding_size, **sizes, **(TRAINING | training))


def labeled(num_points: int, capacity: int, rows: np.ndarray, labels: np.ndarray) -> PoolState:
    """Returns a pool in which `rows` have `labels`."""
    told = (jnp.asarray(x, jnp.int32) for x in (rows, labels))
    return label_points(empty_pool(num_points, capacity), *told)


def machine() -> str:
    """Says what figures were measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    devices = f"{len(jax.devices())} x {jax.devices()[0].device_kind}"
    return f"{devices}, {cores} cores, {platform.machine()}, jax {jax.__version__}"


def launch(options: Sequence[str]) -> tuple[float, list[dict[str, Any]]]:
    """Runs launch.py with `options` in a process and a workdir of its own.

    Returns:
      The wall seconds of the process, and the rows of its metrics.jsonl.

    Raises:
      RuntimeError: it failed; what it said is in the sentence.
    """
    with tempfile.TemporaryDirectory() as workdir:
        command = [sys.executable, "launch.py", "--config.wandb.mode=disabled", *options]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, f"--workdir={workdir}"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(f"launch.py failed ({done.returncode}): {done.stderr[-2_000:]}")
        lines = (Path(workdir) / "metrics.jsonl").read_text().splitlines()
    return seconds, [json.loads(line) for line in lines]


def accuracies(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, int, int], float]:
    """Returns the test accuracies of metrics.jsonl by strategy, seed and episode."""
    return {(row["strategy"], row["seed"], row["episode"]): row["test_accuracy"] for row in rows}


def median(values: Sequence[float]) -> float:
    """Returns the median, as a float of Python."""
    return float(statistics.median(values))


@contextlib.contextmanager
def written(path: Path) -> Iterator[list[str]]:
    """Collects lines; at the end they are in `path` and on the screen."""
    lines: list[str] = []
    yield lines
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    print(path.read_text())
