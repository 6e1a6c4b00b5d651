"""Strategies on features of Oxford Flowers-102: one label a class on average, to ten.

    jax-al run flowers_features

The pool of `flowers_coreset`, 2,040 images, read as `lite0` (docs/features.md; wants the extra
`pretrained`) with a linear head; 102 labels and nine times 102 more. docs/which.md has the table.
"""

from jax_al.recipes import cifar_study, flowers_coreset


def get_config():
    """Returns the recipe."""
    config = cifar_study.get_config()
    config.data = flowers_coreset.get_config().data
    config.initial_size = 102
    config.budget = 102
    return config
