"""What a person may want to see of a query: where the picks lie, and why they were picked.

    looks/pool.npz                  labels int32 [N], index int64 [N], class_names str [C]
    looks/seed_S/map.npz            map float32 [N, 2], embedding str: the newest one
    looks/seed_S/episode_EEE.npz    rows int64 [Q], score float32 [Q] (NaN if there is none),
                                    predicted int32 [Q] (-1 if unknown),
                                    images uint8 [K, H, W, channels] of the first K picks

The report reads them; nothing else does, and a run goes on without them.
"""

import io
import pathlib

import numpy as np

from jax_al.pools.load import Dataset
from jax_al.session.records import write_atomically
from jax_al.types import NOTHING, Query, Signals

SHOWN = 12  # K, picks of an episode whose images are kept


def save_pool(directory: pathlib.Path, dataset: Dataset) -> None:
    """Writes what stays the same over seeds and episodes."""
    _save(
        directory / "looks" / "pool.npz",
        labels=dataset.labels,
        index=dataset.index,
        class_names=np.array(dataset.class_names),
    )


def save_query(
    directory: pathlib.Path,
    seed: int,
    episode: int,
    images: np.ndarray,
    query: Query,
    signals: Signals,
    embedding: str,
) -> None:
    """Writes what one query looked like.

    Args:
      directory: the workdir.
      seed: of the run.
      episode: at whose end the query was made.
      images: uint8 [N, H, W, channels], the pool.
      query: with Q picks.
      signals: on which it was decided.
      embedding: the name of the strategy's embedding.
    """
    place = directory / "looks" / f"seed_{seed}"
    picked = np.asarray(query.indices) != NOTHING
    rows = np.asarray(query.indices)[picked].astype(np.int64)
    score = np.full(len(rows), np.nan, np.float32)
    if query.scores is not None:
        score = np.asarray(query.scores)[picked]
    probs = signals.log_probs if signals.log_probs is not None else signals.mc_probs
    predicted = np.full(len(rows), -1, np.int32)
    if probs is not None:
        predicted = np.asarray(probs)[rows].argmax(axis=1).astype(np.int32)
    is_drawn = embedding != "model" and (place / "map.npz").exists()  # the same in every episode
    if signals.embedding is not None and not is_drawn:
        _save(place / "map.npz", map=project(np.asarray(signals.embedding)), embedding=embedding)
    _save(
        place / f"episode_{episode:03}.npz",
        rows=rows,
        score=score,
        predicted=predicted,
        images=images[rows[:SHOWN]],
    )


def project(embedding: np.ndarray) -> np.ndarray:
    """Returns the two principal components, float32 [N, 2], of `embedding` float32 [N, D].

    Zeros stand for components that are not there. The sign is such that the largest weight of
    each component is positive, so that the map of one embedding never flips.
    """
    centred = embedding - embedding.mean(axis=0)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    found = np.zeros((len(embedding), 2), np.float32)
    found[:, : axes.shape[1]] = centred @ axes
    return found


def _save(path: pathlib.Path, **arrays: np.ndarray | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_atomically(path, content.getvalue())
