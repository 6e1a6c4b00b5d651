"""CIFAR-10, random."""

from configs import default


def get_config():
    """Returns the recipe."""
    config = default.get_config()
    config.strategy = "random"
    config.data.name = "cifar10"
    return config
