"""The comparison of two commits reads both layouts of a workdir and sees the smallest change."""

import json

import pytest

from benchmarks import two_commits

STRATEGIES = ("bald", "random")


def row(seed, accuracy=0.5):
    return {
        "seed": seed, "episode": 1, "num_labeled": 2, "test_accuracy": accuracy, "train_loss": 0.1,
        "query_info": {"radius": [1.0, 2.0]}, "seconds_train": 1.5, "compiles": 3,
    }  # fmt: skip


def write(directory, rows, picks, columns="seed,episode,order,index,id,label"):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    (directory / "picks.csv").write_text("\n".join([columns, *picks]) + "\n")


@pytest.fixture
def directories(tmp_path):
    """A comparison with a directory for each strategy."""
    for name in STRATEGIES:
        write(tmp_path / "old" / name, [row(0), row(1)], ["0,0,0,17,,4", "1,0,0,18,,5"])
    return two_commits.read(tmp_path / "old", {})


def in_one(tmp_path, accuracy=0.5, index=17):
    """The same in one directory, `strategy` a field of every line."""
    rows = [
        {"strategy": name, **row(seed, accuracy if seed else 0.5)}
        for name in STRATEGIES
        for seed in (0, 1)
    ]
    picks = [
        line for name in STRATEGIES for line in (f"{name},0,0,0,{index},,4", f"{name},1,0,0,18,,5")
    ]
    write(tmp_path / "new", rows, picks, "strategy,seed,episode,order,index,id,label")
    return two_commits.read(tmp_path / "new", {})


def test_both_layouts_of_a_comparison_read_the_same(directories, tmp_path):
    assert in_one(tmp_path) == directories
    assert directories.seconds == {"`seconds_train`": 6.0}
    assert two_commits.complaints("run", directories, in_one(tmp_path)) == []


def test_a_single_run_has_the_strategy_of_its_config(tmp_path):
    write(tmp_path, [row(0)], ["0,0,0,17,,4"])
    (tmp_path / "config.json").write_text('{"strategy": "coreset"}')
    found = two_commits.read(tmp_path, {})
    assert found.values["picks"] == {("coreset", 0, 0, 0): {"index": 17, "label": 4}}
    assert found.values["compiles"] == {("coreset", 0, 1): 3}


def test_another_pick_and_another_last_bit_are_told(directories, tmp_path):
    told = two_commits.complaints("run", directories, in_one(tmp_path, 0.5000000000000001, 16))
    assert [sentence.partition(":")[2] for sentence in told] == [
        " picks differ first at strategy bald, seed 0, episode 0, order 0: "
        "{'index': 17, 'label': 4} and {'index': 16, 'label': 4}.",
        " test_accuracy differ first at strategy bald, seed 1, episode 1: "
        "0.5 and 0.5000000000000001.",
    ]


def test_a_key_that_one_lacks_is_a_difference():
    assert two_commits.differing({("a",): None}, {}) == [("a",)]
    assert two_commits.differing({("a",): 0.0}, {("a",): -0.0}) == [("a",)]
    assert two_commits.differing({("a",): 0.0}, {("a",): 0.0}) == []


@pytest.mark.parametrize(
    ("one", "other", "largest"),
    [
        ({"a": [1, 2.5]}, {"a": [1, 3.0]}, 0.5),
        ({"a": 1}, {"b": 1}, float("inf")),
        (None, 0.0, float("inf")),
        (None, None, 0.0),
    ],
)
def test_the_distance_is_the_largest_of_the_numbers(one, other, largest):
    assert two_commits.distance(one, other) == largest
