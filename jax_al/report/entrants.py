"""Who is compared: the runs of one strategy put together over their seeds, each with a name."""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from jax_al.report.workdirs import INCIDENTAL, ReportError, Workdir, check_same_data


class Entrant(NamedTuple):
    """A strategy with its options: one line in every picture."""

    name: str
    runs: list[Workdir]

    @property
    def config(self) -> dict[str, Any]:
        """The config of its first run."""
        return self.runs[0].config

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The rows of all its seeds."""
        return [row for run in self.runs for row in run.metrics]

    @property
    def picks(self) -> dict[int, dict[int, list[int]]]:
        """{seed: {episode: indices}} of all its seeds."""
        return {seed: picks for run in self.runs for seed, picks in run.picks.items()}

    @property
    def seeds(self) -> list[int]:
        """The seeds that have ended an episode."""
        return sorted({row["seed"] for row in self.metrics})

    def path(self, seed: int) -> pathlib.Path:
        """The workdir that holds a seed."""
        return next(run.path for run in self.runs if any(r["seed"] == seed for r in run.metrics))

    def curve(self, field: str = "test_accuracy") -> dict[int, dict[int, float]]:
        """Returns {seed: {label count: field}}, without rows where it is null or absent."""
        found: dict[int, dict[int, float]] = {}
        for row in self.metrics:
            if row.get(field) is not None:
                found.setdefault(row["seed"], {})[row["num_labeled"]] = float(row[field])
        return found


def gather(runs: Sequence[Workdir]) -> list[Entrant]:
    """Groups runs by strategy and options, and names them.

    A name is the strategy's, with the fields that set it apart where several share it. Runs that
    have not ended an episode yet are left out.

    Raises:
      ReportError: different data, nothing to show yet, or the same seed twice.
    """
    check_same_data(runs)
    shown = [run for run in runs if run.metrics]
    if not shown:
        where = ", ".join(str(run.path) for run in runs)
        raise ReportError(f"There is nothing to report yet: no episode has ended in {where}.")
    groups: dict[str, list[Workdir]] = {}
    for run in shown:
        settings = {key: val for key, val in run.config.items() if key not in INCIDENTAL}
        groups.setdefault(repr(sorted(settings.items())), []).append(run)
    entrants = [Entrant(_name(same, shown), same) for same in groups.values()]
    for entrant in entrants:
        owner: dict[int, pathlib.Path] = {}
        for run in entrant.runs:
            for seed in {row["seed"] for row in run.metrics}:
                if seed in owner:
                    raise ReportError(
                        f"Seed {seed} of {entrant.name} is in {owner[seed]} and in {run.path}; "
                        "name only one of them."
                    )
                owner[seed] = run.path
    return entrants


def differing(entrants: Sequence[Entrant]) -> dict[str, list[Any]]:
    """Returns {field: the value of each} for the settings in which entrants differ.

    The strategy and its options differ by intention and are not among them.
    """
    configs = [entrant.config for entrant in entrants]
    return {
        field: values
        for field in dict.fromkeys(field for config in configs for field in config)
        if field not in INCIDENTAL and not field.startswith("strategy")
        for values in [[config.get(field) for config in configs]]
        if any(value != values[0] for value in values)
    }


def _name(same: list[Workdir], all_runs: list[Workdir]) -> str:
    config = same[0].config
    rivals = [run.config for run in all_runs if run.config["strategy"] == config["strategy"]]
    apart = [
        f"{field.removeprefix('strategy_args.')}={config.get(field, 'default')}"
        for field in sorted({field for rival in rivals for field in rival})
        if field not in INCIDENTAL
        and any(rival.get(field) != config.get(field) for rival in rivals)
    ]
    return config["strategy"] + (f" ({', '.join(apart)})" if apart else "")
