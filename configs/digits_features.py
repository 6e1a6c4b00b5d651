"""Digits on unsupervised patches with a linear head: strategies side by side, in a minute.

    jax-al run digits_features

The pool of `digits_first`, read as 4x4 patches (docs/features.md); five paired seeds.
"""

from ml_collections import ConfigDict

from jax_al.recipes import digits_coreset


def get_config():
    """Returns the recipe."""
    config = digits_coreset.get_config()
    config.compare = ("random", "margin", "coreset", "typiclust")
    config.features = "patches"
    config.features_args = ConfigDict({"patch": 4, "centroids": 100})
    config.model = ConfigDict({"name": "linear"})
    config.num_seeds = 5
    config.max_episodes = 6
    return config
