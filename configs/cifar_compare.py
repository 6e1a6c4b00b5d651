"""Strategies side by side on CIFAR-10, three paired seeds, at a size for two cores.

    python launch.py --config=configs/cifar_compare.py

A fixed random subset of the pool (10,000) and of the test set (2,000), 200 labels and four times
200 more, ten stochastic passes; the rest as in `cifar_coreset`. The same command continues it, in
pieces of any size; `--config.compare="('random','bald')"` runs a selection. Random ends
at 0.41 and the best of them at 0.42 (docs/results.md); about four minutes a strategy on one core,
and twice that for `ceal`, which trains on its guesses too, and `bait`.
"""

from jax_al.recipes import default
from jax_al.strategies import STRATEGIES


def get_config():
    """Returns the recipe."""
    config = default.get_config()
    config.compare = ("random", *sorted(STRATEGIES.keys() - {"random"}))
    config.num_seeds = 3
    config.keep_checkpoints = 1
    config.data.name = "cifar10"
    config.data.pool_size = 10_000
    config.data.test_size = 2_000
    config.initial_size = 200
    config.budget = 200
    config.max_episodes = 5
    config.num_samples = 10
    return config
