"""Oxford Flowers-102, core-set: the report's second experiment.

python launch.py --config=configs/flowers_coreset.py

Not measured yet over seeds; see the README on what the learning rate of the report does here.
"""

from configs import default


def get_config():
    """Returns the recipe."""
    config = default.get_config()
    config.strategy = "coreset"
    config.data.name = "oxford_flowers102"
    config.data.pool_splits = ("train", "validation")
    config.data.image_size = 64
    config.keep_checkpoints = 1  # 88 MB each
    return config
