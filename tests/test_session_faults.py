"""A fault at every write of ours in turn, then a start: the run ends as if nothing had been.

The driver is made up: a network is a number made from the labels that it was trained on and from
the network before it; it decides what is picked next. So a mistake anywhere changes all that comes.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from typing import NamedTuple

import numpy as np
import pytest
from made_up_journals import N

from jax_al.errors import UsageError
from jax_al.oracles.simulated import simulated
from jax_al.record.files import write_part
from jax_al.session import locks
from jax_al.session.checkpoint import Checkpoints, digest_of
from jax_al.session.fold import fold
from jax_al.session.journal import Journal
from jax_al.session.opening import begin
from jax_al.session.progress import Progress
from jax_al.session.records import read_json, write_json
from jax_al.session.work import (
    Answered,
    Ask,
    Asked,
    Course,
    Select,
    Selected,
    Train,
    Trained,
    Wait,
)

COURSE = Course(num_points=N, initial_size=3, budget=4, max_episodes=3)
TRUTH = np.arange(N, dtype=np.int32) % 3


class JsonNetworks:
    """Networks as small files, written as all our files are."""

    def __init__(self, directory):
        self._directory = directory

    def save(self, episode, network):
        self._directory.mkdir(exist_ok=True)
        write_json(self._directory / f"{episode}.json", network)
        return str(network)

    def load(self, episode, digest):
        network = read_json(self._directory / f"{episode}.json")
        if str(network) != digest:
            raise ValueError("damaged")
        return network


class OrbaxNetworks:
    """Networks as they really are kept, some layers of a few numbers each."""

    def __init__(self, checkpoints):
        self._checkpoints = checkpoints

    def save(self, episode, network):
        digits = np.array([int(digit) for digit in str(network)], np.int32)
        state = {"first": digits[:3], "rest": [digits[3:], np.float32([0.5])]}
        return self._checkpoints.save(episode, state, {})

    def load(self, episode, digest):
        state, _ = self._checkpoints.restore(episode, None, digest)
        digits = np.concatenate([state["first"], state["rest"][0]])
        return int("".join(map(str, digits.tolist())))


def drive(directory, course=COURSE, delay=0, open_networks=None):
    """Does what is left to do in `directory`; returns the episodes trained, in order."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(locks.computing(directory))
        journal = Journal(directory)
        begin(
            journal,
            strategy="made_up",
            seed=0,
            data={"name": "made_up", "version": "1", "size": N},
            classes=["ant", "bee", "cat"],
            config={},
            versions={"jax": "1"},
        )
        if open_networks is None:
            networks = JsonNetworks(directory / "networks")
        else:
            networks = OrbaxNetworks(stack.enter_context(open_networks(directory / "checkpoints")))
        progress = Progress(journal, course)
        oracle = simulated(TRUTH, noise=0.2, skip=0.2, delay=delay)
        fitted = []
        while (work := progress.plan()) is not None:
            _do(work, progress, journal, networks, oracle, fitted)
        write_part(directory, progress.rows(), progress.picks())
        return fitted


def _do(work, progress, journal, networks, oracle, fitted):
    match work:
        case Train(episode, as_of):
            before = _network(progress, networks, episode - 1) if episode > 1 else 0
            if before is None:
                return
            known = fold(journal.events()[: as_of + 1])
            text = json.dumps([before, known.order, known.labels])
            network = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) + 10**10
            fitted.append(episode)
            digest = networks.save(episode, network)
            progress.commit(Trained(episode, as_of, {"test_accuracy": network / 2**40}, digest))
        case Select(request, episode, count):
            network = _network(progress, networks, episode) if episode else 0
            if network is None:
                return
            free = [row for row in range(N) if row not in progress.record.decisions]
            rows = np.random.default_rng(network).permutation(free)[:count]
            ids, info = [str(row) for row in rows], {"cover_radius": float(network)}
            progress.commit(
                Selected(request, episode, rows, ids, rows, rows / 3, info, 0.0, 0.0, 0.0, None)
            )
        case Ask(request, rows):
            oracle.ask(request, rows)
            progress.commit(Asked(request))
        case Wait():
            progress.commit(Answered(oracle.collect()))


def _network(progress, networks, episode):
    try:
        return networks.load(episode, progress.record.trained[episode].digest)
    except Exception:
        progress.retrain(episode)
        return None


def ending(directory):
    """All that a run leaves but the times."""
    events = [{**event, "at": 0} for event in Journal(directory).events()]
    return events, *files(directory)


def files(directory):
    return [(directory / name).read_bytes() for name in ("metrics.jsonl", "picks.csv")]


