"""Networks on disk: one Orbax checkpoint per seed and episode."""

import errno
import os
import pathlib
import shutil
from typing import Any

import jax
import orbax.checkpoint as ocp

from jax_al import interrupt

_SLACK_BYTES = 2**20  # what a checkpoint holds beside the arrays, generously


class Checkpoints:
    """The checkpoints of one seed, `DIRECTORY/episode_001` and so on.

    Orbax writes to a temporary name and renames when all is on disk, so a checkpoint is whole or
    not there.

    Args:
      directory: made if missing.
      keep: how many of the newest to keep, or None for all.
    """

    def __init__(self, directory: pathlib.Path, keep: int | None):
        self._directory = directory
        self._manager = ocp.CheckpointManager(
            directory.absolute(),
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep,
                step_prefix="episode",
                step_format_fixed_length=3,
                cleanup_tmp_directories=True,
                lightweight_initialize=True,  # a damaged checkpoint is met when it is restored
                # The next phase needs the checkpoint to be there, so there is nothing to overlap.
                enable_async_checkpointing=False,
            ),
        )

    def episodes(self) -> list[int]:
        """Returns the episodes that have a checkpoint."""
        return sorted(self._manager.all_steps())

    def save(self, episode: int, state: Any, metrics: dict[str, float]) -> None:
        """Writes `state` (a pytree of arrays) and `metrics`; returns when they are on disk.

        Raises:
          OSError: the disk is full or cannot be written to.
        """
        # Asked first, as Orbax's threads end a write that fails halfway with pages of tracebacks.
        needed = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) + _SLACK_BYTES
        if shutil.disk_usage(self._directory).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._directory))
        if episode in self.episodes():
            self._manager.delete(episode)  # one that could not be read
        content = ocp.args.Composite(
            state=ocp.args.StandardSave(state), metrics=ocp.args.JsonSave(metrics)
        )
        with interrupt.deferred():  # which Orbax's threads would answer with tracebacks too
            self._manager.save(episode, args=content)

    def restore(self, episode: int, like: Any) -> tuple[Any, dict[str, float]]:
        """Returns what `save` was given for `episode`.

        Args:
          episode: one of `episodes()`.
          like: a pytree of the shapes, dtypes and places the arrays shall have.

        Raises:
          Exception: of Orbax, of many kinds, if the files cannot be read.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        found = self._manager.restore(
            episode,
            args=ocp.args.Composite(
                state=ocp.args.StandardRestore(abstract), metrics=ocp.args.JsonRestore()
            ),
        )
        return found["state"], found["metrics"]

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *unused: object) -> None:
        self._manager.close()
