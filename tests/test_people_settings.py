"""Which project a command means that names none, and what a class may be called."""

import pytest

from jax_al.errors import UsageError
from jax_al.people.settings import PROJECT, checked_classes, only_project


def left(runs, name, *files):
    """Makes a workdir that holds `files`; returns it."""
    (runs / name).mkdir(parents=True)
    for file in files:
        (runs / name / file).write_text("")
    return runs / name


def test_a_project_that_never_began_does_not_stand_beside_one_that_has(tmp_path):
    refused = left(tmp_path, "a", PROJECT)
    assert only_project(tmp_path) == refused  # whoever is alone is told what it lacks
    begun = left(tmp_path, "b", PROJECT, "journal.jsonl")
    assert only_project(tmp_path) == begun
    left(tmp_path, "c", PROJECT, "journal.jsonl")
    with pytest.raises(UsageError, match=r"Which project\? --workdir=\S+/b or --workdir=\S+/c\.$"):
        only_project(tmp_path)
    left(tmp_path, "no_project", "journal.jsonl")  # an experiment's
    with pytest.raises(UsageError, match=r"/b or --workdir=\S+/c\.$"):
        only_project(tmp_path)


def test_without_one_it_is_said_how_to_begin(tmp_path):
    with pytest.raises(UsageError, match="There is no project"):
        only_project(tmp_path)


@pytest.mark.parametrize("name", ["می\u200cبرد", "👨\u200d👩\u200d👧", "क्\u200dष", "a b", "Tür"])
def test_a_class_may_be_called_what_people_write(name):
    assert checked_classes([name]) == (name,)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [(one, "cannot be seen") for one in ("a\u200d", "\u200ca", "\u200d", "a\x07b", "a\u200bb")]
    + [(one, "without blanks around") for one in ("", " a", "a\n")],
)
def test_a_class_is_refused_for_what_is_wrong_with_its_name(name, sentence):
    with pytest.raises(UsageError, match=sentence):
        checked_classes([name])
