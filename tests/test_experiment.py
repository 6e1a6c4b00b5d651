import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from PIL import Image

from jax_al.drivers import experiment
from jax_al.errors import UsageError
from jax_al.pools import load as data
from jax_al.session import records
from tests.runs import ROOT, tiny_config, without_times

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
    "cover_radius",
    "near_duplicate_share",
    "query_info",
    "labeled_class_counts",
    "seconds_train",
    "seconds_evaluate",
    "seconds_embed",
    "seconds_select",
    "compiles",
]


def parameters(workdir, seed, episode):
    place = workdir / "checkpoints" / f"seed_{seed}" / f"episode_{episode:03}" / "state"
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(place.resolve())


def same(workdir, other):
    assert without_times(workdir) == without_times(other)
    assert (workdir / "picks.csv").read_bytes() == (other / "picks.csv").read_bytes()
    for seed in {row["seed"] for row in without_times(workdir)}:
        last = max(row["episode"] for row in without_times(workdir) if row["seed"] == seed)
        mine, theirs = (parameters(place, seed, last) for place in (workdir, other))
        assert jax.tree.structure(mine) == jax.tree.structure(theirs)
        for a, b in zip(jax.tree.leaves(mine), jax.tree.leaves(theirs), strict=True):
            np.testing.assert_array_equal(a, b)


def picks(workdir):
    with open(workdir / "picks.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run of two seeds."""
    workdir = tmp_path_factory.mktemp("whole")
    experiment.run(tiny_config(num_seeds=2), workdir)
    return workdir


def test_the_files_are_as_documented(whole):
    rows = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [(r["seed"], r["episode"], r["num_labeled"]) for r in rows] == [
        (seed, episode, 10 + 7 * (episode - 1)) for seed in (0, 1) for episode in (1, 2, 3)
    ]
    assert all(list(row) == METRICS for row in rows)
    for row in rows:
        assert sum(row["labeled_class_counts"]) == row["num_labeled"]
        assert 0 <= row["test_accuracy"] <= 1
        assert (row["cover_radius"] is None) == (row["episode"] == 3)
    assert json.loads((whole / "config.json").read_text())["budget"] == 7
    for name in ("curve.png", "picks.png"):
        with Image.open(whole / name) as picture:
            picture.load()


def test_picks_are_distinct_true_and_in_order(whole):
    dataset = data.load(
        "digits",
        data_dir=None,
        cache_dir=None,
        pool_splits=("train",),
        pool_size=150,
        test_split="test",
        test_size=50,
        image_size=None,
    )
    truth = dict(zip(dataset.index.tolist(), dataset.labels.tolist(), strict=True))
    for seed in ("0", "1"):
        mine = [pick for pick in picks(whole) if pick["seed"] == seed]
        assert [int(pick["order"]) for pick in mine] == list(range(24))
        assert [int(pick["episode"]) for pick in mine] == [0] * 10 + [1] * 7 + [2] * 7
        assert len({pick["index"] for pick in mine}) == 24
        assert all(truth[int(pick["index"])] == int(pick["label"]) for pick in mine)


def test_one_compile_per_program_for_the_whole_run(whole):
    assert {row["compiles"] for row in without_times(whole)} == {5}


def test_nothing_at_all_is_compiled_after_the_first_episode(tmp_path, monkeypatch):
    compiled, after = [], []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
    )
    append = records.append_metrics

    def counted(path, row):
        append(path, row)
        after.append(len(compiled))

    monkeypatch.setattr(records, "append_metrics", counted)
    jax.clear_caches()
    experiment.run(tiny_config(max_episodes=5), tmp_path)
    assert after[0] > 5
    assert set(after) == {after[0]}


@pytest.mark.parametrize("fields", [{"seeds_at_once": 1}, {"seed_axis": "vmap"}])
def test_seeds_together_equal_seeds_one_after_another(fields, whole, tmp_path):
    experiment.run(tiny_config(num_seeds=2, **fields), tmp_path)
    if "seeds_at_once" in fields:
        same(tmp_path, whole)
    else:  # sums are taken in another order
        assert (tmp_path / "picks.csv").read_bytes() == (whole / "picks.csv").read_bytes()
        for mine, other in zip(without_times(tmp_path), without_times(whole), strict=True):
            assert mine["test_nll"] == pytest.approx(other["test_nll"], rel=1e-4)


