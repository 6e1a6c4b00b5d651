"""The cache of decoded images: mapped, whole or not there, and rebuilt when damaged."""

import errno
import os
import pathlib
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import made_up_archives as made_up
import numpy as np
import pytest
import tensorflow_datasets as tfds
from absl import logging
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_archives import assert_same, opened
from made_up_split import SPLIT, blocks

from jax_al.pools import cache as image_cache
from jax_al.pools import tfds as tfds_pools


@pytest.fixture(scope="module")
def archives_and_truth():
    return made_up.cifar(per_batch=8, test=7)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, archives_and_truth):
    """A data_dir with a prepared cifar10 of 40 + 7 images; not to be changed."""
    root = tmp_path_factory.mktemp("prepared")
    made_up.prepare_cifar(root, archives_and_truth[0])
    return root


@pytest.fixture
def cifar(prepared, tmp_path):
    """Opens the prepared cifar10 with a cache of this test's own."""

    def open_cifar(**changes):
        places = {"data_dir": str(prepared), "cache_dir": str(tmp_path / "c")}
        return opened("cifar10", **(places | changes))

    return open_cifar


@pytest.fixture
def made(tmp_path):
    """Prepares and opens a made-up data set given as {split: [example, ...]}."""

    def open_made(name, splits, image=None, features=None, **changes):
        if features is None:
            features = {"image": image, "label": tfds.features.ClassLabel(num_classes=3)}
        made_up.define(name, features, splits)
        places = {"data_dir": str(tmp_path / "tfds"), "cache_dir": str(tmp_path / "c")}
        return opened(name, **(places | changes))

    return open_made


IMAGE = tfds.features.Image(shape=(2, 2, 3))
LABEL = tfds.features.ClassLabel(num_classes=3)
FILES = ("images.npy", "labels.npy", "ids.npy", "manifest.json")


def assert_split(found):
    for ours, theirs in zip(found, SPLIT, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
        assert not ours.flags.writeable


def in_process(code, *arguments, **kwargs):
    """Starts a process that knows `path`, `blocks` and `image_cache`."""
    setting = f"""
import os, pathlib, sys
sys.path[:0] = {sys.path!r}
from made_up_split import blocks
from jax_al.pools import cache as image_cache
path = pathlib.Path(sys.argv[1])
"""
    return subprocess.Popen([sys.executable, "-c", setting + code, *arguments], **kwargs)


def forbid_decoding(monkeypatch):
    def decoded(*args):
        raise AssertionError("decoded although there is a cache")

    monkeypatch.setattr(tfds_pools, "decoded_blocks", decoded)


def test_the_second_load_equals_the_first_and_decodes_nothing(cifar, monkeypatch):
    first = cifar()
    forbid_decoding(monkeypatch)
    assert_same(cifar(), first)


def test_ids_of_any_script_survive_the_cache(made, monkeypatch):
    features = {"image": IMAGE, "label": LABEL, "id": tfds.features.Text()}
    examples = [
        {"image": np.zeros((2, 2, 3), np.uint8), "label": 0, "id": text} for text in ("Ä/ß", "花")
    ]
    splits = {"train": examples, "test": examples}
    assert set(made("scripts", splits, features=features).ids) == {"Ä/ß", "花"}
    forbid_decoding(monkeypatch)
    assert set(made("scripts", splits, features=features).ids) == {"Ä/ß", "花"}


def test_newly_prepared_data_is_decoded_anew(tmp_path):
    places = {"data_dir": str(tmp_path / "tfds"), "cache_dir": str(tmp_path / "c")}
    for seed in (1, 2):
        archives, truth = made_up.cifar(per_batch=2, test=1, seed=seed)
        shutil.rmtree(tmp_path / "tfds", ignore_errors=True)
        with made_up.served("cifar10", archives):
            loaded = opened("cifar10", **places)
        np.testing.assert_array_equal(loaded.images, [truth[key][0] for key in loaded.ids])


def test_images_are_mapped_and_nothing_can_be_written(tmp_path):
    for _ in range(2):  # written, then read
        found = image_cache.cached(tmp_path / "c" / "split", 30, blocks)
        assert_split(found)
        assert isinstance(found.images.base, np.memmap)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["empty", "half", "last byte", "x", "another array", "gone"])
