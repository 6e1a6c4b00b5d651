"""What a person may want to see of a query: where the picks lie, and why they were picked.

    ROOT/looks/pool.npz             labels int32 [N] (-1 where there is no truth), index int64 [N],
                                    class_names str [C], ids str [N] (not there if they are but
                                    the index)
    PART/looks/map.npz              map float32 [N, 2], embedding str: the newest one
    PART/looks/episode_EEE.npz      rows int64 [Q], score float32 [Q] (NaN if there is none),
                                    predicted int32 [Q] (-1 if unknown),
                                    images uint8 [K, H, W, channels] of the first K picks, if the
                                    pool shows images

The report reads them; nothing else does, and a run goes on without them. In a workdir of the old
layout the files of a part lie in WORKDIR/looks/seed_S.
"""

import io
import pathlib
from collections.abc import Sequence

import numpy as np

from jax_al.durable import write_atomically
from jax_al.types import UNKNOWN

SHOWN = 12  # K, picks of an episode whose images are kept
BLOCK = 65_536  # rows of an embedding in memory at a time
SAMPLE = 8192  # rows that decide the axes of a map


def write_pool(
    root: pathlib.Path,
    index: np.ndarray,
    ids: Sequence[str] | None,
    class_names: Sequence[str],
    truth: np.ndarray | None,
) -> None:
    """Writes what stays the same over parts and episodes.

    Args:
      root: the directory of the run.
      index: int [N], where each row of the pool is in the whole data set.
      ids: N names, or None where they are but the index as text.
      class_names: C names.
      truth: int [N], the class of each row, or None where nobody knows.
    """
    _save(
        root / "looks" / "pool.npz",
        labels=np.full(len(index), UNKNOWN, np.int32) if truth is None else truth,
        index=np.asarray(index, np.int64),
        class_names=np.array(class_names, np.str_),
        **({} if ids is None else {"ids": np.array(ids, np.str_)}),
    )


def write_query(
    looks: pathlib.Path,
    episode: int,
    rows: np.ndarray,
    scores: np.ndarray | None,
    probs: np.ndarray | None,
    images: np.ndarray | None,
) -> None:
    """Writes why one query picked what it did.

    Args:
      looks: the directory for it, PART/looks.
      episode: at whose end the query was made.
      rows: int [Q], in pick order.
      scores: float [Q], or None.
      probs: float [N, C], probabilities of the pool or their logarithms, or None.
      images: uint8 [at least K, H, W, channels], of the first picks, or None where examples are no
        images; K is SHOWN, or Q if that is less.
    """
    predicted = np.full(len(rows), UNKNOWN, np.int32)
    if probs is not None:
        predicted = np.asarray(probs[rows]).argmax(axis=1).astype(np.int32)
    _save(
        looks / f"episode_{episode:03}.npz",
        rows=np.asarray(rows, np.int64),
        score=np.full(len(rows), np.nan, np.float32)
        if scores is None
        else np.asarray(scores, np.float32),
        predicted=predicted,
        **({} if images is None else {"images": images[:SHOWN]}),
    )


def write_map(looks: pathlib.Path, embedding: np.ndarray, name: str) -> None:
    """Writes the map of the pool; the one before is replaced.

    Args:
      looks: the directory for it, PART/looks.
      embedding: float32 [N, D], maybe of a mapped file.
      name: of the embedding. Only "model" changes from episode to episode: a map of any other that
        is there already is left as it is.
    """
    if name == "model" or not (looks / "map.npz").exists():
        _save(looks / "map.npz", map=project(embedding), embedding=name)


def project(embedding: np.ndarray) -> np.ndarray:
    """Returns the two principal components, float32 [N, 2], of `embedding` float32 [N, D].

    Of more rows than SAMPLE, so many, drawn, decide the axes: it is a picture. The
    embedding is read in blocks, so it may be larger than memory. Zeros stand for components that
    are not there. The sign of an axis is such that its largest weight is positive, so that the map
    of one embedding never flips.
    """
    from scipy.sparse.linalg import svds  # loads in a thirtieth of the time of scikit-learn's PCA
    from threadpoolctl import threadpool_limits

    N = len(embedding)
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(N)[:SAMPLE])
    sample = np.asarray(embedding[rows], np.float32)
    found = np.zeros((N, 2), np.float32)
    if not np.ptp(sample, axis=0).any():
        return found
    mean = sample.mean(axis=0)
    sample = sample - mean
    sample /= np.abs(sample).max()  # whose squares float32 may not have
    side = min(sample.shape)
    # Threads of BLAS beside those of XLA wait for one another: 240 ms where one takes 5, by the
    # embedding of digits on two busy cores.
    with threadpool_limits(1, user_api="blas"):
        if side > 2:
            _, lengths, axes = svds(sample, k=2, v0=rng.normal(size=side))
        else:  # `svds` finds fewer than all
            _, lengths, axes = np.linalg.svd(sample, full_matrices=False)
        order = np.argsort(-lengths)
        axes = axes[order[lengths[order] > 1e-6 * lengths.max()]].T  # what is shorter is noise
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        for first in range(0, N, BLOCK):
            block = slice(first, first + BLOCK)
            found[block, : axes.shape[1]] = (embedding[block] - mean) @ axes
    return found


def _save(path: pathlib.Path, **arrays: np.ndarray | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_atomically(path, content.getvalue())
