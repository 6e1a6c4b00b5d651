"""A simulated person, and the paths that it is driven over."""

import csv
import json
import queue
import threading

import numpy as np
import pytest

import jax_al as al
from jax_al.cli import ask as ask_command
from jax_al.cli import tell as tell_command
from jax_al.cli.build import study_of
from jax_al.cli.status import lines
from jax_al.errors import UsageError
from jax_al.oracles.person import Person, label_record, label_session
from jax_al.session.teller import Teller
from jax_al.types import SKIP, UNSURE
from tests.made_up_benchmarks import nearest_mean_on_host
from tests.runs import run, tiny_config

CLASSES = ("ant", "bee", "cat", "dog")
TRUTH = np.arange(2000) % 4


def said(rows=range(2000), **options):
    person = Person(TRUTH, CLASSES, **options)
    return np.array([person.say(row).decision for row in rows])


def test_what_is_said_of_a_row_does_not_depend_on_order_or_on_other_options():
    options = {"noise": 0.3, "skip": 0.2, "unsure": 0.2, "seed": 3}
    forth = said(range(100), **options)
    np.testing.assert_array_equal(said(range(99, -1, -1), **options)[::-1], forth)
    without = said(range(100), noise=0.3, unsure=0.2, seed=3)
    named = forth != SKIP
    np.testing.assert_array_equal(forth[named], without[named])
    assert (said(range(100), **options | {"seed": 4}) != forth).any()


def test_shares_are_what_was_asked_for():
    found = said(noise=0.3, skip=0.2, unsure=0.1)
    skipped, unsure = found == SKIP, found == UNSURE
    assert abs(skipped.mean() - 0.2) < 0.04
    assert abs(unsure.sum() / (~skipped).sum() - 0.1) < 0.03
    named = found >= 0
    wrong = named & (found != TRUTH)
    assert abs(wrong.sum() / named.sum() - 0.3) < 0.04
    counts = np.bincount((found - TRUTH)[wrong] % 4, minlength=4)
    assert counts[0] == 0
    assert abs(counts[1:] / counts.sum() - 1 / 3).max() < 0.06


def test_time_passes_on_a_clock_of_its_own():
    person = Person(TRUTH, CLASSES, seconds=3.0)
    seconds = [person.answer(row)[1] for row in range(2000)]
    assert person.clock == pytest.approx(sum(seconds))
    assert abs(np.median(seconds) - 3) < 0.2
    assert person.answer(1)[0] == "bee"
    assert [person.say(0).seconds for _ in range(2)] == seconds[:1] * 2


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"noise": 1.5}, "noise is a share"),
        ({"skip": -0.1}, "skip is a share"),
        ({"unsure": 2}, "unsure is a share"),
        ({"seconds": 0}, "seconds is 0"),
        ({"seed": -1}, "seed -1"),
        ({"classes": CLASSES[:3]}, "3 classes for a truth of 0 to 3"),
    ],
)
def test_options_out_of_range_are_refused(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        Person(TRUTH, **{"classes": CLASSES, **options})


def test_a_person_labels_a_session():
    x = np.random.default_rng(0).normal(size=(40, 3)) + 4 * (np.arange(40) % 4)[:, None]
    pool = al.arrays(x.astype(np.float32))
    person = Person(TRUTH[:40], CLASSES, skip=0.3, seed=1)
    session = al.Session(
        pool, classes=CLASSES, learner=nearest_mean_on_host, strategy="random", budget=15
    )
    with session:
        assert label_session(person, session, 2) == 2
        expected = {
            name: CLASSES[row % 4] for row, name in enumerate(pool.ids) if name in session.labels
        }
        assert session.labels == expected
        assert 10 < len(expected) < 30
        assert label_session(person, session, 5) == 1  # ten are left


HOST = {"name": "tests.made_up_benchmarks:nearest_mean_on_host"}
PEOPLE = {"oracle": "people", "strategy": "margin", "model": HOST}


def answering(root, **options):
    """What hears a run say that it waits, and has somebody in another thread answer; the thread."""
    config = tiny_config(**PEOPLE | {"oracle": "simulated"})
    truth = study_of(json.loads(config.to_json_best_effort())).benchmark.truth
    person = Person(truth, tuple(map(str, range(10))), **options)
    waiting = queue.Queue()

    def work():
        for directory in iter(waiting.get, None):
            label_record(person, Teller(directory))

    def tell(event):
        if event["event"] == "say" and "waits for" in event["text"]:
            heard.append(event["text"])
            waiting.put(root / "parts" / "margin" / "seed_0")

    heard = []
    thread = threading.Thread(target=work)
    thread.start()
    return tell, heard, lambda: (waiting.put(None), thread.join())


def test_an_experiment_that_people_answer_is_the_one_that_is_simulated(tmp_path):
    run(tmp_path / "simulated", **PEOPLE | {"oracle": "simulated"})
    tell, heard, end = answering(tmp_path / "people")
    try:
        (progress,) = run(tmp_path / "people", tell, **PEOPLE)
    finally:
        end()
    counts = [int(text.split("waits for ")[1].split()[0]) for text in heard]
    assert counts == [10, 7, 7]  # the initial labels are asked of people too
    assert f"--workdir={tmp_path / 'people' / 'parts' / 'margin' / 'seed_0'}" in heard[0]
    assert {one.who for one in progress.record.decisions.values()} == {"simulated"}
    picks = [(tmp_path / name / "picks.csv").read_text() for name in ("simulated", "people")]
    assert picks[0] == picks[1]
    last = progress.rows()[-1]["test_accuracy"]
    said = lines(progress.record, tmp_path)
    assert f"Accuracy {100 * last:.1f}% by the test set." in said


def test_what_people_skip_is_not_trained_on_and_the_run_goes_on(tmp_path):
    tell, _, end = answering(tmp_path, skip=0.3, unsure=0.2, noise=0.2)
    try:
        (progress,) = run(tmp_path, tell, **PEOPLE)
    finally:
        end()
    record = progress.record
    assert len(record.decisions) == 24
    assert 5 < len(record.order) < 20
    assert [row["num_labeled"] for row in progress.rows()][-1] == len(record.order)


def test_without_a_test_set_no_accuracy_is_claimed(tmp_path):
    tell, _, end = answering(tmp_path)
    try:
        (progress,) = run(tmp_path, tell, data__test_split=None, data__test_size=None, **PEOPLE)
    finally:
        end()
    rows = progress.rows()
    assert len(rows) == 3
    assert not any("test set" in line for line in lines(progress.record, tmp_path))
    for row in rows:
        assert {row[name] for name in row if name.startswith("test_")} == {None}


def test_who_is_interrupted_while_people_are_waited_for_goes_on_later(tmp_path):
    def interrupted(event):
        if event["event"] == "say":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, interrupted, **PEOPLE)
    teller = Teller(tmp_path / "parts" / "margin" / "seed_0")
    waits = teller.record().undecided()
    assert len(waits) == 10
    assert label_record(Person(np.zeros(2000, int), tuple("0123456789")), teller) == 10
    tell, heard, end = answering(tmp_path)
    try:
        run(tmp_path, tell, **PEOPLE)
    finally:
        end()
    assert len(heard) == 2  # what was told meanwhile is not asked again


