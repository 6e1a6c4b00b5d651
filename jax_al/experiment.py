"""The experiment: fit -> evaluate -> query -> label, for each seed, until the budget is spent.

What is on disk is what is needed to go on. Each phase ends with one durable write; a start reads
them and does what is missing, so nothing depends on how often a run was interrupted:

    trained   checkpoints/seed_S/episode_E
    queried   pending/seed_S.json
    labeled   picks.csv, then metrics.jsonl
"""

import json
import math
import pathlib
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from jax_al import data, history, records, report, settings, workdir
from jax_al.base import NOTHING, PoolState, UsageError
from jax_al.checkpoint import Checkpoints
from jax_al.history import History
from jax_al.learner import Learner
from jax_al.models import Model, make_model
from jax_al.oracle import Oracle, initial_indices, simulated_oracle
from jax_al.records import Pick
from jax_al.strategies import make_strategy
from jax_al.terminal import Terminal, describe_devices
from jax_al.training import TrainState
from jax_al.wandb_writer import WandbWriter

PICTURED = 12  # images per episode on the contact sheet
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


class Trained(NamedTuple):
    """What the phase "trained" leaves beside the network."""

    train_loss: float
    train_accuracy: float
    test_accuracy: float
    test_nll: float
    seconds_train: float
    seconds_evaluate: float


class Pending(NamedTuple):
    """A query on disk, waiting for its labels."""

    episode: int
    indices: list[int]  # in the whole pool
    info: dict[str, float | None]
    seconds_embed: float
    seconds_select: float


def run(config: ConfigDict, directory: pathlib.Path, *, overwrite: bool = False) -> None:
    """Runs or continues the experiment of `config` in `directory`.

    Raises:
      UsageError: the config, the data or the directory cannot be used.
    """
    public = json.loads(config.to_json_best_effort())
    fields = workdir.flat({**public, "strategy_args": None, "model": None})
    settings.check(fields)
    strategy = make_strategy(config.strategy, **config.strategy_args)
    devices = describe_devices()  # before anything is touched: the wanted ones may not be there
    with workdir.locked(directory):
        dataset = _load_data(fields)
        num_points = len(dataset.labels)
        if config.initial_size > num_points:
            raise UsageError(
                f"config.initial_size is {config.initial_size}, but the pool holds "
                f"{num_points} images."
            )
        model = _make_model(config, dataset)
        if overwrite:
            workdir.clear(directory)
        workdir.keep_config(directory, public)

        terminal = Terminal()
        terminal.facts(_facts(fields, directory, dataset, devices))
        seeds = range(config.seed, config.seed + config.num_seeds)
        done = history.load(directory, fields, num_points)
        for past in done.values():
            history.check_data(past.picks, dataset.index, dataset.labels, dataset.ids)
        todo = [
            seed
            for seed in seeds
            if not history.is_finished(done.get(seed), config.max_episodes, num_points)
        ]
        if not todo:
            _draw(directory, fields, dataset)
            terminal.say("This run is finished: more episodes or seeds continue it.")
        else:
            learner = Learner(
                model,
                strategy,
                dataset.images,
                dataset.test_images,
                dataset.test_labels,
                settings.learner_options(fields, num_points),
            )
            terminal.say(
                f"{learner.compiles} programs compiled in {learner.seconds_compile:.1f} s, once "
                "for the whole run."
            )
            wandb = WandbWriter(
                directory, config.wandb.mode, config.wandb.project, public, terminal.say
            )
            oracle = simulated_oracle(dataset.labels)
            this = Run(fields, directory, dataset, learner, oracle, terminal, wandb)
            terminal.header()
            with terminal.progress(sum(_work(this, done.get(seed)) for seed in todo)):
                for seed in todo:
                    with wandb.seed(seed):
                        run_seed(this, seed, done.get(seed) or History([], []))
                        wandb.pictures(_draw(directory, fields, dataset))
            history.load(directory, fields, num_points)  # sorts what was made in pieces
        terminal.say(f"Pictures: {directory / 'curve.png'} and {directory / 'picks.png'}")


def run_seed(this: Run, seed: int, done: History) -> None:
    """Runs what is left of one seed, given what is `done`."""
    N = len(this.dataset.labels)
    metrics, picks = list(done.metrics), list(done.picks)
    with Checkpoints(
        this.directory / "checkpoints" / f"seed_{seed}", this.fields["keep_checkpoints"]
    ) as checkpoints:
        if not picks:
            picks += _label(this, seed, 0, _initial(this, seed), [])
        episode, last = len(metrics), False
        while not last:
            episode += 1
            episode_key = jax.random.fold_in(jax.random.key(seed), episode)
            init_key, train_key, query_key = jax.random.split(episode_key, 3)
            so_far = History(metrics, picks)
            owned, bought = so_far.owned(episode), so_far.bought(episode)
            pool = history.replay(owned, this.dataset.index, this.learner.options.capacity)
            last = history.is_last(episode, len(owned), this.fields["max_episodes"], N)

            state, trained = _fit_and_evaluate(
                this, seed, episode, checkpoints, init_key, train_key, pool
            )
            pending = Pending(episode, [], {}, 0.0, 0.0)
            if not last:
                pending = _query(this, seed, episode, query_key, state, pool)
                if not bought:
                    picks += _label(this, seed, episode, pending.indices, owned)
            metrics.append(_record(this, seed, episode, owned, trained, pending))


