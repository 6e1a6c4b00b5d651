"""The public function's inputs, metrics, errors, and the command."""

import contextlib
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array

from jax_al.cli import kcenter as command_line
from jax_al.geometry.kcenter import kcenter_greedy
from jax_al.geometry.kcenter.sizes import check_bytes
from tests.not_root import not_as_root


def made_up(N=300, D=6, seed=0):
    return np.random.default_rng(seed).standard_normal((N, D)).astype(np.float32)


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        (where, kind)
        for where in ("numpy", "jax", "memory-mapped")
        for kind in ("float16", "bfloat16", "float32", "float64", "uint8", "int16", "int64")
        # JAX has no 64 bits unless asked, and .npy no bfloat16.
        if (where, kind)
        not in {("jax", "float64"), ("jax", "int64"), ("memory-mapped", "bfloat16")}
    ],
)
def test_any_type_from_anywhere(kind, where, tmp_path):
    points = (made_up() * 40 + 128).clip(0, 255).astype(jnp.dtype(kind))
    expected = kcenter_greedy(points.astype(np.float32), 30, [1, 2]).indices
    if where == "jax":
        points = jnp.asarray(points)
    elif where == "memory-mapped":
        np.save(tmp_path / "points.npy", points)
        points = np.load(tmp_path / "points.npy", mmap_mode="r")
    np.testing.assert_array_equal(kcenter_greedy(points, 30, [1, 2]).indices, expected)


def test_lists_and_single_points():
    assert kcenter_greedy([[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]], 1).indices.tolist() == [2]
    one = np.ones((1, 3), np.float32)
    assert kcenter_greedy(one, 1).indices.tolist() == [0]
    assert kcenter_greedy(one, 1).radius == 0
    assert kcenter_greedy(one, 0, [0]).radius == 0


def test_the_certificate():
    points = made_up(400, 2)
    for num_picks in (1, 5, 50):
        result = kcenter_greedy(points, num_picks)
        x = points.astype(np.float64)
        between = np.linalg.norm(x[result.indices][:, None] - x[result.indices][None], axis=2)
        to_nearest = np.linalg.norm(x[:, None] - x[result.indices][None], axis=2).min(axis=1)
        np.testing.assert_allclose(result.radius, to_nearest.max(), rtol=1e-6)
        # The picks and the farthest point are num_picks + 1 points at least `radius` apart: two
        # of them share a center in any solution, which is then radius / 2 from one of them.
        apart = between[~np.eye(num_picks, dtype=bool)].min(initial=np.inf)
        assert apart >= result.radius * (1 - 1e-6)


def test_cosine_is_euclidean_on_the_sphere():
    points = made_up() * np.geomspace(1e-3, 1e3, 300, dtype=np.float32)[:, None]
    unit = points.astype(np.float64) / np.linalg.norm(points.astype(np.float64), axis=1)[:, None]
    sphere = kcenter_greedy(unit.astype(np.float32), 50)
    cosine = kcenter_greedy(points, 50, metric="cosine")
    np.testing.assert_array_equal(cosine.indices, sphere.indices)
    np.testing.assert_allclose(cosine.distances[1:], sphere.distances[1:] ** 2 / 2, rtol=1e-5)
    np.testing.assert_allclose(cosine.radius, sphere.radius**2 / 2, rtol=1e-5)
    centers = unit[cosine.indices]
    np.testing.assert_allclose(cosine.radius, (1 - (unit @ centers.T).max(1)).max(), rtol=1e-4)


def test_cold_start():
    points = made_up()
    result = kcenter_greedy(points, 20)
    assert result.indices[0] == np.argmax(np.linalg.norm(points - points.mean(0), axis=1))
    assert np.isinf(result.distances[0])
    assert np.isfinite(result.distances[1:]).all()
    firsts = {int(kcenter_greedy(points, 2, key=jax.random.key(s)).indices[0]) for s in range(6)}
    assert len(firsts) > 1
    again = kcenter_greedy(points, 20, initial=np.array([], np.int32), key=jax.random.key(3))
    assert again.indices[0] == kcenter_greedy(points, 2, key=jax.random.key(3)).indices[0]


@pytest.mark.parametrize("key", [3, "3", jax.random.split(jax.random.key(0))])
def test_a_key_that_is_none(key):
    with pytest.raises(ValueError, match="must be one key"):
        kcenter_greedy(made_up(), 2, key=key)


def test_no_picks_is_the_radius_of_what_is_there():
    result = kcenter_greedy(made_up(), 0, [5])
    assert len(result.indices) == 0
    expected = np.linalg.norm(made_up() - made_up()[5], axis=1).max()
    np.testing.assert_allclose(result.radius, expected, rtol=1e-6)
    assert np.isinf(kcenter_greedy(made_up(), 0).radius)


