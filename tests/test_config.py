"""The fields of a config, and what is made of them."""

import ast
import importlib
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from jax_al.cli.config import check_same, defaults, flat, page, table
from jax_al.cli.fields import FREE, GONE, MAY_CHANGE, OPTIONS
from jax_al.cli.strategy import prefixed, strategy_from
from jax_al.errors import UsageError
from jax_al.learners import learner_named, make_learner
from jax_al.types import Spec

ROOT = pathlib.Path(__file__).parents[1]


def recorded(config):
    """A config as it is written down and read again."""
    return json.loads(config.to_json_best_effort())


OLD = recorded(defaults())
ARGS = {"strategy_args", "features_args"}  # options, none of which is there by default


def other(name):
    """The default config with another value in one field."""
    config = json.loads(json.dumps(OLD))
    *groups, last = name.split(".")
    place = config
    for group in groups:
        place = place[group]
    place[last] = "another"
    return config


def without(*names):
    fields = flat(OLD)
    return {name: value for name, value in fields.items() if name not in names}


def test_the_defaults_are_those_of_the_fields():
    config = defaults()
    assert flat(config.to_dict() | dict.fromkeys(ARGS)) == {
        name: None if name in ARGS else option.default for name, option in OPTIONS.items()
    }
    assert defaults() is not defaults()


@pytest.mark.parametrize("name", [name for name, option in OPTIONS.items() if option.optional])
def test_a_field_that_may_be_none_keeps_its_type(name):
    for value in (None, OPTIONS[name].kind("7"), None):
        config = defaults()
        config.update_from_flattened_dict({name: value})
        assert flat(config.to_dict())[name] == value
    with pytest.raises(TypeError):
        defaults().update_from_flattened_dict({name: [1]})


def test_every_field_says_what_it_is():
    for name, option in OPTIONS.items():
        assert option.about.doc, name
        assert not option.about.doc.endswith("."), name
        assert "|" not in option.about.doc, name
    words = [word for option in OPTIONS.values() for word in option.about.also]
    assert len(words) == len(set(words))
    assert not set(words) & set(OPTIONS)
    assert not set(GONE) & set(OPTIONS)


def test_the_table_of_the_documentation_is_that_of_the_fields():
    assert (ROOT / "docs" / "config.md").read_text() == page()
    assert table() in page()
    assert table().count("\n") == len(OPTIONS) + 1


@pytest.mark.parametrize("name", MAY_CHANGE)
def test_a_field_that_may_change(name):
    check_same(pathlib.Path("out"), OLD, other(name))


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - set(MAY_CHANGE) - ARGS))
def test_a_field_that_may_not_change_is_named_with_both_values(name):
    with pytest.raises(UsageError) as caught:
        check_same(pathlib.Path("out"), OLD, other(name))
    said = str(caught.value)
    assert said.startswith("out holds a run with another config: ")
    assert f"{name} (was {flat(OLD)[name]!r}, now 'another')" in said
    assert said.endswith("Name another --workdir, or start anew with --overwrite.")
    assert said.count("(was ") == 1


@pytest.mark.parametrize(
    "name", [name for name, option in OPTIONS.items() if option.about.since > 1]
)
def test_a_field_that_came_after_the_record_has_its_default(name):
    check_same(pathlib.Path("out"), without(name), OLD)
    if name not in MAY_CHANGE:
        with pytest.raises(UsageError, match=name):
            check_same(pathlib.Path("out"), without(name), other(name))


def test_what_every_record_has_and_one_lacks_is_named():
    with pytest.raises(UsageError, match=r"lr \(was 'absent', now 0.001\)"):
        check_same(pathlib.Path("out"), without("lr"), OLD)


def test_options_of_strategy_and_model_may_not_change():
    for options in ({"beta": 1}, {}):
        new = OLD | {"strategy_args": {"beta": 2}}
        with pytest.raises(UsageError, match=r"strategy_args\.beta"):
            check_same(pathlib.Path("out"), OLD | {"strategy_args": options}, new)


