"""The experiment: fit -> evaluate -> query -> label, for each seed, until the budget is spent.

What is on disk is what is needed to go on. Each phase (`phases.py`) ends with one durable write; a
start reads them and does what is missing, so nothing depends on how often a run was interrupted.
"""

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from jax_al.cli import settings
from jax_al.errors import UsageError
from jax_al.features.fixed import check_embedding, fixed_embedding
from jax_al.geometry.near_duplicates import NearDuplicates
from jax_al.learners.networks import Model, in_dtype, make_model
from jax_al.oracles.simulated import simulated_oracle
from jax_al.pools import load as data
from jax_al.record import looks
from jax_al.record.terminal import Terminal, describe_devices
from jax_al.record.wandb_writer import WandbWriter
from jax_al.run import phases
from jax_al.run.learner import Learner
from jax_al.run.phases import STEP_COST, Pending, Replicate, Run
from jax_al.run.replicates import make_layout
from jax_al.session import history, records, workdir
from jax_al.session.checkpoint import Checkpoints
from jax_al.session.history import History
from jax_al.strategies import make_strategy
from jax_al.types import Strategy

PICTURED = 12  # images per episode on the contact sheet


@dataclasses.dataclass
class Shared:
    """What runs whose configs differ in the strategy alone need to load and compile only once."""

    dataset: data.Dataset | None = None
    near_duplicates: NearDuplicates | None = None
    learner: Learner | None = None
    embeddings: dict[str, np.ndarray | None] = dataclasses.field(default_factory=dict)


class Prepared(NamedTuple):
    """A config that has been checked, and what it names."""

    public: dict[str, Any]  # as it is written down
    fields: dict[str, Any]  # flat: {"data.name": ...}
    strategy: Strategy
    dataset: data.Dataset
    model: Model
    embedding: np.ndarray | None  # float32 [N, D], where no network makes it


def prepare(config: ConfigDict, shared: Shared) -> Prepared:
    """Loads what `config` names and `shared` does not hold yet; nothing is compiled or written.

    Raises:
      UsageError: the config or the data cannot be used.
    """
    public = json.loads(config.to_json_best_effort())
    fields = workdir.flat({**public, "strategy_args": None, "model": None})
    settings.check(fields)
    strategy = make_strategy(config.strategy, **config.strategy_args)
    check_embedding(strategy.embedding)
    dataset = shared.dataset = shared.dataset or _load_data(fields)
    if config.initial_size > len(dataset.labels):
        raise UsageError(
            f"config.initial_size is {config.initial_size}, but the pool holds "
            f"{len(dataset.labels)} images."
        )
    source = strategy.embedding
    if source not in shared.embeddings:
        shared.embeddings[source] = fixed_embedding(
            source, dataset.images, dataset.index, dataset.whole_size
        )
    model = _make_model(config, dataset)
    return Prepared(public, fields, strategy, dataset, model, shared.embeddings[source])