def test_a_seed_alone_equals_the_same_seed_among_others(whole, tmp_path):
    experiment.run(tiny_config(seed=1), tmp_path)
    assert without_times(tmp_path) == [row for row in without_times(whole) if row["seed"] == 1]
    mine, other = (parameters(place, 1, 3) for place in (tmp_path, whole))
    jax.tree.map(np.testing.assert_array_equal, mine, other)


def test_seeds_split_over_devices_give_the_same(tmp_path):
    """Three seeds on two devices; then four slots, of which the two new seeds take one on each."""
    config = tiny_config(num_seeds=5, strategy="badge", max_episodes=2)
    experiment.run(config, tmp_path / "one device")
    program = (
        "import pathlib, sys, jax\n"
        "from jax_al.drivers import experiment\n"
        "from tests.runs import tiny_config\n"
        "assert len(jax.devices()) == 2\n"
        "for num_seeds, at_once in ((3, 10), (5, 4)):\n"
        "    fields = {'num_seeds': num_seeds, 'seeds_at_once': at_once, 'max_episodes': 2}\n"
        "    config = tiny_config(strategy='badge', **fields)\n"
        "    experiment.run(config, pathlib.Path(sys.argv[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "two devices")],
        cwd=ROOT,
        env=os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    same(tmp_path / "two devices", tmp_path / "one device")


def test_shrinking_below_a_purchase_is_refused(tmp_path, capsys):
    experiment.run(tiny_config(max_episodes=3), tmp_path)
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "metrics.jsonl").write_text(rows[0])
    with pytest.raises(UsageError, match="can only grow"):
        experiment.run(tiny_config(max_episodes=1), tmp_path)


