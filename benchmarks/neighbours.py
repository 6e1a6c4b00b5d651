r"""The exact nearest neighbours of every row, beside what others take.

    python benchmarks/neighbours.py [--rows 50000] [--dim 256] [--k 20] [--points FILE.npy]
        [--metric euclidean] [--repeats 3] [--methods jax_al top_k ...]

Each way in a process of its own, again and again in turn: seconds (the median, and the least) with
the compiling, CPU seconds, the peak of the anonymous memory (RssAnon, seen every 50 ms) less what
the process held before, and the share of the neighbours that ours are, too. `top_k` is a block of
products and one `lax.top_k` over it; faiss and pynndescent (approximate) are there if they are
installed. Without --points the rows are those of 1,000 normal clouds. A gibibyte or more of
anonymous memory in ours is a failure. Then labels are spread over the graph of ours.
"""

import argparse
import functools
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import setting
from benchmarks.big_pool import POLL, anonymous
from jax_al.geometry.neighbours import nearest_neighbours
from jax_al.learners.spread import graph_of, spread

LIMIT = 2**30  # bytes of anonymous memory
LABELS, CLASSES, SPREADS = 100, 10, 5


def ours(points: np.ndarray, k: int, metric: str) -> np.ndarray:
    """Returns the neighbours by this package."""
    return nearest_neighbours(points, k, metric=metric).rows


def top_k(points: np.ndarray, k: int, metric: str) -> np.ndarray:
    """Returns the neighbours by blocks of products and one sort of each row."""
    size = 256
    if metric == "cosine":
        points = points / np.linalg.norm(points, axis=1, keepdims=True)
    rows = jnp.asarray(points)
    half = jnp.square(rows).sum(axis=1) / 2

    @jax.jit
    def block(rows: jax.Array, start: jax.Array) -> jax.Array:
        some = jax.lax.dynamic_slice_in_dim(rows, start, size)
        products = jnp.dot(some, rows.T, precision="highest") - half[None, :]
        return jax.lax.top_k(products, k + 1)[1]

    N = len(points)
    starts = [min(start, N - size) for start in range(0, N, size)]
    found = np.empty((N, k + 1), np.int32)
    for start in starts:
        found[start : start + size] = block(rows, jnp.int32(start))
    return found[:, 1:]


def scikit_learn(points: np.ndarray, k: int, metric: str) -> np.ndarray:
    """Returns the neighbours by scikit-learn's brute force."""
    from sklearn.neighbors import NearestNeighbors

    made = NearestNeighbors(n_neighbors=k, metric=metric, algorithm="brute").fit(points)
    return made.kneighbors(return_distance=False)


def faiss(points: np.ndarray, k: int, metric: str) -> np.ndarray:
    """Returns the neighbours by faiss's exact index."""
    import faiss as library

    points = np.array(points)
    if metric == "cosine":
        library.normalize_L2(points)
    index = library.IndexFlatL2(points.shape[1])
    index.add(points)
    return index.search(points, k + 1)[1][:, 1:]


def pynndescent(points: np.ndarray, k: int, metric: str) -> np.ndarray:
    """Returns nearly the neighbours, by pynndescent."""
    import pynndescent as library

    made = library.NNDescent(points, n_neighbors=k + 1, metric=metric, random_state=0)
    return made.neighbor_graph[0][:, 1:]


METHODS: dict[str, Callable[[np.ndarray, int, str], np.ndarray]] = {
    "jax_al": ours,
    "top_k": top_k,
    "scikit-learn": scikit_learn,
    "faiss": faiss,
    "pynndescent": pynndescent,
}


def is_there(method: str) -> bool:
    """Returns whether what a method needs is installed."""
    return METHODS[method] in (ours, top_k, scikit_learn) or bool(importlib.util.find_spec(method))


def watched(method: str, points: Path, out: Path, words: list[str]) -> tuple[float, float, int]:
    """Returns seconds, CPU seconds and bytes of anonymous memory of a method in its own process."""
    command = [sys.executable, __file__, "--child", method, str(points), str(out), *words]
    before, peak = 0, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it is ready
        before = anonymous(process.pid)
        while process.poll() is None:
            peak = max(peak, anonymous(process.pid))
            time.sleep(POLL)
        said = process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"{method} failed ({process.returncode})")
    seconds, busy = map(float, said.split()[-2:])
    return seconds, busy, peak - before


