"""Seconds and memory of a query, for every strategy, beside other people's code.

    TFDS_DATA_DIR=... python benchmarks/strategies.py --make DIR    # real signals, once
    python benchmarks/strategies.py --signals DIR [CASE ...]        # measure
    python benchmarks/strategies.py --temporaries [NAME ...]        # memory, also at N = 10^6
    python benchmarks/strategies.py --report                        # table

A case is NAME/DIM/BUDGET or NAME/DIM/BUDGET/PEER; without any, all of them run. Each runs in a
process of its own and appends a line to results/strategies.jsonl; running it again replaces it. The
signals are those of the project's CNN on CIFAR-10, trained on 1,000 labels: N = 50,000, C = 10,
T = 20, D = 128 or 512. Needs the `bench` extra.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

RESULTS = Path(__file__).parent / "results"
LINES = RESULTS / "strategies.jsonl"
LABELED = 1_000
PASSES = 20
DIMS = (128, 512)
BUDGETS = (100, 1_000)
SIZES = (50_000, 1_000_000)  # N, for the memory


def make_signals(folder: Path, data_name: str) -> None:
    """Trains a network for each width on 1,000 random labels and saves all it says of the pool."""
    import jax

    from benchmarks import setting
    from jax_al.drivers.engine import Engine
    from jax_al.strategies import make_strategy
    from jax_al.types import Signals

    data = setting.load_whole(data_name)
    N, looking = len(data.pool), setting.LOOKING._replace(num_samples=PASSES)
    rows = np.random.default_rng(0).permutation(N)[:LABELED].astype(np.int32)
    labels = data.truth[rows]
    pool = setting.labeled(N, LABELED, rows, labels)
    everything = frozenset(Signals._fields) - {"true_labels"}
    strategy = make_strategy("random")._replace(needs=everything)
    folder.mkdir(parents=True, exist_ok=True)
    for dim in DIMS:
        engine = Engine(data, setting.small_cnn(dim), looking)
        state = engine.init(jax.random.key(0))
        state, _ = engine.fit(jax.random.key(1), state, rows.tolist(), labels.tolist(), LABELED)
        print(dim, "test accuracy", engine.test(state).accuracy)
        signals = engine.ask(jax.random.key(2), state, strategy, pool, 1, 1).signals
        arrays = {k: np.asarray(v) for k, v in signals._asdict().items() if v is not None}
        np.savez(folder / f"{dim}.npz", **arrays, true_labels=data.truth, labeled=rows)


def temporaries(name: str, num_points: int) -> dict:
    """MB that the compiled query needs beyond its arguments, as the compiler plans it."""
    import jax
    import jax.numpy as jnp

    from jax_al.strategies import make_strategy
    from jax_al.types import Signals, empty_pool

    N, C, T, D = num_points, 10, PASSES, max(DIMS)
    shapes = {
        "embedding": (N, D),
        "head_inputs": (N, D),
        "log_probs": (N, C),
        "mc_probs": (N, C),
        "mc_mean_entropy": (N,),
        "mc_std": (N, C),
        "mc_votes": (N, C),
        "sampled_probs": (T, N, C),
        "head": (D + 1, C),
    }
    given = {need: jax.ShapeDtypeStruct(shape, jnp.float32) for need, shape in shapes.items()}
    given["true_labels"] = jax.ShapeDtypeStruct((N,), jnp.int32)
    strategy = make_strategy(name)
    if strategy.on_host:
        return {}  # there is no compiler that plans
    signals = Signals(**{need: given[need] for need in strategy.needs})
    pool = jax.eval_shape(lambda: empty_pool(N, LABELED))
    key = jax.eval_shape(lambda: jax.random.key(0))
    select = jax.jit(strategy.select, static_argnums=3)
    plan = select.lower(key, signals, pool, max(BUDGETS)).compile().memory_analysis()
    return {"memory_mb": plan.temp_size_in_bytes / 2**20}


def ours(name: str, arrays: dict[str, np.ndarray], budget: int, limit: float) -> dict:
    """Seconds of one strategy: the median of three, or one if it is long.

    Compiled beforehand, or, if it works on the host, called as it is.
    """
    import jax
    import jax.numpy as jnp

    from benchmarks import setting
    from jax_al.strategies import make_strategy
    from jax_al.types import Signals

    strategy = make_strategy(name)
    labeled, truth = arrays["labeled"], arrays["true_labels"]
    pool = setting.labeled(len(truth), len(labeled), labeled, truth[labeled])
    given = {need: arrays[need] for need in strategy.needs}
    arrays.clear()
    compile_seconds = 0.0
    if strategy.on_host:
        signals, pool = Signals(**given), jax.tree.map(np.asarray, pool)

        def query(key: jax.Array) -> object:
            return strategy.select(key, signals, pool, budget)

    else:
        signals = Signals(**{need: jnp.asarray(values) for need, values in given.items()})
        given.clear()
        select = jax.jit(strategy.select, static_argnums=3)
        jax.block_until_ready(signals)
        start = time.perf_counter()
        compiled = select.lower(jax.random.key(0), signals, pool, budget).compile()
        compile_seconds = time.perf_counter() - start

        def query(key: jax.Array) -> object:
            return compiled(key, signals, pool)

    seconds: list[float] = []
    for repeat in range(3):
        start = time.perf_counter()
        jax.block_until_ready(query(jax.random.key(repeat)))
        seconds.append(time.perf_counter() - start)
        if seconds[0] > limit / 5:
            break
    return {"seconds": float(np.median(seconds)), "compile_seconds": compile_seconds}


def _skactiveml(name: str) -> Callable[[dict, int], object]:
    """A query of scikit-activeml's class `name` on the embedding."""

    def query(arrays: dict, budget: int) -> object:
        from skactiveml import pool

        y = np.full(len(arrays["true_labels"]), np.nan)
        y[arrays["labeled"]] = arrays["true_labels"][arrays["labeled"]]
        strategy = getattr(pool, name)(missing_label=np.nan, random_state=0)
        return strategy.query(arrays["embedding"], y, batch_size=budget)

    return query


