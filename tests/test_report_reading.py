"""Reading workdirs, putting runs together, and what is said of bad input."""

import base64
import json
import zlib

import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.report import write_report
from jax_al.report.charts import charts
from jax_al.report.entrants import differing, gather
from jax_al.report.look_files import Pool
from jax_al.report.looks import gather_looks
from jax_al.report.sections import reach_table
from jax_al.report.tables import make_tables, outcome, verdict
from jax_al.report.twins import _maps, picked_rows
from jax_al.report.wording import listed
from jax_al.report.workdirs import find, read
from tests.made_up_runs import CLASSES, NEW, OLD, looks_of, make_root, make_run, only_merged

LAYOUTS = pytest.mark.parametrize("layout", [OLD, NEW])


def entrants(*paths):
    return gather([run for path in find(paths) for run in read(path)])


def only(path):
    """The records of a directory with one strategy."""
    (run,) = read(path)
    return run


def test_a_tree_of_runs_is_found_as_its_runs(tmp_path):
    for name in ("coreset", "random"):
        make_run(tmp_path / "tree" / name, name)
    make_run(tmp_path / "alone", "bald")
    found = find([tmp_path / "tree", tmp_path / "alone", tmp_path / "tree" / "random"])
    assert [path.name for path in found] == ["coreset", "random", "alone"]
    assert [entrant.name for entrant in entrants(*found)] == ["coreset", "random", "bald"]


@LAYOUTS
def test_a_run_is_read_whole_and_a_partial_last_line_is_not_there_yet(tmp_path, layout):
    run = make_run(tmp_path / "run", seeds=range(2), episodes=3, layout=layout)
    for name in ("metrics.jsonl", "picks.csv"):
        with open(run / name, "a") as file:
            file.write('{"seed": 9, "epis')
    found = only(run)
    assert [(row["seed"], row["episode"]) for row in found.metrics] == [
        (seed, episode) for seed in range(2) for episode in (1, 2, 3)
    ]
    assert found.config["data.name"] == "made_up"
    assert {len(rows) for picks in found.picks.values() for rows in picks.values()} == {10}
    assert found.finished


@LAYOUTS
@pytest.mark.parametrize("looks", [True, False])
def test_a_run_is_finished_at_its_last_episode_or_when_the_pool_is_used_up(tmp_path, looks, layout):
    sizes = {"budget": 10, "episodes": 4, "max_episodes": 9, "looks": looks, "layout": layout}
    assert not only(make_run(tmp_path / "going_on", pool_size=200, **sizes)).finished
    used_up = make_run(tmp_path / "used_up", pool_size=40, **sizes)
    only_merged(used_up)
    assert only(used_up).finished
    rows = (used_up / "metrics.jsonl").read_text().splitlines(keepends=True)
    (used_up / "metrics.jsonl").write_text("".join(rows[:-1]))  # the last seed lacks its last one
    assert not only(used_up).finished
    (used_up / "metrics.jsonl").write_text("".join(rows[:8]))  # and now all of its episodes
    assert not only(used_up).finished


@LAYOUTS
def test_a_run_of_which_more_is_wanted_is_not_finished_although_it_has_bought_nothing_yet(
    tmp_path, layout
):
    run = make_run(tmp_path / "run", episodes=4, looks=True, layout=layout)
    assert only(run).finished
    change_config(run, max_episodes=9)
    assert not only(run).finished


@LAYOUTS
def test_of_two_rows_of_an_episode_the_later_counts(tmp_path, layout):
    run = make_run(tmp_path / "run", seeds=range(2), episodes=3, layout=layout)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    again = rows[2] | {"test_accuracy": 0.75}
    with open(run / "metrics.jsonl", "a") as file:
        file.write(json.dumps(again) + "\n")
    assert only(run).metrics == [*rows[:2], again, *rows[3:]]


def change_config(run, **fields):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | fields))


