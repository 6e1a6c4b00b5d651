import importlib
import json
import math
import pathlib

import pytest
from jax_al.cli.settings import capacity, check, learner_options
from jax_al.session.history import is_last
from jax_al.session.workdir import flat

from jax_al.errors import UsageError

RECIPES = sorted(
    path.stem
    for path in (pathlib.Path(__file__).parents[1] / "configs").glob("*.py")
    if path.stem != "__init__"
)


@pytest.fixture(scope="module", autouse=True)
def _configs_can_be_imported():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(pathlib.Path(__file__).parents[1])
        yield


def fields_of(recipe="default"):
    config = importlib.import_module(f"configs.{recipe}").get_config()
    return flat(json.loads(config.to_json_best_effort()))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_sensible(recipe):
    check(fields_of(recipe))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("num_seeds", 0),
        ("initial_size", -1),
        ("budget", 0),
        ("max_episodes", 0),
        ("epochs", 0),
        ("lr_step_epochs", 0),
        ("batch_size", 0),
        ("test_batch_size", 0),
        ("num_samples", 0),
        ("keep_checkpoints", 0),
        ("data.pool_size", 0),
        ("data.test_size", 0),
        ("data.image_size", 0),
        ("lr", 0.0),
        ("lr", -1e-3),
        ("lr", math.nan),
        ("gamma", math.inf),
        ("initial", "clever"),
        ("wandb.mode", "onlin"),
        ("data.pool_splits", []),
    ],
)
def test_a_field_out_of_range_is_named_with_its_value(field, value):
    with pytest.raises(UsageError) as caught:
        check(fields_of() | {field: value})
    assert f"config.{field} is " in str(caught.value)
    assert str(value) in str(caught.value) or value == []


def test_a_misspelled_choice_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'online'"):
        check(fields_of() | {"wandb.mode": "onlin"})


@pytest.mark.parametrize("num_points", [5, 7, 11, 100])
@pytest.mark.parametrize("max_episodes", [1, 2, 4])
def test_the_capacity_is_what_a_run_comes_to_own(num_points, max_episodes):
    fields = {"initial_size": 5, "budget": 3, "max_episodes": max_episodes}
    owned, episode = 5, 1
    while not is_last(episode, owned, max_episodes, num_points):
        owned, episode = owned + min(3, num_points - owned), episode + 1
    assert capacity(fields, num_points, pseudo_labels=False) == owned
    assert capacity(fields, num_points, pseudo_labels=True) == num_points


def test_the_learner_is_told_what_the_config_says_within_what_the_pool_holds():
    fields = fields_of() | {"budget": 500, "data.augment": True, "lr": 0.25}
    options = learner_options(fields, 120, pseudo_labels=False)
    assert (options.budget, options.capacity) == (120, 120)
    assert (options.lr, options.augment) == (0.25, True)
    assert options.epochs == fields["epochs"]