def past(prepared: Prepared, directory: pathlib.Path) -> dict[int, History]:
    """Returns what is on record in `directory`, by seed; it is locked by the caller.

    Raises:
      UsageError: `prepared` cannot go on with it.
    """
    dataset = prepared.dataset
    workdir.check_config(directory, prepared.public)
    found = history.load(directory, prepared.fields, len(dataset.labels))
    for one in found.values():
        history.check_data(one.picks, dataset.index, dataset.labels, dataset.ids)
    return found


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
    is_part = shared is not None  # of a comparison, which has a report of its own
    shared = shared or Shared()
    devices = describe_devices()  # before anything is touched: the wanted ones may not be there
    with workdir.locked(directory):
        prepared = prepare(config, shared)
        public, fields, strategy, dataset, model, embedding = prepared
        num_points = len(dataset.labels)
        done = {} if overwrite else past(prepared, directory)
        terminal = Terminal()
        terminal.facts(_facts(fields, directory, dataset, devices))
        seeds = range(config.seed, config.seed + config.num_seeds)
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
            turns = -(-config.num_seeds // config.get("seeds_at_once", 10))
            at_once = -(-config.num_seeds // turns)  # 11 seeds, 10 at once: 6 and 5, not 10 and 1
            layout = make_layout(at_once, config.get("seed_axis", "map"), jax.devices())
            options = settings.learner_options(fields, num_points, strategy.pseudo_labels)
            if shared.learner is None:
                learner = Learner(
                    model,
                    strategy,
                    dataset.images,
                    dataset.test_images,
                    dataset.test_labels,
                    options,
                    embedding=embedding,
                    true_labels=dataset.labels,
                    layout=layout,
                )
            else:
                learner = shared.learner.with_strategy(
                    strategy, options.capacity, embedding=embedding, true_labels=dataset.labels
                )
            shared.learner = learner
            # Only now that nothing can be refused any more is anything removed or replaced.
            if overwrite:
                workdir.clear(directory)
            workdir.write_config(directory, public)
            terminal.say(
                f"{learner.num_compiled} of {len(learner.programs)} programs compiled in "
                f"{learner.seconds_compile:.1f} s, once for the whole run."
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
            this = Run(fields, directory, dataset, learner, layout, oracle, terminal, wandb, twins)
            looks.save_pool(directory, dataset)
            terminal.header()
            with terminal.progress(sum(_work(this, done.get(seed)) for seed in todo)):
                for first in range(0, len(todo), at_once):
                    group = todo[first : first + at_once]
                    with wandb.seeds(group):
                        run_together(this, {s: done.get(s) or History([], []) for s in group})
                        wandb.pictures(_draw(directory, fields, dataset))
            history.load(directory, fields, num_points)  # sorts what was made in pieces
        terminal.say(f"Pictures: {directory / 'curve.png'} and {directory / 'picks.png'}")
        if not is_part:
            write_report([directory], directory / "report.html", terminal.say)


def run_together(this: Run, done: Mapping[int, History]) -> None:
    """Runs what is left of some seeds, given what is `done` of each, the least advanced first."""
    N = len(this.dataset.labels)
    places = {seed: this.directory / "checkpoints" / f"seed_{seed}" for seed in done}
    with contextlib.ExitStack() as opened:
        replicates = [
            Replicate(
                seed,
                list(past.metrics),
                list(past.picks),
                opened.enter_context(Checkpoints(places[seed], this.fields["keep_checkpoints"])),
            )
            for seed, past in done.items()
        ]
        for one in replicates:
            if not one.picks:
                one.picks += phases.label(this, one.seed, 0, phases.initial(this, one.seed), [])
        while todo := [
            one
            for one in replicates
            if not history.is_finished(one.history, this.fields["max_episodes"], N)
        ]:
            episode = 1 + min(len(one.metrics) for one in todo)
            run_episode(this, [one for one in todo if len(one.metrics) == episode - 1], episode)


def run_episode(this: Run, replicates: Sequence[Replicate], episode: int) -> None:
    """Fit -> evaluate -> query -> label, for seeds that stand at the same `episode`."""
    owned = [one.history.owned(episode) for one in replicates]
    keys = [jax.random.fold_in(jax.random.key(one.seed), episode) for one in replicates]
    init_keys, train_keys, query_keys = zip(*map(_three_keys, keys), strict=True)
    capacity = this.learner.options.capacity
    pools = [history.replay(picks, this.dataset.index, capacity) for picks in owned]
    taught = [
        phases.with_pseudo_labels(this, one.seed, episode, pool)
        for one, pool in zip(replicates, pools, strict=True)
    ]
    fits = phases.fit_and_evaluate(this, replicates, episode, init_keys, train_keys, taught)

    N, max_episodes = len(this.dataset.labels), this.fields["max_episodes"]
    if history.is_last(episode, len(owned[0]), max_episodes, N):
        queries = [Pending(episode, [], {}, 0.0, 0.0) for _ in replicates]
    else:
        states = [state for state, _ in fits]
        queries = phases.query(this, replicates, episode, query_keys, states, pools)

    for one, had, (_, trained), pending in zip(replicates, owned, fits, queries, strict=True):
        if pending.indices and not one.history.bought(episode):
            one.picks += phases.label(this, one.seed, episode, pending.indices, had)
        one.metrics.append(phases.record(this, one.seed, episode, had, trained, pending))


def _three_keys(key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    init_key, train_key, query_key = jax.random.split(key, 3)
    return init_key, train_key, query_key


def write_report(
    directories: Sequence[pathlib.Path], page: pathlib.Path, say: Callable[[str], None]
) -> None:
    """Writes the page about runs and says where it is; a failure is told and nothing more."""
    from jax_al import report

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
    from jax_al import report

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
