"""What config.json says, of a run of one strategy or of many."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from jax_al.errors import UsageError
from jax_al.session.records import read_json

# What makes two runs runs on the same data; where it lies does not matter.
DATA_FIELDS = (
    "data.name",
    "data.image_key",
    "data.label_key",
    "data.labels",
    "data.pool_splits",
    "data.pool_size",
    "data.imbalance",
    "data.test_split",
    "data.test_path",
    "data.test_size",
    "data.image_size",
)
# What may differ between runs of one strategy without making it another.
INCIDENTAL = (
    "layout",
    "seed",
    "num_seeds",
    "seed_axis",
    "seeds_at_once",
    "jobs",
    "scheduler",
    "part",
    "compare",
    "max_episodes",
    "keep_checkpoints",
    "data.data_dir",
    "data.cache_dir",
    "data.resident",
    "wandb.mode",
    "wandb.project",
)
# Fields that came later, at what was the case before they did.
ABSENT = {"oracle": "simulated", "features": None}
TEXTS, COUNTS = ("strategy", "data.name"), ("seed", "num_seeds", "max_episodes")  # must be there
EMBEDDING = "strategy_args.embedding"


def read_config(path: pathlib.Path) -> dict[str, Any]:
    """Returns the config of a run, flat: {"data.name": ...}.

    Raises:
      UsageError: it is not one, or lacks what no report can do without.
    """
    try:
        found = read_json(path)
    except UsageError:
        found = None
    if not isinstance(found, Mapping):
        raise UsageError(f"{path} is not the config of a run.")
    config = flat(found)
    for name in (*TEXTS, *COUNTS):
        if name not in config:
            raise UsageError(f"{path} has no field {name!r}.")
        fits = isinstance(config[name], str) if name in TEXTS else is_count(config[name])
        if not fits:
            wanted = "a text" if name in TEXTS else "a count"
            raise UsageError(f"{path} has {config[name]!r} as {name}, which is not {wanted}.")
    return config


def alone(config: Mapping[str, Any], found: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Returns {name of the parts: the config as if that strategy had run alone}.

    Args:
      config: of a run of the new layout.
      found: the names of parts on record; those that the config compares come before others.
    """
    entries = {_part_name(entry): entry for entry in config.get("compare") or ()}
    if not entries and len(found) < 2:
        return {name: dict(config) for name in found or [config["strategy"]]}
    configs = {}
    for name in dict.fromkeys([*entries, *found]):
        strategy, _, embedding = entries.get(name, name).partition("@")
        chosen = {EMBEDDING: embedding} if embedding else {}
        configs[name] = {**config, "compare": [], "strategy": strategy, **chosen}
    return configs


def _part_name(entry: str) -> str:
    """Returns what the parts of an entry of `compare` are called: a file by its stem."""
    strategy, at, embedding = entry.partition("@")
    return strategy + at + embedding_name(embedding)


def embedding_name(embedding: str) -> str:
    """Returns what an embedding is called: a file by its stem."""
    return pathlib.PurePath(embedding).stem if embedding.endswith(".npy") else embedding


def flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns {"data.name": ...} for {"data": {"name": ...}}."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        inside = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{name}.") if inside else {prefix + name: value}
    return found


def is_count(value: object) -> bool:
    """Whether it is a whole number from 0 on that an array can hold."""
    return type(value) is int and 0 <= value < 2**63
