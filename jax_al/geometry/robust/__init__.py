"""k-center with outliers: the smallest radius that covers all but a few points."""

from jax_al.geometry.robust.answer import Robust
from jax_al.geometry.robust.balls import greedy_with_outliers
from jax_al.geometry.robust.search import robust_kcenter

__all__ = ["Robust", "greedy_with_outliers", "robust_kcenter"]
