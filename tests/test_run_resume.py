"""Whatever ends a run, the same command goes on and comes to the same bits."""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from made_up_journals import answered, asked, begun, closed

from jax_al.cli.build import study_of
from jax_al.drivers.study import check_data
from jax_al.errors import UsageError
from jax_al.session.fold import fold
from jax_al.session.records import read_picks
from tests.runs import (
    ROOT,
    assert_same,
    digests,
    part_of,
    rows_of,
    run,
    run_study,
    study,
    tiny_config,
    without_times,
)

as_for_users = pytest.mark.as_for_users  # what a network comes to
# A learner and a strategy that cost nothing.
QUICK = {"model": {"name": "tests.made_up_benchmarks:nearest_mean_on_host"}, "strategy": "random"}
SHORT = {"max_episodes": 2}
SEVERAL = QUICK | SHORT | {"num_seeds": 2, "compare": ["coreset", "ceal"]}

# Dies by kill -9 at a point, in a child process for each of the points: what is told, and before
# whatever is written and renamed. Forked before JAX starts, so that it starts in each.
KILLS = """
import json, os, pathlib, signal, sys, traceback
import sklearn.datasets
from jax_al.session import journal
from tests import runs

root, fields, first, step, most = sys.argv[1], *map(json.loads, sys.argv[2:])
passed = 0

def point(*unused):
    global passed
    passed += 1
    if passed > last:
        os.kill(os.getpid(), signal.SIGKILL)

def guarded(function):
    def call(*args, **kwargs):
        point()
        return function(*args, **kwargs)
    return call

journal._append = guarded(journal._append)
os.replace, os.rename = guarded(os.replace), guarded(os.rename)
last, code = first, None
while code != 0 and last < first + step * most:
    child = os.fork()
    if not child:
        signal.alarm(300)  # whatever stands still
        try:
            runs.run(pathlib.Path(root, str(last)), point, **fields)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    last += step
"""