class Killed(BaseException):
    """The process is dead: nothing catches this, and no call after it has an effect."""


class Fault(NamedTuple):
    call: int  # at which call
    kind: str


class Faults:
    """Stands in for the calls that change a file; counts them, and fails at one."""

    NAMES = ("write", "fsync", "replace", "ftruncate", "truncate")

    def __init__(self, monkeypatch, fault):
        self._fault = fault
        self._calls = 0
        self._sizes = {}  # of files, before their last write: what is known to be on disk
        self._real = {name: getattr(os, name) for name in self.NAMES}
        for name in self.NAMES:
            monkeypatch.setattr(os, name, lambda *args, name=name: self._call(name, *args))

    @property
    def calls(self):
        return self._calls

    def _call(self, name, *args):
        number, self._calls = self._calls, self._calls + 1
        at, kind = self._fault
        if name == "write":
            self._sizes[os.fstat(args[0]).st_ino] = os.fstat(args[0]).st_size
        if number == at:
            if kind in ("dead disk", "killed halfway"):
                self._half(name, *args)
            elif kind == "killed after":
                self._do(name, *args)
            elif kind == "short" and name == "write":
                return self._do(name, args[0], args[1][: len(args[1]) // 2])
        if number == at or (number > at and kind not in ("full", "short")):
            if kind.startswith("killed"):
                raise Killed
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._do(name, *args)

    def _do(self, name, *args):
        # A sync takes long and its effect is what `_half` takes away.
        return None if name == "fsync" else self._real[name](*args)

    def _half(self, name, *args):
        """Half of a line is written; of what was not synced yet, half stays."""
        if name == "write":
            self._do(name, args[0], args[1][: len(args[1]) // 2])
        elif name == "fsync" and not os.path.isdir(f"/dev/fd/{args[0]}"):
            size = os.fstat(args[0]).st_size
            kept = self._sizes.get(os.fstat(args[0]).st_ino, 0)
            with open(f"/dev/fd/{args[0]}", "r+b") as file:
                self._real["ftruncate"](file.fileno(), (kept + size) // 2)


# Killed before a call is killed after the one before it.
KINDS = ("full", "short", "dead disk", "killed halfway", "killed after")


def drive_with(directory, fault, **options):
    """Returns how many calls there were until the end, or until the fault ended it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        faults = Faults(monkeypatch, fault)
        # A UsageError: of a disk that fails when the directory is made, in a sentence.
        with contextlib.suppress(Killed, OSError, UsageError):
            drive(directory, **options)
        return faults.calls


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole") / "run"
    assert drive(directory) == [1, 2, 3]
    return ending(directory)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_at_any_call_changes_nothing_in_the_end(tmp_path, whole, kind):
    count = drive_with(tmp_path / "none", Fault(10**9, kind))
    assert ending(tmp_path / "none") == whole
    assert count > 40
    for call in range(count):
        directory = tmp_path / str(call)
        assert drive_with(directory, Fault(call, kind)) > call
        drive(directory)
        assert ending(directory) == whole, call


@pytest.mark.parametrize("kind", ["dead disk", "killed halfway", "killed after"])
def test_a_run_that_fails_at_every_start_a_little_later_ends_the_same(tmp_path, whole, kind):
    for call in range(10**9):
        if drive_with(tmp_path / "run", Fault(call % 7, kind)) <= call % 7:  # not met any more
            break
    drive(tmp_path / "run")
    assert ending(tmp_path / "run") == whole


@pytest.mark.parametrize("kind", ["full", "killed halfway", "killed after"])
def test_answers_that_were_late_come_again_after_a_kill(tmp_path, whole, kind):
    for call in range(0, drive_with(tmp_path / "none", Fault(10**9, kind), delay=3), 3):
        directory = tmp_path / str(call)
        drive_with(directory, Fault(call, kind), delay=3)
        drive(directory, delay=3)
        assert files(directory) == list(whole[1:])


def kept(directory):
    return Checkpoints(directory, None)


@pytest.fixture(scope="module")
def short_run(tmp_path_factory):
    """Two episodes with real checkpoints, and what comes of it when a third is wanted."""
    directory = tmp_path_factory.mktemp("short") / "run"
    drive(directory, COURSE._replace(max_episodes=2), open_networks=kept)
    longer = directory.with_name("longer")
    shutil.copytree(directory, longer)
    assert drive(longer, open_networks=kept) == [3]
    return directory, longer


def same_result(directory, longer):
    return files(directory) == files(longer) and (
        {e: t.digest for e, t in Journal(directory).fold().trained.items()}
        == {e: t.digest for e, t in Journal(longer).fold().trained.items()}
    )


def test_a_digest_tells_names_shapes_types_and_every_bit():
    state = {"a": np.float32([[0.0, 1.0]]), "b": {"c": np.int32([3])}}
    others = [
        {"a": np.float32([[-0.0, 1.0]]), "b": {"c": np.int32([3])}},
        {"a": np.float32([0.0, 1.0]), "b": {"c": np.int32([3])}},
        {"a": np.float32([[0.0, 1.0]]), "b": {"d": np.int32([3])}},
        {"a": np.float32([[0.0, 1.0]]), "b": {"c": np.uint32([3])}},
        {"a": np.float32([[0.0, 1.0]])},
    ]
    assert len({digest_of(one) for one in [state, *others]}) == 1 + len(others)
    assert digest_of(dict(reversed(state.items()))) == digest_of(state)


def test_a_digest_is_of_what_comes_back_with_or_without_its_shapes(tmp_path):
    class Pair(NamedTuple):
        left: np.ndarray
        right: tuple

    state = Pair(np.float32([1, 2]), ({"x": np.array(4, np.int32)}, np.float32([-0.0, np.nan])))
    with Checkpoints(tmp_path, None) as checkpoints:
        digest = checkpoints.save(1, state, {})
        assert digest == digest_of(state)
        for like in (state, None):
            found, _ = checkpoints.restore(1, like, digest)
            assert digest_of(found) == digest
        assert isinstance(checkpoints.restore(1, state, digest)[0], Pair)
        with pytest.raises(ValueError, match="not saved"):
            checkpoints.restore(1, state, digest_of({}))


def test_what_is_saved_again_takes_the_place_of_all_that_came_after(tmp_path):
    with Checkpoints(tmp_path, 2) as checkpoints:
        for episode in (1, 2, 3, 2):
            checkpoints.save(episode, {"x": np.int32([episode])}, {})
        assert checkpoints.episodes() == [2]


def emptied(data):
    return b""


def halved(data):
    return data[: len(data) // 2]


def flipped(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [emptied, halved, flipped])
def test_a_checkpoint_with_a_damaged_file_is_read_or_trained_again_to_the_same(
    tmp_path, short_run, damage
):
    directory, longer = short_run
    last = directory / "checkpoints" / "episode_002"
    names = sorted(p.relative_to(directory) for p in last.rglob("*") if p.is_file())
    results = []
    for number, name in enumerate(names):
        copy = tmp_path / str(number)
        shutil.copytree(directory, copy)
        (copy / name).write_bytes(damage((copy / name).read_bytes()))
        results.append(drive(copy, open_networks=kept))
        assert same_result(copy, longer), name
    assert all(result in ([3], [2, 3]) for result in results)
    assert [2, 3] in results


def test_other_content_than_was_trained_counts_as_damaged(tmp_path, short_run):
    directory, longer = short_run
    copy = tmp_path / "run"
    shutil.copytree(directory, copy)
    shutil.rmtree(copy / "checkpoints" / "episode_002")
    shutil.copytree(copy / "checkpoints" / "episode_001", copy / "checkpoints" / "episode_002")
    assert drive(copy, open_networks=kept) == [2, 3]
    assert same_result(copy, longer)


def test_a_chain_of_missing_checkpoints_is_trained_again_from_the_first(tmp_path, short_run):
    directory, longer = short_run
    copy = tmp_path / "run"
    shutil.copytree(directory, copy)
    shutil.rmtree(copy / "checkpoints")
    assert drive(copy, open_networks=kept) == [1, 2, 3]
    assert same_result(copy, longer)


def test_a_checkpoint_that_is_not_on_record_or_not_whole_is_ignored(tmp_path, short_run):
    directory, longer = short_run
    copy = tmp_path / "run"
    shutil.copytree(directory, copy)
    there = copy / "checkpoints"
    shutil.copytree(there / "episode_001", there / "episode_003")
    part = there / "episode_003.orbax-checkpoint-tmp-0"
    shutil.copytree(there / "episode_001" / "state", part / "state")
    assert drive(copy, open_networks=kept) == [3]
    assert same_result(copy, longer)
    assert not part.exists()


def test_a_kill_around_a_checkpoint_changes_nothing_in_the_end(tmp_path, short_run):
    """Faults of our own calls while Orbax writes as it does."""
    directory, longer = short_run
    for call in range(0, 12):
        copy = tmp_path / str(call)
        shutil.copytree(directory, copy)
        drive_with(copy, Fault(call, "killed after"), open_networks=kept)
        drive(copy, open_networks=kept)
        assert same_result(copy, longer), call
