"""Every field of a config: its type, unit, range, default, and whether it may change later.

This is the one place where a field is declared. The defaults, the check, the command line, the
rule of what may change between two starts, and docs/config.md are made from it (`config.py`). The
default values are those of the report this project reproduces, except where a field says so.
"""

import dataclasses
import typing
from collections.abc import Collection, Mapping
from types import NoneType
from typing import Any, NamedTuple

from jax_al.learners.optimizers import OPTIMIZERS, SCHEDULES
from jax_al.oracles.simulated import INITIAL
from jax_al.record.wandb_writer import MODES

# Fields that were, and what to do now.
_SEEDS = "seeds run one after another; use --config.jobs=2 for two processes"
GONE = {"seed_axis": _SEEDS, "seeds_at_once": _SEEDS}

# The fields that hold options which only the strategy, the features and the learner judge.
FREE = ("strategy_args", "features_args", "model")


class Form(NamedTuple):
    """What a text must look like."""

    pattern: str
    words: str


@dataclasses.dataclass(frozen=True)
class About:
    """What is known of a field beside its type and its default."""

    doc: str  # what it is, with its unit, and why the default is what it is
    least: int | None = None  # the smallest value
    positive: bool = False  # above zero
    choices: Collection[str] | None = None
    form: Form | None = None
    path: bool = False  # of a file or a directory: ~ is expanded
    changeable: bool = False  # may change between two starts: no number on record depends on it
    since: int = 1  # 1: in every record; 2: came later, and a record without it means its default
    also: tuple[str, ...] = ()  # what else people call it


class Option(NamedTuple):
    """A field with its full name."""

    name: str  # "data.pool_size"
    kind: type  # int, float, str, bool, tuple (of texts) or dict
    optional: bool  # whether it may be None
    default: Any
    about: About


def _field(default: Any, doc: str, **about: Any) -> Any:
    return dataclasses.field(default=default, metadata={"about": About(doc, **about)})


@dataclasses.dataclass(frozen=True)
class Model:
    """What is trained. Other models than `cnn` have other options."""

    name: str = _field(
        "cnn",
        "What is trained: cnn, vgg16, resnet18, mlp, linear, laplace, or module:function; or "
        "ensemble, calibrated or propagate, made of the one that model.learner names. The other "
        "fields are its own options",
        also=("model", "network", "learner"),
    )
    widths: tuple[int, ...] = _field((32, 64), "Channels of the two 3x3 convolutions")
    embedding_size: int = _field(
        128, "Units of the hidden layer, whose values are the embedding", least=1
    )
    dropout_rates: tuple[float, ...] = _field(
        (0.25, 0.5), "After the pooling, after the hidden layer"
    )


@dataclasses.dataclass(frozen=True)
class Data:
    """Where the pool and the test set come from."""

    name: str = _field(
        "digits",
        "digits, or any image classification data set of TFDS, or the path of a table (.npy or "
        ".npz), or of a folder of pictures (./photos)",
        path=True,
        also=("dataset", "dataset_name"),
    )
    data_dir: str | None = _field(
        None,
        "Where TFDS keeps its data; None: $TFDS_DATA_DIR, then TFDS's default",
        path=True,
        changeable=True,
    )
    cache_dir: str | None = _field(
        None,
        "Where decoded images are kept; None: jax_al in the user's cache",
        path=True,
        changeable=True,
    )
    image_key: str | None = _field(
        None, "The feature that is the image; None: image, or else the only one", since=2
    )
    label_key: str | None = _field(
        None, "The feature that is the label; None: label, or else the only one", since=2
    )
    labels: str | None = _field(
        None,
        "Of a table: the .npy file with its labels, or their name or column within it; of a "
        "folder: folders (the class is the name of the subfolder), or a .csv file with the columns "
        "id and label; None: none are known",
        path=True,
        since=2,
    )
    pool_splits: tuple[str, ...] = _field(
        ("train",), "Splits put together in this order to make the pool; none may overlap"
    )
    pool_size: int | None = _field(
        None, "Examples: a fixed random subset of the pool; None: all", least=1
    )
    imbalance: float | None = _field(
        None,
        "A long tail of the pool, kept before data.pool_size: how many times as many examples the "
        "first class has as the last one; None: the pool as it is. The test set stays",
        least=1,
        since=2,
    )
    test_split: str | None = _field("test", "The split of the test set; None: no test set")
    test_size: int | None = _field(
        None, "Examples: a fixed random subset of the test set; None: all", least=1
    )
    test_path: str | None = _field(
        None, "Of a table or a folder: that of the test examples", path=True, since=2
    )
    test_labels: str | None = _field(
        None,
        "Of a table: the .npy file with the test labels, or their name or column within "
        "data.test_path",
        path=True,
        since=2,
    )
    image_size: int | None = _field(
        None, "Pixels a side after resizing; None: as they are", least=1
    )
    augment: bool = _field(False, "Random shifts and mirrors in training; the report had none")
    resident: str = _field(
        "auto",
        "Whether the pool stays in the device's memory: auto, where it fits and that is faster. "
        "The same bits either way",
        choices=("auto", "yes", "no"),
        changeable=True,
        since=2,
    )


