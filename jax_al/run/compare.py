"""Several strategies with the same seeds, each in a workdir of its own inside of one directory.

Seed s has the same initial labels and the same networks to begin with whatever the strategy, so
strategies can be compared seed by seed. Every part is an ordinary run: what is finished is passed
over, what is not goes on, and any of them can be continued alone.
"""

import contextlib
import pathlib
import sys
import traceback

from ml_collections import ConfigDict

from jax_al import interrupt
from jax_al.errors import UsageError
from jax_al.features.fixed import check_embedding
from jax_al.record.terminal import describe_devices
from jax_al.run import experiment
from jax_al.session import records, workdir
from jax_al.strategies import make_strategy


def run(config: ConfigDict, directory: pathlib.Path, *, overwrite: bool = False) -> None:
    """Runs or continues the strategies of `config.compare`, then draws them together.

    Args:
      config: a recipe. An entry of `compare` is NAME, or NAME@EMBEDDING for a strategy that looks
        at another embedding; `strategy` is not used, and `strategy_args` go to all.
      directory: made if missing; the parts are DIRECTORY/NAME.
      overwrite: whether to remove what earlier runs left there.

    A strategy that fails does not keep the others from running; it is told at the end.

    Raises:
      UsageError: the config, the data or a directory cannot be used, or strategies failed in a
        way that the user can mend.
      RuntimeError: strategies failed otherwise; what they raised has been printed.
    """
    parts = {}
    for entry in config.compare:
        name, part = _part(config, entry)
        if name in parts:
            raise UsageError(f"config.compare names {name!r} twice.")
        parts[name] = part
    shared = experiment.Shared()
    _begin(parts, directory, overwrite, shared)
    failed: dict[str, Exception] = {}
    for name, part in parts.items():
        try:
            experiment.run(
                part, directory / name, shared=shared, wandb_group=directory.resolve().name
            )
        except OSError:  # a full disk is full for the others too
            raise
        except Exception as error:
            interrupt.check()  # a Ctrl-C may come as an error of some other kind
            failed[name] = error
            if isinstance(error, UsageError):
                print(f"{name} failed: {error}", file=sys.stderr, flush=True)
            else:
                traceback.print_exception(error)
            # Its frames hold what it had on the device, which the others may need.
            traceback.clear_frames(error.__traceback__)
    _draw(directory, list(parts), config.data.name)
    if failed:
        reasons = "; ".join(f"{name}: {_reason(error)}" for name, error in failed.items())
        sentence = f"{len(failed)} of {len(parts)} strategies failed. {reasons}"
        are_mendable = all(isinstance(error, UsageError) for error in failed.values())
        raise UsageError(sentence) if are_mendable else RuntimeError(sentence)


def _begin(
    parts: dict[str, ConfigDict],
    directory: pathlib.Path,
    overwrite: bool,
    shared: experiment.Shared,
) -> None:
    """Checks all parts, then clears them if they are to be overwritten, and writes their configs.

    All of them before the first begins: so what is interrupted goes on without --overwrite, and
    whoever looks at the directory meanwhile knows what is still to come. (What a strategy refuses
    only when its program is made, such as too many parameters for `bait`, comes after.)
    """
    describe_devices()  # before anything is touched: the wanted ones may not be there
    with contextlib.ExitStack() as held:
        for name in parts:
            held.enter_context(workdir.locked(directory / name))
        prepared = {name: experiment.prepare(part, shared) for name, part in parts.items()}
        if overwrite:
            for name in ("curve.png", "report.html"):
                (directory / name).unlink(missing_ok=True)
            for name in parts:
                workdir.clear(directory / name)
        else:
            for name, one in prepared.items():
                experiment.past(one, directory / name)
        for name, one in prepared.items():
            workdir.write_config(directory / name, one.public)


def _draw(directory: pathlib.Path, names: list[str], data_name: str) -> None:
    """Draws the strategies together, those that have ended an episode."""
    from jax_al import report

    curves = {}
    for name in names:
        with contextlib.suppress(UsageError):  # a file that cannot be read has failed its part
            curves[name] = records.read_metrics(directory / name / "metrics.jsonl")
    curves = {name: rows for name, rows in curves.items() if rows}
    if curves:
        report.plot_curves(directory / "curve.png", curves, data_name)
        print(f"All of them together: {directory / 'curve.png'}")
        places = [directory / name for name in curves]
        experiment.write_report(places, directory / "report.html", print)


def _reason(error: Exception) -> str:
    kind = type(error).__name__
    return str(error) if isinstance(error, UsageError) else f"{kind} (above)"


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
