r"""A part of the study as a plain loop of scikit-learn and scikit-activeml, for its time alone.

    python benchmarks/study_peer.py --features x.npy --labels y.npy --test xt.npy \
        --test-labels yt.npy [--strategies random margin coreset] [--episodes 3] [--out FILE]

What `jax-al run cifar_study` does with one seed, as one would write it by hand: logistic regression
with its penalty by the same seven values and as many parts (`LogisticRegressionCV`), predictions of
the whole pool and test set, and a query of 100: random; margin by a sort of the probabilities;
core-set and typiclust of scikit-activeml. The files are float32 [N, F] and int [N], such as
`jax-al features` writes. Seconds of each phase are printed and written.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01)
BUDGET = 100


def fitted(x: np.ndarray, y: np.ndarray) -> Any:
    """Returns logistic regression on `x` [L, F] with its penalty by cross-validation."""
    from sklearn.linear_model import LogisticRegressionCV

    values = [1 / (penalty * len(x)) for penalty in PENALTIES]
    model = LogisticRegressionCV(
        Cs=values, cv=5, scoring="neg_log_loss", max_iter=200, n_jobs=-1, use_legacy_attributes=True
    )
    return model.fit(x, y)


def queried(name: str, x: np.ndarray, y: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Returns the rows that `name` asks; `y` has NaN where there is no label."""
    unlabeled = np.flatnonzero(np.isnan(y))
    if name == "random":
        return np.random.default_rng(0).choice(unlabeled, BUDGET, replace=False)
    if name == "margin":
        two = np.partition(probs[unlabeled], -2, axis=1)[:, -2:]
        return unlabeled[np.argsort(two[:, 1] - two[:, 0])[:BUDGET]]
    from skactiveml import pool

    if name == "coreset":
        strategy = pool.CoreSet(random_state=0)
        return strategy.query(X=x, y=y, batch_size=BUDGET)
    if name == "typiclust":
        return pool.TypiClust(random_state=0).query(X=x, y=y, batch_size=BUDGET)
    raise ValueError(name)


def main() -> None:
    """Measures and writes a line for each episode."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("features", "labels", "test", "test-labels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--strategies", nargs="+", default=["random", "margin", "coreset"])
    parser.add_argument("--episodes", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    x, truth = np.load(arguments.features), np.load(arguments.labels)
    xt, test_truth = np.load(arguments.test), np.load(arguments.test_labels)
    lines = []
    for name in arguments.strategies:
        y = np.full(len(x), np.nan)
        start = np.random.default_rng(0).permutation(len(x))[:BUDGET]
        y[start] = truth[start]
        for _ in range(arguments.episodes):
            owned = np.flatnonzero(~np.isnan(y))
            times = [time.perf_counter()]
            model = fitted(x[owned], y[owned].astype(int))
            times.append(time.perf_counter())
            accuracy = float((model.predict(xt) == test_truth).mean())
            probs = model.predict_proba(x)
            times.append(time.perf_counter())
            rows = queried(name, x, y, probs)
            times.append(time.perf_counter())
            y[rows] = truth[rows]
            fit, look, ask = np.diff(times).round(3).tolist()
            lines.append(
                {"strategy": name, "labels": len(owned), "accuracy": accuracy}
                | {"seconds_fit": fit, "seconds_look": look, "seconds_query": ask}
            )
            print(json.dumps(lines[-1]), flush=True)
    if arguments.out:
        arguments.out.write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