def test_without_a_center_or_a_pick_no_distance_is_looked_at():
    work = kcenter_greedy(made_up(), 0).work
    assert (work.rounds, work.distances) == (0, 0)
    assert work.bytes_read == work.rows_read * 6 * 4


def spoiled(rows, value):
    points = made_up()
    points[rows, 2] = value
    return points


@pytest.mark.parametrize(
    ("message", "points", "arguments"),
    [
        (r"NaN.*in rows 3, 250$", spoiled([3, 250], np.nan), {}),
        (r"infinity.*in row 299$", spoiled([299], -np.inf), {}),
        (r"rows 0, 1, .*, 9 and 2 more", spoiled(range(12), 1e20), {}),
        (r"\[N, D\], not of shape \(300,\)", made_up()[:, 0], {}),
        (r"at least one row", made_up()[:0], {}),
        (r"real numbers, not object", np.array([[1, "a"]], object), {}),
        (r"real numbers, not bool", np.ones((4, 2), bool), {}),
        (r"real numbers, not complex64", np.ones((4, 2), np.complex64), {}),
        (r"inhomogeneous", [[1.0], [2.0, 3.0]], {}),
        (r"\[N, D\], not of shape \(\)", None, {}),
        (r"points hold masked values: fill them", np.ma.masked_less(made_up(), 0), {}),
        (r"points must not be sparse: give points.toarray", csr_array(made_up()), {}),
        (r"names row 300: points has rows 0..299", made_up(), {"initial": [0, 300]}),
        (r"names row -1", made_up(), {"initial": [-1, 5]}),
        (r"repeats row 7", made_up(), {"initial": [7, 5, 7]}),
        (r"vector of indices", made_up(), {"initial": np.array([0.5])}),
        (r"num_picks is 299, but 298 of 300", made_up(), {"num_picks": 299, "initial": [1, 2]}),
        (r"num_picks is -1", made_up(), {"num_picks": -1}),
        (r"num_picks must be an integer, not 1.5", made_up(), {"num_picks": 1.5}),
        (r"num_picks must be an integer, not '3'", made_up(), {"num_picks": "3"}),
        (r"metric must be one of", made_up(), {"metric": "manhattan"}),
        (r"max_bytes is '1 XB'; it must be a whole number of", made_up(), {"max_bytes": "1 XB"}),
        (r"max_bytes is 0; it must", made_up(), {"max_bytes": 0}),
        (r"max_bytes is 1.5; it must", made_up(), {"max_bytes": 1.5}),
        (r"max_bytes is 2,000, but at least", made_up(), {"max_bytes": "2 kB"}),
        (r"zeros.*in row 4$", np.eye(5, 4, dtype=np.float32), {"metric": "cosine"}),
    ],
)
def test_errors_name_what_is_wrong(message, points, arguments):
    with pytest.raises(ValueError, match=message):
        kcenter_greedy(points, **{"num_picks": 4, **arguments})


def command(*arguments, start=("-m", "jax_al.kcenter")):
    line = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True)


def test_command(tmp_path):
    points, initial, out = (tmp_path / f"{name}.npy" for name in ("points", "initial", "out"))
    np.save(points, made_up())
    np.save(initial, np.array([4, 9]))
    done = command(points, "--num-picks", 25, "--initial", initial, "--out", out)
    assert done.returncode == 0, done.stderr
    expected = kcenter_greedy(made_up(), 25, [4, 9])
    np.testing.assert_array_equal(np.load(out), expected.indices)
    assert "25 of 25 picks" in done.stderr
    assert f"{expected.radius:.6g}" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "initial.npy",
        "out.npy",
        "points.npy",
    ]


def test_command_without_some_rows(tmp_path):
    points, initial, exclude, out = (
        tmp_path / f"{name}.npy" for name in ("points", "initial", "exclude", "out")
    )
    np.save(points, spoiled([7, 8], np.nan))
    np.save(initial, np.isin(np.arange(300), [4, 9]))
    for absent in (np.array([8, 7, 50]), np.isin(np.arange(300), [7, 8, 50])):
        np.save(exclude, absent)
        line = (points, "--num-picks", 25, "--initial", initial, "--exclude", exclude)
        done = command(*line, "--out", out)
        assert done.returncode == 0, done.stderr
        expected = kcenter_greedy(made_up(), 25, [4, 9], exclude=[7, 8, 50])
        np.testing.assert_array_equal(np.load(out), expected.indices)
    np.save(exclude, np.array([9]))
    done = command(*line, "--out", out)
    assert done.returncode == 2
    assert "in rows 7, 8" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_command_errors_are_one_sentence(tmp_path):
    np.save(tmp_path / "points.npy", spoiled([3], np.nan))
    (tmp_path / "text.npy").write_text("not an array")
    out = tmp_path / "out.npy"
    for points, said in (
        ("points.npy", "row 3"),
        ("missing.npy", "missing.npy"),
        ("text.npy", "text.npy"),
    ):
        done = command(tmp_path / points, "--num-picks", 2, "--out", out)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not out.exists()


