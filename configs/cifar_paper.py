"""CIFAR-10, core-set, the protocol of Sener & Savarese 2018 (arXiv 1708.00489), section 5.

    python launch.py --config=configs/cifar_paper.py

VGG-16, RMSProp at 1e-3, 5,000 labels at a time, five seeds. What the paper does not tell is chosen
here: 5,000 initial labels, 50 epochs, batches of 128, dropout of a half beside the hidden layer,
and group norm. Meant for a GPU, where it has not been run: no accuracy and no time are claimed. On
a CPU, to see it work:

    python launch.py --config=configs/cifar_paper.py --workdir=runs/cifar_paper_small
      --config.model.width=8 --config.data.pool_size=2000 --config.data.test_size=1000
      --config.initial_size=500 --config.budget=500 --config.max_episodes=2 --config.num_seeds=1
"""

from ml_collections import ConfigDict

from jax_al.recipes import default


def get_config():
    """Returns the recipe."""
    config = default.get_config()
    config.num_seeds = 5
    config.strategy = "coreset"
    config.initial_size = 5_000
    config.budget = 5_000
    config.max_episodes = 5
    config.epochs = 50
    config.optimizer = "rmsprop"
    config.lr = 1e-3
    config.lr_step_epochs = 40
    config.batch_size = 128
    config.keep_checkpoints = 1
    config.model = ConfigDict(
        {"name": "vgg16", "width": 64, "embedding_size": 512, "dropout_rates": (0.5, 0.5)}
    )
    config.data.name = "cifar10"
    return config
