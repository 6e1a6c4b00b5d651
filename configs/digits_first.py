"""The first minute: random beside core-set on scikit-learn's digits, five paired seeds.

    jax-al run digits_first

Sizes, network and schedule are those of `digits_coreset`, in fewer episodes.
"""

from jax_al.recipes import digits_coreset


def get_config():
    """Returns the recipe."""
    config = digits_coreset.get_config()
    config.compare = ("random", "coreset")
    config.num_seeds = 5
    config.max_episodes = 6
    return config
