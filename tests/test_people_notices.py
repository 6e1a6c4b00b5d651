"""What a person is told once, and again when it has changed."""

import pytest

from jax_al.people.notices import NOTICES, news


def told(directory, *sentences, about="folder"):
    heard = []
    with news(directory, about, heard.append) as tell:
        for sentence in sentences:
            tell(sentence)
    return heard


def test_a_sentence_is_told_when_it_was_not_told_the_last_time(tmp_path):
    assert told(tmp_path, "a", "b") == ["a", "b"]
    assert told(tmp_path, "a", "b") == []
    assert told(tmp_path, "a", "c") == ["c"]
    assert told(tmp_path, about="record") == []
    assert told(tmp_path, "a", "c") == []
    assert told(tmp_path) == []
    assert told(tmp_path, "a") == ["a"]  # it had ceased to be so


def test_what_nobody_heard_was_not_told(tmp_path):
    with news(tmp_path, "folder", None) as tell:
        tell("a")
    assert told(tmp_path, "a") == ["a"]


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"folder": 1}', '{"folder": {"a": "b"}}'])
def test_a_damaged_file_is_as_if_nothing_was_told(tmp_path, content):
    (tmp_path / NOTICES).write_text(content)
    assert told(tmp_path, "a", "\udcff of no encoding") == ["a", "\udcff of no encoding"]
    assert told(tmp_path, "a", "\udcff of no encoding") == []