@pytest.mark.parametrize(
    ("model", "option", "other"),
    [
        ({"name": "linear"}, {"penalty": None}, {"penalty": 0.1}),
        ({"name": "mlp"}, {"widths": (256,)}, {"widths": (64,)}),
        ({"name": "ensemble"}, {"learner": "linear", "penalty": None}, {"learner": "laplace"}),
    ],
)
def test_an_option_of_a_model_is_its_default_until_it_is_told(model, option, other):
    bare, told, changed = (OLD | {"model": model | more} for more in ({}, option, other))
    check_same(pathlib.Path("out"), bare, told)
    check_same(pathlib.Path("out"), told, bare)
    for before, now in ((bare, changed), (changed, bare)):
        with pytest.raises(UsageError, match=f"model.{next(iter(other))} "):
            check_same(pathlib.Path("out"), before, now)


def test_an_option_of_a_model_of_somebody_else_is_absent_until_it_is_told():
    bare, told = ({"model": {"name": "mine:net"} | more} for more in ({}, {"depth": None}))
    with pytest.raises(UsageError, match=r"model\.depth \(was 'absent', now None\)"):
        check_same(pathlib.Path("out"), OLD | bare, OLD | told)


def test_tuples_are_lists_on_record_and_fields_that_went_do_not_count():
    config = defaults()
    config.data.pool_splits = ("a", "b")
    gone = recorded(config) | dict.fromkeys(GONE, 10)
    check_same(pathlib.Path("out"), gone, config.to_dict())


def test_the_words_of_a_function_become_those_of_the_command_line():
    for said, heard in [
        ("beta is -1; it must be positive.", "config.data.beta is -1; it must be positive."),
        ("There is no beta.", "There is no beta."),
    ]:
        with pytest.raises(UsageError) as caught, prefixed("config.data.", {"beta"}):
            raise UsageError(said)
        assert str(caught.value) == heard


@pytest.mark.parametrize(
    ("strategy", "options", "sentence"),
    [
        ("nonsense", {}, "There is no strategy 'nonsense'"),
        ("random", {"depth": 2}, "The strategy 'random' has no option 'depth'"),
        ("power_bald", {"beta": "x"}, "config.strategy_args.beta is 'x'"),
        ("power_bald", {"beta": -1.0}, "config.strategy_args.beta is -1.0"),
    ],
)
def test_the_option_of_a_strategy_is_named_as_a_field(strategy, options, sentence):
    with pytest.raises(UsageError) as caught:
        strategy_from(strategy, options)
    assert str(caught.value).startswith(sentence)


def of_options(penalty=0.1):
    return learner_named("linear", penalty=penalty)


mine = of_options()


def test_a_learner_that_takes_options_first_is_told_how_it_is_named():
    with pytest.raises(UsageError, match=r"write mine = of_options\(\) in tests.test_config and"):
        make_learner("tests.test_config:of_options", Spec((3,), np.float32), 2)
    assert make_learner("tests.test_config:mine", Spec((3,), np.float32), 2)


def test_the_strategy_of_a_config():
    assert strategy_from("coreset", {"embedding": "pixels_pca"}).embedding == "pixels_pca"


RECIPES = sorted((ROOT / "configs").glob("*.py"))
# All in one process, as one would take a second each: the first that needs more is named.
READ = """
import importlib, sys

for name in sys.argv[1:]:
    importlib.import_module(f"configs.{name}").get_config()
    more = [module for module in sys.modules if module.startswith("jax_al.drivers")]
    assert not more, (name, more)
    print(name)
"""


@pytest.mark.parametrize("path", RECIPES, ids=lambda one: one.stem)
def test_a_recipe_says_what_it_is(path):
    assert len(ast.get_docstring(ast.parse(path.read_text()))) > 50


def test_recipes_need_nothing_that_runs():
    names = [path.stem for path in RECIPES if path.stem != "__init__"]
    done = subprocess.run(
        [sys.executable, "-c", READ, *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == names, done.stderr


def test_the_free_fields_are_fields():
    assert set(FREE) <= {name.partition(".")[0] for name in OPTIONS}
    for recipe in (ROOT / "configs").glob("[!_]*.py"):
        assert set(importlib.import_module(f"configs.{recipe.stem}").get_config()) == set(
            defaults()
        )
