"""CIFAR-10, random sampling, a strong baseline: what a strategy has to beat to be of use.

    python launch.py --config=configs/cifar_strong.py

ResNet-18, shifts and mirrors, SGD with Nesterov momentum, weight decay and a cosine schedule:
learners trained like this leave less for a strategy to gain (Munjal et al. 2022, arXiv 2002.09564).
Meant for a GPU, where it has not been run: no accuracy and no time are claimed. On a CPU, to see it
work:

    python launch.py --config=configs/cifar_strong.py --workdir=runs/cifar_strong_small
      --config.model.width=8 --config.data.pool_size=2000 --config.data.test_size=1000
      --config.initial_size=500 --config.budget=500 --config.max_episodes=2 --config.num_seeds=1
      --config.epochs=20
"""

from ml_collections import ConfigDict

from jax_al.recipes import default


def get_config():
    """Returns the recipe."""
    config = default.get_config()
    config.num_seeds = 5
    config.strategy = "random"
    config.initial_size = 1_000
    config.budget = 1_000
    config.max_episodes = 10
    config.epochs = 200
    config.optimizer = "sgd"
    config.weight_decay = 5e-3  # decoupled: times the step size, so 5e-4 where that is 0.1
    config.schedule = "cosine"
    config.lr = 0.1
    config.batch_size = 128
    config.keep_checkpoints = 1
    config.model = ConfigDict({"name": "resnet18", "width": 64, "dropout_rates": (0.1,)})
    config.data.name = "cifar10"
    config.data.augment = True
    return config