def _skactiveml_scores(method: str) -> Callable[[dict, int], object]:
    def query(arrays: dict, budget: int) -> object:
        from skactiveml.pool import uncertainty_scores
        from skactiveml.utils import simple_batch

        scores = uncertainty_scores(np.exp(arrays["log_probs"]), method=method)
        scores[arrays["labeled"]] = np.nan
        return simple_batch(scores, batch_size=budget, random_state=0)

    return query


def _skactiveml_badge(arrays: dict, budget: int) -> object:
    from skactiveml.base import SkactivemlClassifier
    from skactiveml.pool import Badge

    probs, features = np.exp(arrays["log_probs"]), arrays["head_inputs"]

    class Fixed(SkactivemlClassifier):
        """A network that has already spoken: row i of X starts with the number i."""

        def fit(self, X, y, sample_weight=None):
            return self

        def predict_proba(self, X):
            return probs[X[:, 0].astype(int)]

    y = np.full(len(probs), np.nan)
    y[arrays["labeled"]] = arrays["true_labels"][arrays["labeled"]]
    X = np.concatenate([np.arange(len(probs), dtype=np.float32)[:, None], features], axis=1)
    clf = Fixed(classes=np.arange(probs.shape[1]), missing_label=np.nan)
    clf.classes_ = np.arange(probs.shape[1])
    return Badge(missing_label=np.nan, random_state=0).query(
        X, y, clf, fit_clf=False, batch_size=budget
    )


def _baal(name: str) -> Callable[[dict, int], object]:
    def query(arrays: dict, budget: int) -> object:
        from baal.active import heuristics

        probs = np.moveaxis(arrays["sampled_probs"], 0, -1)  # [N, C, T]
        return getattr(heuristics, name)()(probs)

    return query


def _redux(name: str) -> Callable[[dict, int], object]:
    def query(arrays: dict, budget: int) -> object:
        import torch
        from batchbald_redux import batchbald

        log_probs = torch.from_numpy(np.log(np.moveaxis(arrays["sampled_probs"], 0, 1)))
        if name == "bald":
            return batchbald.get_bald_batch(log_probs, budget)
        return batchbald.get_batchbald_batch(log_probs, budget, num_samples=10_000)

    return query


PEERS: dict[str, dict[str, Callable[[dict, int], object]]] = {
    "entropy": {"scikit-activeml": _skactiveml_scores("entropy")},
    "margin": {"scikit-activeml": _skactiveml_scores("margin_sampling")},
    "least_confidence": {"scikit-activeml": _skactiveml_scores("least_confident")},
    "bald": {"baal": _baal("BALD"), "batchbald_redux": _redux("bald")},
    "mc_entropy": {"baal": _baal("Entropy")},
    "mc_margin": {"baal": _baal("Margin")},
    "batchbald": {"batchbald_redux": _redux("batchbald")},
    "badge": {"scikit-activeml": _skactiveml_badge},
    "coreset": {"scikit-activeml": _skactiveml("CoreSet")},
    "typiclust": {"scikit-activeml": _skactiveml("TypiClust")},
    "probcover": {"scikit-activeml": _skactiveml("ProbCover")},
}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(case: str, signals: Path | None, limit: float) -> dict:
    """One case, in this process; what takes long is not repeated."""
    name, dim, budget, *peer = case.split("/")
    if dim == "temporaries":
        return temporaries(name, int(budget))
    assert signals is not None
    arrays = dict(np.load(signals / f"{dim}.npz"))
    if not peer:
        return ours(name, arrays, int(budget), limit)
    before, seconds = peak_mb(), []
    for _ in range(2):  # the second time what has to be imported is there
        start = time.perf_counter()
        PEERS[name][peer[0]](arrays, int(budget))
        seconds.append(time.perf_counter() - start)
        if seconds[0] > limit / 3:
            break
    return {"seconds": min(seconds), "memory_mb": peak_mb() - before}


