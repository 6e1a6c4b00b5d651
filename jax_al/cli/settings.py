"""What the learner is told of the config."""

from collections.abc import Mapping
from typing import Any

from jax_al.cli.config import check as check
from jax_al.run.learner import Options


def capacity(fields: Mapping[str, Any], num_points: int, pseudo_labels: bool) -> int:
    """Returns L, the most labels a run over a pool of `num_points` can come to train on."""
    if pseudo_labels:
        return num_points  # any point may get one
    wanted = fields["initial_size"] + fields["budget"] * (fields["max_episodes"] - 1)
    return max(1, min(wanted, num_points))  # arrays of no length are nobody's friend


def learner_options(fields: Mapping[str, Any], num_points: int, pseudo_labels: bool) -> Options:
    """Returns what the learner wants to know of the config.

    Args:
      fields: the config, flat.
      num_points: N.
      pseudo_labels: whether the strategy brings labels of its own.
    """
    same = {name: fields[name] for name in Options._fields if name in fields}
    return Options(
        **same
        | {
            "budget": min(fields["budget"], num_points),
            "capacity": capacity(fields, num_points, pseudo_labels),
            "augment": fields["data.augment"],
        }
    )