def test_a_run_is_answered_by_ask_and_tell_on_its_part(tmp_path, capsys):
    run(tmp_path / "simulated", **PEOPLE | {"oracle": "simulated"})
    truth = {}
    with open(tmp_path / "simulated" / "picks.csv", newline="") as file:
        truth = {line["id"]: line["label"] for line in csv.DictReader(file)}
    batch, codes = tmp_path / "batch.csv", []
    workdir = f"--workdir={tmp_path / 'people' / 'parts' / 'margin' / 'seed_0'}"

    def tell(event):
        if event["event"] != "say" or "waits for" not in event["text"]:
            return
        codes.append(ask_command.main([f"--out={batch}", workdir]))
        with open(batch, encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
        lines.append({"id": "0", "label": "nothing"})  # was not asked, and is no class
        with open(batch, "w", newline="") as file:
            writer = csv.DictWriter(file, ("id", "label", "decision", "why"))
            writer.writeheader()
            writer.writerows(line | {"label": truth.get(line["id"], "no")} for line in lines)
        codes.append(tell_command.main([str(batch), workdir]))
        assert "line" in capsys.readouterr().err
        codes.append(tell_command.main([str(batch), "--partial", workdir]))
        batch.unlink()

    run(tmp_path / "people", tell, **PEOPLE)
    assert codes == [0, 2, 0] * 3
    picks = [(tmp_path / name / "picks.csv").read_text() for name in ("simulated", "people")]
    assert picks[0] == picks[1]
    assert ask_command.main([f"--out={batch}", workdir]) == 2
    assert "is a part of a run, which alone trains" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"initial": "class_balanced"}, "people are asked for it: choose random"),
        ({"strategy": "oracle_uncertainty"}, "in a simulation only"),
    ],
)
def test_nothing_looks_at_a_truth_that_people_are_asked_for(tmp_path, fields, sentence):
    with pytest.raises(UsageError, match=sentence):
        run(tmp_path, **PEOPLE | {"model": {"name": "linear"}} | fields)


def test_a_person_answers_what_was_drawn_and_what_is_asked(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3)) + 4 * (np.arange(40) % 4)[:, None]
    session = al.Session(
        al.arrays(x.astype(np.float32)),
        classes=CLASSES,
        learner=nearest_mean_on_host,
        strategy="random",
        budget=6,
        directory=tmp_path,
    )
    with session:
        audit = session.draw(5)
        request = session.ask()
        person = Person(TRUTH[:40], CLASSES, who="anna")
        assert label_record(person, Teller(tmp_path)) == 11
        assert label_record(person, Teller(tmp_path)) == 0
        record = session.record
        assert {row for row, one in record.held_out.items() if one} == set(map(int, audit))
        assert set(record.decisions) == set(request.rows)
        said = [*record.held_out.values(), *record.decisions.values()]
        assert sum(one.seconds for one in said) == pytest.approx(person.clock)
        assert {one.who for one in said} == {"anna"}
