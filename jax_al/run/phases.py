"""The phases of an episode: each ends with one durable write, and is skipped where that exists.

trained   checkpoints/seed_S/episode_E
queried   pseudo_labels/seed_S/episode_E.npy (if the strategy has any), pending/seed_S.json
labeled   picks.csv, then metrics.jsonl

The seeds of a group go through an episode together, and write each for itself.
"""

import dataclasses
import functools
import math
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jax_al import interrupt
from jax_al.errors import UsageError
from jax_al.geometry.near_duplicates import NearDuplicates
from jax_al.learners.training import TrainState
from jax_al.oracles.simulated import Oracle, initial_indices
from jax_al.pools import load as data
from jax_al.record import looks
from jax_al.record.terminal import Terminal
from jax_al.record.wandb_writer import WandbWriter
from jax_al.run.learner import Learner
from jax_al.run.replicates import Layout, one_of, stack
from jax_al.session import history, records
from jax_al.session.checkpoint import Checkpoints
from jax_al.session.history import History
from jax_al.session.records import Pick
from jax_al.types import NOTHING, UNKNOWN, PoolState, Signals, label_points

Made = TypeVar("Made")  # what a phase makes for one seed

# A gradient step costs about so many looks at the same images; for the progress bar alone.
STEP_COST = 9
SHOWN = ("log_probs", "mc_probs", "embedding")  # signals that `looks` keeps something of


class Run(NamedTuple):
    """What stays the same over all seeds and episodes."""

    fields: Mapping[str, Any]  # the config, flat
    directory: pathlib.Path
    dataset: data.Dataset
    learner: Learner
    layout: Layout  # of the learner
    oracle: Oracle
    terminal: Terminal
    wandb: WandbWriter
    near_duplicates: NearDuplicates


@dataclasses.dataclass
class Replicate:
    """One seed of a group: what is on record, which grows, and where its networks are kept."""

    seed: int
    metrics: list[records.Row]
    picks: list[Pick]
    checkpoints: Checkpoints

    @property
    def history(self) -> History:
        """What is on record."""
        return History(self.metrics, self.picks)


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
    replicates: Sequence[Replicate],
    episode: int,
    init_keys: Sequence[jax.Array],
    train_keys: Sequence[jax.Array],
    pools: Sequence[PoolState],
) -> list[tuple[TrainState, Trained]]:
    """Phase "trained": returns the networks of `episode`, from their checkpoints if they exist."""
    found = [_restore(this, replicate, episode) for replicate in replicates]
    done = sum(one is not None for one in found)
    this.terminal.advance(STEP_COST * int(pools[0].num_labeled) * this.fields["epochs"] * done)
    make = functools.partial(_fit_and_evaluate, this, episode)
    return _completed(found, make, replicates, init_keys, train_keys, pools)


def _fit_and_evaluate(
    this: Run,
    episode: int,
    replicates: Sequence[Replicate],
    init_keys: Sequence[jax.Array],
    train_keys: Sequence[jax.Array],
    pools: Sequence[PoolState],
) -> list[tuple[TrainState, Trained]]:
    learner, terminal, count = this.learner, this.terminal, len(replicates)
    work = STEP_COST * sum(int(pool.num_labeled) for pool in pools)
    interrupt.check()
    terminal.phase(f"{_named(replicates)}, episode {episode}: training")
    state = learner.init(stack(init_keys, this.layout), count)
    if this.fields["warm_start"] and episode > 1:
        before = [_previous(this, replicate, episode - 1) for replicate in replicates]
        state = TrainState(stack([one.params for one in before], this.layout), state.opt_state)
    start = time.perf_counter()
    fitted = None
    if int(pools[0].num_labeled):  # the seeds of an episode own equally many, or none at all

        def on_epoch() -> None:
            interrupt.check()
            terminal.advance(work)

        keys, pool = stack(train_keys, this.layout), stack(pools, this.layout)
        state, fitted = learner.fit(keys, state, pool, on_epoch, count)
    trained_at = time.perf_counter()
    terminal.phase(f"{_named(replicates)}, episode {episode}: evaluating")
    tested = jax.block_until_ready(learner.evaluate(state, count))
    evaluated_at = time.perf_counter()
    made = []
    for slot, replicate in zip(this.layout.places(count), replicates, strict=True):
        score, fit = one_of(tested, slot), one_of(fitted, slot)
        trained = Trained(
            train_loss=fit and float(fit.loss),
            train_accuracy=fit and float(fit.accuracy),
            test_accuracy=float(score.accuracy),
            test_nll=float(score.loss),
            test_ece=float(score.ece),
            seconds_train=(trained_at - start) / count,
            seconds_evaluate=(evaluated_at - trained_at) / count,
        )
        if not (math.isfinite(trained.train_loss or 0) and math.isfinite(trained.test_nll)):
            raise UsageError(
                f"Training diverged (seed {replicate.seed}, episode {episode}: train loss "
                f"{trained.train_loss}, test NLL {trained.test_nll}), so nothing was bought; "
                f"start anew with a config.lr below {this.fields['lr']}."
            )
        own = one_of(state, slot)
        replicate.checkpoints.save(episode, own, trained._asdict())
        made.append((own, trained))
    return made


