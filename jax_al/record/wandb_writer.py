"""Weights & Biases: a copy of the metrics for those who like it. It can fail; the run goes on."""

import contextlib
import os
import pathlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jax_al.durable import write_atomically
from jax_al.record.listeners import Event
from jax_al.session.records import Row

MODES = ("offline", "online", "disabled")
_ALSO = {"dryrun": "offline", "run": "online"}  # what wandb called them once


def mode_of(wanted: str) -> str:
    """Returns one of MODES: `wanted`, or of "auto" what WANDB_MODE says, else offline."""
    said = os.environ.get("WANDB_MODE", "") if wanted == "auto" else wanted
    return _ALSO.get(said, said if said in MODES else "offline")


class WandbWriter:
    """A listener: one wandb run per part, all in one group; the ids outlive a restart.

    Online a part's run is opened at once, so that whoever is not logged in hears of it now and not
    after hours of training; offline with its first row, since wandb's start takes longer than ours.
    It is tried once.

    Args:
      workdir: where wandb's files and the id are kept.
      mode: one of MODES.
      project: wandb's project.
      config: what wandb shows as the config.
      say: called with a sentence when wandb fails.
      group: the name of the group; None: the id in `workdir`.
    """

    def __init__(
        self,
        workdir: pathlib.Path,
        mode: str,
        project: str,
        config: Mapping[str, Any],
        say: Callable[[str], None],
        group: str | None = None,
    ):
        self._group = group
        self._workdir, self._mode, self._project, self._config = workdir, mode, project, config
        self._say = say
        self._runs: dict[tuple[str, int], Any] = {}  # by strategy and seed; None: did not start

    def on_event(self, event: Event) -> None:
        """Copies rows and pictures; opens and finishes the runs of parts."""
        match event["event"]:
            case "part_begun" if self._mode == "online":
                self._open(event["strategy"], event["seed"])
            case "row":
                self.log(event["row"])
            case "pictures":
                self.pictures(event["paths"])
            case "part_ended" | "part_failed":
                self._finish((event["strategy"], event["seed"]))
            case "run_ended":
                for part in tuple(self._runs):
                    self._finish(part)

    def log(self, row: Row) -> None:
        """Logs one row of metrics to the run of its part, at the step of its episode."""
        run = self._open(row.get("strategy", ""), row["seed"])
        if run is not None:
            with self._failures_told("log"):
                known = {name: value for name, value in row.items() if value is not None}
                run.log(known, step=row["episode"])

    def pictures(self, paths: Mapping[str, pathlib.Path]) -> None:
        """Logs pictures by name to all open runs."""
        for run in filter(None, self._runs.values()):
            with self._failures_told("log pictures"):
                import wandb

                run.log({name: wandb.Image(str(path)) for name, path in paths.items()})

    @contextlib.contextmanager
    def _failures_told(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of any kind: a guest does not stop the run
            self._say(f"wandb could not {what} ({error}); the run goes on without it.")

    def _open(self, strategy: str, seed: int) -> Any:
        """Returns the run of a part, None if it could not be started."""
        if (strategy, seed) not in self._runs and self._mode != "disabled":
            self._runs[strategy, seed] = None
            with self._failures_told("start"):
                self._runs[strategy, seed] = self._start(strategy, seed)
        return self._runs.get((strategy, seed))

    def _finish(self, part: tuple[str, int]) -> None:
        run = self._runs.pop(part, None)
        if run is not None:
            with self._failures_told("finish"):
                run.finish()

    def _start(self, strategy: str, seed: int) -> Any:
        import wandb

        id_file = self._workdir / "wandb_id.txt"
        if not id_file.exists():
            write_atomically(id_file, secrets.token_hex(4) + "\n")
        group = id_file.read_text().strip()
        part = f"{strategy}-{seed}" if strategy else str(seed)
        return wandb.init(
            project=self._project,
            mode=self._mode,  # type: ignore[arg-type]
            dir=str(self._workdir),
            id=f"{group}-{re.sub('[^0-9A-Za-z_-]', '_', part)}",  # of what wandb lets an id hold
            group=self._group or group,
            name=f"{self._workdir.name}-{part}",
            config=dict(self._config)
            | ({"strategy": strategy} if strategy else {})
            | {"seed": seed},
            # Offline there is nothing to ask, and the same id is merged when it is synced.
            resume="allow" if self._mode == "online" else None,
            reinit="create_new",  # the seeds that run together each have one open
            # wandb is a guest: it prints nothing and watches neither the code nor the console.
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, x_disable_stats=True
            ),
        )