@dataclasses.dataclass(frozen=True)
class Wandb:
    """What Weights & Biases is told."""

    mode: str = _field(
        "auto",
        "auto: as WANDB_MODE says, else offline, which needs no account",
        choices=("auto", *MODES),
        changeable=True,
    )
    project: str = _field("jax_al", "The project of the runs", changeable=True)


@dataclasses.dataclass(frozen=True)
class Config:
    """All there is to say of a run, in four parts: what is repeated, bought, trained and kept."""

    seed: int = _field(
        0,
        "The first seed; replicates are the seeds seed .. seed + num_seeds - 1. A seed decides the "
        "initial labels, the parameters, the batches, the dropout and the chance in a strategy",
        least=0,
    )
    num_seeds: int = _field(1, "Seeds", least=1, changeable=True, also=("seeds", "replicates"))
    jobs: int = _field(
        1,
        "Worker processes on this machine, each with its share of the cores; with another share "
        "the last bits differ, which is told when a run goes on",
        least=1,
        changeable=True,
        since=2,
        also=("workers", "processes"),
    )
    scheduler: str | None = _field(
        None,
        "Address of a Dask scheduler whose workers compute; None: this machine does",
        changeable=True,
        since=2,
    )
    part: str | None = _field(
        None,
        "K/N: compute only every N-th part, from the K-th on, as arrays of jobs want it; None: "
        "all parts",
        form=Form(r"[0-9]+/[0-9]+", "K/N, as in 1/4"),
        changeable=True,
        since=2,
    )

    strategy: str = _field(
        "coreset",
        "What picks: a name that `jax-al strategies` lists, or module:function; "
        "typiclust:100,margin is typiclust until 100 labels are owned, then margin",
        also=("sample_method", "query_strategy"),
    )
    strategy_args: Mapping[str, Any] = dataclasses.field(
        default_factory=dict, metadata={"about": About("Keyword options of that strategy")}
    )
    compare: tuple[str, ...] = _field(
        (),
        "Strategies to run on the same seeds; (): only the one of "
        "config.strategy. NAME@EMBEDDING has it look at another embedding: typiclust@pixels_pca. "
        "random,typiclust:100,margin are two of them",
        changeable=True,
        also=("strategies",),
    )
    features: str | None = _field(
        None,
        "What stands in for the examples, pool and test set alike: patches, pixels_pca, lite0, "
        "lite1, lite2, jimm:PATH_OR_NAME, module:function, or the path of a .npy file; None: the "
        "examples themselves",
        path=True,
        since=2,
    )
    features_args: Mapping[str, Any] = dataclasses.field(
        default_factory=dict,
        metadata={
            "about": About(
                "Keyword options of the features; pca, whiten, standardise and l2norm of any",
                since=2,
            )
        },
    )
    oracle: str = _field(
        "simulated",
        "Who labels: simulated, which knows the truth; people, who answer by jax-al tell while the "
        "run waits; or module:function",
        form=Form(r"simulated|people|[\w.]+:\w+", "simulated, people or module:function"),
        since=2,
    )
    initial: str = _field(
        "random",
        "How the initial labels are drawn: random, or class_balanced, which only a simulation can "
        "do",
        choices=INITIAL,
    )
    initial_size: int = _field(
        100, "Labels to begin with; 0: the strategy begins, with an untrained network", least=0
    )
    budget: int = _field(100, "Labels bought per episode", least=1, also=("query_size",))
    max_episodes: int = _field(
        10,
        "Episodes. The first trains on the initial labels, the last buys nothing, so a run ends "
        "with initial_size + budget * (max_episodes - 1) labels",
        least=1,
        changeable=True,
        also=("episodes", "num_episodes"),
    )

    epochs: int = _field(
        10, "Passes over the labeled set per episode; training begins anew each episode", least=1
    )
    optimizer: str = _field(
        "adam", "adam, rmsprop, or sgd (with Nesterov momentum 0.9)", choices=OPTIMIZERS
    )
    weight_decay: float = _field(
        0.0,
        "Decoupled: this much of a weight per step, times the step size; not of biases and norms",
        least=0,
    )
    schedule: str = _field(
        "step",
        "Of the step size: step, or cosine, half a cosine over the epochs",
        choices=SCHEDULES,
    )
    lr: float = _field(1e-3, "Step size", positive=True, also=("learning_rate", "step_size"))
    gamma: float = _field(0.1, "Factor of the step decay", positive=True)
    lr_step_epochs: int = _field(
        10,
        "Epochs between decays. The report does not tell its own. 10 is no decay within 10 epochs: "
        "at these label counts training is short of steps, and an earlier decay costs accuracy",
        least=1,
    )
    batch_size: int = _field(32, "Examples per gradient step", least=1)
    class_weights: str | None = _field(
        None,
        "Of the loss of a network: balanced, n / (k n_c), so that all classes weigh the same; "
        "None: each example does. Of linear and laplace it is model.class_weights",
        choices=("balanced",),
        since=2,
    )
    validation_share: float = _field(
        0.0,
        "Share of the labeled set, below 1, that a network is not trained on; the epoch with the "
        "least loss on it is kept. 0: the last one",
        least=0,
        since=2,
    )
    test_batch_size: int = _field(
        1000, "Examples looked at together; memory grows with it", least=1
    )
    compute_dtype: str = _field(
        "float32",
        "float32, or bfloat16, for accelerators: all but the last layer",
        choices=("float32", "bfloat16"),
        also=("dtype",),
    )
    warm_start: bool = _field(False, "True: go on from the last episode's network")
    num_samples: int = _field(20, "Stochastic passes T, for strategies that ask for them", least=1)

    keep_checkpoints: int | None = _field(
        None,
        "How many of the newest checkpoints of each seed are kept; None: all. Resuming needs one",
        least=1,
        changeable=True,
    )

    model: Model = Model()
    data: Data = Data()
    wandb: Wandb = Wandb()


def _options(record: Any, prefix: str = "") -> dict[str, Option]:
    """Returns the fields of a dataclass by their full names, those of its parts among them."""
    found: dict[str, Option] = {}
    hints = typing.get_type_hints(type(record))
    for field in dataclasses.fields(record):
        value, name = getattr(record, field.name), prefix + field.name
        if dataclasses.is_dataclass(value):
            found |= _options(value, f"{name}.")
            continue
        # int | None has the members int and None, tuple[str, ...] the origin tuple.
        members = typing.get_args(hints[field.name])
        optional = NoneType in members
        hint = members[0] if optional else hints[field.name]
        origin = typing.get_origin(hint) or hint
        kind = dict if origin is Mapping else origin
        found[name] = Option(name, kind, optional, value, field.metadata["about"])
    return found


OPTIONS: dict[str, Option] = _options(Config())
MAY_CHANGE: tuple[str, ...] = tuple(n for n, option in OPTIONS.items() if option.about.changeable)
