"""What is made from the records as they grow: the files for people, and a row an episode."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jax_al.drivers.part import Part, Tell
from jax_al.record import files
from jax_al.session.progress import Progress

MERGED = 5.0  # seconds at least between two merges while a part goes on: all parts are read


def publishing(root: Path | None, strategies: Sequence[str], tell: Tell) -> Tell:
    """Returns `tell` that keeps metrics.jsonl and picks.csv up to date, and tells of new rows.

    Args:
      root: of the run; None: there are no files.
      strategies: in the order in which they stand at the root.
      tell: is handed all events, those with a row after the files are written.
    """
    known: dict[Part, tuple[Any, ...]] = {}  # labels and networks when the files were written
    told: dict[Part, int] = {}  # rows that are no news
    merged, is_stale = 0.0, True  # when the root's files were made, whether they lack something

    def publish(part: Part, progress: Progress) -> list[dict[str, Any]]:
        """Returns the rows of a part whose files were written, none if they are up to date."""
        nonlocal is_stale
        record = progress.record
        state = record.order, record.labels, len(record.trained)
        if known.get(part) == state:
            return []
        rows = progress.rows()
        known[part] = state
        if root is not None and part.directory is not None:
            files.write_part(part.directory, rows, progress.picks())
            is_stale = True
            if rows and time.monotonic() > merged + MERGED:
                merge()
        return rows

    def merge() -> None:
        nonlocal merged, is_stale
        if root is not None and is_stale:
            files.merge(root, strategies)
            merged, is_stale = time.monotonic(), False

    def on_event(event: Any) -> None:
        nonlocal is_stale
        match event["event"]:
            case "opened":  # killed before they were written, maybe; or removed
                told[event["part"]] = len(publish(event["part"], event["progress"]))
            case "committed":
                part = event["part"]
                for row in publish(part, event["progress"])[told[part] :]:
                    told[part] += 1
                    tell({"event": "row", "row": row})
            case "part_ended" | "part_failed":
                merge()
                tell(event)
            case "row":  # of another process
                is_stale = True
                tell(event)
            case _:
                tell(event)

    return on_event