@pytest.fixture
def within(tmp_path, monkeypatch, capsys):
    """Runs the command for 2 picks in this process; returns its status and standard error."""
    np.save(tmp_path / "points.npy", made_up())

    def run(out):
        line = [str(tmp_path / "points.npy"), "--num-picks", "2", "--out", str(out)]
        return command_line.main(line), capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    ("out", "said"),
    [
        (".", "not a file that"),
        ("/dev/null", "not a file that"),
        ("missing/out.npy", "missing is not a directory"),
        ("points.npy", "points.npy is another file of this command; name one more for --out"),
        ("points.npy/out.npy", "points.npy is not a directory"),
        ("x" * 254, "cannot be written"),  # its own name fits, but not the one beside it
    ],
)
def test_an_output_that_cannot_be_is_refused_before_the_work(
    within, tmp_path, monkeypatch, out, said
):
    def work(*args, **kwargs):
        raise AssertionError("worked although the picks cannot be written")

    monkeypatch.setattr(command_line, "kcenter_greedy", work)
    status, printed = within(tmp_path / out)
    assert status == 2
    assert said in printed
    assert len(printed.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["points.npy"]


def test_a_directory_that_cannot_be_written_to_is_refused(within, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o555)
    (tmp_path / "points.npy").chmod(0o644)
    with not_as_root(tmp_path):
        status, printed = within(tmp_path / "closed" / "out.npy")
    assert status == 2
    assert "Permission denied" in printed


@pytest.mark.parametrize("where", ["work", "write"])
def test_ctrl_c_is_status_130_and_leaves_nothing(within, tmp_path, monkeypatch, where):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    if where == "write":  # all is written, but not yet in its place
        monkeypatch.setattr(os, "replace", interrupted)
    else:
        monkeypatch.setattr(command_line, "kcenter_greedy", interrupted)
    (tmp_path / "out.npy").write_text("before")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    status, printed = within(tmp_path / "out.npy")
    assert status == 130
    assert printed.endswith("jax_al.kcenter: interrupted\n")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_disk_that_is_full_is_one_sentence_and_leaves_what_was(tmp_path):
    np.save(tmp_path / "points.npy", made_up())
    out = tmp_path / "out.npy"
    out.write_text("before")

    room_for_the_header_only = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, (128, 128))
runpy.run_module("jax_al.kcenter", run_name="__main__", alter_sys=True)
"""
    done = command(
        *(tmp_path / "points.npy", "--num-picks", 2, "--out", out),
        start=("-c", room_for_the_header_only),
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"jax_al.kcenter: {out} could not be written (")
    assert "Traceback" not in done.stderr
    assert out.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npy", "points.npy"]


def test_sizes_are_written_as_people_write_them():
    sizes = ("800", "1KB", "1.5 MB", "2gib", 7, np.int64(9))
    assert [check_bytes("size", size) for size in sizes] == [800, 1000, 1_500_000, 2**31, 7, 9]


@pytest.mark.parametrize(("letter", "power"), [("k", 1), ("m", 2), ("g", 3), ("t", 4)])
def test_every_unit_is_a_power_of_a_thousand_or_of_1024(letter, power):
    for text, bytes_ in (("b", 1000**power), ("ib", 1024**power)):
        unit = letter + text
        assert check_bytes("size", f"3{unit}") == check_bytes("size", f"3 {unit.upper()}")
        assert check_bytes("size", f"0.5{unit}") == bytes_ // 2
    assert check_bytes("size", "3b") == check_bytes("size", 3) == 3


@pytest.mark.parametrize(
    "size", ["", "MB", "-1", "0", "0 MB", "1e3", "1.", "1 K B", True, None, -7]
)
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ValueError, match=r"^size is .* whole number of bytes"):
        check_bytes("size", size)


def test_a_limit_is_enough_from_the_number_on_that_is_named():
    with pytest.raises(ValueError, match="are needed") as refused:
        kcenter_greedy(made_up(), 4, max_bytes=1_000)
    needed = int(str(refused.value).split("at least ")[1].split()[0].replace(",", ""))
    with pytest.raises(ValueError, match="are needed"):
        kcenter_greedy(made_up(), 4, max_bytes=needed - 1)
    found = kcenter_greedy(made_up(), 4, max_bytes=needed)
    np.testing.assert_array_equal(found.indices, kcenter_greedy(made_up(), 4).indices)


def test_a_link_stays_one_and_its_file_is_written(within, tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "picks.npy"
    link.symlink_to(tmp_path / "there" / "picks.npy")
    with contextlib.suppress(pytest.fail.Exception):  # a run that ends well does not exit
        within(link)
    assert link.is_symlink()
    assert len(np.load(tmp_path / "there" / "picks.npy")) == 2
