"""Strategies side by side on scikit-learn's digits, twenty paired seeds.

    python launch.py --config=configs/digits_compare.py

Sizes, network and schedule are those of `digits_coreset`. The same command continues it, in pieces
of any size; `--config.compare="('random','bald')"` runs a selection. Random ends
at 0.955 and the best of them at 0.988 (docs/results.md); some three minutes a strategy on one core.
"""

from jax_al.recipes import digits_random
from jax_al.strategies import STRATEGIES


def get_config():
    """Returns the recipe."""
    config = digits_random.get_config()
    config.compare = ("random", *sorted(STRATEGIES.keys() - {"random"}))
    config.num_seeds = 20
    config.keep_checkpoints = 1
    return config
