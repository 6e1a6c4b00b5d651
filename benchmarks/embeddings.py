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

from jax_al import data, models
from jax_al.base import Query, Strategy, empty_pool, label_points
from jax_al.inference import fit_normalizer
from jax_al.learner import Learner, Options
from jax_al.signals import pool_signals

LABELS = 10_000
EMBEDDING = frozenset({"embedding"})
OPTIONS = Options(
    budget=1,
    capacity=LABELS,
    epochs=8,
    optimizer="adam",
    weight_decay=0.0,
    schedule="step",
    lr=1e-3,
    gamma=0.5,
    lr_step_epochs=3,
    batch_size=32,
    test_batch_size=1_000,
    num_samples=1,
    augment=False,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", default="cifar10", help="digits or a TFDS name")
    arguments = parser.parse_args()
    dataset = data.load(
        arguments.data,
        data_dir=None,
        cache_dir=None,
        pool_splits=("train",),
        pool_size=None,
        test_split="test",
        test_size=None,
        image_size=None,
    )
    model = models.make_model(
        "cnn",
        dataset.images.shape[1:],
        len(dataset.class_names),
        widths=(32, 64),
        embedding_size=512,
        dropout_rates=(0.25, 0.5),
    )
    nobody = Strategy(
        frozenset(), lambda key, signals, pool, budget: Query(pool.order[:budget], {})
    )
    learner = Learner(
        model, nobody, dataset.images, dataset.test_images, dataset.test_labels, OPTIONS
    )
    picks = np.random.default_rng(0).permutation(len(dataset.images))[:LABELS]
    pool = empty_pool(len(dataset.images), LABELS)
    pool = label_points(pool, picks, dataset.labels[picks])
    state, _ = learner.fit(jax.random.key(1), learner.init(jax.random.key(0)), pool)
    print(f"test accuracy {float(learner.evaluate(state).accuracy):.3f}")
    signals = pool_signals(
        jax.random.key(2),
        state.params,
        dataset.images,
        fit_normalizer(dataset.images),
        model=model,
        needs=EMBEDDING,
        chunk_size=OPTIONS.test_batch_size,
        num_samples=1,
    )
    embedding = np.asarray(signals.embedding, np.float32)
    np.save(arguments.out, embedding)
    print(f"{arguments.out}: {embedding.shape}")


if __name__ == "__main__":
    main()
