"""Who is compared: the runs of one strategy put together over their seeds, each with a name."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from jax_al.errors import UsageError
from jax_al.report.configs import ABSENT, EMBEDDING, INCIDENTAL, embedding_name
from jax_al.report.workdirs import Workdir, check_same_data
from jax_al.session.records import Row


class Entrant(NamedTuple):
    """A strategy with its options: one line in every picture."""

    name: str
    runs: list[Workdir]

    @property
    def config(self) -> dict[str, Any]:
        """The config of its first run."""
        return self.runs[0].config

    @property
    def metrics(self) -> list[Row]:
        """The rows of all its seeds."""
        return [row for run in self.runs for row in run.metrics]

    @property
    def picks(self) -> dict[int, dict[int, list[int]]]:
        """{seed: {episode: indices}} of all its seeds."""
        return {seed: picks for run in self.runs for seed, picks in run.picks.items()}

    @property
    def notes(self) -> list[str]:
        """What was left out of its records."""
        return [note for run in self.runs for note in run.notes]

    @property
    def seeds(self) -> list[int]:
        """The seeds that have ended an episode."""
        return sorted({row["seed"] for row in self.metrics})

    def run(self, seed: int) -> Workdir:
        """The records that hold a seed."""
        return next(run for run in self.runs if any(r["seed"] == seed for r in run.metrics))

    def curve(self, field: str = "test_accuracy") -> dict[int, dict[int, float]]:
        """Returns {seed: {label count: field}}, without rows where it is null or absent."""
        return curve_of(self.metrics, field)


def curve_of(metrics: Sequence[Row], field: str) -> dict[int, dict[int, float]]:
    """Returns {seed: {label count: field}}, without rows where it is null or absent."""
    found: dict[int, dict[int, float]] = {}
    for row in metrics:
        if row.get(field) is not None:
            found.setdefault(row["seed"], {})[row["num_labeled"]] = float(row[field])
    return found


def gather(runs: Sequence[Workdir]) -> list[Entrant]:
    """Groups runs by strategy and options, and names them.

    A name is STRATEGY, or STRATEGY@EMBEDDING as in config.compare, with the other fields that set
    it apart where several share it, and with its workdir where even that is the same text. Runs
    that have not ended an episode yet are left out.

    Raises:
      UsageError: different data, nothing to show yet, or the same seed twice.
    """
    check_same_data(runs)
    shown = [run for run in runs if run.metrics]
    if not shown:
        where = ", ".join(dict.fromkeys(str(run.path) for run in runs))
        raise UsageError(f"There is nothing to report yet: no episode has ended in {where}.")
    groups: dict[tuple[tuple[str, str], ...], list[Workdir]] = {}
    for run in shown:
        groups.setdefault(tuple(sorted(_settings(run.config).items())), []).append(run)
    names = [_name(same[0].config, [run.config for run in shown]) for same in groups.values()]
    entrants = [
        Entrant(name if names.count(name) == 1 else f"{name} in {same[0].path}", same)
        for name, same in zip(names, groups.values(), strict=True)
    ]
    for entrant in entrants:
        owner: dict[int, pathlib.Path] = {}
        for run in entrant.runs:
            for seed in {row["seed"] for row in run.metrics}:
                if seed in owner:
                    raise UsageError(
                        f"Seed {seed} of {entrant.name} is in {owner[seed]} and in {run.path}; "
                        "name only one of them."
                    )
                owner[seed] = run.path
    return entrants


def differing(entrants: Sequence[Entrant]) -> dict[str, list[Any]]:
    """Returns {field: the value of each} for the settings in which entrants differ.

    The strategy and its options differ by intention and are not among them.
    """
    forms = [_settings(entrant.config) for entrant in entrants]
    return {
        field: [entrant.config.get(field) for entrant in entrants]
        for field in dict.fromkeys(field for form in forms for field in form)
        if not field.startswith("strategy") and len({form.get(field) for form in forms}) > 1
    }


def _settings(config: dict[str, Any]) -> dict[str, str]:
    """Returns the settings that make a strategy what it is, in the one form to compare them in.

    As JSON, so that True is not 1, but with 1 for 1.0; without those that are null, which is what
    an absent one means.
    """
    return {
        field: json.dumps(_whole(value))
        for field, value in (ABSENT | config).items()
        if field not in INCIDENTAL and value is not None
    }


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _name(config: dict[str, Any], all_configs: Sequence[dict[str, Any]]) -> str:
    mine = _settings(config)
    rivals = [_settings(each) for each in all_configs if each["strategy"] == config["strategy"]]
    apart = [
        f"{field.removeprefix('strategy_args.')}={config[field] if field in mine else 'default'}"
        for field in sorted({field for rival in rivals for field in rival} - {EMBEDDING})
        if any(rival.get(field) != mine.get(field) for rival in rivals)
    ]
    embedding = embedding_name(str(config[EMBEDDING])) if EMBEDDING in mine else ""
    return (
        config["strategy"]
        + (f"@{embedding}" if embedding else "")
        + (f" ({', '.join(apart)})" if apart else "")
    )
