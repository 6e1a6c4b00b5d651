"""CIFAR-10, random sampling: the baseline of the report's experiment.

python launch.py --config=configs/cifar_random.py

Takes 87 s a seed on 2 cores of an AMD EPYC (Zen 4), warm caches, jax 0.10.2. Test accuracy on
recompressed CIFAR-10 images, seeds 0 to 2, mean and sample standard deviation: 0.224 +- 0.005 at
100 labels, 0.344 +- 0.002 at 500, 0.403 +- 0.008 at 1,000.
"""

from jax_al.recipes import default


def get_config():
    """Returns the recipe."""
    config = default.get_config()
    config.strategy = "random"
    config.data.name = "cifar10"
    return config