@pytest.mark.parametrize("layouts", [(OLD, OLD), (OLD, NEW), (NEW, NEW)])
def test_runs_of_one_strategy_are_one_line_over_their_seeds(tmp_path, layouts):
    own = {  # what only one of the layouts has, and what makes no strategy another
        OLD: {"seed_axis": "map", "seeds_at_once": 10, "compare": []},
        NEW: {"oracle": "simulated", "jobs": 2, "part": "1/4", "data__resident": "auto"},
    }
    for name, seeds, layout in zip("ab", (range(2), range(2, 5)), layouts, strict=True):
        make_run(tmp_path / name, "random", seeds=seeds, layout=layout, **own[layout])
    (found,) = entrants(tmp_path)
    assert found.name == "random"
    assert found.seeds == [0, 1, 2, 3, 4]
    assert found.run(3).path == tmp_path / "b"
    assert set(found.picks) == set(range(5))


GAINS = {"coreset": 0.05, "random": 0.0, "typiclust@pixels_pca": 0.1}


def test_the_strategies_of_a_new_root_are_those_of_a_tree_of_old_workdirs(tmp_path):
    """Options, names, numbers, picks and looks: whichever the layout."""
    for name, gain in GAINS.items():
        strategy, _, embedding = name.partition("@")
        options = {"strategy_args": {"embedding": embedding}} if embedding else {}
        run = make_run(tmp_path / "old" / name, name, gain=gain, looks=True, **options)
        change_config(run, strategy=strategy)
    make_root(tmp_path / "new", GAINS, looks=True)
    old, new = entrants(tmp_path / "old"), entrants(tmp_path / "new")
    assert [e.name for e in old] == [e.name for e in new] == list(GAINS)
    for one, other in zip(old, new, strict=True):
        assert one.curve() == other.curve()
        assert one.picks == other.picks
        assert one.config == {k: other.config[k] for k in one.config}
    assert gather_looks(old) == gather_looks(new)
    assert repr(make_tables(old, "random")) == repr(make_tables(new, "random"))


def test_both_layouts_stand_in_one_report(tmp_path):
    make_run(tmp_path / "alone", "bald", looks=True)
    make_root(tmp_path / "root", GAINS, looks=True)
    make_run(tmp_path / "more", "random", seeds=range(3, 5), looks=True)
    found = entrants(tmp_path / "alone", tmp_path / "root", tmp_path / "more")
    assert [(e.name, len(e.seeds)) for e in found] == [
        ("bald", 3), ("coreset", 3), ("random", 5), ("typiclust@pixels_pca", 3),
    ]  # fmt: skip
    assert differing(found) == {}
    data, _ = gather_looks(found)
    assert data is not None
    assert data["strategies"].keys() == {e.name for e in found}


