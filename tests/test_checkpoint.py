import os
import subprocess
import sys
import textwrap
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_al.learners.optimizers import make_optimizer
from jax_al.session.checkpoint import Checkpoints


class State(NamedTuple):
    """As learners have them."""

    params: Any
    more: Any


METRICS = {"train_loss": 0.1 + 0.2, "test_accuracy": 1 / 3}


def state(seed):
    """Parameters as a network has them, with the values that are easily lost on the way."""
    key = jax.random.key(seed)
    params = {"conv": {"kernel": jax.random.normal(key, (3, 2)), "bias": jnp.zeros(2)}}
    params["odd"] = {"values": jnp.array([-0.0, jnp.nan, jnp.inf, 1e-42], jnp.float32)}
    return State(params, make_optimizer("adam", 0.0).init(params))


def like(value):
    return jax.eval_shape(lambda: value)


def assert_same_bits(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert x.dtype == y.dtype
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_what_is_saved_comes_back_to_the_last_bit_in_another_process_too(tmp_path):
    with Checkpoints(tmp_path / "seed_0", None) as checkpoints:
        for episode in (1, 2):
            checkpoints.save(episode, state(episode), METRICS)
    with Checkpoints(tmp_path / "seed_0", None) as checkpoints:
        assert checkpoints.episodes() == [1, 2]
        for episode in (1, 2):
            found, metrics = checkpoints.restore(episode, like(state(0)))
            assert_same_bits(found, state(episode))
            assert metrics == METRICS
    assert names(tmp_path / "seed_0") == ["episode_001", "episode_002"]


def test_what_is_saved_has_reached_the_disk_when_save_returns(tmp_path, monkeypatch):
    """Every file, and every directory after what it holds: names too are lost without that."""
    synced, sync = [], os.fsync

    def noted(descriptor):
        sync(descriptor)
        synced.append(os.fstat(descriptor).st_ino)

    with Checkpoints(tmp_path / "seed_0", None) as checkpoints:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", noted)
            checkpoints.save(1, state(1), METRICS)
        saved = tmp_path / "seed_0" / "episode_001"
        paths = [saved, *saved.rglob("*")]
        assert any(path.is_file() for path in paths)
        last = {path: len(synced) - synced[::-1].index(path.stat().st_ino) for path in paths}
        assert all(last[path] < last[path.parent] for path in paths[1:])
        assert synced[-1] == saved.parent.stat().st_ino


@pytest.mark.parametrize("keep", [1, 2])
def test_only_the_newest_are_kept(tmp_path, keep):
    with Checkpoints(tmp_path, keep) as checkpoints:
        for episode in (1, 2, 3):
            checkpoints.save(episode, state(episode), METRICS)
        assert checkpoints.episodes() == [1, 2, 3][-keep:]
    assert names(tmp_path) == [f"episode_00{e}" for e in (1, 2, 3)[-keep:]]


def test_an_empty_array_is_refused_by_its_name(tmp_path):
    with Checkpoints(tmp_path, None) as checkpoints:
        with pytest.raises(ValueError, match=r"empty array, \['seen'\]"):
            checkpoints.save(1, {"seen": np.zeros((0, 3))}, METRICS)
        assert checkpoints.episodes() == []


def test_a_damaged_checkpoint_raises_and_can_be_saved_again(tmp_path):
    with Checkpoints(tmp_path, None) as checkpoints:
        checkpoints.save(1, state(1), METRICS)
    for path in (tmp_path / "episode_001").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with Checkpoints(tmp_path, None) as checkpoints:
        with pytest.raises(Exception):  # noqa: B017, PT011 (Orbax raises many kinds)
            checkpoints.restore(1, like(state(0)))
        checkpoints.save(1, state(2), METRICS)
        assert_same_bits(checkpoints.restore(1, like(state(0)))[0], state(2))


def test_a_save_that_is_killed_is_not_there_and_can_be_repeated(tmp_path):
    """`kill -9` when everything is written, just before the name is changed to the final one."""
    program = """
        import os, pathlib, signal, sys
        import jax.numpy as jnp
        from jax_al.session.checkpoint import Checkpoints

        def killed(function):
            def rename(source, target, *args, **kwargs):
                if os.path.basename(os.fspath(target)) == "episode_002":
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(source, target, *args, **kwargs)
            return rename

        os.rename, os.replace = killed(os.rename), killed(os.replace)
        with Checkpoints(pathlib.Path(sys.argv[1]), None) as checkpoints:
            for episode in (1, 2):
                checkpoints.save(episode, {"w": jnp.full(3, float(episode))}, {})
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)], check=False
    )
    assert done.returncode == -9
    assert len(names(tmp_path)) == 2
    assert "episode_002" not in names(tmp_path)
    shape = {"w": jax.ShapeDtypeStruct((3,), jnp.float32)}
    with Checkpoints(tmp_path, None) as checkpoints:
        assert checkpoints.episodes() == [1]
        assert checkpoints.restore(1, shape)[0]["w"].tolist() == [1, 1, 1]
        checkpoints.save(2, {"w": jnp.full(3, 5.0)}, {})
        assert checkpoints.restore(2, shape)[0]["w"].tolist() == [5, 5, 5]
    assert names(tmp_path) == ["episode_001", "episode_002"]