def _fit_and_evaluate(
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
    state, fitted = learner.fit(train_key, state, pool, lambda: terminal.advance(work))
    trained_at = time.perf_counter()
    terminal.phase(f"seed {seed}, episode {episode}: evaluating")
    tested = jax.block_until_ready(learner.evaluate(state))
    trained = Trained(
        train_loss=float(fitted.loss),
        train_accuracy=float(fitted.accuracy),
        test_accuracy=float(tested.accuracy),
        test_nll=float(tested.loss),
        seconds_train=trained_at - start,
        seconds_evaluate=time.perf_counter() - trained_at,
    )
    if not (math.isfinite(trained.train_loss) and math.isfinite(trained.test_nll)):
        raise UsageError(
            f"Training diverged (seed {seed}, episode {episode}: train loss "
            f"{trained.train_loss}, test NLL {trained.test_nll}), so nothing was bought; "
            f"start anew with a config.lr below {this.fields['lr']}."
        )
    checkpoints.save(episode, state, trained._asdict())
    return state, trained


def _query(
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
    this.terminal.phase(f"seed {seed}, episode {episode}: asking for labels")
    asked = this.learner.ask(query_key, state, pool)
    rows = np.asarray(asked.query.indices)
    rows = rows[rows != NOTHING]
    # What is bought cannot be returned, so a broken strategy stops here.
    if len(np.unique(rows)) != min(left, this.fields["budget"]) or pool.labeled[rows].any():
        raise RuntimeError(f"The strategy {this.fields['strategy']!r} gave a wrong query: {rows}.")
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


def _initial(this: Run, seed: int) -> list[int]:
    rng = np.random.default_rng(seed)
    labels, how, size = this.dataset.labels, this.fields["initial"], this.fields["initial_size"]
    return this.dataset.index[initial_indices(rng, how, labels, size)].tolist()


def _label(this: Run, seed: int, episode: int, indices: list[int], owned: list[Pick]) -> list[Pick]:
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


def _record(
    this: Run, seed: int, episode: int, owned: list[Pick], trained: Trained, pending: Pending
) -> records.Row:
    classes = [pick.label for pick in owned]
    row = {
        "seed": seed,
        "episode": episode,
        "num_labeled": len(owned),
        "train_loss": trained.train_loss,
        "train_accuracy": trained.train_accuracy,
        "test_accuracy": trained.test_accuracy,
        "test_nll": trained.test_nll,
        "cover_radius": pending.info.get("cover_radius"),
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
    this.terminal.advance(_look_work(this))
    return row


def _restore(
    this: Run, checkpoints: Checkpoints, episode: int
) -> tuple[TrainState, Trained] | None:
    """Returns the checkpoint of `episode`, or None if there is none that can be read."""
    if episode not in checkpoints.episodes():
        return None
    try:
        state, trained = checkpoints.restore(episode, this.learner.state_shape)
    except Exception as error:  # Orbax raises many kinds; training again gives the same network
        this.terminal.say(
            f"The checkpoint of episode {episode} is damaged ({type(error).__name__}); training "
            "that network again."
        )
        return None
    return state, Trained(**trained)


def _load_data(fields: Mapping[str, Any]) -> data.Dataset:
    names = (
        "name", "data_dir", "cache_dir", "pool_splits", "pool_size", "test_split", "test_size",
        "image_size",
    )  # fmt: skip
    return data.load(**{name: fields[f"data.{name}"] for name in names})


def _make_model(config: ConfigDict, dataset: data.Dataset) -> Model:
    options = config.model.to_dict()
    name = options.pop("name")
    return make_model(name, dataset.images.shape[1:], len(dataset.class_names), **options)


def _facts(
    fields: Mapping[str, Any], directory: pathlib.Path, dataset: data.Dataset, devices: str
) -> dict[str, object]:
    N, height, width, channels = dataset.images.shape
    return {
        "jax": f"{jax.__version__} on {devices}",
        "data": f"{dataset.name} {dataset.version}: pool {N:,}, test {len(dataset.test_labels):,}, "
        f"{len(dataset.class_names)} classes, {height}x{width}x{channels}",
        "strategy": f"{fields['strategy']}: {fields['initial_size']} labels, then "
        f"{fields['budget']} an episode, {fields['max_episodes']} episodes, "
        f"{fields['num_seeds']} seed(s) from {fields['seed']}",
        "workdir": directory,
    }


def _look_work(this: Run) -> int:
    embeds = "embedding" in this.learner.needs
    return len(this.dataset.test_labels) + len(this.dataset.labels) * embeds


def _work(this: Run, done: History | None) -> int:
    """Returns what is left to do for a seed, in looks at an image."""
    N, total = len(this.dataset.labels), 0
    for episode in range(len(done.metrics) if done else 0, this.fields["max_episodes"]):
        owned = min(N, this.fields["initial_size"] + this.fields["budget"] * episode)
        total += owned * STEP_COST * this.fields["epochs"] + _look_work(this)
        if owned == N:
            break
    return total


def _draw(
    directory: pathlib.Path, fields: Mapping[str, Any], dataset: data.Dataset
) -> dict[str, pathlib.Path]:
    """Draws the pictures from the records; returns where they are."""
    paths = {"curve": directory / "curve.png", "picks": directory / "picks.png"}
    metrics = records.read_metrics(directory / "metrics.jsonl")
    report.plot_curves(paths["curve"], {fields["strategy"]: metrics}, dataset.name)
    of_first = [
        pick for pick in records.read_picks(directory / "picks.csv") if pick.seed == fields["seed"]
    ]
    sheets = []
    for episode in sorted({pick.episode for pick in of_first}):
        shown = [pick for pick in of_first if pick.episode == episode][:PICTURED]
        rows = history.positions(np.array([pick.index for pick in shown]), dataset.index)
        names = [dataset.class_names[pick.label] for pick in shown]
        title = f"episode {episode}" if episode else "initial"
        sheets.append(report.Sheet(title, dataset.images[rows], names))
    title = f"{dataset.name}, {fields['strategy']}: first picks of each episode"
    report.plot_picks(paths["picks"], sheets, title)
    return paths
