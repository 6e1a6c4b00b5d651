"""Reading workdirs, putting runs together, and what is said of bad input."""

import json

import numpy as np
import pytest

from jax_al.report.charts import charts
from jax_al.report.entrants import differing, gather
from jax_al.report.looks import gather_looks
from jax_al.report.tables import make_tables, verdict
from jax_al.report.workdirs import ReportError, find, read
from tests.made_up_runs import CLASSES, make_run


def entrants(*paths):
    return gather([read(path) for path in find(paths)])


def test_a_tree_of_runs_is_found_as_its_runs(tmp_path):
    for name in ("coreset", "random"):
        make_run(tmp_path / "tree" / name, name)
    make_run(tmp_path / "alone", "bald")
    found = find([tmp_path / "tree", tmp_path / "alone", tmp_path / "tree" / "random"])
    assert [path.name for path in found] == ["coreset", "random", "alone"]
    assert [entrant.name for entrant in entrants(*found)] == ["coreset", "random", "bald"]


def test_a_run_is_read_whole_and_a_partial_last_line_is_not_there_yet(tmp_path):
    run = make_run(tmp_path / "run", seeds=range(2), episodes=3)
    for name in ("metrics.jsonl", "picks.csv"):
        with open(run / name, "a") as file:
            file.write('{"seed": 9, "epis')
    found = read(run)
    assert [(row["seed"], row["episode"]) for row in found.metrics] == [
        (seed, episode) for seed in range(2) for episode in (1, 2, 3)
    ]
    assert found.config["data.name"] == "made_up"
    assert {len(rows) for picks in found.picks.values() for rows in picks.values()} == {10}
    assert found.finished
    assert not read(make_run(tmp_path / "going_on", max_episodes=9)).finished


def test_runs_of_one_strategy_are_one_line_over_their_seeds(tmp_path):
    make_run(tmp_path / "a", "random", seeds=range(2))
    make_run(tmp_path / "b", "random", seeds=range(2, 5))
    (only,) = entrants(tmp_path)
    assert only.name == "random"
    assert only.seeds == [0, 1, 2, 3, 4]
    assert only.path(3) == tmp_path / "b"
    assert set(only.picks) == set(range(5))


def test_what_sets_runs_of_one_strategy_apart_is_in_the_name(tmp_path):
    make_run(tmp_path / "a", "coreset", lr=0.1)
    make_run(tmp_path / "b", "coreset", lr=0.2, strategy_args={"outliers": 3})
    make_run(tmp_path / "c", "random", lr=0.1)
    found = entrants(tmp_path)
    assert [e.name for e in found] == [
        "coreset (lr=0.1, outliers=default)",
        "coreset (lr=0.2, outliers=3)",
        "random",
    ]
    assert differing(found) == {"lr": [0.1, 0.2, 0.1]}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda run: (run / "metrics.jsonl").unlink(), "no episode has ended"),
        (lambda run: (run / "config.json").unlink(), "no config.json"),
        (lambda run: (run / "config.json").write_text("{"), "not the config of a run"),
        (lambda run: (run / "config.json").write_text("{}"), "no field 'strategy'"),
        (lambda run: (run / "metrics.jsonl").write_text("{}\n"), "Line 1 of"),
        (lambda run: (run / "metrics.jsonl").write_text("nonsense\n"), "Line 1 of"),
        (
            lambda run: (run / "metrics.jsonl").write_text(
                '{"seed": 0, "episode": 1, "num_labeled": 5, "test_accuracy": null}\n'
            ),
            "no number as test_accuracy",
        ),
        (lambda run: (run / "metrics.jsonl").write_bytes(b"\xff\n"), "not UTF-8"),
        (lambda run: (run / "picks.csv").write_text("header\n1,2\n"), "Line 2 of"),
        (lambda run: (run / "looks/pool.npz").write_bytes(b"PK"), "not a readable .npz"),
        (lambda run: (run / "looks/seed_0/map.npz").write_bytes(b""), "not a readable .npz"),
        (
            lambda run: np.savez(run / "looks/seed_0/episode_001.npz", rows=np.arange(3)),
            "lacks an array",
        ),
        (
            lambda run: np.savez(
                run / "looks/seed_0/map.npz", map=np.zeros((2, 2), np.float32), embedding="x"
            ),
            "has shape (2, 2)",
        ),
    ],
)
def test_bad_input_is_one_clear_sentence(tmp_path, spoil, sentence):
    run = make_run(tmp_path / "run", looks=True)
    spoil(run)
    with pytest.raises(ReportError) as error:
        gather_looks(entrants(run))
    assert sentence in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_other_data_the_same_seed_twice_and_no_directory_are_refused(tmp_path):
    first = make_run(tmp_path / "first")
    other = make_run(tmp_path / "other", "coreset", data__name="digits")
    with pytest.raises(ReportError, match=r"data\.name is 'made_up' in .*first, 'digits'"):
        entrants(first, other)
    again = make_run(tmp_path / "again")
    with pytest.raises(ReportError, match="Seed 0 of random is in"):
        entrants(first, again)
    with pytest.raises(ReportError, match="nowhere is not a directory"):
        entrants(tmp_path / "nowhere")


def test_a_run_that_has_not_begun_is_left_out(tmp_path):
    make_run(tmp_path / "random")
    begun = make_run(tmp_path / "coreset", "coreset")
    (begun / "metrics.jsonl").write_text("")
    assert [e.name for e in entrants(tmp_path)] == ["random"]


