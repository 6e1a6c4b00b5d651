"""Deep active learning: who has many examples and money for few labels asks which to label next.

Names load what they need when they are used, so that `import jax_al` is light.
"""

import importlib
from typing import Any

__version__ = "0.3.0"  # pyproject.toml reads it here

# The public names, by where they come from.
_WHERE = {
    "jax_al.types": (
        "BROKEN", "NOTHING", "SKIP", "UNKNOWN", "UNSURE", "Answer", "Benchmark", "Examples",
        "Features", "Fit", "Learner", "Oracle", "Outputs", "Pool", "PoolState", "Query", "Signals",
        "Spec", "Strategy",
    ),
    "jax_al.geometry.kcenter": ("kcenter_greedy",),
    "jax_al.geometry.neighbours": ("nearest_neighbours",),
    "jax_al.geometry.robust": ("robust_kcenter",),
    "jax_al.features.pool": ("with_features",),
    "jax_al.pools.arrays": ("arrays",),
    "jax_al.pools.folder": ("folder",),
    "jax_al.pools.named": ("benchmark",),
    "jax_al.pools.subset": ("concatenate", "subset"),
    "jax_al.learners": (
        "calibrated", "cnn", "ensemble", "host_learner", "laplace", "linear", "mlp", "network",
        "propagate", "resnet18", "vgg16",
    ),
    "jax_al.strategies": ("by_score", "make_strategy", "select", "strategy"),
    "jax_al.drivers.predictor": ("load_predictor",),
    "jax_al.strategies.best_of": ("best_of",),
    "jax_al.drivers.session": ("Request", "Session"),
    "jax_al.drivers.from_python": ("run",),
}  # fmt: skip
_PLACE = {name: module for module, names in _WHERE.items() for name in names}
__all__ = sorted([*_PLACE, "testing"])


def __getattr__(name: str) -> Any:
    if name == "testing":
        return importlib.import_module("jax_al.testing")
    if name not in _PLACE:
        raise AttributeError(f"module 'jax_al' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACE[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
