"""From a config to a study: what the fields name is loaded and made, or refused in a sentence."""

import functools
from collections.abc import Mapping
from typing import Any

from jax_al.cli.config import flat
from jax_al.cli.strategy import prefixed, strategy_from
from jax_al.drivers.engine import Looking, MakeLearner
from jax_al.drivers.part import Schedule
from jax_al.drivers.study import Study
from jax_al.errors import UsageError
from jax_al.features.embedding import check_embedding
from jax_al.features.pool import with_features
from jax_al.learners import LEARNERS, WRAPPERS, learner_named, learner_options
from jax_al.learners.training_options import TrainingOptions
from jax_al.learners.wrapping import wrapped_by
from jax_al.oracles import check_oracle, make_oracle
from jax_al.pools.load import benchmark
from jax_al.strategies.entries import strategies_named
from jax_al.types import Benchmark, Learner, Oracle, Spec, Strategy

NETWORKS = ("cnn", "mlp", "vgg16", "resnet18")  # the fields of training are options of these


def study_of(public: Mapping[str, Any]) -> Study:
    """Returns the study that a config describes; nothing is compiled or written.

    Args:
      public: the config as it is written down, nested, of what JSON can hold.

    Raises:
      UsageError: it names what is not there, or what cannot be meant.
    """
    fields = flat({**public, "strategy_args": None, "features_args": None, "model": None})
    strategies = strategies_of(public)
    learner = _learner(public, fields)
    data = _with_features(_benchmark(fields), public)
    if fields["oracle"] == "people":
        data = data._replace(truth=None)  # they are asked: nothing here knows it better
    check_oracle(fields["oracle"], data)
    if data.truth is None and fields["initial"] != "random":
        who = "people are asked for it" if fields["oracle"] == "people" else f"{data.name} has none"
        raise UsageError(
            f"config.initial is {fields['initial']!r}, which looks at the truth, and {who}: choose "
            "random."
        )
    if len(set(data.classes)) < max(2, len(data.classes)):
        raise UsageError(
            f"The classes of {data.name} are {', '.join(map(repr, data.classes)) or 'not known'}: "
            "a learner needs two or more different ones. (People who begin without classes take "
            "jax-al label.)"
        )
    if fields["initial_size"] > len(data.pool):
        raise UsageError(
            f"config.initial_size is {fields['initial_size']}, but the pool holds "
            f"{len(data.pool)} examples."
        )
    if fields["budget"] > len(data.pool):
        raise UsageError(
            f"config.budget is {fields['budget']}, but the pool holds {len(data.pool)} examples: "
            "no query could be that large."
        )
    return Study(
        benchmark=data,
        learner=learner,
        strategies=strategies,
        seeds=tuple(range(fields["seed"], fields["seed"] + fields["num_seeds"])),
        schedule=Schedule(
            initial_size=fields["initial_size"],
            budget=fields["budget"],
            max_episodes=fields["max_episodes"],
            initial=fields["initial"],
            warm_start=fields["warm_start"],
            keep_checkpoints=fields["keep_checkpoints"],
        ),
        looking=Looking(
            chunk_size=fields["test_batch_size"],
            num_samples=fields["num_samples"],
            resident=fields["data.resident"],
            cache_dir=fields["data.cache_dir"],
        ),
        oracle=_oracle(fields["oracle"]),
        public=public,
    )


def strategies_of(public: Mapping[str, Any]) -> dict[str, Strategy]:
    """Returns the strategies of a config by the names of their parts.

    An entry of `compare` is NAME, or NAME@EMBEDDING for a strategy that looks at another embedding;
    without one it is the strategy of the config. `strategy_args` go to all.

    Raises:
      UsageError: there is no such strategy, embedding or option, or one is named twice.
    """

    def make(name: str, **options: Any) -> Strategy:
        strategy = strategy_from(name, options)
        with prefixed("config.strategy_args.", ("embedding",)):
            check_embedding(strategy.embedding)
        return strategy

    entries = public["compare"] or (public["strategy"],)
    return strategies_named(entries, make, **public["strategy_args"])


def _benchmark(fields: Mapping[str, Any]) -> Benchmark:
    names = (
        "data_dir", "cache_dir", "pool_splits", "pool_size", "imbalance", "test_split", "test_size",
        "image_size", "label_key", "image_key", "labels", "test_path", "test_labels",
    )  # fmt: skip
    options = {name: fields[f"data.{name}"] for name in names}
    return benchmark(fields["data.name"], **options)


def _with_features(data: Benchmark, public: Mapping[str, Any]) -> Benchmark:
    """Returns the benchmark as learners and strategies see it; its name stays."""
    name, options = public.get("features"), dict(public.get("features_args", {}))
    if name is None:
        if options:
            raise UsageError(
                f"config.features_args names {next(iter(options))!r}, but config.features is None."
            )
        return data
    options |= {"cache_dir": public["data"]["cache_dir"]}
    with prefixed("config.features_args.", options.keys()), prefixed("config.", ("features",)):
        return with_features(data, name, **options)._replace(name=data.name)


def _learner(public: Mapping[str, Any], fields: Mapping[str, Any]) -> MakeLearner:
    options = {name: _tuples(value) for name, value in public["model"].items() if name != "name"}
    training: dict[str, Any] = {}
    name = public["model"]["name"]
    with prefixed("config.model.", ("learner",)):
        inner = wrapped_by(name, options, WRAPPERS)
    if inner in NETWORKS:
        names = (*TrainingOptions._fields, "compute_dtype")
        training = {name: fields[name] for name in names if name in fields}
        training["augment"] = fields["data.augment"]
    known = learner_options(name, inner) if inner in LEARNERS else options
    if inner not in NETWORKS:
        _check_of_networks(fields, inner, known)
    own = known.keys() - training
    with prefixed("config.", training.keys()), prefixed("config.model.", own):
        make = learner_named(name, **options, **training)

    @functools.wraps(make)  # which is what it is called on record
    def made(spec: Spec, num_classes: int) -> Learner:
        with prefixed("config.data.", ("augment",)), prefixed("config.model.", own):
            return make(spec, num_classes)

    return made


def _check_of_networks(fields: Mapping[str, Any], inner: str, known: Mapping[str, Any]) -> None:
    """Makes sure that nothing is asked of another learner that it would pass over.

    What recipes of networks set (epochs, step sizes) stays in the config when another is named.
    """
    for name, none in (
        ("class_weights", None),
        ("validation_share", 0),
        ("data.augment", False),
        ("compute_dtype", "float32"),
    ):
        if (value := fields.get(name, none)) != none:
            instead = f": say --config.model.{name}={value}" if name in known else ""
            raise UsageError(f"config.{name} is of networks, and {inner} is none{instead}.")


def _tuples(value: Any) -> Any:
    """Returns a list, which JSON makes of a tuple, as the tuple that was meant."""
    return tuple(value) if isinstance(value, list) else value


def _oracle(name: str) -> Any:
    def make(data: Benchmark, seed: int) -> Oracle:
        return make_oracle(name, data, **({"seed": seed} if name == "simulated" else {}))

    return make
