"""Sentences for what a person may type wrong; `test_launch` sees them reach the terminal."""

import pathlib

import pytest
from absl import flags
from absl.testing import flagsaver

from configs import digits_features
from jax_al.cli.command_line import find, set_options, take_options, why_no_flag, why_no_value
from jax_al.cli.config import defaults
from jax_al.cli.main import parse_flags
from jax_al.errors import UsageError, did_you_mean
from jax_al.learners.networks import make_model
from jax_al.strategies import STRATEGIES

RECIPES = pathlib.Path(__file__).parents[1] / "configs"


@pytest.fixture(autouse=True)
def _recipes_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(RECIPES.parent)


def launched(*words):
    """What launch.py makes of its words."""
    with flagsaver.flagsaver():
        return parse_flags(["launch.py", *words])


def config_of(*words):
    return launched(*words).config


def sentence_of(capsys, *words):
    """What launch.py says of a mistake."""
    with pytest.raises(SystemExit) as caught:
        launched(*words)
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("launch.py: ")


def test_the_fields_are_taken_out_in_their_order():
    words = (
        "--config.strategy_args.beta=2 --config=a -config.lr=xy --overwrite --noconfig.data.augment"
    )
    apart = "--config.max-episodes 3 --config.warm_start --config.seed -1 -- --config.lr=1"
    rest, options = take_options(["launch.py", *words.split(), *apart.split()])
    assert rest == ["launch.py", "--config=a", "--overwrite", "--", "--config.lr=1"]
    assert options == [
        ("strategy_args.beta", "2"), ("lr", "xy"), ("data.augment", "false"), ("max_episodes", "3"),
        ("warm_start", "true"), ("seed", "-1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "name", "value"),
    [
        ("--config.lr=3e-4", "lr", 3e-4),
        ("--config.lr=1", "lr", 1.0),
        ("--config.max-episodes=3", "max_episodes", 3),
        ("--config.warm_start=T", "warm_start", True),
        ("--config.data.pool_size=7", "data.pool_size", 7),
        ("--config.data.pool_size=None", "data.pool_size", None),
        ("--config.data.cache_dir=None", "data.cache_dir", None),
        ("--config.data.test_split=None", "data.test_split", None),
        ("--config.keep_checkpoints=None", "keep_checkpoints", None),
        ("--config.jobs=2", "jobs", 2),
        ("--config.part=1/4", "part", "1/4"),
        ("--config.data.pool_splits=validation", "data.pool_splits", ("validation",)),
        ("--config.data.pool_splits=('a','b')", "data.pool_splits", ("a", "b")),
        ("--config.data.pool_splits=train[:10%],test", "data.pool_splits", ("train[:10%]", "test")),
        ("--config.compare=random,coreset", "compare", ("random", "coreset")),
        ("--config.compare=random, coreset", "compare", ("random", "coreset")),
        ("--config.compare=('random','coreset')", "compare", ("random", "coreset")),
        ("--config.compare=['random','coreset']", "compare", ("random", "coreset")),
        ("--config.compare=(random,coreset)", "compare", ("random", "coreset")),
        ("--config.compare=random", "compare", ("random",)),
        ("--config.compare=('random')", "compare", ("random",)),
        ("--config.compare='coreset@a,b.npy',", "compare", ("coreset@a,b.npy",)),
        ("--config.compare=()", "compare", ()),
        ("--config.compare=", "compare", ()),
        ("--config.compare=None", "compare", ()),
        ("--config.compare=a:100,b,c", "compare", ("a:100,b", "c")),
    ],
)
@pytest.mark.parametrize("recipe", ["digits_compare", "flowers_compare"])
def test_a_value_is_what_it_says_whatever_the_recipe_has(recipe, word, name, value):
    config = config_of(f"--config={recipe}", word)
    for part in name.split("."):
        config = config[part]
    assert config == value
    assert type(config) is type(value)


def test_of_two_values_the_last_counts():
    words = ["--config.compare=random", "--config.compare=coreset", "--config.lr=1"]
    config = config_of(*words, "--config.lr=2")
    assert (config.compare, config.lr) == (("coreset",), 2.0)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("--config.epochs=three", "config.epochs is 'three', but must be a whole number."),
        ("--config.epochs=a: b", "config.epochs is 'a: b', but must be a whole number."),
        ("--config.epochs=3.5", "config.epochs is '3.5', but must be a whole number."),
        ("--config.budget=1e3", "config.budget is '1e3', but must be a whole number."),
        ("--config.budget=None", "config.budget is 'None', but must be a whole number."),
        ("--config.data.pool_size=x", "data.pool_size is 'x', but must be a whole number or None."),
        ("--config.num_seeds=-1", "config.num_seeds is -1, but must be at least 1."),
        ("--config.seed=-3", "config.seed is -3, but must be at least 0."),
        ("--config.seed=4294967296", "must be below 2**32"),
        ("--config.lr=big", "config.lr is 'big', but must be a number."),
        ("--config.lr=nan", "config.lr is nan, but must be a positive number."),
        ("--config.weight_decay=inf", "config.weight_decay is inf, but must be a number from 0 on"),
        ("--config.warm_start=perhaps", "warm_start is 'perhaps', but must be true or false."),
        ("--overwrite=perhaps", "overwrite is 'perhaps', but must be true or false."),
        ("--config.compare=(1,2)", "config.compare is '(1,2)', but must be names with commas"),
        ("--config.compare=(1)", "config.compare is '(1)', but must be names with commas"),
        ("--config.compare=('a'", "config.compare is \"('a'\", but must be names with commas"),
        ("--config.compare=a, ,b", "config.compare is 'a, ,b', but must be names with commas"),
        ("--config.compare=a,,b", "config.compare is 'a,,b', but must be names with commas"),
        ("--config.compare=random,random", "config.compare names 'random' twice."),
        ("--config.data.pool_splits=()", "config.data.pool_splits is empty"),
        ("--config.data.cache_dir=", "data.cache_dir is empty, but must be a path or a name, or"),
        ("--config.data.name=~nobody_here/x", "There is no home directory for ~nobody_here/x."),
        ("--config.part=5/4", "config.part is '5/4', but must be from 1/N to N/N."),
        ("--config.part=5", "config.part is '5', but must be K/N, as in 1/4."),
        ("--config.oracle=me", "config.oracle is 'me', but must be simulated, people or "
         "module:function."),
        ("--config.data.resident=maybe", "data.resident is 'maybe': choose among auto, no, yes."),
        ("--config.seeds_at_once=3", "config.seeds_at_once is gone: seeds run one after another; "
         "use --config.jobs=2 for two processes."),
        ("--config.seed-axis=vmap", "config.seed_axis is gone: seeds run one after another; use"),
        ("--seeds_at_once=3", "config.seeds_at_once is gone: seeds run one after another; use"),
        ("--config.learning_rate=1", "no field 'learning_rate': it is config.lr."),
        ("--config.pool_size=1", "no field 'pool_size': it is config.data.pool_size."),
        ("--config.lrr=1", "no field 'lrr': did you mean 'lr'?"),
        ("--config.data.nmae=x", "no field 'data.nmae': did you mean 'name'?"),
        ("--config.lr.x=1", "no field 'lr.x'."),
        ("--config.what.ever=1", "no field 'what.ever': choose among batch_size"),
        ("--config.data=cifar10", "a group of fields: write --config.data.name=cifar10, for one."),
        ("--config.model=vgg16", "its name is --config.model.name=vgg16."),
        ("--config.strategy_args=2", "config.strategy_args is '2', but must be options"),
        ("--config.strategy_args.beta", "wants a value: --config.strategy_args.beta=VALUE."),
        ("--config.lr", "wants a value: --config.lr=VALUE."),
        ("--noconfig.lr", "--noconfig.lr is not a flag: config.lr is not true or false."),
        ("--strategy=margin", "field of the config: write --config.strategy=margin."),
        ("--learning-rate=0.1", "field of the config: write --config.lr=0.1."),
        ("--pool_size=10", "field of the config: write --config.data.pool_size=10."),
        ("--data.name=cifar10", "field of the config: write --config.data.name=cifar10."),
        ("--epochs", "field of the config: write --config.epochs=VALUE."),
        ("--confg=x", "Did you mean: config"),
        ("--workdir=", "--workdir is empty: name a directory, or leave it out for runs/digits"),
        ("digits", "'digits' is not a flag; flags look like --name=value"),
        ("--config=missing.py", "There is no config file missing.py: choose among"),
        ("--config=cifar_corset", "no config file cifar_corset: did you mean 'cifar_coreset'?"),
        ("--config=elsewhere/default.py", "There is no config file elsewhere/default.py"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(capsys, word, sentence):
    assert sentence in sentence_of(capsys, word)


def test_lists_of_names_are_short():
    said = did_you_mean("x", STRATEGIES, "python -m jax_al.strategies")
    assert sum(name in said for name in STRATEGIES) <= 10  # one name may hold another
    assert said.endswith(
        f"{len(STRATEGIES) - 8} more (python -m jax_al.strategies lists them all)."
    )
    near = did_you_mean("corset", STRATEGIES, "python -m jax_al.strategies")
    assert near == "did you mean 'coreset'? (python -m jax_al.strategies lists them all)"
    assert did_you_mean("x", ["b", "a"], "python") == "choose among a, b."


def test_what_people_call_a_field():
    assert find("seeds") == "num_seeds"
    assert find("augment") == "data.augment"
    assert find("name") is None  # of the model or of the data
    assert why_no_flag("name", ["--name=x"]) is None


@pytest.mark.parametrize("word", ["cifar_coreset", "cifar_coreset.py", "configs/cifar_coreset.py"])
def test_a_recipe_by_its_name(word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = launched(f"--config={word}")
    assert command.workdir == pathlib.Path("runs/cifar_coreset")
    assert (command.config.strategy, command.config.data.name) == ("coreset", "cifar10")
    assert not command.overwrite


def test_without_a_recipe_it_is_digits():
    command = launched("--overwrite")
    assert command.workdir == pathlib.Path("runs/digits_coreset")
    assert command.overwrite


def recipe(path, body):
    lines = ["from configs import default", "def get_config(size=None):"]
    body = ["config = default.get_config()", *body, "return config"]
    path.write_text("\n".join([*lines, *(f"    {line}" for line in body)]))
    return f"--config={path}"


def test_a_recipe_with_an_argument_and_one_that_is_named_twice(tmp_path):
    mine = recipe(tmp_path / "mine.py", ["config.budget = 5 if size == 'small' else 6"])
    assert config_of("--config=other.py", mine).budget == 6
    assert config_of(f"{mine}:small").budget == 5


def test_a_model_of_a_recipe_needs_no_option(tmp_path):
    mine = recipe(tmp_path / "mine.py", ["del config.model", "config.model = {'name': 'linear'}"])
    assert config_of(mine).model.to_dict() == {"name": "linear"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (["config.seeds_at_once = 5"], "config.seeds_at_once, which is gone: seeds run one after"),
        (
            ["config.bugdet = 5"],
            "config.bugdet, and there is no such field: did you mean 'budget'?",
        ),
        (["del config.lr", "del config.data.name"], "lacks data.name, lr; let it begin with"),
        (["del config.model.name"], "lacks model.name; let it begin with"),
        (["config.lr = 'fast'"], "cannot be loaded: TypeError"),
        (["assert False"], "cannot be loaded: AssertionError."),
        (["raise NameError('a\\nwho?')"], "cannot be loaded: NameError: who?."),
        (["raise SystemExit(0)"], "cannot be loaded: SystemExit: 0."),
        (["config = None"], "must return a ConfigDict, not None."),
        (["config.compare = (1, 2)"], "config.compare is [1, 2], but must be names with commas"),
    ],
)
def test_a_recipe_that_cannot_be_used(capsys, tmp_path, body, sentence):
    assert sentence in sentence_of(capsys, recipe(tmp_path / "mine.py", body))


def test_home_is_expanded_in_every_path(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    command = launched(
        recipe(tmp_path / "mine.py", ["config.data.data_dir = '~/tfds'"]).replace(
            str(tmp_path), "~"
        ),
        "--workdir=~/out",
        "--config.data.name=~/pool.npy",
        "--config.data.cache_dir=~/cache",
        "--config.strategy_args.embedding=~/features.npy",
        "--config.compare=random,coreset@~/features.npy",
    )
    config, home = command.config, str(tmp_path)
    assert command.workdir == tmp_path / "out"
    assert config.data.name == f"{home}/pool.npy"
    assert config.data.cache_dir == f"{home}/cache"
    assert config.data.data_dir == f"{home}/tfds"
    assert config.strategy_args.embedding == f"{home}/features.npy"
    assert config.compare == ("random", f"coreset@{home}/features.npy")


def test_options_of_a_strategy_are_of_any_type():
    words = ["beta=2", "a=x y", "b=(1,)", "c=None", "d='3'"]
    config = config_of(*(f"--config.strategy_args.{word}" for word in words))
    assert config.strategy_args.to_dict() == {"beta": 2, "a": "x y", "b": (1,), "c": None, "d": "3"}
    config = config_of("--config.strategy_args.depth=1", "--config.strategy_args={'depth': 2}")
    assert config.strategy_args.to_dict() == {"depth": 2}


def test_another_model_brings_its_own_options():
    config = config_of("--config.model.width=8", "--config.model.name=vgg16", "--config.lr=1")
    assert config.model.to_dict() == {"name": "vgg16", "width": 8}
    before = defaults().model.to_dict()
    same = config_of("--config.model.name=cnn", "--config.model.widths=(1, 2)")
    assert same.model.to_dict() == before | {"widths": (1, 2)}
    assert config_of("--config.model.widths=3,4").model.to_dict() == before | {"widths": (3, 4)}
    assert config_of("--config.model.name", "18").model.to_dict() == {"name": "18"}
    whole = config_of("--config.model={'name': 'vgg16', 'width': 8}")
    assert whole.model.to_dict() == {"name": "vgg16", "width": 8}


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("embedding_size=64.0", "embedding_size is"),
        ("embedding_size=sixty", "embedding_size is"),
        ("embedding_size=(1, 2)", "embedding_size is"),
        ("widths=8", "widths is"),
        ("widht=(1, 2)", "has no option 'widht': did you mean 'widths'?"),
    ],
)
def test_the_model_judges_its_options(option, sentence):
    config = defaults()
    set_options(config, take_options([f"--config.model.{option}"])[1])
    options = config.model.to_dict()
    with pytest.raises(UsageError, match=sentence):
        make_model(options.pop("name"), (8, 8, 1), 3, **options)


@pytest.mark.parametrize(
    ("words", "compared"),
    [
        ({"strategy": "direct"}, ()),
        ({"strategy": "direct", "compare": "random,direct"}, ("random", "direct")),
        ({"budget": "5"}, digits_features.get_config().compare),
    ],
)
def test_a_strategy_named_alone_is_asked_alone_also_where_the_recipe_compares(words, compared):
    set_options(config := digits_features.get_config(), words.items())
    assert config.compare == compared


def test_what_is_not_a_value_is_told_in_the_words_of_absl():
    assert why_no_value(flags.Error("Unknown command\nline flag")) == "Unknown command line flag"
