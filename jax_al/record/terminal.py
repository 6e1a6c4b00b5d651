"""What the person at the terminal sees: the facts at the start, a row an episode, a progress bar.

Without a terminal (a pipe, a log file) there is no bar and no colour, only whole lines.
"""

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence

import jax
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from jax_al.errors import UsageError
from jax_al.record.listeners import Event
from jax_al.session.records import Row

WIDTH = 80
_COLUMNS = (
    ("seed", "seed", "{:d}"),
    ("episode", "episode", "{:d}"),
    ("labels", "num_labeled", "{:d}"),
    ("  loss", "train_loss", "{:.3f}"),
    ("   acc", "test_accuracy", "{:.4f}"),
    ("   nll", "test_nll", "{:.3f}"),
    (" radius", "cover_radius", "{:.3f}"),
)
_SECONDS = (
    ("train s", "seconds_train", "{:.1f}"),
    ("eval s", "seconds_evaluate", "{:.1f}"),
    ("embed s", "seconds_embed", "{:.1f}"),
    ("select s", "seconds_select", "{:.2f}"),
)
_ALL_SECONDS = (("seconds", "seconds", "{:.1f}"),)


class Terminal:
    """A listener that prints; it keeps no result.

    A row is at most 80 characters wide: where a column names the strategy, the seconds of all
    phases are one column. The bar is there from `run_begun` to `run_ended`.
    """

    def __init__(self):
        self._console = Console(highlight=False, soft_wrap=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._strategies: Sequence[str] = ()  # those a column tells apart, if there are several

    def on_event(self, event: Event) -> None:
        """Shows what concerns a person."""
        match event["event"]:
            case "run_begun":
                self.facts(event["facts"])
                names = event["strategies"]
                self._strategies = names if len(names) > 1 else ()
                self.header()
                self._task = self._bar.add_task("", total=event["total"])
                self._bar.start()
            case "phase":
                self.phase(event["text"])
            case "advance":
                self.advance(event["units"])
            case "row":
                self.row(event["row"])
            case "say":
                self.say(event["text"])
            case "part_failed":
                where = f"{event['strategy']}, seed {event['seed']}"
                print(f"{where} failed: {event['error']}", file=sys.stderr, flush=True)
            case "run_ended":
                self._bar.stop()

    def say(self, text: str) -> None:
        """Prints a line, above the bar if there is one."""
        self._console.print(text, markup=False)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Prints names and values in two columns, 80 characters wide."""
        width = max(map(len, facts), default=0) + 2
        fold = textwrap.TextWrapper(
            WIDTH, subsequent_indent=" " * width, break_long_words=False, break_on_hyphens=False
        )
        for name, value in facts.items():
            self.say(fold.fill(f"{name:<{width}}{value}"))

    def header(self) -> None:
        """Prints the names of the columns of `row`."""
        self._line("strategy", [name for name, _, _ in self._columns()])

    def row(self, row: Row) -> None:
        """Prints one row of metrics."""
        values = row | {"seconds": sum(row[field] or 0.0 for _, field, _ in _SECONDS)}
        cells = []
        for name, field, form in self._columns():
            value = values[field]
            cells.append(("-" if value is None else form.format(value)).rjust(len(name)))
        self._line(row.get("strategy", ""), cells)

    def _columns(self) -> tuple[tuple[str, str, str], ...]:
        return _COLUMNS + (_ALL_SECONDS if self._strategies else _SECONDS)

    def _line(self, strategy: str, cells: Sequence[str]) -> None:
        width = max(map(len, ["strategy", *self._strategies]))
        self.say(" ".join([strategy.ljust(width), *cells] if self._strategies else cells))

    def phase(self, text: str) -> None:
        """Says beside the bar what goes on."""
        if self._task is not None:
            self._bar.update(self._task, description=text)

    def advance(self, units: float) -> None:
        """Moves the bar."""
        if self._task is not None:
            self._bar.advance(self._task, units)


def describe_devices() -> str:
    """Returns the devices JAX uses and their memory, as "1 x cpu (23.5 GiB)".

    Raises:
      UsageError: the devices asked for with --jax_platforms are not there.
    """
    try:
        devices = jax.devices()
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split()) or "no such device here"
        raise UsageError(f"JAX finds no device for --jax_platforms: {reason}.") from error
    stats = devices[0].memory_stats() or {}
    host_memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    memory = stats.get("bytes_limit", host_memory)  # a CPU reports no memory of its own
    return f"{len(devices)} x {devices[0].device_kind} ({memory / 2**30:.1f} GiB)"
