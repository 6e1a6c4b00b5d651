"""Which initial weights learn on Flowers-102 at Adam 0.001? PyTorch's or Flax's, both in PyTorch.

    TFDS_DATA_DIR=... python benchmarks/initial_weights.py

The network and the training of configs/flowers_random.py, written with PyTorch alone, so that
nothing but the initial weights can differ: uniform within 1 / sqrt(fan in), biases too (PyTorch's
default), or truncated normal of variance 1 / fan in with biases of zero (Flax's). Needs the `bench`
extra. About eight minutes on two cores; prints a table.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    sys.exit("benchmarks/initial_weights.py runs in PyTorch: pip install 'jax_al[bench]'")

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run from a clone, installed or not

from jax_al.pools.load import benchmark

LABELS = (200, 500, 1_000)
SEEDS = (0, 1)
EPOCHS = 10
BATCH = 32
TESTED = 2_000


class Network(nn.Module):
    """The recipe's CNN for images of 64x64 and 102 classes."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 32, 3), nn.Conv2d(32, 64, 3)
        self.hidden, self.head = nn.Linear(64 * 30 * 30, 128), nn.Linear(128, 102)

    def forward(self, x):
        """Returns log-probabilities [B, 102] of images [B, 3, 64, 64]."""
        x = functional.max_pool2d(self.conv2(functional.relu(self.conv1(x))), 2)
        x = functional.dropout(x, 0.25, self.training).flatten(1)
        x = functional.dropout(functional.relu(self.hidden(x)), 0.5, self.training)
        return functional.log_softmax(self.head(x), 1)


def like_flax(module: nn.Module) -> None:
    """Gives a layer the weights that Flax would begin with (lecun_normal)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        deviation = module.weight[0].numel() ** -0.5
        # Cut off at two deviations, a normal has only 0.87963 of its own.
        nn.init.trunc_normal_(
            module.weight, std=deviation / 0.87963, a=-2 * deviation, b=2 * deviation
        )
        nn.init.zeros_(module.bias)


def images_and_labels() -> tuple[torch.Tensor, ...]:
    """Returns pool and test images, normalised over the pool, and their labels."""
    data = benchmark(
        "oxford_flowers102",
        pool_splits=("train", "validation"),
        test_split="test",
        test_size=TESTED,
        image_size=64,
    )
    pixels, test = (pool.read(slice(0, len(pool))) for pool in (data.pool, data.test))
    pixels = pixels.astype(np.float32)
    mean, deviation = pixels.mean(axis=(0, 1, 2)), pixels.std(axis=(0, 1, 2))

    def prepared(images):
        return torch.tensor((images.astype(np.float32) - mean) / deviation).permute(0, 3, 1, 2)

    labels = [torch.tensor(each).long() for each in (data.truth, data.test_labels)]
    return prepared(pixels), labels[0], prepared(test), labels[1]


def train(seed: int, count: int, init: str, X, Y, X_test, Y_test) -> tuple[float, float]:
    """Returns the training loss of the last epoch and the test accuracy."""
    torch.manual_seed(seed)
    network = Network()
    if init == "Flax":
        network.apply(like_flax)
    adam = torch.optim.Adam(network.parameters(), 1e-3)
    pool = torch.randperm(len(X))[:count]
    for _ in range(EPOCHS):
        network.train()
        total = 0.0
        for rows in pool[torch.randperm(count)].split(BATCH):
            adam.zero_grad()
            loss = functional.nll_loss(network(X[rows]), Y[rows])
            loss.backward()
            adam.step()
            total += loss.item() * len(rows)
    network.eval()
    with torch.no_grad():
        guesses = torch.cat([network(part).argmax(1) for part in X_test.split(500)])
    return total / count, (guesses == Y_test).float().mean().item()


def main() -> None:
    """Trains all of them."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    data = images_and_labels()
    print("| labels | seed | initial weights | training loss | test accuracy |")
    print("|---:|---:|---|---:|---:|")
    for count in LABELS:
        for seed in SEEDS:
            for init in ("PyTorch", "Flax"):
                loss, accuracy = train(seed, count, init, *data)
                print(f"| {count} | {seed} | {init} | {loss:.2f} | {accuracy:.3f} |", flush=True)


if __name__ == "__main__":
    main()
