"""The experiment: fit -> evaluate -> query -> label, for each seed, until the budget is spent.

What is on disk is what is needed to go on. Each phase (`phases.py`) ends with one durable write; a
start reads them and does what is missing, so nothing depends on how often a run was interrupted.
"""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jax_al import data, history, looks, phases, records, report, settings, workdir
from jax_al.base import Strategy, UsageError
from jax_al.checkpoint import Checkpoints
from jax_al.embeddings import check_embedding, fixed_embedding
from jax_al.history import History
from jax_al.learner import Learner, Options
from jax_al.models import Model, in_dtype, make_model
from jax_al.near_duplicates import NearDuplicates
from jax_al.oracle import simulated_oracle
from jax_al.phases import STEP_COST, Pending, Run
from jax_al.strategies import make_strategy
from jax_al.terminal import Terminal, describe_devices
from jax_al.wandb_writer import WandbWriter

PICTURED = 12  # images per episode on the contact sheet


@dataclasses.dataclass
class Shared:
    """What runs on the same data with the same network need to load and compile only once."""

    dataset: data.Dataset | None = None
    near_duplicates: NearDuplicates | None = None
    learners: dict[Options, Learner] = dataclasses.field(default_factory=dict)


def run(
    config: ConfigDict,
    directory: pathlib.Path,
    *,
    overwrite: bool = False,
    shared: Shared | None = None,
    wandb_group: str | None = None,
) -> None:
    """Runs or continues the experiment of `config` in `directory`.

    Args:
      config: a recipe with one strategy.
      directory: made if missing.
      overwrite: whether to remove what an earlier run left there.
      shared: filled by the first of several runs whose configs differ in the strategy alone.
      wandb_group: the group of the wandb runs; None: one of this run's own.

    Raises:
      UsageError: the config, the data or the directory cannot be used.
    """
    public = json.loads(config.to_json_best_effort())
    fields = workdir.flat({**public, "strategy_args": None, "model": None})
    settings.check(fields)
    strategy = make_strategy(config.strategy, **config.strategy_args)
    check_embedding(strategy.embedding)
    is_part = shared is not None  # of a comparison, which has a report of its own
    shared = shared or Shared()
    devices = describe_devices()  # before anything is touched: the wanted ones may not be there
    with workdir.locked(directory):
        dataset = shared.dataset = shared.dataset or _load_data(fields)
        num_points = len(dataset.labels)
        if config.initial_size > num_points:
            raise UsageError(
                f"config.initial_size is {config.initial_size}, but the pool holds "
                f"{num_points} images."
            )
        model = _make_model(config, dataset)
        done = {}
        if not overwrite:
            workdir.check_config(directory, public)
            done = history.load(directory, fields, num_points)
        terminal = Terminal()
        terminal.facts(_facts(fields, directory, dataset, devices))
        seeds = range(config.seed, config.seed + config.num_seeds)
        for past in done.values():
            history.check_data(past.picks, dataset.index, dataset.labels, dataset.ids)
        todo = [
            seed
            for seed in seeds
            if not history.is_finished(done.get(seed), config.max_episodes, num_points)
        ]
        if not todo:
            workdir.write_config(directory, public)
            _draw(directory, fields, dataset)
            terminal.say("This run is finished: more episodes or seeds continue it.")
        else:
            learner = _make_learner(fields, model, strategy, dataset, shared)
            # Only now that nothing can be refused any more is anything removed or replaced.
            if overwrite:
                workdir.clear(directory)
            workdir.write_config(directory, public)
            terminal.say(
                f"{learner.compiles} programs compiled in {learner.seconds_compile:.1f} s, once "
                "for the whole run."
            )
            wandb = WandbWriter(
                directory,
                config.wandb.mode,
                config.wandb.project,
                public,
                terminal.say,
                group=wandb_group,
            )
            oracle = simulated_oracle(dataset.labels)
            twins = shared.near_duplicates = shared.near_duplicates or NearDuplicates(
                dataset.images
            )
            this = Run(fields, directory, dataset, learner, oracle, terminal, wandb, twins)
            looks.save_pool(directory, dataset)
            terminal.header()
            with terminal.progress(sum(_work(this, done.get(seed)) for seed in todo)):
                for seed in todo:
                    with wandb.seed(seed):
                        run_seed(this, seed, done.get(seed) or History([], []))
                        wandb.pictures(_draw(directory, fields, dataset))
            history.load(directory, fields, num_points)  # sorts what was made in pieces
        terminal.say(f"Pictures: {directory / 'curve.png'} and {directory / 'picks.png'}")
        if not is_part:
            write_report([directory], directory / "report.html", terminal.say)


