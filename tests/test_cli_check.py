"""`jax-al status` and `jax-al check` on a small project that a simulated person labels."""

import csv
import subprocess
import sys

import numpy as np
import pytest

from jax_al.cli import check, status
from jax_al.oracles.person import Person, label_record, label_session
from jax_al.people.audit import accuracy, exported
from jax_al.people.look import look
from jax_al.people.models import append_model, read_models
from jax_al.people.project import begin_project
from jax_al.people.settings import Settings
from jax_al.people.standing import last_check, of_check
from tests.runs import ROOT

CLASSES, SIZE = ("low", "high"), 120


@pytest.fixture(scope="module")
def labeled(tmp_path_factory):
    """Returns a project of a table of two clouds, of which some is labeled, and the person."""
    place = tmp_path_factory.mktemp("labeled")
    truth = np.arange(SIZE) % 2
    x = np.random.default_rng(0).normal(size=(SIZE, 3)) + 1.5 * truth[:, None]
    np.save(place / "x.npy", x.astype(np.float32))
    settings = Settings(
        str(place / "x.npy"),
        CLASSES,
        features=None,
        learner="linear",
        learner_args={"penalty": 0.1},
        strategy="random",
        budget=8,
        audit=10,
    )
    project = begin_project(settings, place / "work")
    person = Person(truth, CLASSES)
    session = project.session()
    label_session(person, session, 3)
    label_record(person, project.teller)
    session.train()
    append_model(project.place, look(session, 0, 0.0)[0])
    return project, person


def said(capsys, command, *words, project):
    code = command.main([*words, f"--workdir={project.place}"])
    told = capsys.readouterr()
    return code, (told.out + told.err).strip()


def test_status_says_how_a_project_stands(labeled, capsys):
    project, _ = labeled
    code, text = said(capsys, status, project=project)
    assert code == 0
    labels, classes, request, accuracy, *advice = text.splitlines()
    assert labels == f"{project.place}: 34 of 120 labeled."
    low, high = (int(word.split()[-1]) for word in classes.rstrip(".").split(", "))
    assert low + high == 34
    assert request.startswith("No request is open")
    assert accuracy.startswith("Accuracy ")
    assert accuracy.endswith(" of 10 right.")
    assert len(advice) == 2
    assert all(line.startswith("Too early") for line in advice)


def test_status_needs_neither_jax_nor_the_pool(labeled):
    project, _ = labeled
    program = (
        "import sys; from jax_al.cli import status; "
        f"code = status.main(['--workdir', {str(project.place)!r}]); "
        "print([m for m in ('jax', 'PIL', 'flax', 'starlette') if m in sys.modules]); "
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [status, check])
def test_a_workdir_without_a_project_is_told_in_a_sentence(command, capsys, tmp_path):
    assert command.main([f"--workdir={tmp_path}"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert str(tmp_path) in told


def test_a_check_is_drawn_blind_answered_and_said(labeled, capsys, tmp_path):
    project, person = labeled
    out = tmp_path / "check.csv"
    code, text = said(capsys, check, "--size=20", f"--out={out}", project=project)
    assert code == 0, text
    assert text.startswith("20 to label in")
    with open(out, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["why"] for row in rows} == {"check"}
    assert all(not row["label"] and set(row) == {"id", "label", "decision", "why"} for row in rows)
    record = project.teller.record()
    drawn = record.draws[-1].rows
    assert not {*drawn} & {*record.decisions}
    before = len(project.teller.labels())

    for row in drawn[:5]:
        project.teller.tell({str(row): person.answer(row)[0]})
    code, text = said(capsys, check, f"--out={out}", project=project)
    assert code == 0
    assert "15 to label in" in text
    assert text.startswith("Of a check of 20, 5 being answered: ")
    first = out.read_text().splitlines()[1].split(",")[0]
    half = out.read_text().replace(f"\n{first},,", f"\n{first},low,")
    out.write_text(half)
    code, text = said(capsys, check, f"--out={out}", project=project)
    assert (code, "15 wait for a label" in text, out.read_text()) == (0, True, half)
    assert f"jax-al tell {out} --workdir={project.place}" in text
    code, text = said(capsys, check, "--size=9", f"--out={out}", project=project)
    assert (code, "a check of 20 already" in text) == (2, True)
    assert label_record(person, project.teller) == 15
    code, text = said(capsys, check, project=project)
    record = project.teller.record()
    found = accuracy(*of_check(record, read_models(project.place), last_check(record)))
    export = exported(found, before, SIZE - before)
    assert found.answered == 20
    assert text.startswith(f"{100 * export.right / SIZE:.1f}% (")
    assert f"{before + 20} are by people" in text

    (project.place / "models.jsonl").unlink()  # which may be lost
    assert said(capsys, check, project=project) == (0, text)

    code, text = said(capsys, check, "--size=3", "--fresh", f"--out={out}", project=project)
    assert (code, "has been filled in" in text, out.read_text()) == (2, True, half)
    out.unlink()
    code, text = said(capsys, check, "--size=3", "--fresh", f"--out={out}", project=project)
    assert code == 0
    assert text.startswith("3 to label in")


def test_a_check_is_called_off_and_what_is_answered_of_it_counts(labeled, capsys, tmp_path):
    project, person = labeled
    out = tmp_path / "check.csv"
    assert said(capsys, check, "--size=6", "--fresh", f"--out={out}", project=project)[0] == 0
    rows = project.teller.record().draws[-1].rows
    free = project.teller.record().num_taken - 6
    project.teller.tell({str(row): person.answer(row)[0] for row in rows[:2]})
    code, text = said(capsys, check, "--cancel", project=project)
    assert (code, text) == (
        0,
        "4 of the check are like all others again; 2 that are answered stay held out and count.",
    )
    record = project.teller.record()
    assert record.num_taken == free + 2
    assert not set(rows[2:]) & record.held_out.keys()
    code, text = said(capsys, check, f"--out={out}", project=project)
    assert code == 0
    assert f"{SIZE} classes of an export are right" in text
    assert " of 2 right" in text
    code, text = said(capsys, check, "--cancel", project=project)
    assert (code, "nothing to cancel" in text) == (2, True)


@pytest.mark.parametrize("size", ["0", "5points", "60%"])
def test_a_check_of_what_cannot_be_meant_is_refused(labeled, capsys, size):
    project, _ = labeled
    code, text = said(capsys, check, f"--size={size}", project=project)
    assert code == 2
    assert f"--size is {size.strip()}" in text.replace("'", "")
