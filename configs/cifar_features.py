"""CIFAR-10 on unsupervised patches with a linear head.

    jax-al run cifar_features

The pool and test set of `cifar_coreset`, read as 400 patches of 6x6 pixels pooled over quadrants
(Coates, Lee & Ng 2011; docs/features.md), which takes a minute or two once. Random labels:
benchmarks/results/features.md has the accuracy at 100 and at 1,000.
"""

from ml_collections import ConfigDict

from jax_al.recipes import cifar_coreset


def get_config():
    """Returns the recipe."""
    config = cifar_coreset.get_config()
    config.compare = ("random", "margin", "coreset", "typiclust")
    config.features = "patches"
    config.model = ConfigDict({"name": "linear"})
    config.num_seeds = 5
    config.initial_size = 100
    config.budget = 100
    config.max_episodes = 10
    return config
