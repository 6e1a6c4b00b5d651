"""Where the States of a part are kept: checkpoints in its directory, or only in memory."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from jax_al.session.checkpoint import Checkpoints, digest_of, structured


class States(Protocol):
    """Keeps States by episode."""

    def save(self, episode: int, state: Any, metrics: dict[str, Any]) -> str:
        """Keeps a State; returns its digest when it is durable."""

    def restore(self, episode: int, like: Any, digest: str, *, varies: bool) -> Any | None:
        """Returns the State of that digest; None if it is not there or cannot be read.

        Args:
          episode: of the State.
          like: a State, or its shapes.
          digest: what `save` returned.
          varies: whether the shapes are those of `like` in structure alone.
        """


class OnDisk:
    """States as Orbax keeps them."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def save(self, episode: int, state: Any, metrics: dict[str, Any]) -> str:
        """Keeps a State; returns its digest when it is durable."""
        return self._checkpoints.save(episode, state, metrics)

    def restore(self, episode: int, like: Any, digest: str, *, varies: bool) -> Any | None:
        """Returns the State of that digest; None if it is not there or cannot be read."""
        if episode not in self._checkpoints.episodes():
            return None
        try:
            found = self._checkpoints.restore(episode, None if varies else like, digest)[0]
            return structured(found, like) if varies else found
        except Exception:  # Orbax raises many kinds; training again gives the same State
            return None


class InMemory:
    """The newest two States, for whoever wants no directory."""

    def __init__(self) -> None:
        self._kept: dict[int, Any] = {}

    def save(self, episode: int, state: Any, metrics: dict[str, Any]) -> str:
        """Keeps this State and the one before it."""
        del metrics
        self._kept = {key: old for key, old in self._kept.items() if key == episode - 1}
        self._kept[episode] = state
        return digest_of(state)

    def restore(self, episode: int, like: Any, digest: str, *, varies: bool) -> Any | None:
        """Returns the State of `episode` if it is kept."""
        del like, digest, varies
        return self._kept.get(episode)


@contextlib.contextmanager
def opened(directory: Path | None, keep: int | None) -> Iterator[States]:
    """Opens where the States of the part in `directory` are kept, the newest `keep` of them."""
    if directory is None:
        yield InMemory()
        return
    with Checkpoints(directory / "checkpoints", keep) as checkpoints:
        yield OnDisk(checkpoints)