def test_parts_that_are_not_merged_yet_are_read_where_they_are(tmp_path):
    root = make_root(tmp_path / "run", {"coreset": 0, "random": 0}, seeds=range(2), looks=True)
    whole = [run._replace(notes=[]) for run in read(root)]
    for name in ("metrics.jsonl", "picks.csv"):
        lines = (root / name).read_text().splitlines(keepends=True)
        for end in (0, 1, 3, len(lines) // 2):
            (root / name).write_text("".join(lines[:end]))
            assert read(root) == whole
            assert all(run.finished for run in read(root))
        (root / name).unlink()
    assert read(root) == whole
    part = root / "parts/random/seed_1/metrics.jsonl"
    part.write_text("".join(part.read_text().splitlines(keepends=True)[:1]))
    coreset, random = read(root)
    assert (coreset.finished, random.finished) == (True, False)
    assert len(random.metrics) == 5


def test_a_strategy_of_which_nothing_is_there_yet_is_known_to_be_wanted(tmp_path):
    root = make_root(tmp_path / "run", {"coreset": 0, "random": 0})
    change_config(root, compare=["coreset", "typiclust@some/where/clip.npy"])
    runs = {run.name: run for run in read(root)}
    assert list(runs) == ["coreset", "typiclust@clip", "random"]
    assert not runs["typiclust@clip"].finished
    assert runs["typiclust@clip"].config["strategy_args.embedding"] == "some/where/clip.npy"
    assert [entrant.name for entrant in entrants(root)] == ["coreset", "random"]


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


def test_what_is_written_in_two_ways_is_the_same_setting(tmp_path):
    make_run(tmp_path / "a", "bald", seeds=[0], lr=1, strategy_args={"beta": 1, "k": None})
    make_run(tmp_path / "b", "bald", seeds=[1], lr=1.0, strategy_args={"beta": 1.0})
    make_run(tmp_path / "c", "bald", seeds=[0], lr=1, strategy_args={"beta": True})
    found = entrants(tmp_path)
    assert [(e.name, e.seeds) for e in found] == [
        ("bald (beta=1)", [0, 1]),
        ("bald (beta=True)", [0]),
    ]
    assert differing(found) == {}


def test_a_strategy_on_another_embedding_is_called_as_its_folder_is(tmp_path):
    for folder, embedding in (("typiclust", None), ("typiclust@pixels_pca", "pixels_pca")):
        options = {"embedding": embedding} if embedding else {}
        make_run(tmp_path / folder, "typiclust", strategy_args=options)
    make_run(tmp_path / "x", "coreset", strategy_args={"embedding": "some/where/clip.npy"})
    names = [entrant.name for entrant in entrants(tmp_path)]
    assert names == ["typiclust", "typiclust@pixels_pca", "coreset@clip"]
    make_run(tmp_path / "z", "typiclust", lr=0.5)
    assert [entrant.name for entrant in entrants(tmp_path)] == [
        "typiclust (lr=0.001)",
        "typiclust@pixels_pca (lr=0.001)",
        "coreset@clip",
        "typiclust (lr=0.5)",
    ]


def test_no_two_are_called_the_same(tmp_path):
    for folder in ("a", "b"):
        place = f"{folder}/clip.npy"
        make_run(tmp_path / folder, "coreset", strategy_args={"embedding": place})
    make_run(tmp_path / "c", "bald", strategy_args={"beta": 1})
    make_run(tmp_path / "d", "bald", strategy_args={"beta": "1"})
    assert [entrant.name for entrant in entrants(tmp_path)] == [
        f"coreset@clip in {tmp_path / 'a'}",
        f"coreset@clip in {tmp_path / 'b'}",
        f"bald (beta=1) in {tmp_path / 'c'}",
        f"bald (beta=1) in {tmp_path / 'd'}",
    ]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda run: (run / "metrics.jsonl").unlink(), "no episode has ended"),
        (lambda run: change_config(run, seed="x"), "has 'x' as seed, which is not a count"),
        (lambda run: change_config(run, num_seeds=True), "has True as num_seeds"),
        (lambda run: change_config(run, strategy=None), "has None as strategy"),
        (lambda run: change_config(run, max_episodes=1.5), "has 1.5 as max_episodes"),
        (lambda run: (run / "config.json").unlink(), "no config.json"),
        (lambda run: (run / "config.json").write_text("{"), "not the config of a run"),
        (lambda run: (run / "config.json").write_text("{}"), "no field 'strategy'"),
        (lambda run: (run / "metrics.jsonl").write_text("{}\n"), "Line 1 of"),
        (lambda run: (run / "metrics.jsonl").write_text("nonsense\n"), "Line 1 of"),
        (
            lambda run: (run / "metrics.jsonl").write_text(
                '{"seed": 0, "episode": 1, "num_labeled": 5, "test_accuracy": true}\n'
            ),
            "no number as test_accuracy",
        ),
        (
            lambda run: (run / "metrics.jsonl").write_text(
                '{"seed": 0, "episode": 1, "num_labeled": 5, "test_accuracy": NaN}\n'
            ),
            "no number as test_accuracy",
        ),
        (
            lambda run: (run / "metrics.jsonl").write_text(
                '{"seed": 0, "episode": "1", "num_labeled": 5, "test_accuracy": 0.5}\n'
            ),
            "no number as episode",
        ),
        (lambda run: (run / "metrics.jsonl").write_bytes(b"\xff\n"), "not UTF-8"),
        (lambda run: (run / "picks.csv").write_text("header\n1,2\n"), "Line 2 of"),
        (lambda run: (run / "picks.csv").write_text(f"header\n0,0,0,{10**30},,1\n"), "Line 2 of"),
        (lambda run: (run / "picks.csv").write_text(f"header\n{'x' * 200_000}\n"), "Line 2 of"),
    ],
)
@LAYOUTS
def test_bad_records_are_one_clear_sentence(tmp_path, spoil, sentence, layout):
    run = make_run(tmp_path / "run", looks=True, layout=layout)
    only_merged(run)
    spoil(run)
    with pytest.raises(UsageError) as error:
        write_report([run], tmp_path / "report.html", files=False)
    assert sentence in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


