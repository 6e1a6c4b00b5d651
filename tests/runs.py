"""Tiny runs on the embedded digits and on made-up tables, for the tests of whole runs."""

import json
import pathlib
from typing import Any

from ml_collections import ConfigDict

from configs import default
from jax_al.cli.build import study_of
from jax_al.cli.config import check_same
from jax_al.drivers import experiment
from jax_al.drivers.part import Tell
from jax_al.drivers.study import Study
from jax_al.session.journal import Journal
from jax_al.session.progress import Progress

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


def tiny_config(model: dict[str, Any] | None = None, **fields) -> ConfigDict:
    """Returns the tiny config, `fields` (dots as double underscores) changed.

    Args:
      model: the name of another learner and its options.
      **fields: of the config.
    """
    config = default.get_config()
    changes = {name.replace("__", "."): value for name, value in fields.items()}
    config.update_from_flattened_dict(TINY | changes)
    if model is not None:
        config.model = ConfigDict(model)
    return config.lock()


def tiny_flags(**fields) -> list[str]:
    """Returns the same as flags of launch.py."""
    changes = {name.replace("__", "."): value for name, value in fields.items()}
    values = [f"--config.{name}={value}" for name, value in (TINY | changes).items()]
    return [f"--config={ROOT / 'configs' / 'default.py'}", *values]


def run(
    workdir: pathlib.Path | None,
    tell: Tell = lambda event: None,
    *,
    overwrite: bool = False,
    **fields,
) -> list[Progress]:
    """Runs or continues the tiny config in `workdir`, without what is for people to look at.

    Args:
      workdir: of the run.
      tell: is told the events.
      overwrite: whether to begin anew.
      **fields: as those of `tiny_config`.
    """
    return run_study(study(**fields), workdir, tell, overwrite=overwrite)


def study(**fields) -> Study:
    """Returns the study of the tiny config, its data read."""
    return study_of(json.loads(tiny_config(**fields).to_json_best_effort()))


def run_study(
    study: Study,
    workdir: pathlib.Path | None,
    tell: Tell = lambda event: None,
    *,
    overwrite: bool = False,
    share: tuple[int, int] = (1, 1),
) -> list[Progress]:
    """Runs or continues a study, or its part K of N, as `run` does."""
    return experiment.run(
        study, workdir, tell=tell, overwrite=overwrite, check_same=check_same, share=share
    )


def rows_of(workdir: pathlib.Path) -> list[dict]:
    """Returns the rows of metrics.jsonl."""
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def without_times(workdir: pathlib.Path) -> list[dict]:
    """Returns the rows of metrics.jsonl without the seconds."""
    return [
        {name: value for name, value in row.items() if "seconds" not in name}
        for row in rows_of(workdir)
    ]


def part_of(workdir: pathlib.Path, strategy: str = "coreset", seed: int = 0) -> pathlib.Path:
    """Returns the directory of a part."""
    return workdir / "parts" / strategy / f"seed_{seed}"


def digests(workdir: pathlib.Path) -> dict[tuple[str, int], str]:
    """Returns the digest of the State of each part and episode, the part by its directory."""
    return {
        (str(path.parent.relative_to(workdir)), episode): trained.digest
        for path in sorted(workdir.glob("parts/*/seed_*/journal.jsonl"))
        for episode, trained in Journal(path.parent).fold().trained.items()
    }


def assert_same(workdir: pathlib.Path, other: pathlib.Path) -> None:
    """Holds that two runs have come to the same, to the last bit."""
    assert without_times(workdir) == without_times(other)
    assert (workdir / "picks.csv").read_bytes() == (other / "picks.csv").read_bytes()
    assert digests(workdir) == digests(other)
