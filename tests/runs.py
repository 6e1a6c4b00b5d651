"""A tiny run on the embedded digits, for the tests of the experiment and the launcher."""

import json
import pathlib

from ml_collections import ConfigDict

from configs import default

ROOT = pathlib.Path(__file__).resolve().parents[1]
TINY = {
    "initial_size": 10,
    "budget": 7,
    "max_episodes": 3,
    "epochs": 2,
    "batch_size": 8,
    "test_batch_size": 64,
    "model.widths": (2, 3),
    "model.embedding_size": 4,
    "data.pool_size": 150,
    "data.test_size": 50,
    "wandb.mode": "disabled",
}


def tiny_config(**fields) -> ConfigDict:
    """Returns the tiny config, `fields` (dots as double underscores) changed."""
    config = default.get_config()
    changes = {name.replace("__", "."): value for name, value in fields.items()}
    config.update_from_flattened_dict(TINY | changes)
    return config.lock()


def tiny_flags(**fields) -> list[str]:
    """Returns the same as flags of launch.py."""
    changes = {name.replace("__", "."): value for name, value in fields.items()}
    values = [f"--config.{name}={value}" for name, value in (TINY | changes).items()]
    return [f"--config={ROOT / 'configs' / 'default.py'}", *values]


def without_times(workdir: pathlib.Path) -> list[dict]:
    """Returns the rows of metrics.jsonl without the seconds."""
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [
        {name: value for name, value in json.loads(line).items() if "seconds" not in name}
        for line in lines
    ]
