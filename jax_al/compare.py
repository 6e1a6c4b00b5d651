"""Several strategies with the same seeds, each in a workdir of its own inside of one directory.

Seed s has the same initial labels and the same networks to begin with whatever the strategy, so
strategies can be compared seed by seed. Every part is an ordinary run: what is finished is passed
over, what is not goes on, and any of them can be continued alone.
"""

import pathlib

from ml_collections import ConfigDict

from jax_al import experiment, records
from jax_al.base import UsageError
from jax_al.embeddings import check_embedding
from jax_al.strategies import make_strategy


def run(config: ConfigDict, directory: pathlib.Path, *, overwrite: bool = False) -> None:
    """Runs or continues the strategies of `config.compare`, then draws them together.

    Args:
      config: a recipe. An entry of `compare` is NAME, or NAME@EMBEDDING for a strategy that looks
        at another embedding; `strategy` is not used, and `strategy_args` go to all.
      directory: made if missing; the parts are DIRECTORY/NAME.
      overwrite: whether to remove what earlier runs left there.

    Raises:
      UsageError: the config, the data or the directory cannot be used.
    """
    parts = {}
    for entry in config.compare:
        name, part = _part(config, entry)
        if name in parts:
            raise UsageError(f"config.compare names {name!r} twice.")
        parts[name] = part
    shared = experiment.Shared()
    for name, part in parts.items():
        place = directory / name
        experiment.run(
            part, place, overwrite=overwrite, shared=shared, wandb_group=directory.resolve().name
        )
    from jax_al import report

    curves = {name: records.read_metrics(directory / name / "metrics.jsonl") for name in parts}
    report.plot_curves(directory / "curve.png", curves, config.data.name)
    print(f"All of them together: {directory / 'curve.png'}")
    places = [directory / name for name in parts]
    experiment.write_report(places, directory / "report.html", print)


def _part(config: ConfigDict, entry: str) -> tuple[str, ConfigDict]:
    """Returns the name and the config of one run; complains before any work is done."""
    strategy, _, embedding = entry.partition("@")
    part = config.copy_and_resolve_references()
    with part.unlocked():
        part.compare = ()
        part.strategy = strategy
        if embedding:
            part.strategy_args.embedding = embedding
    check_embedding(make_strategy(strategy, **part.strategy_args).embedding)
    is_file = embedding.endswith(".npy")
    return f"{strategy}@{pathlib.Path(embedding).stem}" if is_file else entry, part
