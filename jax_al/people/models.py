"""What each learner of a project said, kept so that the next ones can be compared with it.

`models.jsonl` has a line for each that was trained. It is made from what was trained and can be
lost: then accuracy by progress and agreement begin anew.
"""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from jax_al.session.records import whole_lines

MODELS = "models.jsonl"


class Model(NamedTuple):
    """A learner that was trained, and what it said of some rows."""

    episode: int
    as_of: int  # the last event that it was trained on
    digest: str  # of its checkpoint
    num_labels: int
    seconds: float  # that training and looking took
    said: dict[int, int]  # row -> id of a class
    floor: float | None = (
        None  # how much two alike agree, see `advice.noise_floor`; None: not asked
    )


def append_model(directory: Path, model: Model) -> None:
    """Adds a line, durably; one that a kill has cut off is cut away first."""
    path = directory / MODELS
    line = json.dumps({**model._asdict(), "said": list(map(list, model.said.items()))})
    with open(path, "ab+") as file:
        file.seek(0)
        whole = file.read().rpartition(b"\n")
        file.truncate(len(whole[0]) + len(whole[1]))
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_models(directory: Path) -> list[Model]:
    """Returns the learners in the order in which they were trained; none of a damaged line."""
    found = []
    for line in whole_lines(directory / MODELS):
        try:
            content: dict[str, Any] = json.loads(line)
            found.append(Model(**{**content, "said": dict(map(tuple, content["said"]))}))
        except (ValueError, TypeError, KeyError):
            continue
    return found