def run(case: str, signals: Path | None, limit: float) -> dict:
    """One case in a process of its own; what went wrong is a result too."""
    command = [sys.executable, __file__, "--one", case, "--limit", str(limit)]
    command += ["--signals", str(signals)] if signals else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"> {limit:g} s"}
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["killed"])[-1]
        return {"failed": reason[:120]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def report() -> str:
    """The table, in Markdown."""
    lines = {line["case"]: line for line in map(json.loads, LINES.read_text().splitlines())}
    columns = [f"{dim}/{budget}" for dim in DIMS for budget in BUDGETS]
    machine = next(iter(lines.values()))["machine"]
    text = [
        f"Seconds per query, compiled: N = 50,000, C = 10, T = {PASSES}, {LABELED:,} labels, by "
        f"D and budget; {machine}. Memory beside the signals, D = {max(DIMS)} and budget "
        f"{max(BUDGETS):,}: of ours the temporaries that the compiler plans, at N = 50,000 and "
        "10^6; of others what the process came to need in its largest case here. Empty: not "
        "measured.",
        "",
        "| | "
        + " | ".join(f"D {c.replace('/', ', budget ')}" for c in columns)
        + " | memory | memory, 10^6 points |",
        "|---" * (len(columns) + 3) + "|",
    ]

    def cell(case: str) -> str:
        line = lines.get(case, {})
        if "seconds" not in line:
            return line.get("failed", "")
        return f"{line['seconds']:.2g}" if line["seconds"] >= 0.001 else "< 0.001"

    def memory(case: str) -> str:
        return f"{lines[case]['memory_mb']:,.0f} MB" if "memory_mb" in lines.get(case, {}) else ""

    for name in sorted({case.split("/")[0] for case in lines}):
        cells = [cell(f"{name}/{column}") for column in columns]
        cells += [memory(f"{name}/temporaries/{size}") for size in SIZES]
        text.append(f"| `{name}` | " + " | ".join(cells) + " |")
        for peer in PEERS.get(name, {}):
            cells = [cell(f"{name}/{column}/{peer}") for column in columns]
            known = [memory(f"{name}/{column}/{peer}") for column in columns]
            cells += [next((found for found in reversed(known) if found), ""), ""]
            text.append(f"| &nbsp; {peer} | " + " | ".join(cells) + " |")
    return "\n".join(text) + "\n"


def all_cases(names: list[str]) -> list[str]:
    cases = []
    for name in names:
        for dim in DIMS:
            for budget in BUDGETS:
                cases.append(f"{name}/{dim}/{budget}")
                cases += [f"{name}/{dim}/{budget}/{peer}" for peer in PEERS.get(name, {})]
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--signals", type=Path)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--data", default="cifar10", help="digits or a TFDS name, for --make")
    parser.add_argument("--temporaries", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument(
        "--limit", type=float, default=100, metavar="SECONDS",
        help="give a case up after so long, starting and compiling included",
    )  # fmt: skip
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.signals, options.limit)))
        return
    if options.make:
        make_signals(options.make, options.data)
        return
    if not options.report:
        from jax_al.strategies import STRATEGIES

        names = [case for case in options.cases if "/" not in case] or sorted(STRATEGIES)
        if options.temporaries:
            cases = [f"{name}/temporaries/{size}" for name in names for size in SIZES]
        else:
            cases = [case for case in options.cases if "/" in case] or all_cases(names)
        for case in cases:
            found = run(case, options.signals, options.limit)
            machine = f"{os.cpu_count()} cores, {platform.machine()}"
            line = {"case": case, "machine": machine, "load": os.getloadavg()[0]} | found
            old = LINES.read_text().splitlines() if LINES.exists() else []
            kept = [text for text in old if json.loads(text)["case"] != case]
            LINES.write_text("\n".join([*kept, json.dumps(line)]) + "\n")
            print(line, flush=True)
    (RESULTS / "strategies.md").write_text(report())


if __name__ == "__main__":
    main()
