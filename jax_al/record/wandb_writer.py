"""Weights & Biases: a copy of the metrics for those who like it. It can fail; the run goes on."""

import contextlib
import pathlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jax_al.session.records import Row, write_atomically

MODES = ("offline", "online", "disabled")


class WandbWriter:
    """One wandb run per seed, all in one group; the ids outlive a restart.

    Args:
      workdir: where wandb's files and the id are kept.
      mode: one of MODES.
      project: wandb's project.
      config: what wandb shows as the config.
      say: called with a sentence when wandb fails.
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
        self._expected: set[int] = set()  # seeds whose runs are to be opened
        self._runs: dict[int, Any] = {}

    @contextlib.contextmanager
    def seeds(self, seeds: Sequence[int]) -> Iterator[None]:
        """Opens the runs of `seeds`; `log` and `pictures` go there until the block ends.

        Online at once, so that whoever is not logged in hears of it now and not after hours of
        training; offline with the first row, since wandb's start takes longer than our own.
        """
        self._expected = set(seeds) if self._mode != "disabled" else set()
        if self._mode == "online":
            for seed in seeds:
                self._open(seed)
        try:
            yield
        finally:
            while self._runs:
                with self._failures_told("finish"):
                    self._runs.popitem()[1].finish()

    def log(self, row: Row) -> None:
        """Logs one row of metrics to the run of its seed, at the step of its episode."""
        self._open(row["seed"])
        if row["seed"] in self._runs:
            with self._failures_told("log"):
                known = {name: value for name, value in row.items() if value is not None}
                self._runs[row["seed"]].log(known, step=row["episode"])

    def pictures(self, paths: Mapping[str, pathlib.Path]) -> None:
        """Logs pictures by name to all open runs."""
        for run in self._runs.values():
            with self._failures_told("log pictures"):
                import wandb

                run.log({name: wandb.Image(str(path)) for name, path in paths.items()})

    @contextlib.contextmanager
    def _failures_told(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of any kind: a guest does not stop the run
            self._say(f"wandb could not {what} ({error}); the run goes on without it.")

    def _open(self, seed: int) -> None:
        """Starts the run of `seed`, which is tried once."""
        if seed in self._expected:
            self._expected.remove(seed)
            with self._failures_told("start"):
                self._runs[seed] = self._start(seed)

    def _start(self, seed: int) -> Any:
        import wandb

        id_file = self._workdir / "wandb_id.txt"
        if not id_file.exists():
            write_atomically(id_file, secrets.token_hex(4) + "\n")
        group = id_file.read_text().strip()
        return wandb.init(
            project=self._project,
            mode=self._mode,  # type: ignore[arg-type]
            dir=str(self._workdir),
            id=f"{group}-{seed}",
            group=self._group or group,
            name=f"{self._workdir.name}-{seed}",
            config=dict(self._config) | {"seed": seed},
            # Offline there is nothing to ask, and the same id is merged when it is synced.
            resume="allow" if self._mode == "online" else None,
            reinit="create_new",  # the seeds that run together each have one open
            # wandb is a guest: it prints nothing and watches neither the code nor the console.
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, x_disable_stats=True
            ),
        )