def with_pseudo_labels(this: Run, seed: int, episode: int, pool: PoolState) -> PoolState:
    """Returns `pool` with the labels that the last query believed, to be trained on as if true."""
    path = _pseudo_path(this, seed, episode - 1)
    if not path.exists():
        return pool
    believed = np.load(path, allow_pickle=False)
    rows = np.flatnonzero(believed != UNKNOWN)
    this.terminal.say(f"Seed {seed}, episode {episode} also trains on {len(rows):,} pseudo-labels.")
    # At full size whatever their number, so that no episode brings a new shape to compile for.
    indices = np.full(believed.size, NOTHING, np.int32)
    indices[: len(rows)] = rows
    return label_points(pool, jnp.asarray(indices), jnp.asarray(believed[indices]))


def query(
    this: Run,
    replicates: Sequence[Replicate],
    episode: int,
    query_keys: Sequence[jax.Array],
    states: Sequence[TrainState],
    pools: Sequence[PoolState],
) -> list[Pending]:
    """Phase "queried": returns what to label, from disk if it was asked before."""
    found = [_pending(this, replicate, episode) for replicate in replicates]
    make = functools.partial(_query, this, episode)
    return _completed(found, make, replicates, query_keys, states, pools)


def _query(
    this: Run,
    episode: int,
    replicates: Sequence[Replicate],
    query_keys: Sequence[jax.Array],
    states: Sequence[TrainState],
    pools: Sequence[PoolState],
) -> list[Pending]:
    budget, count = this.fields["budget"], len(replicates)
    left = len(this.dataset.labels) - int(pools[0].num_labeled)
    if left < budget:
        this.terminal.say(
            f"Only {left} images are left, fewer than config.budget={budget}: buying them all; "
            f"episode {episode + 1} is the last."
        )
    interrupt.check()
    this.terminal.phase(f"{_named(replicates)}, episode {episode}: asking for labels")
    networks = [TrainState(state.params, None) for state in states]  # the optimizer stays behind
    keys, state, pool = (stack(trees, this.layout) for trees in (query_keys, networks, pools))
    try:
        asked = this.learner.ask(keys, state, pool, count)
    except jax.errors.JaxRuntimeError:  # what JAX makes of a Ctrl-C while a strategy is on the host
        interrupt.check()
        raise
    made = []
    for i, (slot, replicate) in enumerate(zip(this.layout.places(count), replicates, strict=True)):
        answer = one_of(asked.query, slot)
        own = {
            name: value if name in this.learner.given else one_of(value, slot)
            for name, value in asked.signals._asdict().items()
            if value is not None and name in SHOWN
        }
        rows = answer.indices[answer.indices != NOTHING]
        # What is bought cannot be returned, so a broken strategy stops here.
        labeled = np.asarray(pools[i].labeled)
        if len(np.unique(rows)) != min(left, budget) or labeled[rows].any():
            raise RuntimeError(
                f"The strategy {this.fields['strategy']!r} gave a wrong query: {rows}."
            )
        if answer.info.get("random_fallback"):
            this.terminal.say(
                f"{this.fields['strategy']} cannot choose before there is a label: these "
                f"{len(rows)} are random."
            )
        if answer.pseudo_labels is not None:
            path = _pseudo_path(this, replicate.seed, episode)
            records.write_array(path, answer.pseudo_labels)
        looks.save_query(
            this.directory,
            replicate.seed,
            episode,
            this.dataset.images,
            answer,
            Signals(**own),
            this.learner.embedding,
        )
        pending = Pending(
            episode=episode,
            indices=this.dataset.index[rows].tolist(),
            info={
                name: float(value) if np.isfinite(value) else None  # JSON has no infinity
                for name, value in answer.info.items()
            },
            seconds_embed=asked.seconds_embed / count,
            seconds_select=asked.seconds_select / count,
        )
        path = _pending_path(this, replicate.seed)
        path.parent.mkdir(exist_ok=True)
        records.write_json(path, pending._asdict())
        made.append(pending)
    return made


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
    this.terminal.row(row)
    this.wandb.log(row)
    this.terminal.advance(look_work(this))
    return row


