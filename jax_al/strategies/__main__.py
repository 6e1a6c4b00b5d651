"""Prints the table of the strategies that the README shows: python -m jax_al.strategies."""

from jax_al.strategies import strategy_table

print(strategy_table())