def test_a_damaged_cache_is_rebuilt(tmp_path, caplog, file, damage):
    path = tmp_path / "split"
    image_cache.cached(path, 30, blocks)
    content = (path / file).read_bytes()
    if damage == "gone":
        (path / file).unlink()
    elif damage == "another array":
        (path / file).unlink()
        with open(path / file, "wb") as opened_file:
            np.save(opened_file, np.zeros((30, 20, 80, 1), np.uint8))
    else:
        kept = {"empty": b"", "half": content[: len(content) // 2], "last byte": content[:-1]}
        (path / file).write_bytes(kept.get(damage, b"x" * len(content)))
    with caplog.at_level("WARNING", logger="absl"):
        assert_split(image_cache.cached(path, 30, blocks))
    (message,) = [record.getMessage() for record in caplog.records]
    assert str(path) in message
    assert "\n" not in message
    assert_split(image_cache.read_cache(path))
    assert [one.name for one in tmp_path.iterdir()] == ["split"]


@pytest.mark.parametrize("damage", ["gone", "half"])
def test_a_benchmark_with_a_damaged_cache_is_the_same(cifar, tmp_path, monkeypatch, caplog, damage):
    first = cifar()
    for path in (tmp_path / "c").iterdir():
        if damage == "gone":
            shutil.rmtree(path)
        else:
            os.truncate(path / "images.npy", 1000)
    with caplog.at_level("WARNING", logger="absl"):
        assert_same(cifar(), first)
    assert len(caplog.records) == (0 if damage == "gone" else 2)
    forbid_decoding(monkeypatch)
    assert_same(cifar(), first)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("flipped") / "split"
    image_cache.write_cache(path, 30, blocks())
    return path


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_flipped_bit_of_a_cache_reaches_the_arrays(written, draw):
    """All but the pixels, which are never read whole."""
    file = written / draw.draw(st.sampled_from(FILES))
    before = file.read_bytes()
    content = bytearray(before)
    last = 128 if file.name == "images.npy" else len(content)
    for _ in range(draw.draw(st.integers(1, 3))):
        bit = draw.draw(st.integers(0, last * 8 - 1))
        content[bit // 8] ^= 1 << bit % 8
    file.write_bytes(content)
    logging.set_verbosity(logging.ERROR)
    try:
        found = image_cache.read_cache(written)
    finally:
        logging.set_verbosity(logging.WARNING)
        file.write_bytes(before)
    if found is not None:  # the bits did not matter
        assert_split(found)


@pytest.mark.parametrize("step", range(7))
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_a_failure_while_writing_leaves_no_cache(tmp_path, monkeypatch, caplog, step, failure):
    path, done = tmp_path / "c" / "split", []

    def failing(function):
        def call(*args):
            done.append(function)
            if len(done) == step + 1:
                raise failure
            return function(*args)

        return call

    with monkeypatch.context() as patch:
        for name in ("fsync", "rename"):  # of four files, the directory, its name, its parent
            patch.setattr(os, name, failing(getattr(os, name)))
        if isinstance(failure, OSError):
            assert_split(image_cache.cached(path, 30, blocks))
            assert "without a cache" in caplog.text
        else:
            with pytest.raises(KeyboardInterrupt):
                image_cache.cached(path, 30, blocks)
    left = list((tmp_path / "c").iterdir())
    assert left == ([path] if step == 6 else [])  # renamed, it is whole
    assert_split(image_cache.cached(path, 30, blocks))
    assert_split(image_cache.read_cache(path))


def test_a_full_disk_leaves_no_cache(tmp_path):
    code = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
found = image_cache.cached(path, 30, blocks)
print(found.images.tobytes() == b"".join(block.images.tobytes() for block in blocks()))
print(list(path.parent.iterdir()))
"""
    process = in_process(
        code, tmp_path / "c" / "split", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = process.communicate(timeout=300)
    assert out.split() == ["True", "[]"]
    assert "without a cache" in err


@pytest.mark.parametrize("step", range(1, 8))
def test_a_process_killed_while_writing_leaves_no_half_cache(tmp_path, step):
    code = """
import signal
steps = int(sys.argv[2])
def killing(function):
    def call(*args):
        global steps
        steps -= 1
        if not steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args)
    return call
os.fsync, os.rename = killing(os.fsync), killing(os.rename)
image_cache.cached(path, 30, blocks)
"""
    path = tmp_path / "split"
    assert in_process(code, path, str(step)).wait(timeout=300) == -9
    (left,) = tmp_path.iterdir()
    if step == 7:
        assert_split(image_cache.read_cache(left))
        return
    assert left.suffix == ".tmp"
    assert_split(image_cache.cached(path, 30, blocks))
    assert left.exists()  # another process may still be writing it
    forget = time.time() - 7200
    shutil.rmtree(path)
    os.utime(left, (forget, forget))
    assert_split(image_cache.cached(path, 30, blocks))
    assert left.exists()  # one that writes for hours touches its files alone
    shutil.rmtree(path)
    for file in left.iterdir():
        os.utime(file, (forget, forget))
    os.utime(left, (forget, forget))
    assert_split(image_cache.cached(path, 30, blocks))
    assert not left.exists()


@pytest.mark.parametrize("there", ["nothing", "something damaged"])
def test_many_processes_at_once_on_one_cache(tmp_path, there):
    path = tmp_path / "c" / "split"
    if there == "something damaged":
        image_cache.cached(path, 30, blocks)
        (path / "ids.npy").unlink()
    code = """
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    found = image_cache.write_cache(path, 30, blocks())
    assert found.images.tobytes() == b"".join(block.images.tobytes() for block in blocks())
"""
    pipe = subprocess.PIPE
    processes = [in_process(code, path, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert list(path.parent.iterdir()) == [path]
    assert_split(image_cache.read_cache(path))


def test_decoding_takes_little_anonymous_memory(tmp_path):
    code = """
import numpy as np
def anonymous():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) >> 10
def large():
    for i in range(100):
        yield image_cache.Split(np.full((64, 64, 64, 3), i, np.uint8), np.zeros(64, np.int32), None)
before = anonymous()
found = image_cache.cached(path, 6400, large)
assert found.images[-1].min() == 99
assert found.images[::64].max() == 99
print(found.images.nbytes >> 20, anonymous() - before)
"""
    if not pathlib.Path("/proc/self/status").exists():
        pytest.skip("only Linux tells what memory is anonymous")
    process = in_process(code, tmp_path / "split", stdout=subprocess.PIPE, text=True)
    size, grown = map(int, process.communicate(timeout=300)[0].split())
    assert size == 75
    assert grown < 15


def test_many_at_once_on_one_cache(cifar, tmp_path):
    with ThreadPoolExecutor(6) as threads:
        loaded = list(threads.map(lambda _: cifar(), range(6)))
    for other in loaded[1:]:
        assert_same(other, loaded[0])
    paths = list((tmp_path / "c").iterdir())
    assert len(paths) == 2
    assert all(image_cache.read_cache(path) is not None for path in paths)


def test_without_a_place_for_the_cache_it_warns_and_goes_on(cifar, tmp_path, caplog):
    first = cifar()
    (tmp_path / "file").write_text("")
    with caplog.at_level("WARNING", logger="absl"):
        assert_same(cifar(cache_dir=str(tmp_path / "file/below")), first)
    assert "without a cache" in caplog.text


def test_something_else_in_the_place_of_a_cache_is_replaced(cifar, tmp_path):
    first = cifar()
    one, other = (tmp_path / "c").iterdir()
    for path in (one, other):
        shutil.rmtree(path)
    one.mkdir()
    (one / "something").write_text("")
    other.write_text("a file")
    assert_same(cifar(), first)
    assert len(list((tmp_path / "c").iterdir())) == 2


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"XDG_CACHE_HOME": "{}/xdg"}, "xdg/jax_al"),
        ({"XDG_CACHE_HOME": "", "HOME": "{}"}, ".cache/jax_al"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "{}"}, ".cache/jax_al"),
    ],
)
def test_the_default_place_of_the_cache(cifar, tmp_path, monkeypatch, variables, place):
    for key, value in variables.items():
        monkeypatch.setenv(key, value.format(tmp_path))
    cifar(cache_dir=None)
    assert len(list((tmp_path / place).iterdir())) == 2
