"""The phases of an episode: each ends with one durable write, and is skipped where that exists.

trained   checkpoints/seed_S/episode_E
queried   pseudo_labels/seed_S/episode_E.npy (if the strategy has any), pending/seed_S.json
labeled   picks.csv, then metrics.jsonl
"""

import math
import pathlib
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jax_al import data, history, interrupt, looks, records
from jax_al.base import NOTHING, UNKNOWN, PoolState, UsageError, label_points
from jax_al.checkpoint import Checkpoints
from jax_al.learner import Learner
from jax_al.near_duplicates import NearDuplicates
from jax_al.oracle import Oracle, initial_indices
from jax_al.records import Pick
from jax_al.terminal import Terminal
from jax_al.training import TrainState
from jax_al.wandb_writer import WandbWriter

# A gradient step costs about so many looks at the same images; for the progress bar alone.
STEP_COST = 9


class Run(NamedTuple):
    """What stays the same over all seeds and episodes."""

    fields: Mapping[str, Any]  # the config, flat
    directory: pathlib.Path
    dataset: data.Dataset
    learner: Learner
    oracle: Oracle
    terminal: Terminal
    wandb: WandbWriter
    near_duplicates: NearDuplicates


class Trained(NamedTuple):
    """What the phase "trained" leaves beside the network."""

    train_loss: float | None  # None where there was no label to train on
    train_accuracy: float | None
    test_accuracy: float
    test_nll: float
    test_ece: float
    seconds_train: float
    seconds_evaluate: float


class Pending(NamedTuple):
    """A query on disk, waiting for its labels."""

    episode: int
    indices: list[int]  # in the whole pool
    info: dict[str, float | None]
    seconds_embed: float
    seconds_select: float


def fit_and_evaluate(
    this: Run,
    seed: int,
    episode: int,
    checkpoints: Checkpoints,
    init_key: jax.Array,
    train_key: jax.Array,
    pool: PoolState,
) -> tuple[TrainState, Trained]:
    """Phase "trained": returns the network of `episode`, from its checkpoint if there is one."""
    learner, terminal, num_labeled = this.learner, this.terminal, int(pool.num_labeled)
    work = STEP_COST * num_labeled
    found = _restore(this, checkpoints, episode)
    if found is not None:
        terminal.advance(work * this.fields["epochs"])
        return found
    interrupt.check()
    terminal.phase(f"seed {seed}, episode {episode}: training")
    state = learner.init(init_key)
    if this.fields["warm_start"] and episode > 1:
        previous = _restore(this, checkpoints, episode - 1)
        if previous is None:
            raise UsageError(
                f"config.warm_start needs the checkpoint of seed {seed}, episode {episode - 1}, "
                "which is missing; start anew with --overwrite."
            )
        state = TrainState(previous[0].params, state.opt_state)
    start = time.perf_counter()
    train_loss = train_accuracy = None
    if num_labeled:

        def on_epoch() -> None:
            interrupt.check()
            terminal.advance(work)

        state, fitted = learner.fit(train_key, state, pool, on_epoch)
        train_loss, train_accuracy = float(fitted.loss), float(fitted.accuracy)
    trained_at = time.perf_counter()
    terminal.phase(f"seed {seed}, episode {episode}: evaluating")
    tested = jax.block_until_ready(learner.evaluate(state))
    trained = Trained(
        train_loss=train_loss,
        train_accuracy=train_accuracy,
        test_accuracy=float(tested.accuracy),
        test_nll=float(tested.loss),
        test_ece=float(tested.ece),
        seconds_train=trained_at - start,
        seconds_evaluate=time.perf_counter() - trained_at,
    )
    if not (math.isfinite(train_loss or 0) and math.isfinite(trained.test_nll)):
        raise UsageError(
            f"Training diverged (seed {seed}, episode {episode}: train loss "
            f"{trained.train_loss}, test NLL {trained.test_nll}), so nothing was bought; "
            f"start anew with a config.lr below {this.fields['lr']}."
        )
    checkpoints.save(episode, state, trained._asdict())
    return state, trained


def with_pseudo_labels(this: Run, seed: int, episode: int, pool: PoolState) -> PoolState:
    """Returns `pool` with the labels that the last query believed, to be trained on as if true."""
    path = _pseudo_path(this, seed, episode - 1)
    if not path.exists():
        return pool
    believed = np.load(path, allow_pickle=False)
    rows = np.flatnonzero(believed != UNKNOWN)
    this.terminal.say(f"Episode {episode} also trains on {len(rows):,} pseudo-labels.")
    # At full size whatever their number, so that no episode brings a new shape to compile for.
    indices = np.full(believed.size, NOTHING, np.int32)
    indices[: len(rows)] = rows
    return label_points(pool, jnp.asarray(indices), jnp.asarray(believed[indices]))