def near_duplicate_share(this: Run, owned: list[Pick], pending: Pending) -> float | None:
    """Returns the share of the picks that lie beside something owned, None without picks."""
    if not pending.indices:
        return None
    before = history.positions(np.array([pick.index for pick in owned], int), this.dataset.index)
    rows = history.positions(np.array(pending.indices), this.dataset.index)
    return this.near_duplicates.share(before, rows)


def _completed(
    found: Sequence[Made | None],
    make: Callable[..., list[Made]],
    *by_seed: Sequence[Any],
) -> list[Made]:
    """Returns `found` with what is None made, in one call of `make` for those seeds together."""
    missing = [i for i, one in enumerate(found) if one is None]
    made = iter(make(*([column[i] for i in missing] for column in by_seed)) if missing else [])
    return [next(made) if one is None else one for one in found]


def _pseudo_path(this: Run, seed: int, episode: int) -> pathlib.Path:
    return this.directory / "pseudo_labels" / f"seed_{seed}" / f"episode_{episode:03}.npy"


def _pending_path(this: Run, seed: int) -> pathlib.Path:
    return this.directory / "pending" / f"seed_{seed}.json"


def _pending(this: Run, replicate: Replicate, episode: int) -> Pending | None:
    """Returns the query of `episode` if it is on disk."""
    found = records.read_json(_pending_path(this, replicate.seed))
    return Pending(**found) if found is not None and found["episode"] == episode else None


def _previous(this: Run, replicate: Replicate, episode: int) -> TrainState:
    """Returns the network of `episode`, for a warm start."""
    found = _restore(this, replicate, episode)
    if found is None:
        raise UsageError(
            f"config.warm_start needs the checkpoint of seed {replicate.seed}, episode {episode}, "
            "which is missing; start anew with --overwrite."
        )
    return found[0]


def _restore(this: Run, replicate: Replicate, episode: int) -> tuple[TrainState, Trained] | None:
    """Returns the checkpoint of `episode`, or None if there is none that can be read."""
    if episode not in replicate.checkpoints.episodes():
        return None
    try:
        state, trained = replicate.checkpoints.restore(episode, this.learner.state_shape)
        return state, Trained(**trained)
    except Exception as error:  # Orbax raises many kinds; training again gives the same network
        this.terminal.say(
            f"The checkpoint of episode {episode} is damaged ({type(error).__name__}); training "
            "that network again."
        )
        return None


def _named(replicates: Sequence[Replicate]) -> str:
    """Returns "seed 3", or "seeds 0, 1 and 2", for the terminal."""
    seeds = [str(replicate.seed) for replicate in replicates]
    if len(seeds) == 1:
        return f"seed {seeds[0]}"
    return f"seeds {', '.join(seeds[:-1])} and {seeds[-1]}"


def look_work(this: Run) -> int:
    """Returns how many images an episode looks at beside training; for the progress bar alone."""
    looks = bool(this.learner.computed)
    return len(this.dataset.test_labels) + len(this.dataset.labels) * looks