def killed(
    root: pathlib.Path, fields: dict, first: int, step: int, most: int
) -> list[pathlib.Path]:
    """Returns the directories of runs that died at every `step`-th point from the `first` on.

    There are `most` of them, or fewer and the last one came to its end.
    """
    command = [sys.executable, "-W", "ignore", "-c", KILLS]
    done = subprocess.run(
        [*command, str(root), *map(json.dumps, (fields, first, step, most))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return sorted(root.iterdir(), key=lambda path: int(path.name))


@pytest.mark.parametrize(
    ("fields", "first", "step", "most"),
    [
        pytest.param(QUICK | SHORT, 0, 1, 199, id="everywhere"),
        pytest.param(SHORT, 12, 13, 2, id="a network", marks=as_for_users),
        pytest.param(SEVERAL, 25, 55, 2, id="several"),
    ],
)
def test_kill_9_loses_nothing(tmp_path, fields, first, step, most):
    run(tmp_path / "whole", **fields)
    died = killed(tmp_path / "died", fields, first, step, most)
    assert len(died) >= min(most, 12)
    for workdir in died:
        run(workdir, **fields)
        assert_same(workdir, tmp_path / "whole")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run of two strategies, two seeds and three episodes."""
    workdir = tmp_path_factory.mktemp("whole")
    run(workdir, num_seeds=2, compare=("coreset", "random"))
    return workdir


def test_more_of_anything_equals_a_run_that_had_it_from_the_start(tmp_path):
    quick = QUICK | {"strategy": "coreset"}
    run(tmp_path / "whole", **quick, num_seeds=2, compare=("coreset", "random"))
    parts = tmp_path / "parts"
    run(parts, **quick, max_episodes=1)
    run(parts, **quick, max_episodes=2)
    run(parts, **quick, max_episodes=2, num_seeds=2)
    run(parts, **quick, max_episodes=2, num_seeds=2, compare=("coreset", "random"))
    run(parts, **quick, num_seeds=2, compare=("coreset", "random"))
    assert_same(parts, tmp_path / "whole")


@pytest.fixture(scope="module")
def shorter(tmp_path_factory):
    """The first strategy and two episodes of `whole`."""
    workdir = tmp_path_factory.mktemp("shorter")
    run(workdir, num_seeds=2, max_episodes=2)
    return workdir


@as_for_users
def test_more_strategies_and_episodes_of_a_network_too(whole, shorter, tmp_path):
    shutil.copytree(shorter, tmp_path / "again")
    run(tmp_path / "again", num_seeds=2, compare=("coreset", "random"))
    assert_same(tmp_path / "again", whole)


@as_for_users
def test_a_strategy_and_a_seed_are_the_same_alone_and_among_others(whole, tmp_path):
    run(tmp_path, seed=1)
    mine = [row for row in without_times(whole) if (row["seed"], row["strategy"]) == (1, "coreset")]
    assert without_times(tmp_path) == mine
    assert part_of(tmp_path, seed=1).joinpath("picks.csv").read_bytes() == (
        part_of(whole, seed=1).joinpath("picks.csv").read_bytes()
    )
    assert digests(tmp_path).items() <= digests(whole).items()


@as_for_users
def test_a_finished_run_says_so_and_changes_nothing(whole, tmp_path):
    again, told = tmp_path / "again", []
    shutil.copytree(whole, again)
    run(again, told.append, num_seeds=2, compare=("coreset", "random"))
    said = [event["text"] for event in told if event["event"] == "say"]
    assert ["finished" in text for text in said] == [True]
    assert not [event for event in told if event["event"] in ("phase", "row")]
    names = ("metrics.jsonl", "picks.csv", "parts/random/seed_1/journal.jsonl")
    assert all((again / name).read_bytes() == (whole / name).read_bytes() for name in names)


@as_for_users
@pytest.mark.parametrize(
    ("share", "sentence"),
    [
        ((5, 9), "Nothing is left for part 5/9: it has none of the run's parts."),
        ((1, 3), "Nothing is left for part 1/3: it has 2 of the run's parts, finished."),
    ],
)
def test_a_share_that_is_finished_speaks_of_itself(whole, tmp_path, share, sentence):
    again, told = tmp_path / "again", []
    shutil.copytree(whole, again)
    whole_study = study(num_seeds=2, compare=("coreset", "random"))
    run_study(whole_study, again, told.append, share=share)
    assert [event["text"] for event in told if event["event"] == "say"] == [sentence]


@as_for_users
def test_what_is_made_from_the_journals_is_made_again(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "again")
    for name in ("metrics.jsonl", "picks.csv"):
        for path in (tmp_path / "again").rglob(name):
            path.unlink()
    run(tmp_path / "again", num_seeds=2, compare=("coreset", "random"))
    assert_same(tmp_path / "again", whole)


def test_only_new_rows_are_told(tmp_path):
    told = []
    run(tmp_path, max_episodes=2, **QUICK)
    run(tmp_path, told.append, max_episodes=3, num_seeds=2, **QUICK)
    rows = [event["row"] for event in told if event["event"] == "row"]
    # The last episode of the shorter run has bought something now.
    assert [(row["seed"], row["episode"]) for row in rows] == [
        (0, 2), (0, 3), (1, 1), (1, 2), (1, 3),
    ]  # fmt: skip


def test_one_seed_that_is_extended_costs_no_row_of_another(tmp_path):
    run(tmp_path, num_seeds=2, max_episodes=2, **QUICK)
    run(tmp_path, num_seeds=1, max_episodes=3, **QUICK)
    places = [(row["seed"], row["episode"]) for row in rows_of(tmp_path)]
    assert places == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]


def test_fewer_episodes_are_refused_before_anything_is_touched(tmp_path):
    run(tmp_path, **QUICK)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=r"holds 3 episodes .* max_episodes=2; it can only grow"):
        run(tmp_path, max_episodes=2, num_seeds=2, **QUICK)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def damaged(checkpoint):
    """Cuts every file of a checkpoint short."""
    for path in checkpoint.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:10])


@as_for_users
def test_a_checkpoint_that_cannot_be_read_is_made_again(whole, shorter, tmp_path):
    workdir, told = tmp_path / "again", []
    shutil.copytree(shorter, workdir)
    damaged(part_of(workdir, seed=0) / "checkpoints" / "episode_002")
    shutil.rmtree(part_of(workdir, seed=1) / "checkpoints" / "episode_002")
    run(workdir, told.append, num_seeds=2)
    said = [event["text"] for event in told if event["event"] == "say"]
    for text, seed in zip(said, (0, 1), strict=True):
        start = f"coreset, seed {seed}: The checkpoint of episode 2 is missing or damaged"
        assert text.startswith(start)
    assert without_times(workdir) == [
        row for row in without_times(whole) if row["strategy"] == "coreset"
    ]
    for seed in (0, 1):
        mine, theirs = (part_of(place, seed=seed) / "picks.csv" for place in (workdir, whole))
        assert mine.read_bytes() == theirs.read_bytes()
    made, known = digests(workdir), digests(whole)
    assert len(made) == 6
    assert made.items() <= known.items()


WARM = {"warm_start": True}


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("warm")
    run(workdir, **WARM, keep_checkpoints=1)
    return workdir


@pytest.fixture(scope="module")
def shorter_warm(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("shorter_warm")
    run(workdir, **WARM, max_episodes=2)
    return workdir


@as_for_users
def test_a_warm_start_goes_on_from_the_last_network_and_resumes(
    whole, warm, shorter_warm, tmp_path
):
    shutil.copytree(shorter_warm, tmp_path / "parts")
    shutil.rmtree(part_of(tmp_path / "parts") / "checkpoints" / "episode_001")
    run(tmp_path / "parts", **WARM, keep_checkpoints=1)
    assert_same(tmp_path / "parts", warm)
    rows, cold = rows_of(warm), rows_of(whole)
    assert rows[0]["test_nll"] == cold[0]["test_nll"]
    assert rows[1]["test_nll"] != cold[1]["test_nll"]


@as_for_users
def test_a_warm_start_whose_network_is_lost_is_trained_again_from_the_one_before(
    warm, shorter_warm, tmp_path
):
    shutil.copytree(shorter_warm, tmp_path / "lost")
    for episode in (1, 2):
        damaged(part_of(tmp_path / "lost") / "checkpoints" / f"episode_00{episode}")
    run(tmp_path / "lost", **WARM)
    assert_same(tmp_path / "lost", warm)


def test_only_as_many_checkpoints_are_kept_as_wanted(tmp_path):
    run(tmp_path, keep_checkpoints=1, **QUICK)
    kept = (part_of(tmp_path, "random") / "checkpoints").iterdir()
    assert [path.name for path in kept] == ["episode_003"]


def test_pseudo_labels_are_kept_trained_on_and_held_against_their_digest(tmp_path):
    ceal = QUICK | {"strategy": "ceal"}
    told = []
    run(tmp_path / "whole", told.append, **ceal)
    assert any("also trains on" in e["text"] for e in told if e["event"] == "say")
    run(tmp_path / "parts", **ceal, max_episodes=2)
    run(tmp_path / "parts", **ceal)
    assert_same(tmp_path / "parts", tmp_path / "whole")
    path = part_of(tmp_path / "parts", "ceal") / "pseudo_labels" / "episode_002.npy"
    damaged(part_of(tmp_path / "parts", "ceal") / "checkpoints" / "episode_003")
    np.save(path, np.zeros_like(np.load(path)))
    with pytest.raises(UsageError, match=r"episode_002\.npy is damaged; restore it"):
        run(tmp_path / "parts", **ceal, max_episodes=4)


def test_another_data_set_under_the_same_name_is_noticed(tmp_path):
    run(tmp_path, **QUICK)
    journal = part_of(tmp_path, "random") / "journal.jsonl"
    text = journal.read_text()
    answers, first = '"answers": [[', read_picks(tmp_path / "picks.csv")[0]
    row, label = text.partition(answers)[2].partition("]")[0].split(", ")
    for old, new, sentence in (
        (
            '"name": "digits"',
            '"name": "bits"',
            "the data set has changed",
        ),
        (f'"ids": ["{first.id}"', '"ids": ["gone"', "names the example 'gone'"),
        (f"{answers}{row}, {label}", f"{answers}{row}, {9 - int(label)}", "about the label of"),
    ):
        assert old in text
        journal.write_text(text.replace(old, new, 1))
        with pytest.raises(UsageError, match=f"(?s){sentence}.*restore"):
            run(tmp_path, max_episodes=4, **QUICK)


def test_what_was_bought_must_be_in_the_pool_under_its_id_and_with_its_label():
    study = study_of(json.loads(tiny_config().to_json_best_effort()))
    ids, truth = study.benchmark.pool.ids, study.benchmark.truth
    rows = [3, len(ids) - 1, 0]
    theirs, labels = [ids[row] for row in rows], [int(truth[row]) for row in rows]

    def record(rows=rows, ids=theirs, labels=labels):
        answers = answered(dict(zip(rows, labels, strict=True)))
        return fold([begun(), asked(0, 0, rows, ids=list(ids)), answers, closed(0)])

    check_data(study, record())
    for place in range(3):
        for other in ("", theirs[place] + "~", theirs[place - 1]):
            changed = [*theirs[:place], other, *theirs[place + 1 :]]
            with pytest.raises(UsageError, match=f"names the example '{other}' as row"):
                check_data(study, record(ids=changed))
        for label in {*range(10)} - {labels[place]}:
            changed = [*labels[:place], label, *labels[place + 1 :]]
            with pytest.raises(UsageError, match=f"about the label of '{theirs[place]}'"):
                check_data(study, record(labels=changed))
    with pytest.raises(UsageError, match="as row 150, and the data do not"):
        check_data(study, record(rows=[3, len(ids), 0]))
    # What people say is not held against labels that happen to be known.
    wrong = record(labels=[(label + 1) % 10 for label in labels])
    check_data(study._replace(public={**study.public, "oracle": "people"}), wrong)
    check_data(study._replace(benchmark=study.benchmark._replace(truth=None)), wrong)


def test_every_line_that_is_missing_or_garbled_is_told_in_a_sentence(tmp_path):
    run(tmp_path, **QUICK)
    journal = part_of(tmp_path, "random") / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    for number in range(len(lines) - 1):
        for instead in ("", "garbage\n", "{}\n"):
            journal.write_text("".join([*lines[:number], instead, *lines[number + 1 :]]))
            with pytest.raises(UsageError, match=r"journal\.jsonl"):
                run(tmp_path, **QUICK)


def test_a_record_cut_off_at_any_line_is_gone_on_with(tmp_path):
    run(tmp_path / "whole", **QUICK)
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    journal = part_of(tmp_path / "cut", "random") / "journal.jsonl"
    text = journal.read_text()
    lines = text.splitlines(keepends=True)
    for number in range(0, len(lines), 2):
        journal.write_text("".join(lines[:number]) + lines[number][:9])
        run(tmp_path / "cut", **QUICK)
        assert_same(tmp_path / "cut", tmp_path / "whole")
