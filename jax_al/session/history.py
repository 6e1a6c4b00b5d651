"""What a run's records say has happened, and what that leaves to do."""

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jax_al.errors import UsageError
from jax_al.session.records import Pick, Row, read_metrics, read_picks, rewrite
from jax_al.types import NOTHING, UNKNOWN, PoolState, empty_pool, label_points


class History(NamedTuple):
    """The records of one seed, both in order."""

    metrics: list[Row]
    picks: list[Pick]

    def owned(self, episode: int) -> list[Pick]:
        """Returns the labels that `episode` trains on."""
        return [pick for pick in self.picks if pick.episode < episode]

    def bought(self, episode: int) -> list[Pick]:
        """Returns the labels bought at the end of `episode`; 0 stands for the initial ones."""
        return [pick for pick in self.picks if pick.episode == episode]


def is_last(episode: int, num_owned: int, max_episodes: int, num_points: int) -> bool:
    """Whether `episode` buys nothing: it is the last one wanted, or nothing is left to buy."""
    return episode >= max_episodes or num_owned >= num_points


def load(workdir: pathlib.Path, fields: Mapping[str, Any], num_points: int) -> dict[int, History]:
    """Reads the records, and mends on disk what a kill left half done.

    A purchase of which only some lines were written is taken back (it is repeated from the
    pending query). The row of a last episode that is no longer the last counts as not there, but
    stays in the file until the new one replaces it.

    Args:
      workdir: the directory of the run.
      fields: the config, flat.
      num_points: N.

    Returns:
      The history by seed, for all seeds on record.

    Raises:
      UsageError: the files do not belong together, or more episodes are on record than wanted.
    """
    all_metrics = read_metrics(workdir / "metrics.jsonl")
    all_picks = read_picks(workdir / "picks.csv")
    histories = {}
    for seed in sorted({pick.seed for pick in all_picks} | {row["seed"] for row in all_metrics}):
        rows = sorted((r for r in all_metrics if r["seed"] == seed), key=lambda r: r["episode"])
        picks = [pick for pick in all_picks if pick.seed == seed]
        histories[seed] = _mended(workdir, History(rows, picks), fields, num_points)
    picks = [pick for history in histories.values() for pick in history.picks]
    rewrite(workdir, all_metrics, picks)
    return histories


def is_finished(history: History | None, max_episodes: int, num_points: int) -> bool:
    """Whether nothing is left to do for the seed of `history`."""
    if history is None or not history.metrics:
        return False
    last = history.metrics[-1]
    return is_last(last["episode"], last["num_labeled"], max_episodes, num_points)


def replay(picks: list[Pick], index: np.ndarray, capacity: int) -> PoolState:
    """Returns the state of the pool after `picks`.

    Args:
      picks: in the order bought.
      index: int64 [N], where each point of the pool is in the whole pool, rising.
      capacity: L.
    """
    # At full capacity whatever the count, so that no episode brings a new shape to compile for.
    rows, labels = np.full(capacity, NOTHING, np.int32), np.full(capacity, UNKNOWN, np.int32)
    rows[: len(picks)] = positions(np.array([pick.index for pick in picks], np.int64), index)
    labels[: len(picks)] = [pick.label for pick in picks]
    return label_points(empty_pool(len(index), capacity), jnp.asarray(rows), jnp.asarray(labels))


def positions(wanted: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Returns where the whole-pool indices `wanted` stand in `index` (rising).

    Raises:
      UsageError: one is not there.
    """
    rows = np.searchsorted(index, wanted)
    strange = wanted[index[np.minimum(rows, len(index) - 1)] != wanted]
    if strange.size:
        raise UsageError(
            f"picks.csv names the image {strange[0]}, which is not in the pool: the data set has "
            "changed since the run began; start anew with --overwrite."
        )
    return rows


def check_data(
    picks: list[Pick], index: np.ndarray, labels: np.ndarray, ids: np.ndarray | None
) -> None:
    """Makes sure that `picks` were bought from this very pool.

    Args:
      picks: on record.
      index: int64 [N], where each point of the pool is in the whole pool, rising.
      labels: int32 [N].
      ids: str [N], or None.

    Raises:
      UsageError: an image has another label or id now.
    """
    rows = positions(np.array([pick.index for pick in picks], np.int64), index)
    for pick, row in zip(picks, rows, strict=True):
        if pick.label != labels[row] or (ids is not None and pick.id != ids[row]):
            raise UsageError(
                f"picks.csv and the data set disagree about image {pick.index}: the data set has "
                "changed since the run began; restore it, or start anew with --overwrite."
            )


def _mended(
    workdir: pathlib.Path, history: History, fields: Mapping[str, Any], num_points: int
) -> History:
    metrics, picks = list(history.metrics), []
    episode, size = 0, fields["initial_size"]
    if not size:  # the strategy begins, without any label
        episode, size = 1, min(fields["budget"], num_points)
    while size:
        bought = history.bought(episode)
        if len(bought) < size:
            break
        picks += bought
        episode, size = episode + 1, min(fields["budget"], num_points - len(picks))
    # A purchase at the end of an episode is there to be trained on in the next.
    reached = max([row["episode"] for row in metrics] + [episode if episode > 1 else 0])
    if reached > fields["max_episodes"]:
        raise UsageError(
            f"{workdir} holds {reached} episodes of a seed, more than "
            f"config.max_episodes={fields['max_episodes']}; it can only grow."
        )
    # The first episode whose purchase is not on record is `episode`; a row of it stands only if
    # it is the last, which bought nothing.
    if metrics and not is_last(episode, len(picks), fields["max_episodes"], num_points):
        metrics = [row for row in metrics if row["episode"] < episode]
    # It has bought since, and its row still says that it did not.
    if metrics and metrics[-1]["episode"] < episode and metrics[-1].get("num_bought") == 0:
        metrics.pop()
    whole = [row["episode"] for row in metrics] == list(range(1, len(metrics) + 1))
    if not whole or len(history.metrics) - len(metrics) > 1:
        raise UsageError(
            f"metrics.jsonl and picks.csv in {workdir} do not belong together (seed "
            f"{history.metrics[0]['seed']}); restore them, or start anew with --overwrite."
        )
    return History(metrics, picks)
