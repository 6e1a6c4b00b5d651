"""Exact greedy k-center: pure geometry, useful to someone who only has a matrix."""

from jax_al.geometry.kcenter.greedy import Greedy, kcenter_greedy
from jax_al.geometry.kcenter.traced import KCenter, cover_radius_traced, kcenter_greedy_traced

__all__ = [
    "Greedy",
    "KCenter",
    "cover_radius_traced",
    "kcenter_greedy",
    "kcenter_greedy_traced",
]
