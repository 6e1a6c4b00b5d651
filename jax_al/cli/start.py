"""A run as the command line starts it: the study, those who listen, and the pictures at the end."""

import functools
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import jax
from ml_collections import ConfigDict

from jax_al.cli.build import study_of
from jax_al.cli.config import check_same
from jax_al.drivers import cluster, experiment
from jax_al.drivers.part import Tell
from jax_al.drivers.study import Study
from jax_al.errors import in_words
from jax_al.pools.rows import Numbers, whole_index
from jax_al.record import looks
from jax_al.record.listeners import Listener, tell
from jax_al.record.look_writer import LookWriter
from jax_al.record.terminal import Terminal, describe_devices
from jax_al.record.wandb_writer import WandbWriter, mode_of


def start(config: ConfigDict, root: pathlib.Path, *, overwrite: bool) -> None:
    """Runs or continues what `config` describes in `root`.

    Raises:
      UsageError: the config, the data or the directory cannot be used, or parts failed in a way
        that the user can mend.
      PartsError: they failed otherwise; what they raised has been printed.
    """
    devices = describe_devices()  # before anything is touched: the wanted ones may not be there
    # What share of a run a process computes is none of the run's business.
    public = json.loads(config.to_json_best_effort()) | {"part": None}
    study = study_of(public)
    run_all = None
    if config.jobs > 1 or config.scheduler is not None:
        run_all = cluster.executor(
            functools.partial(study_of, public),
            in_a_worker,
            jobs=config.jobs,
            scheduler=config.scheduler,
        )
    number, total = map(int, (config.part or "1/1").split("/"))
    experiment.run(
        study,
        root,
        tell=_telling(study, root, devices),
        overwrite=overwrite,
        check_same=check_same,
        share=(number, total),
        run_all=run_all,
    )


def in_a_worker(study: Study) -> Tell:
    """Returns what is told, in the process that computes a part, of the events that hold arrays."""
    del study
    listeners: list[Listener] = [LookWriter()]
    return functools.partial(tell, listeners)


def _telling(study: Study, root: pathlib.Path, devices: str) -> Tell:
    """Returns what hands the events of a run to all listeners, in their words."""
    terminal = Terminal()
    wandb = study.public["wandb"]
    listeners: list[Listener] = [
        terminal,
        WandbWriter(root, mode_of(wandb["mode"]), wandb["project"], study.public, terminal.say),
        LookWriter(),
    ]
    waiting: set[tuple[str, int]] = set()  # parts of this process

    def on_event(event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "run_begun":
                waiting.update((part.name, part.seed) for part in event["parts"])
                _save_pool(study, root)
                begun = {"facts": _facts(study, root, devices), "total": event["work"]}
                tell(listeners, {**event, **begun, "strategies": list(study.strategies)})
            case "part_ended" | "part_failed":
                waiting.discard((event["strategy"], event["seed"]))
                if not waiting:  # wandb's last run is still open to take them
                    terminal.phase("drawing the pictures")
                    tell(listeners, {"event": "pictures", "paths": _draw(study, root, terminal)})
                tell(listeners, event)
            case "run_ended":
                if event["is_whole"]:
                    terminal.phase("writing the report")
                    write_page(root, terminal)
                tell(listeners, event)
            case _:
                tell(listeners, event)

    return on_event


def _save_pool(study: Study, root: pathlib.Path) -> None:
    pool, truth = study.benchmark.pool, study.benchmark.truth
    ids = None if isinstance(pool.ids, Numbers) else pool.ids
    looks.write_pool(root, whole_index(pool), ids, study.benchmark.classes, truth)


def _facts(study: Study, root: pathlib.Path, devices: str) -> dict[str, object]:
    data, schedule = study.benchmark, study.schedule
    test = f"test {len(data.test):,}" if data.test else "no test set"
    shape = "x".join(map(str, data.pool.spec.shape))
    shape += f" {study.public['features']}" if study.public.get("features") else ""
    names, count = ", ".join(study.strategies), len(study.seeds)
    seeds = f"{count} seed{'' if count == 1 else 's'}"
    return {
        "jax": f"{jax.__version__} on {devices}",
        "data": f"{data.name} {data.version}: pool {len(data.pool):,}, {test}, "
        f"{len(data.classes)} classes, {shape}",
        "strategy": f"{names}: {schedule.initial_size} labels, then {schedule.budget} an episode, "
        f"{schedule.max_episodes} episodes, {seeds} from {study.seeds[0]}",
        "workdir": root,
    }


def _draw(study: Study, root: pathlib.Path, terminal: Terminal) -> dict[str, pathlib.Path]:
    """Draws the pictures from the files of the run; returns where they are, if it can be done."""
    from jax_al import report  # matplotlib and plotly: half a second that a start need not wait

    try:
        paths = report.draw(root, study.benchmark.pool.show)
    except Exception as error:  # all is recorded, and can be drawn another time
        print(f"No pictures this time: {in_words(error)}", file=sys.stderr)
        return {}
    if paths:
        terminal.say(f"Pictures: {' and '.join(map(str, paths.values()))}")
    return paths


def write_page(root: pathlib.Path, terminal: Terminal) -> None:
    """Writes the page about the run and says where it is; a failure is told and nothing more."""
    from jax_al import report  # matplotlib and plotly: half a second that a start need not wait

    page = root / "report.html"
    try:
        written = report.write_report([root], page)
    except Exception as error:  # all is recorded; a page that fails takes nothing from it
        print(f"No report this time: {in_words(error)}", file=sys.stderr)
    else:
        for line in written.outcome:
            terminal.say(line)
        terminal.say(f"Report: {page}")
