"""Six strategies side by side on Oxford Flowers-102, ten paired seeds, at a size for two cores.

    python launch.py --config=configs/flowers_compare.py

Images shrunk to 32x32 (a quarter of the work of `flowers_coreset`), 2,000 test images, 200 labels
and four times 200 more, ten stochastic passes. The same command continues it, in pieces of any
size. Random ends at 0.168, the best of the others at 0.164 (docs/results.md).
"""

from jax_al.recipes import flowers_random


def get_config():
    """Returns the recipe."""
    config = flowers_random.get_config()
    config.compare = ("random", "coreset", "entropy", "bald", "badge", "typiclust")
    config.num_seeds = 10
    config.data.image_size = 32
    config.data.test_size = 2_000
    config.initial_size = 200
    config.budget = 200
    config.max_episodes = 5
    config.num_samples = 10
    return config
