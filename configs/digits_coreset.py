"""Digits, coreset."""

from configs import default


def get_config():
    """Returns the recipe."""
    config = default.get_config()
    config.strategy = "coreset"
    config.data.name = "digits"
    config.initial_size = 20
    config.budget = 20
    config.epochs = 60
    config.lr_step_epochs = 50
    return config
