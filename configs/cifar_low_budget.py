"""Which embedding carries a strategy when there are 10 to 100 labels of CIFAR-10.

    python launch.py --config=configs/cifar_low_budget.py

Begins without any label and buys 10 at a time; otherwise pool, test set, network and training are
those of `cifar_compare`. Ten paired seeds, as differences are small beside the spread.
"""

from jax_al.recipes import cifar_compare

STRATEGIES = ("coreset", "probcover", "typiclust")
EMBEDDINGS = ("model", "random_net", "pixels_pca")
ENTRIES = (
    "random",
    *(f"{strategy}@{embedding}" for strategy in STRATEGIES for embedding in EMBEDDINGS),
)


def get_config():
    """Returns the recipe."""
    config = cifar_compare.get_config()
    config.compare = ENTRIES
    config.num_seeds = 10
    config.initial_size = 0
    config.budget = 10
    config.max_episodes = 11
    return config
