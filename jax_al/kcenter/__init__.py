"""Exact greedy k-center: pure geometry, useful to someone who only has a matrix."""

from jax_al.kcenter.greedy import Greedy, kcenter_greedy
from jax_al.kcenter.traced import KCenter, kcenter_greedy_traced

__all__ = ["Greedy", "KCenter", "kcenter_greedy", "kcenter_greedy_traced"]
