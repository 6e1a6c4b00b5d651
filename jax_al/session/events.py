"""The format of the journal: one JSON object a line, and what each must hold.

Every event has `event` (its name) and `at` (seconds since 1970); its number is its place, from 0.
Rows are positions in the pool; a decision is a class >= 0, or SKIP, UNSURE, BROKEN.
"""

import json
from collections.abc import Mapping
from typing import Any

from jax_al.errors import UsageError

Event = dict[str, Any]

FORMAT = 1  # of the lines; a reader knows all up to its own

# The fields beside `event` and `at`. More may stand there: a newer version of the same format may
# say more of an event, but never leaves a field out.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "begun": ("format", "strategy", "seed", "data", "classes", "config"),  # the first line
    "versions": (),  # of whatever may change a number: {name: version}
    "asked": (
        "request", "episode", "rows", "ids", "index", "scores", "info", "near_duplicate_share",
        "seconds_embed", "seconds_select", "pseudo_labels",
    ),  # request 0 of episode 0: the initial labels; rows in pick order
    # An `asked` may also hold seconds_record.
    "drawn": ("episode", "rows", "ids", "index", "why"),  # may be answered outside of any request
    # Held out rows of a draw that nobody has answered are as if they had not been drawn.
    "withdrawn": ("draw", "rows"),
    "answered": ("request", "answers", "who", "when"),  # answers: [[row, decision], ...]
    # An `answered` may also hold relabel and token, and, one for each answer, why, seconds, items.
    "undone": ("of",),  # the number of the `answered` that is taken back; may hold token
    "closed": ("request",),
    "joined_late": (),  # answers that came late join although no request is open
    "trained": ("episode", "as_of", "metrics", "digest"),  # as_of: the last event trained on
    "class_added": ("id", "name"),
    "class_renamed": ("id", "name"),
    "class_merged": ("id", "into"),
    # The pool has more rows, behind those that it had, or other features: as of `begun`.
    "pool_changed": ("data",),
}  # fmt: skip


def encode(event: Event, number: int) -> bytes:
    """Returns the line of `event`, newline and all.

    Raises:
      UsageError: it would not be read back: it lacks something, or JSON cannot hold it.
    """
    if fault := _fault(event, number):
        raise UsageError(f"An event for the journal {fault}.")
    try:
        return json.dumps(event, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The event {event['event']!r} holds what JSON cannot ({error}); give finite numbers, "
            "text, lists and dictionaries."
        ) from error


def decode(line: bytes, number: int, place: object) -> Event:
    """Returns the event of a whole `line` without its newline.

    Args:
      line: what `encode` made.
      number: of the event.
      place: the file, for the sentence.

    Raises:
      UsageError: the line is not an event, or one of a newer format.
    """
    try:
        event = json.loads(line)
        fault = _fault(event, number)
    except (ValueError, RecursionError):
        fault = "is not JSON; mend it"
    if fault:
        raise UsageError(f"Line {number + 1} of {place} {fault}.")
    return event


def _fault(event: Any, number: int) -> str:
    """Returns what is wrong with event `number` in words, empty if nothing is."""
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return "is not an event; mend it"
    name = event["event"]
    if name not in FIELDS:
        return f"is an event {name!r} of a newer format; update jax_al"
    if missing := [field for field in ("at", *FIELDS[name]) if field not in event]:
        return f"is {name!r} and lacks {', '.join(map(repr, missing))}; mend it"
    if (name == "begun") != (number == 0):
        return f"is {name!r}, but 'begun' is the first event and no other; mend it"
    kinds = {"format": int, "data": dict, "config": dict} if name == "begun" else {}
    if wrong := [field for field, kind in kinds.items() if not isinstance(event[field], kind)]:
        return f"is {name!r}, and its {wrong[0]} is {event[wrong[0]]!r}; mend it"
    if name == "begun" and event["format"] > FORMAT:
        return f"says format {event['format']}, which is newer than {FORMAT}; update jax_al"
    return ""
