"""Oxford Flowers-102, random sampling: the baseline of the report's second experiment.

python launch.py --config=configs/flowers_random.py

Takes about 7 minutes a seed on 2 cores of an AMD EPYC (Zen 4), warm caches, jax 0.10.2. Test
accuracy on images shrunk to 64x64, seeds 0 to 2, mean and sample standard deviation: 0.056 +- 0.013
at 100 labels, 0.103 +- 0.013 at 500, 0.130 +- 0.005 at 1,000. 102 classes; docs/results.md on its
training.
"""

from jax_al.recipes import default


def get_config():
    """Returns the recipe."""
    config = default.get_config()
    config.strategy = "random"
    config.data.name = "oxford_flowers102"
    config.data.pool_splits = ("train", "validation")
    config.data.image_size = 64
    config.keep_checkpoints = 1  # 88 MB each
    return config
