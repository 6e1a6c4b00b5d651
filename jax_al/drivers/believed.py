"""What the last query believed of points that nobody labeled: pseudo-labels, kept in a file."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from jax_al.errors import UsageError
from jax_al.session.records import write_array
from jax_al.types import UNKNOWN


class Believed:
    """The pseudo-labels of a part: on disk all, in memory those of the last query.

    Args:
      directory: of the part; None: nothing is kept but in memory.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._held: dict[int, np.ndarray] = {}  # by the episode that brought them

    def keep(self, labels: np.ndarray | None, episode: int) -> dict[str, str] | None:
        """Writes down what is believed, int32 [N]; returns what the record says of it."""
        if labels is None:
            return None
        self._held = {episode: labels}
        name = f"pseudo_labels/episode_{episode:03}.npy"
        if self._directory is not None:
            write_array(self._directory / name, labels)
        return {"file": name, "digest": _digest(labels)}

    def of(self, episode: int, kept: Mapping[str, str]) -> dict[int, int]:
        """Returns what was believed in `episode`, by row, rising.

        Args:
          episode: whose query believed it.
          kept: what the record says of it.

        Raises:
          UsageError: the file is not what was written.
        """
        labels = self._read(episode, kept)
        rows = np.flatnonzero(labels != UNKNOWN)
        return dict(zip(rows.tolist(), labels[rows].tolist(), strict=True))

    def _read(self, episode: int, kept: Mapping[str, str]) -> np.ndarray:
        if episode not in self._held:
            assert self._directory is not None
            path = self._directory / kept["file"]
            labels = np.load(path, allow_pickle=False)
            if _digest(labels) != kept["digest"]:
                raise UsageError(f"{path} is damaged; restore it, or start anew with --overwrite.")
            self._held = {episode: labels}
        return self._held[episode]


def _digest(labels: np.ndarray) -> str:
    return hashlib.sha256(labels.tobytes()).hexdigest()
