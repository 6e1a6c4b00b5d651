"""Every strategy once, on random signals: does it run here, and how long does it take?

    python benchmarks/strategies_once.py [--small] [--budget 100] [--out FILE] [NAME ...]

N = 50,000, D = 512, C = 10, T = 20, 1,000 labels. Seconds of compiling, of a first and of a second
query, and the most that the device came to hold, where it tells. What fails is a row too, and makes
the exit status 1. Random signals lie otherwise than those of a network (`strategies.py`), and this
has not been run on a GPU: it shows what works, not what it costs in a run.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from benchmarks import setting
from jax_al.drivers import choose
from jax_al.drivers.programs import Programs
from jax_al.strategies import STRATEGIES, make_strategy
from jax_al.types import Signals

NUM_CLASSES, DRAWS = 10, 20


def random_signals(num_points: int, dim: int) -> Signals:
    """Returns all signals, on the host."""
    rng, N, C = np.random.default_rng(0), num_points, NUM_CLASSES

    def probs(*shape: int) -> np.ndarray:
        return rng.dirichlet(np.ones(C), shape).astype(np.float32)

    draws = probs(DRAWS, N)
    return Signals(
        embedding=rng.normal(size=(N, dim)).astype(np.float32),
        head_inputs=rng.normal(size=(N, dim)).astype(np.float32),
        log_probs=np.log(probs(N)),
        mc_probs=draws.mean(axis=0),
        mc_mean_entropy=-(draws * np.log(draws)).sum(axis=2).mean(axis=0),
        mc_std=draws.std(axis=0),
        mc_votes=np.eye(C, dtype=np.float32)[draws.argmax(axis=2)].mean(axis=0),
        sampled_probs=draws,
        true_labels=rng.integers(0, C, N).astype(np.int32),
        head=rng.normal(size=(dim + 1, C)).astype(np.float32),
    )


def once(name: str, given: Signals, num_labels: int, budget: int) -> str:
    """Returns the row of one strategy."""
    strategy, N = make_strategy(name), len(given.log_probs)
    owned = np.arange(num_labels)
    pool = setting.labeled(N, num_labels + budget, owned, given.true_labels[:num_labels])
    signals = Signals(**{need: jnp.asarray(getattr(given, need)) for need in strategy.needs})
    programs, seconds = Programs(), []
    for repeat in range(2):
        start, compiling = time.perf_counter(), programs.seconds
        key = jax.random.key(repeat)
        choose.choose(programs, strategy, key, signals, pool, budget, budget)
        seconds.append(time.perf_counter() - start - (programs.seconds - compiling))
    stats = jax.devices()[0].memory_stats() or {}
    peak = f"{stats['peak_bytes_in_use'] / 2**20:,.0f} MiB" if "peak_bytes_in_use" in stats else ""
    first, second = seconds
    return f"| `{name}` | {programs.seconds:.2g} | {first:.2g} | {second:.2g} | {peak} | |"


def main() -> None:
    """Runs, prints and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="strategies; all of them if none is named")
    parser.add_argument("--small", action="store_true", help="N = 500, D = 16: to see it work")
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "strategies_once.md")
    args = parser.parse_args()
    N, D, labels = (500, 16, 50) if args.small else (50_000, 512, 1_000)
    budget = min(args.budget, N // 10)
    given, failed = random_signals(N, D), 0
    lines = [
        "# Every strategy once, on random signals",
        "",
        f"`python benchmarks/strategies_once.py`: {setting.machine()}. N = {N:,}, D = {D}, "
        f"C = {NUM_CLASSES}, T = {DRAWS}, {labels:,} labels, budget {budget:,}; seconds. The "
        "memory is the peak of the process so far.",
        "",
        "| | compiling | first query | second query | device memory | failed |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name in args.names or sorted(STRATEGIES):
        try:
            row = once(name, given, labels, budget)
        except Exception as error:  # what fails is what one wants to know
            reason = " ".join(str(error).split())[:120]
            row, failed = f"| `{name}` | | | | | {type(error).__name__}: {reason} |", failed + 1
        print(row, flush=True)
        lines.append(row)
        args.out.write_text("\n".join(lines) + "\n")  # at once: somebody may lose patience
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
