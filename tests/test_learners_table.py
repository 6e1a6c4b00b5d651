"""Learners by name, ours and those from outside."""

import numpy as np
import pytest

import jax_al as al
from configs import default
from jax_al.cli.build import study_of
from jax_al.errors import UsageError
from jax_al.learners import (
    LEARNERS,
    WRAPPERS,
    TrainingOptions,
    calibrated,
    ensemble,
    learner_named,
    learner_options,
    linear,
    make_learner,
    mlp,
)
from jax_al.types import Learner, Spec

SPEC = Spec((32, 32, 3), np.dtype(np.uint8))
OUTSIDE = """
from sklearn.naive_bayes import GaussianNB

import jax_al.learners


def bayes(spec, num_classes, smoothing=1e-9):
    return jax_al.learners.host_learner(GaussianNB(var_smoothing=smoothing))(spec, num_classes)


def nothing(spec, num_classes):
    return None


number = 3
"""


@pytest.fixture
def outside(tmp_path, monkeypatch):
    (tmp_path / "my_learners.py").write_text(OUTSIDE)
    (tmp_path / "broken_learners.py").write_text("import no_such_thing")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("name", LEARNERS)
def test_each_is_made_with_its_defaults_which_are_told(name):
    assert isinstance(make_learner(name, SPEC, 10), Learner)
    options = learner_options(name)
    assert isinstance(make_learner(name, SPEC, 10, **options), Learner)
    if name not in ("laplace", "linear"):
        assert TrainingOptions()._asdict().items() <= options.items()


def test_from_python_networks_are_trained_as_from_the_command_line():
    fields = default.get_config()
    there = {name: fields[name] for name in TrainingOptions._fields if name != "augment"}
    assert TrainingOptions()._asdict() == there | {"augment": fields.data.augment}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_options_of_what_wraps_and_of_what_is_wrapped_come_together(wrapper):
    assert isinstance(make_learner(wrapper, SPEC, 10), Learner)
    own = learner_options(wrapper).keys() - learner_options("linear").keys()
    for name in LEARNERS:
        assert not own & learner_options(name).keys()
        assert learner_options(wrapper, name).keys() == own | learner_options(name).keys()
        assert learner_options(wrapper, name)["learner"] == name


def test_a_learner_made_of_another_is_named_with_the_options_of_both(outside):
    made = learner_named("ensemble", learner="mlp", widths=(8,), epochs=7, members=3, by="key")
    mine = ensemble(mlp(widths=(8,), epochs=7), members=3, by="key")
    assert made.__qualname__ == mine.__qualname__
    assert (made(SPEC, 10).steps, made(SPEC, 10).draws) == (7, 3)
    made = learner_named("calibrated", penalty=0.1)  # of linear, where nothing is said
    assert made.__qualname__ == calibrated(linear(penalty=0.1)).__qualname__
    with pytest.raises(UsageError, match="runs on the host"):
        make_learner("ensemble", SPEC, 3, learner="my_learners:bayes", smoothing=1e-3)


def test_fields_of_training_reach_a_network_that_is_wrapped():
    config = default.get_config().to_dict() | {"epochs": 3}
    for model, more, steps in (
        ({"name": "mlp", "widths": [8]}, {"validation_share": 0.25}, 3),
        ({"name": "ensemble", "learner": "mlp", "members": 2}, {"validation_share": 0.25}, 3),
        ({"name": "ensemble", "penalty": 0.1}, {}, 1),
    ):
        study = study_of(config | more | {"model": model})
        learner = study.learner(study.benchmark.pool.spec, 10)
        assert learner.steps == steps


@pytest.mark.parametrize(
    ("name", "more", "sentence"),
    [
        ("linear", {"class_weights": "balanced"}, "say --config.model.class_weights=balanced"),
        ("ensemble", {"class_weights": "balanced"}, "say --config.model.class_weights=balanced"),
        ("linear", {"validation_share": 0.2}, "is of networks, and linear is none[.]$"),
        ("linear", {"data": {"augment": True}}, "config.data.augment is of networks, and linear"),
        ("ensemble", {"compute_dtype": "bfloat16"}, "config.compute_dtype is of networks, and"),
        ("my_learners:bayes", {"class_weights": "balanced"}, "my_learners:bayes is none[.]$"),
    ],
)
def test_fields_of_networks_are_not_passed_over_by_others(outside, name, more, sentence):
    config = default.get_config()
    config.update(more)
    with pytest.raises(UsageError, match=sentence):
        study_of(config.to_dict() | {"model": {"name": name}})


def test_options_reach_the_learner():
    assert make_learner("cnn", SPEC, 10, epochs=7, dropout_rates=(0.0, 0.0)).steps == 7


def test_a_learner_from_outside_is_named_by_module_and_function(outside):
    assert make_learner("my_learners:bayes", SPEC, 3, smoothing=1e-3).on_host


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("cmn", {}, "no learner 'cmn': did you mean 'cnn'.* is named 'module:function'"),
        ("linear", {"penalti": 3}, "'linear' has no option 'penalti': did you mean 'penalty'"),
        ("linear", {"learner": "cnn"}, "'linear' has no option 'learner'"),
        ("ensemble", {"learner": "cmn"}, "no learner 'cmn': did you mean 'cnn'"),
        ("ensemble", {"learner": 3}, "learner is 3, but must be the name of a learner"),
        ("ensemble", {"learner": "ensemble"}, "learner is 'ensemble', which is itself made"),
        ("ensemble", {"member": 3}, r"'ensemble.linear.' has no option 'member': .* 'members'"),
        ("ensemble", {"members": 1, "penalty": 0.1}, "members is 1"),
        ("calibrated", {"penalty": -1}, "penalty is -1"),
        ("cnn", {"epoch": 3}, "'cnn' has no option 'epoch': did you mean 'epochs'"),
        ("your_learners:bayes", {}, "there is no module 'your_learners'"),
        (":bayes", {}, "'' is no name of a module"),
        ("broken_learners:bayes", {}, "failed: No module named 'no_such_thing'"),
        ("my_learners:bayse", {}, "'my_learners' has no function 'bayse'"),
        ("my_learners:number", {}, "'my_learners' has no function 'number'"),
        ("my_learners:bayes", {"alpha": 1}, "num_classes, alpha=., which does not fit"),
        ("my_learners:nothing", {}, "must return a jax_al.types.Learner, not a NoneType"),
    ],
)
def test_mistakes_are_one_sentence(outside, name, options, words):
    with pytest.raises(UsageError, match=words) as error:
        make_learner(name, SPEC, 3, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (al.mlp, {"widths": (np.int64(8), np.int32(4)), "dropout_rate": np.float32(0.5)}),
        (al.mlp, {"widths": [np.int64(8)], "dropout_rate": np.float64(0.0)}),
        (
            al.cnn,
            {
                "widths": (np.int64(2), np.int64(3)),
                "embedding_size": np.int16(4),
                "dropout_rates": (np.float32(0.25), np.float64(0.5)),
            },
        ),
        (al.vgg16, {"width": np.int64(4), "embedding_size": np.int64(4)}),
        (al.resnet18, {"width": np.int64(4), "dropout_rates": (np.float16(0.5),)}),
    ],
)
def test_sizes_of_networks_may_be_numbers_of_numpy(make, options):
    def own(value):
        return type(value)(map(own, value)) if isinstance(value, tuple | list) else value.item()

    plain = make(**{name: own(value) for name, value in options.items()})
    given = make(**options)
    assert given.__qualname__ == plain.__qualname__  # as it is on record
    assert isinstance(given(SPEC, 3), Learner)
