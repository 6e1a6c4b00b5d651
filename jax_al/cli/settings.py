"""Is a config sensible? Asked before any work, so that a mistake costs a second and not a night."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from jax_al.errors import UsageError, did_you_mean
from jax_al.learners.optimizers import OPTIMIZERS, SCHEDULES
from jax_al.oracles.simulated import INITIAL
from jax_al.record.wandb_writer import MODES
from jax_al.run.learner import Options
from jax_al.run.replicates import FORMS

_AT_LEAST = {
    "seed": 0,
    "num_seeds": 1,
    "seeds_at_once": 1,
    "initial_size": 0,
    "budget": 1,
    "max_episodes": 1,
    "epochs": 1,
    "lr_step_epochs": 1,
    "batch_size": 1,
    "test_batch_size": 1,
    "num_samples": 1,
    "keep_checkpoints": 1,
    "data.pool_size": 1,
    "data.test_size": 1,
    "data.image_size": 1,
}
_POSITIVE = ("lr", "gamma")
_CHOICES: dict[str, Collection[str]] = {
    "compute_dtype": ("float32", "bfloat16"),
    "initial": INITIAL,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "seed_axis": FORMS,
    "wandb.mode": MODES,
}


def check(fields: Mapping[str, Any]) -> None:
    """Holds every field that has a range against it.

    Args:
      fields: the config, flat: {"data.name": ...}.

    Raises:
      UsageError: names the first field that is out of range, its value and the range.
    """
    for name, least in _AT_LEAST.items():
        if fields[name] is not None and fields[name] < least:
            raise UsageError(f"config.{name} is {fields[name]}, but must be at least {least}.")
    if fields["seed"] + fields["num_seeds"] > 2**32:
        raise UsageError("config.seed and all that follow it must be below 2**32, JAX's limit.")
    for name in _POSITIVE:
        if not (fields[name] > 0 and math.isfinite(fields[name])):
            raise UsageError(f"config.{name} is {fields[name]}, but must be a positive number.")
    if not (fields["weight_decay"] >= 0 and math.isfinite(fields["weight_decay"])):
        raise UsageError(
            f"config.weight_decay is {fields['weight_decay']}, but must be a number from 0 on."
        )
    for name, choices in _CHOICES.items():
        if fields[name] not in choices:
            raise UsageError(
                f"config.{name} is {fields[name]!r}: {did_you_mean(fields[name], choices)}"
            )
    if not fields["data.pool_splits"]:
        raise UsageError("config.data.pool_splits is empty, but must name a split.")


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
