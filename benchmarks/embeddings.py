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

from jax_al.drivers.learner import Learner

from benchmarks import setting
from jax_al.strategies import make_strategy
from jax_al.types import empty_pool, label_points

LABELS = 10_000
OPTIONS = setting.OPTIONS._replace(capacity=LABELS, epochs=8, gamma=0.5, lr_step_epochs=3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", default="cifar10", help="digits or a TFDS name")
    arguments = parser.parse_args()
    dataset = setting.load_whole(arguments.data)
    model = setting.small_cnn(dataset.images.shape[1:], len(dataset.class_names), 512)
    learner = Learner(
        model,
        make_strategy("coreset"),  # looks at the embedding and nothing else
        dataset.images,
        dataset.test_images,
        dataset.test_labels,
        OPTIONS,
    )
    picks = np.random.default_rng(0).permutation(len(dataset.images))[:LABELS]
    pool = empty_pool(len(dataset.images), LABELS)
    pool = label_points(pool, picks, dataset.labels[picks])
    state, _ = learner.fit(jax.random.key(1), learner.init(jax.random.key(0)), pool)
    print(f"test accuracy {float(learner.evaluate(state).accuracy):.3f}")
    signals = learner.ask(jax.random.key(2), state, pool).signals
    embedding = np.asarray(signals.embedding, np.float32)
    np.save(arguments.out, embedding)
    print(f"{arguments.out}: {embedding.shape}")


if __name__ == "__main__":
    main()
