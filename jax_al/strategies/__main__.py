"""Prints the table of docs/strategies.md: python -m jax_al.strategies."""

import signal

from jax_al.strategies import strategy_table

signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `| head` may close the pipe early
print(strategy_table())
