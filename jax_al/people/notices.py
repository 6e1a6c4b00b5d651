"""What a person was told of a project, so that it is told again only when it has changed."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from jax_al.durable import write_atomically

NOTICES = "notices.json"

Say = Callable[[str], None]


@contextlib.contextmanager
def news(directory: Path, about: str, say: Say | None) -> Iterator[Say]:
    """Hands on those sentences that were not among those of the last time.

    What was said of it is kept at the end for the next time. It may be lost: then all is said anew.

    Args:
      directory: the workdir.
      about: what the sentences are of, each with a last time of its own.
      say: is told what is new; None: nobody is there, so it is not taken for told.
    """
    last = _read(directory)
    before, now = last.get(about, []), list[str]()

    def tell(sentence: str) -> None:
        now.append(sentence)
        if say is not None and sentence not in before:
            say(sentence)

    yield tell
    if say is not None and now != before:
        write_atomically(directory / NOTICES, json.dumps({**last, about: now}, indent=2) + "\n")


def _read(directory: Path) -> dict[str, list[str]]:
    try:
        found = json.loads((directory / NOTICES).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {about: said for about, said in found.items() if isinstance(said, list)}
