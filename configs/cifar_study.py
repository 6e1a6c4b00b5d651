"""A study in a coffee break: ten strategies on features of all of CIFAR-10, twenty paired seeds.

    jax-al run cifar_study

2,000 episodes: pool of 50,000, test set of 10,000, 100 labels and nine times 100 more. The images
are read once as `lite0` (docs/features.md; wants the extra `pretrained`): 256 components, each
row of length 1, with a linear head whose penalty is chosen at every fit. docs/which.md has the
table and how long it took.
"""

from ml_collections import ConfigDict

from jax_al.recipes import cifar_coreset


def get_config():
    """Returns the recipe."""
    config = cifar_coreset.get_config()
    config.compare = (
        "random", "entropy", "margin", "badge", "coreset", "kmeans", "typiclust", "cluster_margin",
        "max_herding", "uncertainty_herding",
    )  # fmt: skip
    config.features = "lite0"
    config.features_args = ConfigDict({"pca": 256, "l2norm": True})
    config.model = ConfigDict({"name": "linear", "scale": "one"})
    config.num_seeds = 20
    config.jobs = 2
    config.keep_checkpoints = 1
    config.initial_size = 100
    config.budget = 100
    config.max_episodes = 10
    return config
