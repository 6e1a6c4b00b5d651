"""CIFAR-10, coreset."""

from configs import default


def get_config():
    """Returns the recipe."""
    config = default.get_config()
    config.strategy = "coreset"
    config.data.name = "cifar10"
    return config