def child(method: str, points: str, out: str, k: str, metric: str) -> None:
    """Does it once, on the points of a file that is mapped, and says how long it took."""
    rows = np.load(points, mmap_mode="r")
    jnp.zeros(1).block_until_ready()
    print("ready", flush=True)
    start, busy = time.perf_counter(), time.process_time()
    found = METHODS[method](rows, int(k), metric)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    np.save(out, found)
    print(seconds, busy)


def spreading(near: np.ndarray) -> tuple[float, float]:
    """Returns the seconds of a spread of labels over the graph of the neighbours `near` [N, k].

    The first, which compiles, and the median of those after it; all neighbours count alike.
    """
    graph = graph_of(near, np.ones(near.shape, np.float32))
    program = jax.jit(functools.partial(spread, alpha=0.9))
    seconds = []
    for seed in range(SPREADS + 1):
        rows = np.random.default_rng(seed).choice(len(near), LABELS, replace=False)
        seeds = np.zeros((len(near), CLASSES), np.float32)
        seeds[rows, np.arange(LABELS) % CLASSES] = 1
        start = time.perf_counter()
        program(graph, seeds).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return seconds[0], float(np.median(seconds[1:]))


def clouds(N: int, D: int) -> np.ndarray:
    """Returns float32 [N, D], 1,000 normal clouds."""
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 1, (1_000, D))
    return (centers[rng.integers(0, 1_000, N)] + rng.normal(0, 1, (N, D))).astype(np.float32)


def main() -> None:
    """Measures, writes and judges."""
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--points", type=Path, help="a .npy file with a float32 matrix")
    parser.add_argument("--metric", default="euclidean")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "neighbours.md")
    arguments = parser.parse_args()
    k, metric = arguments.k, arguments.metric
    methods = [method for method in arguments.methods if is_there(method)]
    results: dict[str, list[tuple[float, float, int]]] = {method: [] for method in methods}
    loads = []
    with tempfile.TemporaryDirectory() as directory:
        points = Path(directory) / "points.npy"
        rows = np.load(arguments.points) if arguments.points else None
        np.save(points, clouds(arguments.rows, arguments.dim) if rows is None else rows)
        N, D = np.load(points, mmap_mode="r").shape
        for _ in range(arguments.repeats):
            for method in methods:
                out = Path(directory) / f"{method}.npy"
                results[method].append(watched(method, points, out, [str(k), metric]))
                loads.append(os.getloadavg()[0])
                print(method, results[method][-1], f"load {loads[-1]:.1f}", flush=True)
        load = functools.partial(np.load, mmap_mode="r")
        once, again = spreading(np.load(Path(directory) / "jax_al.npy"))
        found: dict[str, Any] = {m: load(Path(directory) / f"{m}.npy")[:2_000] for m in methods}
        own = found["jax_al"]
        same = {
            method: np.mean([np.isin(a, b).mean() for a, b in zip(found[method], own, strict=True)])
            for method in methods
        }
    with setting.written(arguments.out) as lines:
        lines += [
            "# Nearest neighbours",
            "",
            f"`python benchmarks/neighbours.py --rows {N}`: the {k} nearest other rows of each "
            f"of {N:,} rows of {D} numbers, {metric}. {setting.machine()}; "
            f"runs: {arguments.repeats}, in turn; load {min(loads):.1f} to {max(loads):.1f}.",
            "",
            "| | s, median | s, least | CPU s | anonymous memory | as ours |",
            "|---|---:|---:|---:|---:|---:|",
        ]
        for method in methods:
            seconds, busy, memory = map(np.array, zip(*results[method], strict=True))
            lines.append(
                f"| {method} | {np.median(seconds):.1f} | {seconds.min():.1f} "
                f"| {np.median(busy):.0f} | {memory.max() / 2**20:,.0f} MiB | {same[method]:.4f} |"
            )
        lines += [
            "",
            f"{LABELS} labels of {CLASSES} classes, spread over the graph of ours (`propagate`): "
            f"{again:.2f} s, the median of {SPREADS}; {once:.2f} s with the compiling.",
        ]
    worst = max(memory for _, _, memory in results["jax_al"])
    if worst >= LIMIT:
        sys.exit(f"{worst / 2**30:.2f} GiB of anonymous memory; it must stay below 1 GiB.")


if __name__ == "__main__":
    main()
