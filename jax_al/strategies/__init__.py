"""The strategies: pure functions on numbers, one a file, and the table that names them."""

from jax_al.strategies.absent import zero_excluded
from jax_al.strategies.choosing import by_score
from jax_al.strategies.select import Picked, select
from jax_al.strategies.strategy import strategy
from jax_al.strategies.table import STRATEGIES, make_strategy, strategy_table

__all__ = [
    "STRATEGIES",
    "Picked",
    "by_score",
    "make_strategy",
    "select",
    "strategy",
    "strategy_table",
    "zero_excluded",
]
