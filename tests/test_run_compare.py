"""Several strategies on the same seeds, and what else decides the numbers of a run."""

import numpy as np
import pytest

from jax_al import report
from jax_al.cli.start import start
from jax_al.drivers.programs import Programs
from jax_al.errors import UsageError
from jax_al.session.records import read_picks
from tests.runs import part_of, rows_of, run, tiny_config, without_times

HOST = {"name": "tests.made_up_benchmarks:nearest_mean_on_host"}
QUICK = {"model": HOST, "strategy": "random", "max_episodes": 2}


def test_programs_are_shared_by_the_strategies(tmp_path, monkeypatch):
    asked, engines = [], []
    real = Programs.get

    def get(self, name, variant, function, *arguments, **how):
        engines.append(self)
        found = real(self, name, variant, function, *arguments, **how)
        asked.append((name, id(found)))
        return found

    monkeypatch.setattr(Programs, "get", get)
    names = ("random", "coreset", "margin", "ceal")
    run(tmp_path, compare=names, max_episodes=2)
    assert len(set(map(id, engines))) == 1
    made = {name: len({program for other, program in asked if other == name}) for name, _ in asked}
    # ceal trains on up to the whole pool, so on another capacity.
    assert {name: made[name] for name in ("init", "begin", "advance", "score", "select")} == {
        "init": 1,
        "begin": 2,
        "advance": 2,
        "score": 1,
        "select": len(names),
    }


def test_an_embedding_of_other_tools_is_named_by_its_file(tmp_path):
    np.save(tmp_path / "dino.npy", np.random.default_rng(0).normal(size=(150, 3)))
    entry = f"coreset@{tmp_path / 'dino.npy'}"
    run(tmp_path / "run", **QUICK, compare=(entry, "coreset"))
    assert {row["strategy"] for row in rows_of(tmp_path / "run")} == {"coreset@dino", "coreset"}
    assert part_of(tmp_path / "run", "coreset@dino").is_dir()


def test_whatever_has_an_embedding_has_a_cover_radius(tmp_path):
    run(tmp_path, model=HOST, compare=("kmeans", "random"))
    radii = [row["cover_radius"] is None for row in rows_of(tmp_path)]
    assert radii == [False, False, True] + [True] * 3


def test_the_pool_runs_out(tmp_path):
    told, fields = [], QUICK | {"data.pool_size": 20, "max_episodes": 9}
    run(tmp_path, told.append, **fields)
    assert [row["num_labeled"] for row in rows_of(tmp_path)] == [10, 17, 20]
    said = [event["text"] for event in told if event["event"] == "say"]
    assert any("Only 3 examples are left" in text for text in said)
    assert len({pick.index for pick in read_picks(tmp_path / "picks.csv")}) == 20
    told.clear()
    run(tmp_path, told.append, **fields)
    assert any("finished" in event.get("text", "") for event in told)


def test_class_balanced_initial_labels(tmp_path):
    run(tmp_path, **QUICK | {"initial": "class_balanced", "max_episodes": 1})
    assert rows_of(tmp_path)[0]["labeled_class_counts"] == [1] * 10


def test_augmentation_changes_training(tmp_path):
    for name, augment in (("with", True), ("without", False)):
        run(tmp_path / name, data__augment=augment, max_episodes=1, strategy="random")
    losses = [rows_of(tmp_path / name)[0]["train_loss"] for name in ("with", "without")]
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("entry", "learner"), [("typiclust@pixels_pca", {"model": HOST}), ("random", {})]
)
def test_a_strategy_can_begin_without_any_label(tmp_path, entry, learner):
    fields = {"compare": (entry,), "initial_size": 0, **learner}
    run(tmp_path, **fields, max_episodes=2)
    before = (tmp_path / "picks.csv").read_text()
    first = without_times(tmp_path)[0]
    run(tmp_path, **fields)
    rows = without_times(tmp_path)
    assert [row["num_labeled"] for row in rows] == [0, 7, 14]
    assert rows[0] == first
    assert (rows[0]["train_loss"], rows[0]["num_bought"]) == (None, 7)
    assert rows[1]["train_loss"] > 0
    assert (tmp_path / "picks.csv").read_text().startswith(before)
    assert {pick.episode for pick in read_picks(tmp_path / "picks.csv")} == {1, 2}


def test_one_episode_without_any_label(tmp_path):
    run(tmp_path, initial_size=0, max_episodes=1)
    assert [row["num_labeled"] for row in rows_of(tmp_path)] == [0]


def test_without_a_test_set_the_rest_is_there(tmp_path, capsys):
    config = tiny_config(
        **QUICK, data__test_split=None, data__test_size=None, compare=("random", "margin")
    )
    start(config, tmp_path, overwrite=False)
    rows = rows_of(tmp_path)
    assert len(rows) == 4
    assert {row[name] for row in rows for name in ("test_accuracy", "test_nll", "test_ece")} == {
        None
    }
    assert all(row["train_loss"] is not None for row in rows)
    errors = capsys.readouterr().err
    assert "No report" not in errors
    assert "No pictures" not in errors
    report.write_report([tmp_path], tmp_path / "again.html", files=True)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Files of a table with 90 rows of 5 numbers in 3 classes, and of a test set of 30."""
    place = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    for name, count in (("x", 90), ("x_test", 30)):
        labels = np.arange(count) % 3
        np.save(place / f"{name}.npy", rng.normal(size=(count, 5)) + 3 * labels[:, None])
        np.save(place / f"{name}_labels.npy", labels)
    return {
        "data.name": str(place / "x.npy"),
        "data.labels": str(place / "x_labels.npy"),
        "data.test_path": str(place / "x_test.npy"),
        "data.test_labels": str(place / "x_test_labels.npy"),
        "data.pool_size": None,
        "data.test_size": None,
    }


def test_a_table_from_files(table, tmp_path):
    run(tmp_path, **table, model={"name": "linear"}, compare=("coreset", "margin"))
    rows = rows_of(tmp_path)
    assert [row["num_labeled"] for row in rows] == [10, 17, 24] * 2
    assert all(row["test_accuracy"] > 0.8 for row in rows)


def test_a_network_for_images_is_refused_a_table(table, tmp_path):
    with pytest.raises(UsageError, match="image") as caught:
        run(tmp_path / "run", **table)
    assert str(caught.value).count("\n") == 0
    assert not (tmp_path / "run").exists()


def test_a_table_whose_labels_nobody_knows_is_refused_a_simulation(table, tmp_path):
    unknown = table | {"data.labels": None, "data.test_path": None, "data.test_labels": None}
    with pytest.raises(UsageError, match="labels"):
        run(tmp_path / "run", **unknown, model={"name": "linear"})
    assert not (tmp_path / "run").exists()
