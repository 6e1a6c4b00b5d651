"""Embeddings to measure k-center with: trains the project's CNN and looks at the whole pool.

    TFDS_DATA_DIR=... python benchmarks/embeddings.py /tmp/embeddings.npy [--data cifar10]

10,000 random labels, 512 dimensions, eight epochs: about two minutes on two cores. Writes float32
[N, D] and says how well the network classifies; the file is data and stays out of the repository.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from benchmarks import setting
from jax_al.drivers.engine import Engine
from jax_al.strategies import make_strategy

LABELS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", default="cifar10", help="digits or a TFDS name")
    parser.add_argument("--labels", type=int, default=LABELS, help="or all, if there are fewer")
    arguments = parser.parse_args()
    data = setting.load_whole(arguments.data)
    learner = setting.small_cnn(512, epochs=8, gamma=0.5, lr_step_epochs=3)
    engine = Engine(data, learner, setting.LOOKING)
    N = len(data.pool)
    picks = np.random.default_rng(0).permutation(N)[: arguments.labels]
    labels, capacity = data.truth[picks], len(picks)
    state = engine.init(jax.random.key(0))
    state, _ = engine.fit(jax.random.key(1), state, picks.tolist(), labels.tolist(), capacity)
    print(f"test accuracy {engine.test(state).accuracy:.3f}")
    # Looks at the embedding and nothing else; an example has to be left to be picked.
    pool = setting.labeled(N, capacity, picks[: N - 1], labels[: N - 1])
    asked = engine.ask(jax.random.key(2), state, make_strategy("coreset"), pool, 1, 1)
    embedding = np.asarray(asked.signals.embedding, np.float32)
    np.save(arguments.out, embedding)
    print(f"{arguments.out}: {embedding.shape}")


if __name__ == "__main__":
    main()