# --- numbers --------------------------------------------------------------------------------------


def test_the_verdict_names_who_is_better_worse_and_undecided(tmp_path):
    for name, gain in (("random", 0), ("badge", 0.05), ("coreset", -0.05), ("bald", 0)):
        make_run(tmp_path / name, name, seeds=range(8), gain=gain)
    tables = make_tables(entrants(tmp_path), "random")
    assert [s.name for s in tables.standings][::3] == ["badge", "coreset"]
    first, second, third, *_ = verdict(tables)
    assert first.startswith("Better than random: badge by +0.0")
    assert second.startswith("Worse than random: coreset by \N{MINUS SIGN}0.0")
    assert third.startswith("Not distinguishable from random: bald")
    assert tables.label_range == (10, 40)
    badge = tables.standings[0]
    assert (badge.better, badge.worse, badge.compared) == (3, 0, 3)
    assert badge.seconds == {"train": 1 + 2 + 3 + 4, "select": 1.5}
    assert tables.penalties is not None
    assert tables.penalties.names[0] == "badge"
    assert tables.penalties.matrix[0, -1] == pytest.approx(1)


def test_one_seed_one_strategy_and_nothing_in_common_say_so(tmp_path):
    make_run(tmp_path / "random", seeds=range(1))
    assert verdict(make_tables(entrants(tmp_path), None)) == [
        "One strategy, random: nothing to compare it with."
    ]
    make_run(tmp_path / "coreset", "coreset", seeds=range(1))
    first, second, third = verdict(make_tables(entrants(tmp_path), "random"))
    assert first == "Nothing can be said yet of any strategy against random."
    assert second.startswith("Not tested against random, for lack of common seeds")
    assert "1 seed" in third
    make_run(tmp_path / "bald", "bald", seeds=range(7, 9), episodes=2)
    tables = make_tables(entrants(tmp_path), "random")
    assert tables.label_range == (10, 20)
    assert charts(entrants(tmp_path), "random")


def test_only_pictures_with_numbers_are_drawn(tmp_path):
    make_run(tmp_path / "random")
    keys = [chart.key for chart in charts(entrants(tmp_path), None)]
    assert keys == ["accuracy", "nll", "class_balance", "seconds"]
    make_run(tmp_path / "coreset", "coreset")
    both = {chart.key: chart for chart in charts(entrants(tmp_path), "random")}
    assert {"difference", "cover_radius", "overlap"} <= both.keys()
    assert [line.name for line in both["overlap"].lines] == ["coreset and random"]
    assert [p.x for p in both["difference"].lines[0].points] == [20, 30, 40]


# --- maps and thumbnails --------------------------------------------------------------------------


def test_looks_carry_the_picks_and_the_reasons(tmp_path):
    run = make_run(tmp_path / "run", looks=True, seeds=range(2))
    data, notes = gather_looks(entrants(run))
    assert data is not None
    assert notes == []
    assert data["classes"] == CLASSES
    assert set(data["strategies"]["random"]) == {"0", "1"}
    entry = data["strategies"]["random"]["1"]
    with (
        np.load(run / "looks/seed_1/episode_002.npz") as look,
        np.load(run / "looks/pool.npz") as pool,
    ):
        assert entry["picks"][2] == look["rows"].tolist()
        gallery = entry["gallery"]["episodes"][2]
        assert gallery["index"] == pool["index"][look["rows"]].tolist()
        assert gallery["label"] == pool["labels"][look["rows"]].tolist()
        np.testing.assert_allclose(gallery["score"], look["score"], rtol=1e-3)
    assert entry["gallery"]["episodes"][0]["score"] == [None] * 10
    assert entry["gallery"]["sprite"]["uri"].startswith("data:image/png;base64,")
    json.dumps(data, allow_nan=False)


def test_what_is_missing_of_the_looks_is_left_out(tmp_path):
    run = make_run(tmp_path / "run", looks=True, seeds=range(1))
    (run / "looks/seed_0/map.npz").unlink()
    data, _ = gather_looks(entrants(run))
    assert data is not None
    assert set(data["strategies"]["random"]["0"]) == {"gallery"}
    make_run(tmp_path / "other", "coreset", seeds=range(1))
    data, _ = gather_looks(entrants(tmp_path))
    assert data is not None
    assert set(data["strategies"]) == {"random"}
    (run / "looks/pool.npz").unlink()
    assert gather_looks(entrants(tmp_path)) == (None, [])


def test_large_maps_are_thinned_but_keep_every_pick(tmp_path, monkeypatch):
    monkeypatch.setattr("jax_al.report.looks.MAP_BYTES", 100 * 16 // 3)
    run = make_run(tmp_path / "run", looks=True, seeds=range(1))
    data, notes = gather_looks(entrants(run))
    assert data is not None
    assert any("of the 200 points" in note for note in notes)
    entry = data["strategies"]["random"]["0"]
    assert {len(rows) for rows in entry["picks"].values()} == {10}


def test_many_seeds_are_not_all_shown(tmp_path, monkeypatch):
    monkeypatch.setattr("jax_al.report.looks.LOOKS_BYTES", 20_000)
    make_run(tmp_path / "a", "random", looks=True, seeds=range(5))
    make_run(tmp_path / "b", "coreset", looks=True, seeds=range(5))
    data, notes = gather_looks(entrants(tmp_path))
    assert data is not None
    assert {len(seeds) for seeds in data["strategies"].values()} <= {1, 2}
    assert any("more seeds" in note for note in notes)
