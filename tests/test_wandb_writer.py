import contextlib

import numpy as np
import pytest
import wandb
from PIL import Image

from jax_al.record.wandb_writer import WandbWriter, mode_of

ROW = {"seed": 3, "episode": 1, "num_labeled": 10, "test_accuracy": 0.5, "cover_radius": None}


@pytest.fixture(autouse=True)
def _nobody_to_talk_to(monkeypatch, tmp_path):
    """Whatever reaches for the network finds a closed door, and nothing is left in the home."""
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "wandb_home"))


def writer(workdir, said, mode="offline"):
    return WandbWriter(workdir, mode, "jax_al", {"lr": 0.1}, said.append)


@contextlib.contextmanager
def during(one, seed):
    """The time between the beginning of the part of `seed` and the end of the run."""
    one.on_event({"event": "part_begun", "strategy": "", "seed": seed})
    try:
        yield
    finally:
        one.on_event({"event": "run_ended"})


def runs(workdir):
    """Ids of the runs on disk, and the bytes of what each holds."""
    return {
        path.stem.removeprefix("run-"): path.read_bytes()
        for path in workdir.glob("wandb/offline-run-*/run-*.wandb")
    }


def test_the_mode_is_what_is_said_and_else_that_of_the_environment(monkeypatch):
    assert (mode_of("auto"), mode_of("online")) == ("offline", "online")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert (mode_of("auto"), mode_of("online")) == ("disabled", "online")
    monkeypatch.setenv("WANDB_MODE", "dryrun")
    assert mode_of("auto") == "offline"
    monkeypatch.setenv("WANDB_MODE", "shared")  # of wandb, for processes that write one run
    assert mode_of("auto") == "offline"


def test_offline_a_row_and_a_picture_are_written_and_nothing_is_said(tmp_path):
    workdir, said = tmp_path / "run", []
    workdir.mkdir()
    picture = tmp_path / "curve.png"
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(picture)
    one = writer(workdir, said)
    with during(one, 3):
        one.log(ROW)
        one.pictures({"curve": picture})
    wandb.teardown()  # as at the end of a program: wandb's own process writes out what it holds
    group = (workdir / "wandb_id.txt").read_text().strip()
    assert said == []
    assert list(runs(workdir)) == [f"{group}-3"]
    written = runs(workdir)[f"{group}-3"]
    assert b"test_accuracy" in written
    assert b"cover_radius" not in written
    assert list(workdir.glob("wandb/offline-run-*/files/media/images/*.png"))


def test_after_a_restart_the_ids_are_the_same(tmp_path, monkeypatch):
    ids = []
    real = wandb.init

    def init(**arguments):
        ids.append((arguments["id"], arguments["group"]))
        return real(**arguments)

    monkeypatch.setattr(wandb, "init", init)
    for _ in range(2):
        one = writer(tmp_path, [])
        with during(one, 3):
            one.log(ROW)
    assert ids[0] == ids[1]
    one = writer(tmp_path, [])
    with during(one, 1):
        one.log(ROW | {"seed": 1})
    assert ids[2][0] != ids[0][0]
    assert ids[2][1] == ids[0][1]


def refuse(**_):
    raise wandb.errors.CommError("the server is on fire")


def test_a_wandb_that_does_not_start_costs_one_sentence(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(wandb, "init", refuse)
    one = writer(tmp_path, said)
    with during(one, 3):
        one.log(ROW)
        one.log(ROW | {"episode": 2})
        one.pictures({"curve": tmp_path / "missing.png"})
    assert len(said) == 1
    assert "the server is on fire" in said[0]
    assert "goes on" in said[0]


def test_a_picture_that_cannot_be_logged_does_not_stop_the_run(tmp_path):
    said = []
    one = writer(tmp_path, said)
    with during(one, 3):
        one.log(ROW)
        one.pictures({"curve": tmp_path / "missing.png"})
    assert len(said) == 1
    assert len(runs(tmp_path)) == 1


def test_an_error_of_the_run_itself_is_not_swallowed(tmp_path):
    one = writer(tmp_path, [])
    with pytest.raises(ZeroDivisionError), during(one, 3):  # noqa: PT012
        one.log(ROW)
        one.log(ROW | {"test_accuracy": 1 / 0})
    assert len(runs(tmp_path)) == 1


def test_online_a_failure_is_told_before_any_work_and_offline_the_start_waits(
    tmp_path, monkeypatch
):
    started = []
    monkeypatch.setattr(wandb, "init", lambda **options: started.append(options) or refuse())
    for mode, expected in (("online", 1), ("offline", 0)):
        said = []
        with during(writer(tmp_path, said, mode), 3):
            assert len(said) == len(started) == expected
        started.clear()


def test_disabled_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(wandb, "init", refuse)
    said = []
    one = writer(tmp_path, said, "disabled")
    with during(one, 3):
        one.log(ROW)
        one.pictures({})
    assert said == []
    assert list(tmp_path.iterdir()) == []


def events(strategy, seed):
    """What a listener hears of one part."""
    part = {"strategy": strategy, "seed": seed}
    yield {"event": "part_begun", **part}
    yield {"event": "phase", "text": "training"}
    yield {"event": "row", "row": ROW | part}
    yield {"event": "part_ended", **part}


def test_as_a_listener_every_part_has_a_run_and_all_are_one_group(tmp_path, monkeypatch):
    started = []
    real = wandb.init
    monkeypatch.setattr(wandb, "init", lambda **given: started.append(given) or real(**given))
    said = []
    one = writer(tmp_path, said)
    for strategy in ("coreset", "typiclust@pixels_pca"):
        for seed in (0, 1):
            for event in events(strategy, seed):
                one.on_event(event)
    one.on_event({"event": "run_ended"})
    wandb.teardown()
    assert said == []
    assert len({given["id"] for given in started}) == len(started) == len(runs(tmp_path)) == 4
    assert {given["group"] for given in started} == {
        (tmp_path / "wandb_id.txt").read_text().strip()
    }
    assert [given["config"]["strategy"] for given in started][1:3] == [
        "coreset", "typiclust@pixels_pca",
    ]  # fmt: skip


def test_as_a_listener_a_failure_is_one_sentence_a_part_and_online_it_comes_first(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(wandb, "init", refuse)
    for mode in ("online", "offline"):
        said = []
        one = writer(tmp_path, said, mode)
        first, *others = events("coreset", 0)
        one.on_event(first)
        assert len(said) == (mode == "online")
        for event in others:
            one.on_event(event)
        one.on_event({"event": "run_ended"})
        assert len(said) == 1