def run_seed(this: Run, seed: int, done: History) -> None:
    """Runs what is left of one seed, given what is `done`."""
    N = len(this.dataset.labels)
    metrics, picks = list(done.metrics), list(done.picks)
    with Checkpoints(
        this.directory / "checkpoints" / f"seed_{seed}", this.fields["keep_checkpoints"]
    ) as checkpoints:
        if not picks:
            picks += phases.label(this, seed, 0, phases.initial(this, seed), [])
        episode, last = len(metrics), False
        while not last:
            episode += 1
            episode_key = jax.random.fold_in(jax.random.key(seed), episode)
            init_key, train_key, query_key = jax.random.split(episode_key, 3)
            so_far = History(metrics, picks)
            owned, bought = so_far.owned(episode), so_far.bought(episode)
            pool = history.replay(owned, this.dataset.index, this.learner.options.capacity)
            last = history.is_last(episode, len(owned), this.fields["max_episodes"], N)

            taught = phases.with_pseudo_labels(this, seed, episode, pool)
            state, trained = phases.fit_and_evaluate(
                this, seed, episode, checkpoints, init_key, train_key, taught
            )
            pending = Pending(episode, [], {}, 0.0, 0.0)
            if not last:
                pending = phases.query(this, seed, episode, query_key, state, pool)
                if not bought:
                    picks += phases.label(this, seed, episode, pending.indices, owned)
            metrics.append(phases.record(this, seed, episode, owned, trained, pending))


def write_report(
    directories: Sequence[pathlib.Path], page: pathlib.Path, say: Callable[[str], None]
) -> None:
    """Writes the page about runs and says where it is; a failure is told and nothing more."""
    try:
        report.write_report(directories, page, files=False)
    except Exception as error:  # all is recorded; a page that fails takes nothing from it
        say(f"No report this time: {type(error).__name__}: {error}")
    else:
        say(f"Report: {page}")


def _load_data(fields: Mapping[str, Any]) -> data.Dataset:
    names = (
        "name", "data_dir", "cache_dir", "pool_splits", "pool_size", "test_split", "test_size",
        "image_size",
    )  # fmt: skip
    return data.load(**{name: fields[f"data.{name}"] for name in names})


def _make_model(config: ConfigDict, dataset: data.Dataset) -> Model:
    options = config.model.to_dict()
    name = options.pop("name")
    model = make_model(name, dataset.images.shape[1:], len(dataset.class_names), **options)
    dtype = jnp.dtype(config.compute_dtype)
    return model if dtype == jnp.float32 else in_dtype(model, dtype)


def _make_learner(
    fields: Mapping[str, Any],
    model: Model,
    strategy: Strategy,
    dataset: data.Dataset,
    shared: Shared,
) -> Learner:
    options = settings.learner_options(fields, len(dataset.labels), strategy.pseudo_labels)
    embedding = fixed_embedding(
        strategy.embedding, dataset.images, dataset.index, dataset.whole_size
    )
    truth = dataset.labels
    if options in shared.learners:
        earlier = shared.learners[options]
        return earlier.with_strategy(strategy, embedding=embedding, true_labels=truth)
    learner = shared.learners[options] = Learner(
        model,
        strategy,
        dataset.images,
        dataset.test_images,
        dataset.test_labels,
        options,
        embedding=embedding,
        true_labels=truth,
    )
    return learner


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


def _work(this: Run, done: History | None) -> int:
    """Returns what is left to do for a seed, in looks at an image."""
    N, total = len(this.dataset.labels), 0
    for episode in range(len(done.metrics) if done else 0, this.fields["max_episodes"]):
        owned = min(N, this.fields["initial_size"] + this.fields["budget"] * episode)
        total += owned * STEP_COST * this.fields["epochs"] + phases.look_work(this)
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
        bought = [pick for pick in of_first if pick.episode == episode]
        shown = bought[:PICTURED]
        rows = history.positions(np.array([pick.index for pick in shown]), dataset.index)
        names = [dataset.class_names[pick.label] for pick in shown]
        title = f"episode {episode}" if episode else "initial"
        if len(shown) < len(bought):
            title += f"\n{len(shown)} of {len(bought)}"
        sheets.append(report.Sheet(title, dataset.images[rows], names))
    title = (
        f"{dataset.name}, {fields['strategy']}: first picks of each episode of seed "
        f"{fields['seed']}, with their true classes"
    )
    report.plot_picks(paths["picks"], sheets, title)
    return paths
