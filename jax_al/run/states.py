"""Where the States of a part are kept: checkpoints in its directory, or only in memory."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from jax_al.session.checkpoint import Checkpoints


class States(Protocol):
    """Keeps States by episode."""

    def save(self, episode: int, state: Any, metrics: dict[str, Any]) -> str:
        """Keeps a State; returns its digest when it is durable."""

    def restore_if_whole(self, episode: int, like: Any, digest: str) -> Any | None:
        """Returns the State of that digest; None if it is not there or cannot be read."""


class InMemory:
    """The newest States, for whoever wants no directory."""

    def __init__(self) -> None:
        self._kept: dict[int, Any] = {}

    def save(self, episode: int, state: Any, metrics: dict[str, Any]) -> str:
        """Keeps this State and the one before it."""
        del metrics
        self._kept = {key: old for key, old in self._kept.items() if key == episode - 1}
        self._kept[episode] = state
        return "memory"

    def restore_if_whole(self, episode: int, like: Any, digest: str) -> Any | None:
        """Returns the State of `episode` if it is one of the newest two."""
        del like, digest
        return self._kept.get(episode)


@contextlib.contextmanager
def opened(directory: Path | None, keep: int | None) -> Iterator[States]:
    """Opens where the States of a part in `directory` are kept."""
    if directory is None:
        yield InMemory()
        return
    with Checkpoints(directory / "checkpoints", keep) as checkpoints:
        yield checkpoints
