"""What is made from the records as they grow: the files for people, and a row an episode."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jax_al.drivers.part import Part, Tell
from jax_al.record import files
from jax_al.session.progress import Progress


def publishing(root: Path | None, strategies: Sequence[str], tell: Tell) -> Tell:
    """Returns `tell` that keeps metrics.jsonl and picks.csv up to date, and tells of new rows.

    Args:
      root: of the run; None: there are no files.
      strategies: in the order in which they stand at the root.
      tell: is handed all events, those with a row after the files are written.
    """
    known: dict[Part, tuple[int, int, list[dict[str, Any]]]] = {}

    def publish(part: Part, progress: Progress) -> None:
        record = progress.record
        sizes = len(record.order), len(record.trained)
        before = known.get(part)
        if before is not None and before[:2] == sizes:
            return
        rows = progress.rows()
        known[part] = (*sizes, rows)
        if root is not None and part.directory is not None:
            files.write_part(part.directory, rows, progress.picks())
            files.merge(root, strategies)
        for row in rows if before is None else rows[len(before[2]) :]:
            tell({"event": "row", "row": row})

    def on_event(event: Any) -> None:
        if event["event"] == "committed":
            publish(event["part"], event["progress"])
        else:
            tell(event)

    return on_event
