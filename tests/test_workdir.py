import os
import signal
import subprocess
import sys

import pytest
from jax_al.session.workdir import (
    CONTENTS,
    MAY_CHANGE,
    check_config,
    clear,
    flat,
    locked,
    write_config,
)

from jax_al.errors import UsageError
from jax_al.session.records import read_json

CONFIG = {
    "seed": 0,
    "lr": 1e-3,
    "max_episodes": 3,
    "num_seeds": 1,
    "keep_checkpoints": None,
    "data": {"name": "digits", "data_dir": None, "cache_dir": None, "splits": ["train"]},
    "wandb": {"mode": "offline", "project": "jax_al"},
}

HOLD = """
import pathlib, sys
from jax_al.session.workdir import locked

with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def changed(field, value):
    config = {k: dict(v) if isinstance(v, dict) else v for k, v in CONFIG.items()}
    *outer, name = field.split(".")
    (config[outer[0]] if outer else config)[name] = value
    return config


def started(workdir):
    """Makes `workdir` that of a run which has results."""
    write_config(workdir, CONFIG)
    (workdir / "picks.csv").write_text("seed\n")


@pytest.fixture
def holder(tmp_path):
    """Another process that holds `tmp_path`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_told_and_a_kill_lets_go(tmp_path, holder):
    with pytest.raises(UsageError, match="Another process"), locked(tmp_path):
        pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with locked(tmp_path):
        pass


def test_a_lock_makes_the_directory_and_is_let_go_on_the_way_out(tmp_path):
    directory = tmp_path / "new" / "run"
    with pytest.raises(ZeroDivisionError), locked(directory):
        raise ZeroDivisionError
    with locked(directory):
        assert directory.is_dir()


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be used"), locked(tmp_path / "file" / "run"):
        pass


def test_a_config_is_kept_and_the_same_one_is_welcome(tmp_path):
    started(tmp_path)
    before = os.stat(tmp_path / "config.json").st_ino
    check_config(tmp_path, CONFIG)
    write_config(tmp_path, CONFIG)
    assert read_json(tmp_path / "config.json") == CONFIG
    assert os.stat(tmp_path / "config.json").st_ino == before


def test_the_fields_that_differ_are_named_with_both_values_and_no_other(tmp_path):
    started(tmp_path)
    config = changed("data.name", "cifar10") | {"lr": 0.5, "max_episodes": 9}
    with pytest.raises(UsageError) as caught:
        check_config(tmp_path, config)
    message = str(caught.value)
    assert "lr (was 0.001, now 0.5)" in message
    assert "data.name (was 'digits', now 'cifar10')" in message
    assert "seed (" not in message
    assert "max_episodes" not in message
    assert read_json(tmp_path / "config.json") == CONFIG


@pytest.mark.parametrize("field", MAY_CHANGE)
def test_what_changes_no_recorded_number_may_change(tmp_path, field):
    started(tmp_path)
    check_config(tmp_path, changed(field, "other"))
    write_config(tmp_path, changed(field, "other"))
    assert read_json(tmp_path / "config.json") == changed(field, "other")


def test_a_field_that_is_new_or_gone_differs_too(tmp_path):
    started(tmp_path)
    with pytest.raises(UsageError, match=r"gamma \(was 'absent', now 0.1\)"):
        check_config(tmp_path, CONFIG | {"gamma": 0.1})


@pytest.mark.parametrize("name", ["metrics.jsonl", "picks.csv"])
def test_results_without_a_config_are_not_continued(tmp_path, name):
    (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match=name):
        check_config(tmp_path, CONFIG)


@pytest.mark.parametrize("left", ['{"lr": 2.0}', '{"lr":'])
def test_a_config_without_results_binds_nobody(tmp_path, left):
    (tmp_path / "config.json").write_text(left)
    check_config(tmp_path, CONFIG)
    write_config(tmp_path, CONFIG)
    assert read_json(tmp_path / "config.json") == CONFIG


def test_clearing_removes_what_a_run_writes_and_nothing_else(tmp_path):
    kept = {"notes.txt", "mine", ".lock"}
    for name in {*CONTENTS, *kept}:
        path = tmp_path / name
        if "." in name:
            path.write_text("x")
        else:
            (path / "deep").mkdir(parents=True)
            (path / "deep" / "file").write_text("x")
    clear(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == kept
    assert (tmp_path / "mine" / "deep" / "file").exists()
    clear(tmp_path)


def test_clearing_spares_what_a_link_points_to(tmp_path):
    elsewhere = tmp_path / "large_disk"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("x")
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoints").symlink_to(elsewhere)
    clear(run)
    assert list(run.iterdir()) == []
    assert (elsewhere / "file").exists()


def test_flat_names_are_paths():
    assert flat({"a": 1, "b": {"c": {"d": [2]}, "e": None}}) == {"a": 1, "b.c.d": [2], "b.e": None}
