"""metrics.jsonl and picks.csv, for people and the report: of a part, and of all parts of a run.

They are made from the journals and can be made again. A part is ROOT/parts/STRATEGY/seed_SEED.
"""

import contextlib
import fcntl
import json
import pathlib
from collections.abc import Iterable, Iterator, Sequence

from jax_al.session.locks import held
from jax_al.session.records import (
    Pick,
    Row,
    csv_text,
    part_directories,
    replace_if_other,
    whole_lines,
)

METRICS, PICKS = "metrics.jsonl", "picks.csv"


def write_part(directory: pathlib.Path, rows: Iterable[Row], picks: Iterable[Pick]) -> None:
    """Replaces the files of a part where they differ.

    Args:
      directory: of the part.
      rows: of metrics.jsonl, with the field "strategy", by episode.
      picks: with their strategy, in the order bought.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lines = list(picks)
    # The picks first: whoever finds a row finds the purchase at its end too.
    replace_if_other(directory / PICKS, csv_text([Pick._fields, *lines]) if lines else "")
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)
    replace_if_other(directory / METRICS, text)


@contextlib.contextmanager
def alone(root: pathlib.Path) -> Iterator[None]:
    """Waits until no other process changes the files at a run's root, and keeps others waiting."""
    with held(root / ".merge.lock", fcntl.LOCK_EX):
        yield


def merge(root: pathlib.Path, strategies: Sequence[str]) -> None:
    """Replaces the files at a run's root by those of its parts, one after another.

    Parts of which there is nothing yet are passed over. Each file of a part is in order already, so
    the whole is by strategy, seed and episode. Several processes may merge at the same time: one
    after another by a lock, so the last one has seen what all of them wrote.

    Args:
      root: the directory of the run.
      strategies: in the order wanted; others that are found there come after them, by name.

    Raises:
      UsageError: a file is not text.
    """
    with alone(root):
        found = part_directories(root)
        rank = {name: place for place, name in enumerate(strategies)}
        keys = sorted(found, key=lambda key: (rank.get(key[0], len(rank)), key))
        parts = [found[key] for key in keys]
        rows = [line for part in parts for line in whole_lines(part / METRICS)]
        picks = [line for part in parts for line in whole_lines(part / PICKS)[1:]]
        header = [",".join(Pick._fields)] if picks else []
        replace_if_other(root / PICKS, "".join(f"{line}\n" for line in [*header, *picks]))
        replace_if_other(root / METRICS, "".join(f"{line}\n" for line in rows))