@LAYOUTS
def test_a_value_that_is_no_number_is_left_out_and_told(tmp_path, layout):
    run = make_run(tmp_path / "run", layout=layout)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rows[0] |= {"test_nll": float("inf"), "seconds_train": "soon", "labeled_class_counts": [1, -1]}
    rows[1] |= {"cover_radius": float("nan"), "test_nll": [1]}
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_report([run], tmp_path / "report.html", files=layout == NEW)  # drawn, both are the same
    text = (tmp_path / "report.html").read_text()
    assert (
        f"Left out of {run / 'metrics.jsonl'}, not being numbers: test_nll in line 1, "
        "seconds_train in line 1, labeled_class_counts in line 1 and 2 more."
    ) in text
    (nll,) = (c for c in charts(entrants(run), None) if c.key == "nll")
    assert [p.value.num_seeds for p in nll.lines[0].points] == [2, 2, 3, 3]


def damage(path):
    """Makes the data of an archive nonsense, which is neither an OSError nor a bad zip file."""
    with np.load(path) as file:
        arrays = dict(file)
    np.savez_compressed(path, **arrays)
    content = bytearray(path.read_bytes())
    content[60:90] = b"\xff" * 30
    path.write_bytes(content)
    with pytest.raises(zlib.error):
        np.load(path)[next(iter(arrays))]


def change_arrays(path, **changes):
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | changes)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda run: (run / "looks/pool.npz").write_bytes(b"PK"), "not a readable .npz"),
        (lambda run: damage(run / "looks/pool.npz"), "not a readable .npz"),
        (lambda run: damage(looks_of(run, 0) / "map.npz"), "not a readable .npz"),
        (lambda run: damage(looks_of(run, 0) / "episode_001.npz"), "not a readable .npz"),
        (
            lambda run: change_arrays(run / "looks/pool.npz", labels=np.full(200, 3)),
            "does not hold a pool",
        ),
        (
            lambda run: change_arrays(run / "looks/pool.npz", index=np.arange(200)[::-1]),
            "does not rise",
        ),
        (
            lambda run: change_arrays(
                looks_of(run, 0) / "map.npz", map=np.full((200, 2), np.nan, np.float32)
            ),
            "not finite",
        ),
        (
            lambda run: change_arrays(
                looks_of(run, 0) / "episode_001.npz", rows=np.arange(191, 201)
            ),
            "does not hold the picks",
        ),
        (
            lambda run: change_arrays(
                looks_of(run, 0) / "episode_001.npz", predicted=np.full(10, 3)
            ),
            "does not hold the picks",
        ),
        (
            lambda run: change_arrays(
                looks_of(run, 0) / "episode_001.npz", images=np.zeros((3, 8, 8), np.uint8)
            ),
            "does not hold the picks",
        ),
        (lambda run: (looks_of(run, 0) / "map.npz").write_bytes(b""), "not a readable .npz"),
        (
            lambda run: np.savez(looks_of(run, 0) / "episode_001.npz", rows=np.arange(3)),
            "lacks an array",
        ),
        (
            lambda run: np.savez(
                looks_of(run, 0) / "map.npz", map=np.zeros((2, 2), np.float32), embedding="x"
            ),
            "has shape (2, 2)",
        ),
    ],
)
@LAYOUTS
def test_what_cannot_be_looked_at_is_left_out_and_told(tmp_path, spoil, sentence, layout):
    run = make_run(tmp_path / "run", looks=True, layout=layout)
    spoil(run)
    _, notes = gather_looks(entrants(run))
    (note,) = notes
    assert sentence in note
    assert str(run) in note
    assert note.endswith("It is left out.")
    write_report([run], tmp_path / "report.html", files=False)
    assert note.replace("'", "&#x27;") in (tmp_path / "report.html").read_text()
    _maps(entrants(run))  # of the figures, the only one that reads looks


