"""CIFAR-10 on unsupervised patches with a linear head.

    jax-al run cifar_features

The pool and test set of `cifar_coreset`, read as 400 patches of 6x6 pixels pooled over quadrants,
pictures and their mirror images alike (Coates, Lee & Ng 2011; docs/features.md), which takes some
minutes once: 256 components, half whitened, each row of length 1.
"""

from ml_collections import ConfigDict

from jax_al.recipes import cifar_coreset


def get_config():
    """Returns the recipe."""
    config = cifar_coreset.get_config()
    config.compare = ("random", "margin", "coreset", "typiclust")
    config.features = "patches"
    config.features_args = ConfigDict(
        {"mirror": True, "root": True, "pca": 256, "whiten": 0.5, "l2norm": True}
    )
    config.model = ConfigDict({"name": "linear", "scale": "one"})
    config.num_seeds = 5
    config.initial_size = 100
    config.budget = 100
    config.max_episodes = 10
    return config
