"""Options of features: what does a linear head learn on them?

    python benchmarks/feature_options.py [--data-dir DIR] [--rows 10000] [--draws 8]

`linear` is trained on random labels of ROWS images of CIFAR-10's pool and tested on as many others
of it, so that no option is chosen by the test set. An accuracy is the mean over draws of labels, of
the best of PENALTIES for that many. The ridge and the floor of the variance of `patches` are no
options, but constants of its module, which are set for the while.
"""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

import jax
import numpy as np

from benchmarks import setting
from jax_al.drivers.engine import Engine
from jax_al.features.pool import with_features
from jax_al.learners import linear
from jax_al.pools.arrays import arrays
from jax_al.pools.load import benchmark
from jax_al.types import Benchmark

PATCHES = importlib.import_module("jax_al.features.patches")
PENALTIES = (1.0, 0.3, 0.1, 0.03)
LABELS = (50, 100, 1000)


class Row(NamedTuple):
    """Features and how a head reads them."""

    features: str
    options: Mapping[str, Any] = MappingProxyType({})
    scale: str = "columns"
    constants: Mapping[str, float] = MappingProxyType({})  # of the module of `patches`

    @property
    def name(self) -> str:
        """As it stands in the table."""
        scale = {} if self.scale == "columns" else {"scale": self.scale}
        given = {**self.options, **scale, **self.constants}
        told = [f"{name}={value}" for name, value in given.items()]
        return f"`{self.features}`" + (f", `{', '.join(told)}`" if told else "")


BOTH = {"mirror": True, "root": True}
WHITE = BOTH | {"pca": 256, "whiten": 0.5, "l2norm": True}
ROWS = (
    Row("patches"),
    Row("patches", {"root": True}),
    Row("patches", {"mirror": True}),
    Row("patches", BOTH),
    Row("patches", WHITE, "one"),
    Row("patches", WHITE | {"whiten": 0.3}, "one"),
    Row("patches", WHITE | {"whiten": 0.7}, "one"),
    Row("patches", WHITE | {"pca": 512}, "one"),
    Row("patches", BOTH | {"centroids": 200}),
    *(
        Row("patches", constants={"RIDGE": ridge, "CONTRAST": contrast})
        for ridge, contrast in ((0.1, 10.0), (3.0, 10.0), (0.1, 100.0), (1.0, 30.0), (1.0, 100.0))
    ),
    Row("lite0"),
    Row("lite0", {}, "one"),
    Row("lite0", {"pca": 256}),
    Row("lite0", {"pca": 256}, "one"),
    Row("lite0", {"pca": 256, "l2norm": True}, "one"),
    Row("lite0", {"pca": 256, "whiten": 0.5, "l2norm": True}, "one"),
)


def halves(data_dir: str | None, rows: int) -> Benchmark:
    """Returns a pool and a test set of `rows` images each, both from the pool of CIFAR-10."""
    data = benchmark("cifar10", data_dir=data_dir)
    drawn = np.random.default_rng(0).permutation(len(data.pool))[: 2 * rows]
    first, second = np.sort(drawn[:rows]), np.sort(drawn[rows:])
    return Benchmark(
        arrays(data.pool.read(first)),
        data.truth[first],
        data.classes,
        arrays(data.pool.read(second)),
        data.truth[second],
    )


def with_features_of(row: Row, data: Benchmark, cache: str) -> Benchmark:
    """Returns the features of `row` in place of the images."""
    if not row.constants:
        return with_features(data, row.features, cache_dir=cache, **row.options)
    # Neither what is cached nor what is compiled knows of constants.
    own = str(Path(cache) / row.name.replace(" ", "").replace("`", ""))
    with mock.patch.multiple(PATCHES, **row.constants):
        jax.clear_caches()
        made = with_features(data, row.features, cache_dir=own, **row.options)
    jax.clear_caches()
    return made


def accuracies(data: Benchmark, scale: str, draws: int) -> list[float]:
    """Returns the accuracy for each of LABELS."""
    found = np.zeros((len(PENALTIES), len(LABELS), draws))
    for i, penalty in enumerate(PENALTIES):
        engine = Engine(data, linear(penalty=penalty, scale=scale), setting.LOOKING)
        for j, labels in enumerate(LABELS):
            for draw in range(draws):
                rows = np.random.default_rng(draw).permutation(len(data.pool))[:labels]
                key, truth = jax.random.key(draw), data.truth[rows].tolist()
                state, _ = engine.fit(key, engine.init(key), rows.tolist(), truth, max(LABELS))
                found[i, j, draw] = engine.test(state).accuracy
    return found.mean(axis=2).max(axis=0).tolist()


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", help="where TFDS keeps its data")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--only", help="features whose name this is; else all")
    parser.add_argument("--out", type=Path, default=setting.RESULTS / "feature_options.md")
    arguments = parser.parse_args()
    data = halves(arguments.data_dir, arguments.rows)
    with setting.written(arguments.out) as lines, tempfile.TemporaryDirectory() as cache:
        lines += [
            "# Options of features",
            "",
            f"`python benchmarks/feature_options.py`: {setting.machine()}. CIFAR-10, "
            f"{arguments.rows:,} images of the pool to learn from and {arguments.rows:,} others of "
            f"it to test, {arguments.draws} draws of labels, `linear`, the best of the penalties "
            f"{', '.join(map(str, PENALTIES))}.",
            "",
            f"| | numbers | {' | '.join(f'{labels:,} labels' for labels in LABELS)} |",
            "|---|---:|" + "---:|" * len(LABELS),
        ]
        for row in ROWS:
            if arguments.only not in (None, row.features):
                continue
            made = with_features_of(row, data, cache)
            scores = accuracies(made, row.scale, arguments.draws)
            told = " | ".join(f"{score:.3f}" for score in scores)
            lines.append(f"| {row.name} | {made.pool.spec.shape[0]:,} | {told} |")
            print(lines[-1], flush=True)


if __name__ == "__main__":
    main()
