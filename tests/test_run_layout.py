"""What lies in a run's directory, whose it is, and what may be cleared there."""

import json
import shutil

import jax
import numpy as np
import pytest
from PIL import Image

from jax_al import report
from jax_al.cli.build import study_of
from jax_al.cli.fields import MAY_CHANGE
from jax_al.cli.start import start
from jax_al.drivers.root import CONTENTS
from jax_al.errors import UsageError
from jax_al.session.checkpoint import Checkpoints
from jax_al.session.journal import Journal
from jax_al.session.records import read_picks
from tests.made_up_runs import NEW, make_run
from tests.runs import part_of, rows_of, run, tiny_config, without_times

METRICS = [
    "seed",
    "episode",
    "num_labeled",
    "num_bought",
    "train_loss",
    "train_accuracy",
    "test_accuracy",
    "test_nll",
    "test_ece",
    "test_class_accuracy",
    "cover_radius",
    "near_duplicate_share",
    "query_info",
    "labeled_class_counts",
    "seconds_train",
    "seconds_evaluate",
    "seconds_embed",
    "seconds_select",
    "seconds_record",
    "compiles",
    "strategy",
]
QUICK = {
    "model": {"name": "tests.made_up_benchmarks:nearest_mean_on_host"},
    "strategy": "random",
    "max_episodes": 2,
}


