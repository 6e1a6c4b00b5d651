"""Compiled programs are kept between commands, and what was cut off does not stay."""

import os
import pathlib
import subprocess
import sys
import time
import zlib

import pytest
from kept_programs import kept_programs

from jax_al.cli.programs import drop_cut_off

PROGRAM = """
import jax, jax.numpy as jnp
from jax_al.cli.programs import keep_programs

keep_programs()
print(jax.config.jax_compilation_cache_dir)
print(float(jax.jit(lambda x: jnp.sin(x) @ x)(jnp.arange(3.0))))
"""


@pytest.fixture
def compiling(tmp_path):
    """Compiles two programs in a process that nobody has told where to keep them."""

    def run(home=tmp_path, **more):
        mine = dict(os.environ, XDG_CACHE_HOME=str(home), **more)
        if "JAX_COMPILATION_CACHE_DIR" not in more:
            mine.pop("JAX_COMPILATION_CACHE_DIR", None)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=mine, capture_output=True, text=True, check=True
        )
        return done.stdout.split(), done.stderr

    return run


def entries(place):
    return {path.name: path.read_bytes() for path in place.glob("*-cache")}


def test_what_was_cut_off_is_compiled_and_kept_anew(compiling, tmp_path):
    place = tmp_path / "jax_al" / "programs"
    first, _ = compiling()
    kept = entries(place)
    assert kept
    assert first[0] == str(place)
    for name, content in kept.items():
        (place / name).write_bytes(content[: len(content) // 2])
    again, said = compiling()
    assert again == first
    assert said == ""
    assert entries(place).keys() == kept.keys()
    for content in entries(place).values():
        zlib.decompress(content)


def test_a_place_of_the_user_stands(compiling, tmp_path):
    mine = tmp_path / "mine"
    said, _ = compiling(JAX_COMPILATION_CACHE_DIR=str(mine))
    assert said[0] == str(mine)
    assert not (tmp_path / "jax_al").exists()


def test_a_place_that_cannot_be_written_to_is_no_trouble(compiling, tmp_path):
    (tmp_path / "file").touch()
    said, errors = compiling(home=tmp_path / "file")
    assert said[0] == "None"
    assert errors == ""


def test_each_entry_is_read_once(tmp_path):
    whole, half = zlib.compress(b"program" * 99), zlib.compress(bytes(range(99)))[:-1]
    for name, content in {"a": whole, "b": half, "c": b"", "d": b"\x28\xb5\x2f\xfd1"}.items():
        (tmp_path / f"{name}-cache").write_bytes(content)
    (tmp_path / "other").write_bytes(half)
    drop_cut_off(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a-cache", "checked", "d-cache", "other",
    ]  # fmt: skip
    old = tmp_path / "old-cache"
    old.write_bytes(half)
    os.utime(old, (0, time.time() - 3600))
    (tmp_path / "new-cache").write_bytes(half)
    drop_cut_off(tmp_path)
    assert old.exists()
    assert not (tmp_path / "new-cache").exists()


def test_an_entry_that_cannot_be_read_keeps_none_of_the_others_away(compiling, tmp_path):
    place = tmp_path / "jax_al" / "programs"
    (place / "odd-cache").mkdir(parents=True)
    for _ in range(2):
        said, errors = compiling()
        assert said[0] == str(place)
        assert errors == ""
    assert (place / "checked").exists()


def test_a_clock_that_was_ahead_hides_nothing(tmp_path):
    drop_cut_off(tmp_path)
    os.utime(tmp_path / "checked", (0, time.time() + 3600))
    (tmp_path / "half-cache").write_bytes(b"half")
    drop_cut_off(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checked"]


def test_what_another_process_removes_is_no_trouble(tmp_path, monkeypatch):
    (tmp_path / "a-cache").write_bytes(b"half")
    monkeypatch.setattr(pathlib.Path, "read_bytes", gone)
    drop_cut_off(tmp_path)


def test_what_tests_keep_is_forgotten_when_it_is_too_much(tmp_path):
    (tmp_path / "a-cache").write_bytes(zlib.compress(b"program"))
    (tmp_path / "b-cache").write_bytes(b"half")
    assert set(entries(kept_programs(tmp_path, 99))) == {"a-cache"}
    assert set(entries(kept_programs(tmp_path, 9))) == set()
    assert set(entries(kept_programs(tmp_path / "new", 9))) == set()


def gone(path):
    raise FileNotFoundError(path)
