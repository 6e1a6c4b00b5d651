"""Exact greedy k-center: pure geometry, useful to someone who only has a matrix."""

from jax_al.kcenter.greedy import Greedy, kcenter_greedy
from jax_al.kcenter.traced import KCenter, greedy_k_center

__all__ = ["Greedy", "KCenter", "greedy_k_center", "kcenter_greedy"]
