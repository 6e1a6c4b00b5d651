"""Sentences for what a person may type wrong; `test_launch` sees them reach the terminal."""

import inspect

import pytest
from absl import flags
from ml_collections import config_flags

from configs import default
from jax_al.cli.command_line import (
    check_fields,
    config_path,
    set_options,
    take_options,
    why_no_config,
    why_no_value,
)
from jax_al.errors import UsageError
from jax_al.learners.networks import make_model


def test_the_options_of_a_strategy_are_taken_out():
    rest, options = take_options(
        [
            "launch.py",
            "--config.strategy_args.beta=2",
            "--config.lr=1",
            "-config.strategy_args.a=x y",
        ]
    )
    assert rest == ["launch.py", "--config.lr=1"]
    assert options == {"strategy_args": {"beta": 2, "a": "x y"}}


def test_another_model_brings_its_own_options():
    flags = ["--config.model.name=vgg16", "--config.model.width=8", "--config.lr=1"]
    rest, options = take_options(flags)
    assert rest == ["--config.lr=1"]
    config = default.get_config()
    set_options(config.lock(), options)
    assert config.model.to_dict() == {"name": "vgg16", "width": 8}
    same = default.get_config()
    set_options(same, take_options(["--config.model.name=cnn", "--config.model.widths=(1, 2)"])[1])
    assert same.model.to_dict() == default.get_config().model.to_dict() | {"widths": (1, 2)}
    apart, taken = take_options(["x", "--config.model.name", "18", "--config.model.width", "8"])
    assert (apart, taken["model"]) == (["x"], {"name": "18", "width": 8})
    for wrong in ("64.0", "sixty", "(1, 2)"):  # of another type than the recipe's
        flags = ["--config.model.name=cnn", f"--config.model.embedding_size={wrong}"]
        set_options(same, take_options(flags)[1])
        options = same.model.to_dict()
        with pytest.raises(UsageError, match="embedding_size is"):
            make_model(options.pop("name"), (8, 8, 1), 3, **options)
    kept = ["--config.model.widths=(1, 2)"]  # of the recipe's model, so its types are held
    assert take_options(kept) == (kept, {"strategy_args": {}})


@pytest.mark.parametrize(
    ("argv", "path"),
    [
        ([], "first.py"),
        (["--config=a.py"], "a.py"),
        (["-config", "a.py", "--config.lr=1"], "a.py"),
        (["--config=a.py", "--config=b.py:large"], "b.py"),
    ],
)
def test_the_path_of_the_config(argv, path):
    assert config_path(["launch.py", *argv], "first.py") == path


@pytest.mark.parametrize(
    ("flag", "sentence"),
    [
        ("--config.lrr=1", "no field 'lrr': did you mean 'lr'?"),
        ("--config.model.widht=1", "no field 'model.widht': did you mean 'widths'?"),
        ("--config.lr.x=1", "no field 'lr.x'."),
        ("--config.what.ever=1", "no field 'what.ever': There is batch_size"),
        ("--config.strategy_args.beta", "wants a value: --config.strategy_args.beta=VALUE."),
    ],
)
def test_the_unknown_field_is_named_with_its_place(flag, sentence):
    said = why_no_config(KeyError("x"), [flag], __file__, [], default.get_config())
    assert sentence in said


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("--config.epochs=three", "config.epochs is 'three', but must be a whole number."),
        ("--config.epochs=a: b", "config.epochs is 'a: b', but must be a whole number."),
        ("--config.num_seeds=1.5", "config.num_seeds is '1.5', but must be a whole number."),
        ("--config.lr=big", "config.lr is 'big', but must be a number."),
        (
            "--config.warm_start=perhaps",
            "config.warm_start is 'perhaps', but must be true or false.",
        ),
        ("--overwrite=perhaps", "overwrite is 'perhaps', but must be true or false."),
    ],
)
def test_a_value_of_the_wrong_type(word, sentence):
    values = flags.FlagValues()
    flags.DEFINE_bool("overwrite", False, "", flag_values=values)
    path = inspect.getsourcefile(default)
    argv = ["launch.py", word]
    config_flags.DEFINE_config_file("config", path, flag_values=values, sys_argv=argv)
    with pytest.raises(flags.Error) as caught:
        values(argv)
    assert why_no_value(caught.value) == sentence


def test_what_is_not_a_value_is_told_in_the_words_of_absl():
    assert why_no_value(flags.Error("Unknown command\nline flag")) == "Unknown command line flag"


def test_other_failures_of_a_config_file():
    fields = default.get_config()
    assert "configs/ holds a.py, b.py." in why_no_config(
        OSError(), [], "no", ["a.py", "b.py"], fields
    )
    assert "AssertionError." in why_no_config(AssertionError(), [], __file__, [], fields)
    assert "NameError: who?" in why_no_config(NameError("a\nwho?"), [], __file__, [], fields)


def test_a_config_that_lacks_fields():
    config = default.get_config()
    check_fields(config, "mine.py", default.get_config())
    with config.unlocked():
        del config.lr
        del config.data.name
    with pytest.raises(UsageError, match=r"lacks data\.name, lr; let it begin"):
        check_fields(config, "mine.py", default.get_config())