def query(
    this: Run, seed: int, episode: int, query_key: jax.Array, state: TrainState, pool: PoolState
) -> Pending:
    """Phase "queried": returns what to label, from disk if it was asked before."""
    path = this.directory / "pending" / f"seed_{seed}.json"
    found = records.read_json(path)
    if found is not None and found["episode"] == episode:
        return Pending(**found)
    left = len(this.dataset.labels) - int(pool.num_labeled)
    if left < this.fields["budget"]:
        this.terminal.say(
            f"Only {left} images are left, fewer than config.budget={this.fields['budget']}: "
            f"buying them all; episode {episode + 1} is the last."
        )
    interrupt.check()
    this.terminal.phase(f"seed {seed}, episode {episode}: asking for labels")
    asked = this.learner.ask(query_key, state, pool)
    rows = np.asarray(asked.query.indices)
    rows = rows[rows != NOTHING]
    # What is bought cannot be returned, so a broken strategy stops here.
    if len(np.unique(rows)) != min(left, this.fields["budget"]) or pool.labeled[rows].any():
        raise RuntimeError(f"The strategy {this.fields['strategy']!r} gave a wrong query: {rows}.")
    if asked.query.info.get("random_fallback"):
        this.terminal.say(
            f"{this.fields['strategy']} cannot choose before there is a label: these "
            f"{len(rows)} are random."
        )
    if asked.query.pseudo_labels is not None:
        given = np.asarray(asked.query.pseudo_labels)
        records.write_array(_pseudo_path(this, seed, episode), given)
    looks.save_query(
        this.directory,
        seed,
        episode,
        this.dataset.images,
        asked.query,
        asked.signals,
        this.learner.embedding,
    )
    pending = Pending(
        episode=episode,
        indices=this.dataset.index[rows].tolist(),
        info={
            name: float(value) if np.isfinite(value) else None  # JSON has no infinity
            for name, value in asked.query.info.items()
        },
        seconds_embed=asked.seconds_embed,
        seconds_select=asked.seconds_select,
    )
    path.parent.mkdir(exist_ok=True)
    records.write_json(path, pending._asdict())
    return pending


def initial(this: Run, seed: int) -> list[int]:
    """Returns the whole-pool indices of the points labeled before the first episode."""
    rng = np.random.default_rng(seed)
    labels, how, size = this.dataset.labels, this.fields["initial"], this.fields["initial_size"]
    return this.dataset.index[initial_indices(rng, how, labels, size)].tolist()


def label(this: Run, seed: int, episode: int, indices: list[int], owned: list[Pick]) -> list[Pick]:
    """Phase "labeled": asks the oracle about whole-pool `indices` and writes its answers down."""
    rows = history.positions(np.array(indices), this.dataset.index)
    ids = [""] * len(rows) if this.dataset.ids is None else this.dataset.ids[rows].tolist()
    answers = this.oracle(rows).tolist()
    picks = [
        Pick(seed, episode, len(owned) + i, index, name, label)
        for i, (index, name, label) in enumerate(zip(indices, ids, answers, strict=True))
    ]
    records.append_picks(this.directory / "picks.csv", picks)
    return picks


def record(
    this: Run, seed: int, episode: int, owned: list[Pick], trained: Trained, pending: Pending
) -> records.Row:
    """Writes down, logs and shows what `episode` came to."""
    classes = [pick.label for pick in owned]
    row = {
        "seed": seed,
        "episode": episode,
        "num_labeled": len(owned),
        "num_bought": len(pending.indices),
        "train_loss": trained.train_loss,
        "train_accuracy": trained.train_accuracy,
        "test_accuracy": trained.test_accuracy,
        "test_nll": trained.test_nll,
        "test_ece": trained.test_ece,
        "cover_radius": pending.info.get("cover_radius"),
        "near_duplicate_share": near_duplicate_share(this, owned, pending),
        "query_info": pending.info,
        "labeled_class_counts": np.bincount(
            classes, minlength=len(this.dataset.class_names)
        ).tolist(),
        "seconds_train": trained.seconds_train,
        "seconds_evaluate": trained.seconds_evaluate,
        "seconds_embed": pending.seconds_embed,
        "seconds_select": pending.seconds_select,
        "compiles": this.learner.compiles,
    }
    records.append_metrics(this.directory / "metrics.jsonl", row)
    this.wandb.log(row)
    this.terminal.row(row)
    this.terminal.advance(look_work(this))
    return row


def near_duplicate_share(this: Run, owned: list[Pick], pending: Pending) -> float | None:
    """Returns the share of the picks that lie beside something owned, None without picks."""
    if not pending.indices:
        return None
    before = history.positions(np.array([pick.index for pick in owned], int), this.dataset.index)
    rows = history.positions(np.array(pending.indices), this.dataset.index)
    return this.near_duplicates.share(before, rows)


def _pseudo_path(this: Run, seed: int, episode: int) -> pathlib.Path:
    return this.directory / "pseudo_labels" / f"seed_{seed}" / f"episode_{episode:03}.npy"


def _restore(
    this: Run, checkpoints: Checkpoints, episode: int
) -> tuple[TrainState, Trained] | None:
    """Returns the checkpoint of `episode`, or None if there is none that can be read."""
    if episode not in checkpoints.episodes():
        return None
    try:
        state, trained = checkpoints.restore(episode, this.learner.state_shape)
        return state, Trained(**trained)
    except Exception as error:  # Orbax raises many kinds; training again gives the same network
        this.terminal.say(
            f"The checkpoint of episode {episode} is damaged ({type(error).__name__}); training "
            "that network again."
        )
        return None


def look_work(this: Run) -> int:
    """Returns how many images an episode looks at beside training; for the progress bar alone."""
    looks = bool(this.learner.computed)
    return len(this.dataset.test_labels) + len(this.dataset.labels) * looks