def test_other_data_the_same_seed_twice_and_no_directory_are_refused(tmp_path):
    first = make_run(tmp_path / "first")
    other = make_run(tmp_path / "other", "coreset", data__name="digits")
    with pytest.raises(UsageError, match=r"data\.name is 'made_up' in .*first, 'digits'"):
        entrants(first, other)
    again = make_run(tmp_path / "again")
    with pytest.raises(UsageError, match="Seed 0 of random is in"):
        entrants(first, again)
    with pytest.raises(UsageError, match="nowhere is not a directory"):
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


@pytest.mark.parametrize("jump", [0, 0.3])
def test_targets_go_up_to_what_was_reached_and_what_was_not_is_explained(tmp_path, jump):
    """A mean that only one seed lifts is no accuracy that a strategy reaches."""
    make_run(tmp_path / "random", seeds=range(3))
    run = make_run(tmp_path / "coreset", "coreset", seeds=range(3), gain=0.05)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rows[-1]["test_accuracy"] += jump
    (run / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tables = make_tables(entrants(tmp_path), "random")
    highest = max(row["test_accuracy"] for row in rows[:-1])
    targets = [value for _, value in tables.targets]
    assert targets
    assert max(targets) <= (highest if jump else highest + jump)
    for k, _ in enumerate(targets):
        assert any(reach.labels[k][0] is not None for reach in tables.reach)
    table = reach_table(tables)
    assert table is not None
    cells = [cell for row in table.rows for cell in row[1:]]
    assert ("No number: " in table.note) == any("reached" in str(cell) for cell in cells)


def test_how_many_seeds_reached_an_accuracy_is_said(tmp_path):
    make_run(tmp_path / "random", seeds=range(5))
    tables = make_tables(entrants(tmp_path), None)
    labels = [(30.4, 5), (31.0, 4), (None, 2), (None, 0)]
    reach = [tables.reach[0]._replace(labels=labels)]
    table = reach_table(tables._replace(reach=reach, targets=[("", 0.5)] * 4))
    assert table is not None
    assert table.rows[0][1:] == [
        "30", "31 (4 of 5 seeds)", "only 2 of 5 seeds reached it", "not reached",
    ]  # fmt: skip
    assert "No number: " in table.note
    assert "In brackets: " in table.note


def test_the_last_accuracy_is_where_the_mean_of_the_reference_ends(tmp_path):
    for count, whose in ((1, "random"), (3, "the mean of random")):
        make_root(tmp_path / str(count), {"random": 0, "margin": 0.1}, seeds=range(count))
        name, _ = make_tables(entrants(tmp_path / str(count)), "random").targets[-1]
        assert name.endswith(f"%, where {whose} ends")


def test_where_all_is_reached_nothing_is_explained(tmp_path):
    make_run(tmp_path / "random", seeds=range(1))
    table = reach_table(make_tables(entrants(tmp_path), None))
    assert table is not None
    assert table.note == ""


def test_one_seed_one_strategy_and_nothing_in_common_say_so(tmp_path):
    make_run(tmp_path / "random", seeds=range(1))
    assert verdict(make_tables(entrants(tmp_path), None)) == [
        "One strategy, random: nothing to compare it with."
    ]
    make_run(tmp_path / "coreset", "coreset", seeds=range(1))
    tables = make_tables(entrants(tmp_path), "random")
    assert tables.penalties is None
    assert tables.standings[0].compared == 0
    first, second, third = verdict(tables)
    assert first == "Nothing can be said yet of any strategy against random."
    assert second.startswith("Not tested against random, for lack of common seeds")
    assert "1 seed" in third
    make_run(tmp_path / "bald", "bald", seeds=range(7, 9), episodes=2)
    tables = make_tables(entrants(tmp_path), "random")
    assert tables.label_range == (10, 20)
    assert charts(entrants(tmp_path), "random")


def test_what_has_no_seeds_in_common_is_left_out_of_the_outcome(tmp_path):
    make_run(tmp_path / "random", seeds=range(2))
    make_run(tmp_path / "coreset", "coreset", seeds=range(2, 4))
    lines = outcome(make_tables(entrants(tmp_path), "random"))
    assert lines == ["No strategy has seeds in common with random yet."]
    make_run(tmp_path / "bald", "bald", seeds=range(2))
    one, how = outcome(make_tables(entrants(tmp_path), "random"))
    assert one.startswith("bald - random: ")
    assert "2 seeds, 95% t interval" in how


def test_a_difference_that_is_the_same_in_every_seed_is_said_to_be(tmp_path):
    for name in ("random", "mine"):
        run = make_run(tmp_path / name, "random", seeds=range(3))
        config = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps(config | {"strategy": name}))
    rows = [json.loads(line) for line in (tmp_path / "mine/metrics.jsonl").read_text().splitlines()]
    for row in rows:
        row["test_accuracy"] += 0.1
    (tmp_path / "mine/metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    said = verdict(make_tables(entrants(tmp_path), "random"))
    assert said[0] == "Nothing can be said yet of any strategy against random."
    assert "as the difference is the same in every seed, which leaves" in said[1]
    assert said[1].endswith(": mine by +0.100.")
    assert not any("lack of common seeds" in sentence for sentence in said)


def test_one_seed_is_not_said_to_have_an_interval_or_a_test(tmp_path):
    for name in ("random", "coreset"):
        make_run(tmp_path / "one" / name, name, seeds=range(1))
        make_run(tmp_path / "two" / name, name, seeds=range(2))
    drawn = {
        num_seeds: {chart.key: chart for chart in charts(entrants(tmp_path / num_seeds), "random")}
        for num_seeds in ("one", "two")
    }
    for key in ("accuracy", "difference"):
        assert "95%" not in drawn["one"][key].caption
        assert "95%" in drawn["two"][key].caption
    assert {p.strong for p in drawn["one"]["difference"].lines[0].points} == {None}
    for num_seeds in ("one", "two"):
        write_report([tmp_path / num_seeds], tmp_path / "report.html", files=False)
        page = (tmp_path / "report.html").read_text()
        assert ("95%" in page) == (num_seeds == "two")
        assert ("not tested" in page) == (num_seeds == "one")
        assert ('id="bands"' in page) == (num_seeds == "two")


def test_what_was_not_compared_is_a_dash_and_no_zero(tmp_path):
    make_run(tmp_path / "random", seeds=range(3))
    make_run(tmp_path / "coreset", "coreset", seeds=range(3))
    make_run(tmp_path / "bald", "bald", seeds=range(3, 6))
    write_report([tmp_path], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    matrix = page[page.index('class="matrix"') :]
    matrix = matrix[: matrix.index("</table>")]
    assert matrix.count(">\N{EN DASH}<") == 5  # bald with two others, both ways, and its mean
    assert "so not compared" in page
    header, *rows = (tmp_path / "report_files/penalties.csv").read_text().splitlines()
    line = {row.split(",")[0]: row.split(",")[1:] for row in rows}
    assert line["bald"] == ["", "", ""]
    assert line["column mean"][header.split(",").index("bald") - 1] == ""
    assert line["random"].count("") == 2


def test_of_many_the_reference_and_the_best_are_shown_at_first(tmp_path):
    names = [f"s{k}" for k in range(9)]
    for k, name in enumerate(names):
        make_run(tmp_path / name, name, gain=0.03 * k, seeds=range(2), episodes=3)
    make_run(tmp_path / "random", seeds=range(2), episodes=3)
    all_of_them = entrants(tmp_path)
    others = make_tables(all_of_them, "random").others
    assert others == ["s2", "s1", "s0"]
    overlap = {c.key: c for c in charts(all_of_them, "random", others)}["overlap"]
    assert "of the strategies shown at first" in overlap.caption
    assert not any(name in line.name for line in overlap.lines for name in others)
    assert make_tables(all_of_them[:8], "s0").others == []


def test_long_lists_end_in_a_number():
    assert listed(["a", "b"], 2) == "a, b"
    assert listed(["a", "b", "c"], 2) == "a, b, c"
    assert listed(["a", "b", "c", "d"], 2, "; ") == "a; b and 2 more"


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


@LAYOUTS
def test_looks_carry_the_picks_and_the_reasons(tmp_path, layout):
    run = make_run(tmp_path / "run", looks=True, seeds=range(2), layout=layout)
    data, notes = gather_looks(entrants(run))
    assert data is not None
    assert notes == []
    assert data["classes"] == CLASSES
    assert set(data["strategies"]["random"]) == {"0", "1"}
    entry = data["strategies"]["random"]["1"]
    with (
        np.load(looks_of(run, 1) / "episode_002.npz") as look,
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


@LAYOUTS
def test_what_is_missing_of_the_looks_is_left_out(tmp_path, layout):
    run = make_run(tmp_path / "run", looks=True, seeds=range(1), layout=layout)
    (looks_of(run, 0) / "map.npz").unlink()
    data, _ = gather_looks(entrants(run))
    assert data is not None
    assert set(data["strategies"]["random"]["0"]) == {"gallery"}
    make_run(tmp_path / "other", "coreset", seeds=range(1))
    data, _ = gather_looks(entrants(tmp_path))
    assert data is not None
    assert set(data["strategies"]) == {"random"}
    (run / "looks/pool.npz").unlink()
    assert gather_looks(entrants(tmp_path)) == (None, [])


@pytest.mark.parametrize("room", [150, 75, 20])
def test_large_maps_are_thinned_but_keep_every_pick(tmp_path, monkeypatch, room):
    monkeypatch.setattr("jax_al.report.looks.MAP_BYTES", -(-room * 20 // 3))
    run = make_run(tmp_path / "run", looks=True, seeds=range(3))
    data, notes = gather_looks(entrants(run))
    assert data is not None
    assert notes == [
        f"A map shows about {room} of the 200 points: all that its strategy bought, and a random "
        "part of the others."
    ]
    entries = data["strategies"]["random"]
    assert len(entries) == 3
    for entry in entries.values():
        labels = np.frombuffer(base64.b64decode(entry["labels"]), np.uint8)
        x = np.frombuffer(base64.b64decode(entry["x"]), np.uint16)
        assert len(x) == len(labels) == max(room, 40)  # its picks at least
        for episode, places in entry["picks"].items():
            assert labels[places].tolist() == entry["gallery"]["episodes"][episode]["label"]


def test_one_damaged_file_takes_no_other_away(tmp_path):
    run = make_run(tmp_path / "run", looks=True, seeds=range(2))
    damage(looks_of(run, 0) / "episode_001.npz")
    damage(looks_of(run, 1) / "map.npz")
    data, notes = gather_looks(entrants(run))
    assert data is not None
    assert len(notes) == 2
    first, second = data["strategies"]["random"].values()
    assert "x" in first
    assert "x" not in second
    assert list(first["gallery"]["episodes"]) == [0, 2, 3]
    assert list(second["gallery"]["episodes"]) == [0, 1, 2, 3]


def test_a_score_that_is_not_finite_is_left_out(tmp_path):
    run = make_run(tmp_path / "run", looks=True, seeds=range(1))
    score = np.array([np.inf, -np.inf, np.nan, 0, 1, 2, 3, 4, 5, 6], np.float32)
    change_arrays(looks_of(run, 0) / "episode_001.npz", score=score)
    data, notes = gather_looks(entrants(run))
    assert data is not None
    assert notes == []
    gallery = data["strategies"]["random"]["0"]["gallery"]
    assert gallery["episodes"][1]["score"] == [None] * 3 + [0, 1, 2, 3, 4, 5, 6]
    json.dumps(data, allow_nan=False)


def test_an_unknown_pick_is_on_no_map_rather_than_on_the_point_of_another():
    pool = Pool(np.zeros(4, np.int32), np.array([2, 4, 6, 8]), ["a"], [])
    assert pool.rows([8, 5, 2, 99, 0]).tolist() == [3, 0]
    rows, episodes = picked_rows(pool, {0: [4, 5], 1: [], 3: [9, 8, 2]})
    assert rows.tolist() == [1, 3, 0]
    assert episodes.tolist() == [0, 3, 3]
    assert [len(part) for part in picked_rows(pool, {})] == [0, 0]


def test_many_seeds_are_not_all_shown(tmp_path, monkeypatch):
    monkeypatch.setattr("jax_al.report.looks.LOOKS_BYTES", 20_000)
    make_run(tmp_path / "a", "random", looks=True, seeds=range(5))
    make_run(tmp_path / "b", "coreset", looks=True, seeds=range(5))
    data, notes = gather_looks(entrants(tmp_path))
    assert data is not None
    assert {len(seeds) for seeds in data["strategies"].values()} <= {1, 2}
    assert any("more seeds" in note for note in notes)


@LAYOUTS
def test_picks_of_a_table_are_named(tmp_path, layout):
    run = make_run(tmp_path / "run", looks=True, channels=0, seeds=range(1), layout=layout)
    data, notes = gather_looks(entrants(run))
    assert data is not None
    assert notes == ["There are no images on record, so the picks are named."]
    gallery = data["strategies"]["random"]["0"]["gallery"]
    assert gallery["sprite"] is None
    episode = gallery["episodes"][1]
    assert episode["id"] == [f"row <{index}>" for index in episode["index"]]
    assert _maps(entrants(run)) is not None
    write_report([run], tmp_path / "report.html", files=False)


@LAYOUTS
def test_without_truth_the_classes_are_unknown_and_that_is_told(tmp_path, layout):
    run = make_run(tmp_path / "run", looks=True, truth=False, seeds=range(1), layout=layout)
    data, notes = gather_looks(entrants(run))
    assert data is not None
    assert notes == ["The true class is not known of every point."]
    entry = data["strategies"]["random"]["0"]
    assert set(np.frombuffer(base64.b64decode(entry["labels"]), np.uint8)) == {255}
    assert set(entry["gallery"]["episodes"][1]["label"]) == {-1}
    write_report([run], tmp_path / "report.html", files=layout == NEW)  # drawn, both are the same


@pytest.mark.parametrize("gains", [{"random": 0}, {"random": 0, "coreset": 0}])
def test_without_a_test_set_the_other_curves_are_shown_and_one_sentence_tells(tmp_path, gains):
    root = make_root(tmp_path / "root", gains, test=False)
    sentences = verdict(make_tables(entrants(root), "random" if len(gains) > 1 else None))
    assert sentences[1:] == ["No test accuracy is on record, so there are no curves of it."]
    write_report([root], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.count(sentences[1]) == 1
    assert 'id="plot-class_balance"' in page
    assert 'id="plot-accuracy"' not in page


def test_a_strategy_without_a_test_set_stands_beside_those_that_have_one(tmp_path):
    make_root(tmp_path / "a", {"random": 0, "coreset": 0.1})
    make_root(tmp_path / "b", {"bald": 0.1}, test=False)
    tables = make_tables(entrants(tmp_path), "random")
    assert [s.name for s in tables.standings] == ["coreset", "random", "bald"]
    assert make_tables(entrants(tmp_path), "bald").standings
    write_report([tmp_path], tmp_path / "report.html", reference="bald")