def test_another_data_set_under_the_same_name_is_noticed(tmp_path):
    experiment.run(tiny_config(max_episodes=2), tmp_path)
    lines = (tmp_path / "picks.csv").read_text().splitlines()
    lines[1] = lines[1][:-1] + str((int(lines[1][-1]) + 1) % 10)
    (tmp_path / "picks.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError, match="the data set has changed"):
        experiment.run(tiny_config(max_episodes=3), tmp_path)


def test_a_finished_run_says_so_and_changes_nothing(whole, tmp_path, capsys):
    shutil.copytree(whole, tmp_path / "again")
    before = (whole / "metrics.jsonl").read_bytes()
    experiment.run(tiny_config(num_seeds=2), tmp_path / "again")
    assert "finished" in capsys.readouterr().out
    assert (tmp_path / "again" / "metrics.jsonl").read_bytes() == before


def test_more_episodes_and_seeds_equal_a_run_that_had_them_from_the_start(whole, tmp_path):
    experiment.run(tiny_config(max_episodes=2), tmp_path)
    experiment.run(tiny_config(max_episodes=3), tmp_path)
    experiment.run(tiny_config(num_seeds=2), tmp_path)
    same(tmp_path, whole)


# Where the process dies: a function, perhaps with the end of its last argument, and how it dies
# there. "half" writes half of the bytes.
DEATHS = {
    "before the first label": ("jax_al.session.records.append_picks", "before", 1),
    "half the initial labels": ("jax_al.session.records._append", "half", 1),
    "in training": ("jax_al.record.terminal.Terminal.advance", "after", 2),
    "in a checkpoint": ("os.rename", "before", 1),
    "checkpoint done": ("jax_al.session.checkpoint.Checkpoints.save", "after", 1),
    "in the query": ("jax_al.drivers.learner.Learner.ask", "after", 1),
    "in the pictures of the query": ("jax_al.record.looks.save_query", "after", 1),
    "the query written but not in place": ("os.replace seed_0.json", "before", 1),
    "query done": ("os.replace seed_0.json", "after", 1),
    "half the labels": ("jax_al.session.records._append", "half", 3),
    "labels done": ("jax_al.session.records.append_picks", "after", 3),
    "half the metrics": ("jax_al.session.records._append", "half", 4),
    "metrics of one seed done": ("jax_al.session.records.append_metrics", "after", 1),
    "metrics done": ("jax_al.session.records.append_metrics", "after", 2),
}
DIE = """
import importlib, os, pathlib, signal, sys
from jax_al.drivers import experiment
from tests.runs import tiny_config

(path, _, target), how, count = sys.argv[2].partition(" "), sys.argv[3], int(sys.argv[4])
module, _, name = path.rpartition(".")
try:
    owner = importlib.import_module(module)
except ImportError:
    module, _, owner_name = module.rpartition(".")
    owner = getattr(importlib.import_module(module), owner_name)
real, calls = getattr(owner, name), 0

def deadly(*args, **kwargs):
    global calls
    calls += not target or str(args[-1]).endswith(target)
    if calls < count or (target and not str(args[-1]).endswith(target)):
        return real(*args, **kwargs)
    if how == "half":
        with open(args[0], "a") as file:
            file.write(args[1][: len(args[1]) // 2])
    if how == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, deadly)
experiment.run(tiny_config(num_seeds=2), pathlib.Path(sys.argv[1]))
"""


@pytest.mark.parametrize("death", DEATHS)
def test_kill_9_loses_nothing(death, whole, tmp_path):
    path, how, count = DEATHS[death]
    command = [sys.executable, "-c", DIE, str(tmp_path), path, how, str(count)]
    died = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr
    experiment.run(tiny_config(num_seeds=2), tmp_path)
    same(tmp_path, whole)


INTERRUPTED_ON_THE_HOST = """
import importlib, os, pathlib, signal, sys
from jax_al import interrupt
from jax_al.drivers import experiment
from tests.runs import tiny_config

def stop(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):  # the handler runs before the strategy answers
        pass

importlib.import_module("jax_al.strategies.coreset_robust").robust_kcenter = stop
interrupt.listen()
try:
    experiment.run(tiny_config(strategy="coreset_robust"), pathlib.Path(sys.argv[1]))
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_while_a_strategy_works_on_the_host(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_ON_THE_HOST, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("interrupted\n")


def test_a_damaged_checkpoint_is_made_again(whole, tmp_path, capsys):
    experiment.run(tiny_config(max_episodes=2, num_seeds=2), tmp_path)
    for path in (tmp_path / "checkpoints" / "seed_1" / "episode_002").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:10])
    experiment.run(tiny_config(num_seeds=2), tmp_path)
    assert "damaged" in capsys.readouterr().out
    same(tmp_path, whole)


def test_warm_start_goes_on_from_the_last_network_and_resumes(tmp_path):
    config = tiny_config(warm_start=True, keep_checkpoints=1)
    experiment.run(config, tmp_path / "whole")
    experiment.run(tiny_config(warm_start=True, max_episodes=2), tmp_path / "parts")
    experiment.run(config, tmp_path / "parts")
    same(tmp_path / "parts", tmp_path / "whole")
    experiment.run(tiny_config(), tmp_path / "cold")
    warm, cold = without_times(tmp_path / "whole"), without_times(tmp_path / "cold")
    assert warm[0] == cold[0]
    assert warm[1] != cold[1]


def test_keep_checkpoints(tmp_path):
    experiment.run(tiny_config(keep_checkpoints=1), tmp_path)
    kept = [path.name for path in (tmp_path / "checkpoints" / "seed_0").iterdir()]
    assert kept == ["episode_003"]


def test_random_makes_no_embedding(tmp_path):
    experiment.run(tiny_config(strategy="random"), tmp_path)
    rows = without_times(tmp_path)
    assert [row["cover_radius"] for row in rows] == [None] * 3
    assert {row["compiles"] for row in rows} == {4}


def test_whatever_has_an_embedding_has_a_cover_radius(tmp_path):
    config = tiny_config(strategy="kmeans")
    experiment.run(config, tmp_path)
    rows = without_times(tmp_path)
    assert [row["cover_radius"] is None for row in rows] == [False, False, True]


def test_extending_one_seed_loses_no_row_of_another(tmp_path):
    experiment.run(tiny_config(num_seeds=2, max_episodes=2), tmp_path)
    experiment.run(tiny_config(num_seeds=1, max_episodes=3), tmp_path)
    places = [(row["seed"], row["episode"]) for row in without_times(tmp_path)]
    assert places == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]


def test_what_is_refused_changes_nothing(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "again")
    before = (whole / "config.json").read_bytes()
    with pytest.raises(UsageError, match="can only grow"):
        experiment.run(tiny_config(num_seeds=2, max_episodes=2), tmp_path / "again")
    config = tiny_config(num_seeds=2)
    with config.unlocked():
        config.strategy_args.embedding = str(tmp_path / "rows.npy")
    np.save(tmp_path / "rows.npy", np.zeros((3, 2)))
    with pytest.raises(UsageError, match="has 3 rows"):
        experiment.run(config, tmp_path / "again", overwrite=True)
    assert (tmp_path / "again" / "config.json").read_bytes() == before
    same(tmp_path / "again", whole)


def test_strategies_share_the_initial_labels_and_the_first_network(whole, tmp_path):
    experiment.run(tiny_config(strategy="random", num_seeds=2), tmp_path)
    for field in ("test_accuracy", "train_loss", "labeled_class_counts"):
        first = [
            [row[field] for row in without_times(place) if row["episode"] == 1]
            for place in (whole, tmp_path)
        ]
        assert first[0] == first[1]


def test_the_pool_runs_out(tmp_path, capsys):
    experiment.run(tiny_config(data__pool_size=20, max_episodes=9), tmp_path)
    rows = without_times(tmp_path)
    assert [row["num_labeled"] for row in rows] == [10, 17, 20]
    assert rows[-1]["cover_radius"] is None
    assert "Only 3 images are left" in capsys.readouterr().out
    assert len({pick["index"] for pick in picks(tmp_path)}) == 20
    experiment.run(tiny_config(data__pool_size=20, max_episodes=9), tmp_path)
    assert "finished" in capsys.readouterr().out


def test_class_balanced_initial_labels(tmp_path):
    experiment.run(tiny_config(initial="class_balanced", max_episodes=1), tmp_path)
    assert without_times(tmp_path)[0]["labeled_class_counts"] == [1] * 10


def test_augmentation_runs_and_changes_training(tmp_path):
    experiment.run(tiny_config(data__augment=True, max_episodes=1), tmp_path / "with")
    experiment.run(tiny_config(max_episodes=1), tmp_path / "without")
    losses = [without_times(tmp_path / name)[0]["train_loss"] for name in ("with", "without")]
    assert losses[0] != losses[1]


def test_divergence_buys_nothing_and_says_so(tmp_path):
    with pytest.raises(UsageError, match=r"diverged.*config\.lr"):
        experiment.run(tiny_config(lr=1e30), tmp_path)
    assert {pick["episode"] for pick in picks(tmp_path)} == {"0"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"initial_size": 151}, "initial_size is 151, but the pool holds 150"),
        ({"strategy": "corset"}, "did you mean 'coreset'"),
        ({"initial": "balanced"}, "did you mean 'class_balanced'"),
        ({"budget": 0}, "config.budget is 0"),
        ({"lr": -1.0}, "config.lr is -1.0"),
        ({"model__name": "ccnn"}, "did you mean 'cnn'"),
        ({"model__widths": (2,)}, r"config.model.widths is \(2,\)"),
        ({"model__dropout_rates": (1.5, 0.5)}, "config.model.dropout_rates"),
        ({"seed": 2**32}, "below 2\\*\\*32"),
        ({"wandb__mode": "onlin"}, "did you mean 'online'"),
    ],
)
def test_mistakes_are_told_before_any_work(fields, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        experiment.run(tiny_config(**fields), tmp_path)
    assert not (tmp_path / "config.json").exists()


def test_one_episode_without_any_label(tmp_path):
    experiment.run(tiny_config(initial_size=0, max_episodes=1), tmp_path)
    assert [row["num_labeled"] for row in without_times(tmp_path)] == [0]


def test_a_strategy_can_begin_without_any_label(tmp_path):
    config = tiny_config(strategy="coreset", initial_size=0)
    with config.unlocked():
        config.strategy_args.embedding = "pixels_pca"
    experiment.run(config, tmp_path)
    rows = without_times(tmp_path)
    assert [row["num_labeled"] for row in rows] == [0, 7, 14]
    assert rows[0]["train_loss"] is None
    assert rows[1]["train_loss"] > 0
    before = (tmp_path / "picks.csv").read_text()
    config.max_episodes = 4
    experiment.run(config, tmp_path)  # the first three episodes stand
    assert (tmp_path / "picks.csv").read_text().startswith(before)
    assert without_times(tmp_path)[:2] == rows[:2]
