"""How long people wait for the learner of `jax-al label`: a fit, a look, a choice.

    python benchmarks/refit.py [--points 10000] [--labels 500] [--out FILE]

`propagate(linear)` on made-up features float32 [N, 256] of ten classes, rows of length 1, in an
al.Session whose graph is made; the strategy and the size of a request are those of the page.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import numpy as np

import jax_al as al
from benchmarks import setting
from jax_al.people.settings import Settings

CLASSES = tuple(f"class {k}" for k in range(10))
STRATEGY, BATCH = Settings("").strategy, Settings("").budget
ROUNDS, WARM = 9, 2


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/refit.md"))
    arguments = parser.parse_args()
    rng, N = np.random.default_rng(0), arguments.points
    truth = rng.integers(0, 10, N)
    x = 1.5 * rng.normal(size=(10, 256))[truth] / 4 + rng.normal(size=(N, 256))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    pool = al.arrays(x)
    learner, load = al.propagate(al.linear(penalty=0.1)), os.getloadavg()[0]
    seconds = {"fit and the next request": [], "a look at all": []}
    with al.Session(
        pool, classes=CLASSES, learner=learner, strategy=STRATEGY, budget=BATCH
    ) as session:
        first = session.draw(arguments.labels, "random")
        session.tell({name: CLASSES[truth[int(name)]] for name in first})
        for turn in range(WARM + ROUNDS):
            begun = time.perf_counter()
            request = session.ask()
            asked = time.perf_counter()
            session.predict(session.pool)
            looked = time.perf_counter()
            if turn >= WARM:
                seconds["fit and the next request"].append(asked - begun)
                seconds["a look at all"].append(looked - asked)
            session.tell({name: CLASSES[truth[int(name)]] for name in request.ids})
    lines = [
        "# A refit while people label",
        "",
        f"`python benchmarks/refit.py`: {setting.machine()}; load average {load:.1f} before and "
        f"{os.getloadavg()[0]:.1f} after. `propagate(linear)` on {N:,} rows of 256 features, "
        f"{arguments.labels:,} labels and more, {BATCH} a request by `{STRATEGY}`; seconds of "
        f"{ROUNDS} rounds, compiled before.",
        "",
        "| | median | longest |",
        "|---|---:|---:|",
    ]
    for what, times in seconds.items():
        lines.append(f"| {what} | {np.median(times):.2f} | {max(times):.2f} |")
    arguments.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
