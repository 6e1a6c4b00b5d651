"""Networks on disk: one Orbax checkpoint per part and episode."""

import errno
import hashlib
import os
import pathlib
import shutil
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from jax_al import interrupt
from jax_al.durable import sync_directory
from jax_al.errors import UsageError

PREFIX, DIGITS = "episode", 3  # of the names of checkpoints: episode_001
_SLACK_BYTES = 2**20  # what a checkpoint holds beside the arrays, generously


def digest_of(state: Any) -> str:
    """Returns the SHA-256 of the names, dtypes, shapes and bytes of the arrays in `state`.

    Names are those of dictionaries, so that a state read back without its classes has the same.
    """
    named = {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }
    sha = hashlib.sha256()
    for name, array in sorted(named.items()):
        sha.update(f"{name} {array.dtype} {array.shape}\n".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def structured(found: Any, like: Any) -> Any:
    """Returns the arrays of `found`, read back without its classes, in the structure of `like`."""

    def names(tree: Any) -> list[str]:
        paths = jax.tree_util.tree_leaves_with_path(tree)
        return [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in paths]

    arrays = dict(zip(names(found), jax.tree.leaves(found), strict=True))
    return jax.tree.unflatten(jax.tree.structure(like), [arrays[name] for name in names(like)])


class Checkpoints:
    """The checkpoints of one part, `DIRECTORY/episode_001` and so on.

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
                step_prefix=PREFIX,
                step_format_fixed_length=DIGITS,
                cleanup_tmp_directories=True,
                lightweight_initialize=True,  # a damaged checkpoint is met when it is restored
                # The next phase needs the checkpoint to be there, so there is nothing to overlap.
                enable_async_checkpointing=False,
            ),
        )

    def episodes(self) -> list[int]:
        """Returns the episodes that have a checkpoint."""
        return sorted(self._manager.all_steps())

    def save(self, episode: int, state: Any, metrics: dict[str, float]) -> str:
        """Writes `state` (a pytree of arrays) and `metrics`; returns when they are on disk.

        What is there of this episode or a later one could not be read, or stands on what could
        not, and goes.

        Returns:
          The digest of `state`.

        Raises:
          OSError: the disk is full or cannot be written to.
          UsageError: an array of `state` is empty, which Orbax does not keep.
        """
        for path, leaf in jax.tree_util.tree_leaves_with_path(state):
            if not np.size(leaf):
                name = jax.tree_util.keystr(path)
                raise UsageError(
                    f"The State of the learner holds an empty array, {name}, which a checkpoint "
                    "cannot keep: give it one element at least."
                )
        # Asked first, as Orbax's threads end a write that fails halfway with pages of tracebacks.
        needed = sum(leaf.nbytes for leaf in jax.tree.leaves(state)) + _SLACK_BYTES
        if shutil.disk_usage(self._directory).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._directory))
        for old in self.episodes():
            if old >= episode:  # Orbax would pass over a step before its last one
                self._manager.delete(old)
        content = ocp.args.Composite(
            state=ocp.args.StandardSave(state), metrics=ocp.args.JsonSave(metrics)
        )
        with interrupt.deferred():  # which Orbax's threads would answer with tracebacks too
            self._manager.save(episode, args=content)
            self._sync(episode)
        return digest_of(state)

    def _sync(self, episode: int) -> None:
        """Has a checkpoint reach the disk: Orbax renames it, and leaves the rest to chance."""
        saved = self._directory / f"{PREFIX}_{episode:0{DIGITS}}"
        for place, _, names in os.walk(saved, topdown=False):
            for name in names:
                with open(os.path.join(place, name), "rb") as file:
                    os.fsync(file.fileno())
            sync_directory(pathlib.Path(place))
        sync_directory(self._directory)

    def restore(
        self, episode: int, like: Any | None, digest: str | None = None
    ) -> tuple[Any, dict[str, float]]:
        """Returns what `save` was given for `episode`.

        Args:
          episode: one of `episodes()`.
          like: a pytree of the shapes, dtypes and places that the arrays shall have; None where
            they are not known: dictionaries and lists then stand for all other containers.
          digest: what `save` returned; None: not checked.

        Raises:
          Exception: of Orbax, of many kinds, if the files cannot be read.
          ValueError: they can, but hold something else than was saved.
        """
        abstract = None if like is None else jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        args = ocp.args.Composite(
            state=ocp.args.StandardRestore(abstract), metrics=ocp.args.JsonRestore()
        )
        found = self._manager.restore(episode, args=args)
        if digest is not None and digest_of(found["state"]) != digest:
            raise ValueError(f"The checkpoint of episode {episode} holds what was not saved.")
        return found["state"], found["metrics"]

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *unused: object) -> None:
        self._manager.close()
