r"""Which embedding carries a strategy when there are 10 to 100 labels of the digits.

    python launch.py --config=configs/digits_low_budget.py

Begins without any label and buys 10 at a time; otherwise as `digits_compare`. On to 1,000 labels:

    python launch.py --config=configs/digits_low_budget.py --config.budget=250 \
        --config.max_episodes=5 --config.num_seeds=5 --workdir=runs/digits_low_budget_1000
"""

from jax_al.recipes import cifar_low_budget, digits_compare


def get_config():
    """Returns the recipe."""
    config = digits_compare.get_config()
    config.compare = cifar_low_budget.ENTRIES
    config.initial_size = 0
    config.budget = 10
    config.max_episodes = 11
    return config