def study(**fields):
    return study_of(json.loads(tiny_config(**fields).to_json_best_effort()))


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Two strategies, not by name in order, and two seeds, as the command line runs them."""
    workdir = tmp_path_factory.mktemp("started")
    start(tiny_config(num_seeds=2, compare=("random", "coreset")), workdir, overwrite=False)
    return workdir


def test_metrics_have_the_documented_columns_strategy_by_strategy(started):
    rows = rows_of(started)
    assert all(list(row) == METRICS for row in rows)
    assert [(r["strategy"], r["seed"], r["episode"], r["num_labeled"]) for r in rows] == [
        (name, seed, episode, 10 + 7 * (episode - 1))
        for name in ("random", "coreset")
        for seed in (0, 1)
        for episode in (1, 2, 3)
    ]
    for row in rows:
        is_last = row["episode"] == 3
        assert row["num_bought"] == (0 if is_last else 7)
        assert sum(row["labeled_class_counts"]) == row["num_labeled"]
        assert 0 <= row["test_accuracy"] <= 1
        assert (row["cover_radius"] is None) == (is_last or row["strategy"] == "random")
        assert (row["near_duplicate_share"] is None) == is_last


def test_picks_are_distinct_true_and_in_order(started):
    data = study().benchmark
    truth = dict(zip(data.pool.ids, data.truth.tolist(), strict=True))
    first_line = (started / "picks.csv").read_text().splitlines()[0]
    assert first_line == "seed,episode,order,index,id,label,strategy"
    picks = read_picks(started / "picks.csv")
    assert [(p.strategy, p.seed) for p in picks[::24]] == [
        ("random", 0), ("random", 1), ("coreset", 0), ("coreset", 1),
    ]  # fmt: skip
    for mine in (picks[k : k + 24] for k in range(0, 96, 24)):
        assert len({(pick.strategy, pick.seed) for pick in mine}) == 1
        assert [pick.order for pick in mine] == list(range(24))
        assert [pick.episode for pick in mine] == [0] * 10 + [1] * 7 + [2] * 7
        assert len({pick.index for pick in mine}) == 24
        assert all(truth[pick.id] == pick.label for pick in mine)


def test_strategies_are_paired_by_seed(started):
    picks = read_picks(started / "picks.csv")
    rows = without_times(started)
    for seed in (0, 1):
        bought = {
            (name, episode): [
                p.index for p in picks if (p.strategy, p.seed, p.episode) == (name, seed, episode)
            ]
            for name in ("random", "coreset")
            for episode in (0, 1)
        }
        assert bought["random", 0] == bought["coreset", 0]
        assert bought["random", 1] != bought["coreset", 1]
        first = [row for row in rows if (row["seed"], row["episode"]) == (seed, 1)]
        assert len({row["test_nll"] for row in first}) == 1


def test_the_parts_hold_what_the_root_holds_and_networks_that_can_be_read(started):
    assert rows_of(started) == [
        row
        for name in ("random", "coreset")
        for seed in (0, 1)
        for row in rows_of(part_of(started, name, seed))
    ]
    directory = part_of(started, "coreset", 1)
    trained = Journal(directory).fold().trained
    with Checkpoints(directory / "checkpoints", None) as checkpoints:
        assert checkpoints.episodes() == [1, 2, 3]
        for episode in (1, 2, 3):
            checkpoints.restore(episode, None, trained[episode].digest)


def test_pictures_a_page_and_looks_are_there(started):
    for name in ("curve.png", "picks.png"):
        with Image.open(started / name) as picture:
            picture.load()
    assert "coreset" in (started / "report.html").read_text()
    looks = part_of(started) / "looks"
    with np.load(looks / "episode_001.npz") as look, np.load(started / "looks/pool.npz") as pool:
        assert look["rows"].tolist() == list(Journal(part_of(started)).fold().requests[1].rows)
        assert len(pool["labels"]) == len(look["predicted"]) + 143
    assert json.loads((started / "config.json").read_text())["layout"] == 2


def test_nothing_at_all_is_compiled_after_the_first_episode(tmp_path):
    compiled, after = [], []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
    )

    def tell(event):
        if event["event"] == "row":
            after.append(len(compiled))

    jax.clear_caches()
    run(tmp_path, tell, max_episodes=5)
    assert after[0] > 5
    assert set(after) == {after[0]}
    assert len({row["compiles"] for row in rows_of(tmp_path)}) == 1


@pytest.mark.parametrize("name", ["metrics.jsonl", "picks.csv", "parts"])
def test_results_without_a_config_are_not_continued(tmp_path, name):
    run(tmp_path, **QUICK)
    for other in {"metrics.jsonl", "picks.csv", "parts"} - {name}:
        shutil.rmtree(tmp_path / other) if other == "parts" else (tmp_path / other).unlink()
    (tmp_path / "config.json").unlink()
    with pytest.raises(UsageError, match=r"holds .* but no config\.json"):
        run(tmp_path, **QUICK)


OF_THE_LAYOUT_BEFORE = '{"strategy": "random", "budget": 7, "max_episodes": 2, "lr": 2.0}'


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("left", [OF_THE_LAYOUT_BEFORE, '{"layout": 2, "lr": 2.0}'])
def test_a_config_without_results_binds_nobody(tmp_path, left, overwrite):
    (tmp_path / "config.json").write_text(left)
    run(tmp_path, overwrite=overwrite, **QUICK)
    assert json.loads((tmp_path / "config.json").read_text())["lr"] == 1e-3


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("config.json", text) for text in ('{"lr": 2.0}', '{"layout": {}}', "[]", '{"lr":')),
        *((name, "x") for name in CONTENTS if "." in name),
        *((f"{name}/file", "x") for name in CONTENTS if "." not in name),
    ],
)
def test_a_directory_of_another_tool_is_left_as_it_is(tmp_path, name, text, overwrite):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(UsageError, match=r"of another tool; name another --workdir, or move"):
        run(tmp_path, overwrite=overwrite, **QUICK)
    assert path.read_text() == text


def test_a_directory_of_another_tool_below_a_runs_is_left_as_it_is(tmp_path):
    (tmp_path / "model").mkdir()
    for name, text in (("config.json", '{"lr": 2.0}'), ("metrics.jsonl", "x")):
        (tmp_path / "model" / name).write_text(text)
    run(tmp_path, overwrite=True, **QUICK)
    assert (tmp_path / "model" / "config.json").read_text() == '{"lr": 2.0}'
    assert (tmp_path / "model" / "metrics.jsonl").read_text() == "x"


def test_killed_while_it_is_cleared_a_run_is_still_known_as_ours(tmp_path, monkeypatch):
    run(tmp_path, **QUICK)
    (tmp_path / "looks").mkdir()
    (tmp_path / "wandb_id.txt").write_text("x")
    removed = shutil.rmtree

    def killed(path):
        removed(path)
        if path.name == "parts":
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, overwrite=True, **QUICK)
    monkeypatch.undo()
    run(tmp_path, overwrite=True, **QUICK)
    assert len(rows_of(tmp_path)) == 2
    assert not (tmp_path / "wandb_id.txt").exists()


def test_the_fields_that_differ_are_named_with_both_values_and_no_other(tmp_path):
    run(tmp_path, **QUICK)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(UsageError) as caught:
        run(tmp_path, **QUICK | {"lr": 0.5, "budget": 5, "max_episodes": 9})
    message = str(caught.value)
    assert "lr (was 0.001, now 0.5); " in message or "lr (was 0.001, now 0.5). " in message
    assert "budget (was 7, now 5)" in message
    assert "seed (" not in message
    assert "max_episodes" not in message
    assert (tmp_path / "config.json").read_bytes() == before


def test_what_changes_no_recorded_number_may_change(tmp_path):
    changed = {
        "data.data_dir": str(tmp_path),
        "data.cache_dir": str(tmp_path),
        "data.resident": "no",
        "wandb.mode": "offline",
        "wandb.project": "other",
        "num_seeds": 2,
        "jobs": 2,
        "scheduler": "tcp://127.0.0.1:1",
        "part": "1/2",
        "compare": ("random", "margin"),
        "max_episodes": 3,
        "keep_checkpoints": 1,
    }
    assert set(changed) == set(MAY_CHANGE)
    run(tmp_path / "run", **QUICK)
    for field, value in changed.items():
        run(tmp_path / "run", **QUICK | {"max_episodes": 3, field: value})
        recorded = json.loads((tmp_path / "run" / "config.json").read_text())
        *groups, name = field.split(".")
        for group in groups:
            recorded = recorded[group]
        assert recorded[name] == (list(value) if isinstance(value, tuple) else value)


def test_clearing_removes_what_a_run_writes_and_nothing_else(tmp_path):
    mine = {"notes.txt": "x", "mine/deep/file": "x", "mine/config.json": "{}"}
    for name in {*CONTENTS, *mine}:
        path = tmp_path / name
        if "." not in name and name not in mine:
            path = path / "deep" / "file"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(mine.get(name, '{"layout": 2}' if name == "config.json" else "x"))
    run(tmp_path, overwrite=True, **QUICK)
    assert all((tmp_path / name).read_text() == text for name, text in mine.items())
    assert len(rows_of(tmp_path)) == 2
    left = {path.name for path in tmp_path.iterdir()} - {"notes.txt", "mine"}
    assert left == {".lock", ".merge.lock", "config.json", "metrics.jsonl", "parts", "picks.csv"}


def test_clearing_spares_what_a_link_points_to(tmp_path):
    elsewhere = tmp_path / "large_disk"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("x")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text('{"layout": 2}')
    (tmp_path / "run" / "parts").symlink_to(elsewhere)
    run(tmp_path / "run", overwrite=True, **QUICK)
    assert [path.name for path in elsewhere.iterdir()] == ["file"]


def test_an_older_run_is_shown_not_gone_on_with_and_overwritten_as_one_of_ours(tmp_path):
    workdir = make_run(tmp_path / "old")
    (workdir / "notes.txt").write_text("mine")
    before = (workdir / "metrics.jsonl").read_bytes()
    with pytest.raises(UsageError, match=r"earlier version .* can show .*jax_al\.report"):
        run(workdir, **QUICK)
    assert (workdir / "metrics.jsonl").read_bytes() == before
    report.write_report([workdir], tmp_path / "page.html", files=False)
    run(workdir, overwrite=True, **QUICK)
    assert len(rows_of(workdir)) == 2
    assert (workdir / "notes.txt").read_text() == "mine"
    assert not (workdir / "looks").exists()


def test_an_older_comparison_too(tmp_path):
    for name in ("random", "coreset@pixels_pca"):
        make_run(tmp_path / name, name.partition("@")[0])
        (tmp_path / name / ".lock").touch()
    (tmp_path / "curve.png").write_text("x")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text('{"about": "somebody else"}')
    (tmp_path / "random" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="earlier version"):
        run(tmp_path, **QUICK)
    run(tmp_path, overwrite=True, **QUICK)
    assert not (tmp_path / "coreset@pixels_pca").exists()
    assert not (tmp_path / "curve.png").exists()
    assert [path.name for path in (tmp_path / "random").iterdir()] == ["notes.txt"]
    assert (tmp_path / "mine" / "config.json").exists()
    run(tmp_path, **QUICK)


def test_a_made_up_run_of_this_layout_is_no_older_one(tmp_path):
    workdir = make_run(tmp_path / "new", layout=NEW)
    with pytest.raises(UsageError, match="another config"):
        run(workdir, **QUICK)


def test_a_config_on_record_that_is_none_is_told(tmp_path):
    run(tmp_path, strategy="random", max_episodes=1)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(UsageError, match=r"config\.json is not the config of a run; restore it"):
        run(tmp_path, strategy="random", max_episodes=1)
    run(tmp_path, strategy="random", max_episodes=1, overwrite=True)
