"""`jax-al status [--workdir W]`: how a project stands, without a learner or a picture."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from jax_al.cli.ending import command
from jax_al.cli.parser import Parser, path_of
from jax_al.people.lists import num_passed_over
from jax_al.people.models import read_models
from jax_al.people.reconcile import CHANGED, GONE
from jax_al.people.settings import only_project, read_settings
from jax_al.people.standing import standing
from jax_al.people.turns import is_anything_left
from jax_al.session.fold import Record
from jax_al.session.teller import Teller
from jax_al.types import BROKEN, SKIP, UNSURE

PASSED = {SKIP: "skipped", UNSURE: "unsure", BROKEN: "broken"}


def main(words: Sequence[str] | None = None, name: str = "jax-al status") -> int:
    """Says how a project stands; returns the exit status.

    Args:
      words: of the command line; None: those of this process.
      name: of the command.
    """
    parser = Parser(
        prog=name,
        description="How a project stands: labels, the open request, how right it is, whether to "
        "go on. Nothing is trained for it, and whoever labels meanwhile is not disturbed.",
    )
    parser.add_argument(
        "--workdir", type=path_of, help="of the project; else the only one in runs/"
    )
    return command(parser, _run, words)


def _run(arguments: argparse.Namespace) -> None:
    place = arguments.workdir or only_project()
    if not (place / "journal.jsonl").exists():
        read_settings(place)  # or a sentence that says what it is
    record = Teller(place).record()
    for line in lines(record, place):
        print(line)


def lines(record: Record, place: Path) -> list[str]:
    """Returns what there is to say of the project in `place`."""
    said = record.decisions | {row: one for row, one in record.held_out.items() if one is not None}
    there = [one for one in said.values() if one.why not in (GONE, CHANGED)]
    away, told = len(said) - len(there), Counter(record.label_of(one.decision) for one in there)
    N, named = record.data["size"] - away, sum(count for label, count in told.items() if label >= 0)
    passed = [f"{told[number]:,} {word}" for number, word in PASSED.items() if told[number]]
    passed += [f"{away:,} put aside as their files are gone or others"] if away else []
    twins = set(record.drawn_as("twin")) - said.keys()
    passed += [f"{len(twins):,} not asked as near duplicates"] if twins else []
    no_pictures = num_passed_over(place)
    passed += [f"{no_pictures:,} files passed over (passed_over.csv)"] if no_pictures else []
    counts = [f"{name} {told[number]:,}" for number, name in record.classes.items()]
    budget = len(record.requests[-1].rows) if record.requests else 0
    now = standing(record, read_models(place), budget)
    return [
        f"{place}: {named:,} of {N:,} labeled{''.join(f', {word}' for word in passed)}.",
        f"Classes: {', '.join(counts) or 'none yet'}.",
        _waits(record),
        *_tested(record),
        now.says,
        *now.advice,
    ]


def _tested(record: Record) -> list[str]:
    """Says how right the last learner is on the test set, which an experiment may have."""
    last = record.trained[max(record.trained)].metrics if record.trained else {}
    found = last.get("test_accuracy")
    return [] if found is None else [f"Accuracy {100 * found:.1f}% by the test set."]


def _waits(record: Record) -> str:
    """Says what waits for people."""
    held = sum(
        said is None and record.why(row) in ("audit", "check")
        for row, said in record.held_out.items()
    )
    beside = f"; {held:,} of the audit or a check wait too" if held else ""
    if not is_anything_left(record):
        return "Nothing is left to ask: all is labeled, or put aside."
    if record.open is None:
        return f"No request is open: jax-al ask, or the page, makes the next one{beside}."
    left, asked = len(record.undecided()), len(record.open.rows)
    return f"Request {record.open.number} waits for {left:,} of its {asked:,} answers{beside}."
