"""A session with people: partial, late and corrected answers, and what is refused."""

import os
import re
import signal
import subprocess
import sys
import unicodedata

import numpy as np
import pytest

import jax_al as al
from jax_al.drivers import session_study
from jax_al.session.journal import Journal
from jax_al.session.locks import computing
from tests.made_up_benchmarks import nearest_mean_on_host
from tests.runs import ROOT

CLASSES = ("cat", "dog")


def points(count=40, seed=0):
    """Returns a pool of two clouds, even rows in one and odd rows in the other."""
    x = np.random.default_rng(seed).normal(size=(count, 4)) + 4 * (np.arange(count) % 2)[:, None]
    return al.arrays(x.astype(np.float32), ids=[f"p{row}" for row in range(count)])


def opened(directory=None, **changes):
    given = {
        "classes": CLASSES,
        "learner": nearest_mean_on_host,
        "strategy": "random",
        "budget": 4,
        "directory": directory,
    }
    return al.Session(changes.pop("pool", points()), **{**given, **changes})


class Own:
    """A pool of somebody's own, which promises four numbers a row and reads `sides` of them."""

    ids = points().ids
    spec = points().spec

    def __init__(self, sides=4, spec=spec):
        self.sides, self.spec = sides, spec

    def __len__(self):
        return 40

    def read(self, rows):
        return points().read(rows)[:, : self.sides]


class Doubled(type(points())):
    """A pool of somebody who did not look at its ids."""

    ids = ("p1",) * 40


DOUBLED = points()
DOUBLED.__class__ = Doubled


def true(names):
    return {name: CLASSES[int(name[1:]) % 2] for name in names}


@pytest.fixture(params=["memory", "directory"])
def place(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "session"


@pytest.mark.parametrize("learner", [al.linear(), nearest_mean_on_host])
def test_people_label_it_trains_and_predicts(place, learner):
    with opened(place, learner=learner, strategy="margin") as session:
        for _ in range(3):
            request = session.ask()
            assert len(request.rows) == len(request.ids) == 4
            session.tell(true(request.ids))
        assert len(session.labels) == 12
        assert session.labels == true(session.labels)
        session.train()
        probs = session.predict(points(20, seed=1))
    assert probs.shape == (20, 2)
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    assert (probs.argmax(axis=1) == np.arange(20) % 2).mean() > 0.9


def test_a_partial_answer_leaves_the_rest_open_and_train_closes(place):
    with opened(place) as session:
        first = session.ask()
        session.tell(true(first.ids[:1]))
        assert session.ask().ids == first.ids[1:]
        session.train()
        second = session.ask()
        assert second.id == first.id + 1
        session.tell(true(first.ids[1:2]))  # comes late, and joins at the next close
        session.tell(true(second.ids))
        session.train()
        assert set(session.labels) == {*first.ids[:2], *second.ids}


def test_what_is_no_class_is_never_asked_again(place):
    with opened(place, pool=points(8)) as session:
        request = session.ask()
        session.tell(dict(zip(request.ids, [al.SKIP, al.UNSURE, al.BROKEN, "cat"], strict=True)))
        rest = session.ask()
        assert not set(rest.ids) & set(request.ids)
        assert list(session.labels) == [request.ids[3]]
        session.tell(true(rest.ids))
        assert session.ask() is None


def test_an_answer_can_be_corrected_and_taken_back(place):
    with opened(place) as session:
        one, two, *_ = session.ask().ids
        session.tell({one: "cat", two: "dog"})
        with pytest.raises(ValueError, match="relabel=True"):
            session.tell({one: "dog"})
        session.tell({one: "dog"}, relabel=True)
        assert session.labels == {one: "dog", two: "dog"}
        session.undo()
        assert session.labels == {one: "cat", two: "dog"}
        session.undo()
        assert session.labels == {}
        with pytest.raises(ValueError, match="no answer to take back"):
            session.undo()
        assert {one, two} <= set(session.ask().ids)


def test_a_correction_of_what_was_trained_on_changes_what_is_trained_next(place):
    with opened(place) as session:
        request = session.ask()
        session.tell(true(request.ids))
        session.train()
        swapped = {name: CLASSES[1 - CLASSES.index(said)] for name, said in session.labels.items()}
        before = session.predict(points())
        session.tell(swapped, relabel=True)
        session.tell(dict.fromkeys(session.ask().ids, al.SKIP))
        session.train()
        after = session.predict(points())
    np.testing.assert_allclose(before, after[:, ::-1], rtol=1e-5)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"p99": "cat"}, "no example 'p99'"),
        ({"ID": "cta"}, "no class 'cta': did you mean 'cat'"),
        ({"ID": 0}, "must be the name of a class, or SKIP"),
        ({"ID": float(al.SKIP)}, "must be the name of a class, or SKIP"),
        ({"ID": np.array([al.SKIP, al.UNSURE])}, "must be the name of a class, or SKIP"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_none_of_it_taken(place, answers, sentence):
    with opened(place) as session:
        one, two, *_ = session.ask().ids
        asked = {two if name == "ID" else name: said for name, said in answers.items()}
        with pytest.raises(ValueError, match=sentence):
            session.tell({one: "cat"} | asked)
        assert session.labels == {}


def test_names_that_no_file_could_keep_are_refused(place):
    """A class called 3 was exported into a model that could not be loaded."""
    with opened(place) as session:
        for change in (session.add_class, lambda name: session.rename_class("cat", name)):
            with pytest.raises(ValueError, match="cannot be named 3: a name is a text"):
                change(3)
            with pytest.raises(ValueError, match="a name is a text"):
                change("\ud800")
        with pytest.raises(ValueError, match="who is 3, but must be a text"):
            session.tell({session.ask().ids[0]: "cat"}, who=3)
        assert session.labels == {}


def test_a_seed_and_a_budget_of_numpy_do(place):
    with opened(place, seed=np.int64(2), budget=np.int32(3)) as one, opened(seed=2) as other:
        assert one.ask().rows == other.ask().rows[:3]


@pytest.mark.parametrize(("where", "words"), [("", "must name one"), (__file__, "is a file")])
def test_what_is_no_directory_is_told(where, words):
    with pytest.raises(ValueError, match=words):
        opened(where)


def test_what_is_told_is_on_record_wherever_one_has_gone_meanwhile(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with opened("session") as session:
        answers = true(session.ask().ids)
        monkeypatch.chdir("elsewhere")
        session.tell(answers)
        session.train()
    with opened(tmp_path / "session") as again:
        assert again.labels == answers
    assert not list((tmp_path / "elsewhere").iterdir())


def test_an_older_record_that_does_not_tell_of_what_shape_examples_are_goes_on(tmp_path):
    with opened(tmp_path) as session:
        request = session.ask()
    journal = tmp_path / "journal.jsonl"
    older = re.sub(r', "examples": "[^"]*"', "", journal.read_text())
    assert older != journal.read_text()
    journal.write_text(older)
    with opened(tmp_path) as session:
        assert session.ask() == request
    assert "pool_changed" not in journal.read_text()
    with opened(tmp_path, pool=points(50)) as session:
        assert session.record.data["size"] == 50


def test_a_row_that_was_not_asked_is_refused(place):
    with opened(place) as session:
        asked = set(session.ask().ids)
        other = next(name for name in points().ids if name not in asked)
        with pytest.raises(ValueError, match=f"'{other}' was never asked"):
            session.tell({other: "cat"})


def test_nothing_to_predict_with_and_examples_of_another_shape(place):
    with opened(place) as session:
        with pytest.raises(ValueError, match="Nothing is trained yet"):
            session.predict(points())
        session.tell(true(session.ask().ids))
        session.train()
        with pytest.raises(ValueError, match="The examples are"):
            session.predict(al.arrays(np.zeros((3, 5), np.float32)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"classes": ("cat", "cow")}, "begun with the classes cat, dog, not cat, cow"),
        (
            {"pool": points(39)},
            "the data set has changed .* restore it, or name another directory[.]",
        ),
        ({"pool": al.arrays(np.zeros((40, 4), np.float32))}, "data do not"),
        ({"pool": al.arrays(np.zeros((40, 3)), ids=points().ids)}, "the data set has changed"),
        ({"pool": al.arrays(np.zeros((50, 3)), ids=points(50).ids)}, "the data set has changed"),
        ({"seed": 1}, "is of random, seed 0, and not of random, seed 1"),
    ],
)
def test_a_directory_that_was_begun_otherwise_is_refused_and_let_go(tmp_path, changes, sentence):
    with opened(tmp_path) as session:
        request = session.ask()
    with pytest.raises(ValueError, match=sentence):
        opened(tmp_path, **changes)
    with opened(tmp_path) as session:
        assert session.ask() == request


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"classes": ("cat", "cat")}, "must be different names"),
        ({"classes": "cat"}, "must be different names"),
        ({"classes": ("cat", "\ud800")}, "must be different names"),
        ({"classes": np.unique(CLASSES)}, "a list of names, not a NumPy array"),
        ({"budget": 0}, "budget is 0"),
        ({"budget": 5.5}, "budget is 5.5, but must be a whole number"),
        ({"budget": True}, "budget is True, but must be a whole number"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, r"seed and all that follow it must be below 2\*\*32"),
        ({"seed": None}, "seed is None, but must be a whole number"),
        ({"strategy": None}, "strategy must be a name or a Strategy"),
        ({"learner": al.linear}, r"which linear is not .*: al.linear\(\) is one"),
        ({"learner": lambda spec, num_classes: al.linear()}, "and this one returned a function"),
        ({"pool": Own(sides=3)}, r"as its spec says, \(1, 4\) of one row, and not .* \(1, 3\)"),
        ({"pool": Own(spec=al.Spec((4,), np.float32))}, "with a dtype of NumPy"),
        ({"pool": DOUBLED}, "40 examples and 1 different ids"),
        ({"strategy": "margn"}, "did you mean 'margin'"),
        ({"strategy": "bald"}, "one opinion only"),
        ({"learner": al.cnn()}, "image"),
        ({"learner": al.ensemble(al.linear(penalty=1.0), by="key")}, "no key decides anything"),
        ({"learner": al.propagate(al.linear(), max_points=30)}, "of at most 30 examples"),
    ],
)
def test_what_cannot_be_begun_is_refused_and_leaves_nothing(tmp_path, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        opened(tmp_path / "session", **changes)
    assert not (tmp_path / "session").exists()


def test_a_strategy_that_wants_the_truth_is_refused(tmp_path):
    wanting = al.strategy(lambda *given: None, needs={"true_labels"})
    with pytest.raises(ValueError, match="works in a simulation only"):
        opened(tmp_path / "session", strategy=wanting)
    assert not (tmp_path / "session").exists()


def test_a_strategy_of_ours_is_one_by_name_and_as_an_object(tmp_path):
    with opened(tmp_path, strategy=al.make_strategy("margin")) as session:
        session.ask()
    for same in ("margin", al.make_strategy("margin")):
        with opened(tmp_path, strategy=same) as session:
            assert session.record.strategy == "margin"
    for other in ("entropy", al.make_strategy("entropy")):
        with pytest.raises(ValueError, match="is of margin, seed 0, and not of entropy"):
            opened(tmp_path, strategy=other)


def test_what_began_by_the_name_of_a_function_goes_on_so(tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(session_study, "strategy_and_name", lambda made, place: ("select", made))
        with opened(tmp_path, strategy=al.make_strategy("margin")) as session:
            session.ask()
    with opened(tmp_path, strategy=al.make_strategy("margin")) as session:
        assert session.record.strategy == "select"


def test_two_spellings_of_a_class_are_no_two_classes():
    both = [unicodedata.normalize(form, "Café") for form in ("NFC", "NFD")]
    with pytest.raises(ValueError, match="classes must be different names"):
        opened(classes=both)


def test_a_link_to_nothing_is_no_directory(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(ValueError, match="which is a link to nothing: name another"):
        opened(tmp_path / "link")


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda s: s.merge_class(None, "cat"), "There is no class None"),
        (lambda s: s.rename_class(3, "cow"), "There is no class 3"),
        (lambda s: s.export(None), "path is None, but must be a path"),
        (lambda s: s.export("a\0b"), "but must be a path"),
        (lambda s: al.load_predictor(None), "path is None, but must be a path"),
        (lambda s: al.load_predictor("~nobodyhere/x"), "no home directory for ~nobodyhere/x"),
        (lambda s: opened("~nobodyhere/x"), "no home directory for ~nobodyhere/x"),
    ],
)
def test_what_is_no_class_and_no_path_is_a_sentence(act, sentence):
    with opened() as session:
        session.tell(true(session.ask().ids))
        session.train()
        with pytest.raises(ValueError, match=sentence):
            act(session)


def test_two_may_tell_and_one_computes(tmp_path):
    with opened(tmp_path) as one, opened(tmp_path) as other:
        first, second, *rest = one.ask().ids
        other.tell(true([first]))
        assert one.ask().ids == (second, *rest)
        one.tell(true([second, *rest]))
        assert other.labels == true([first, second, *rest])
        with computing(tmp_path), pytest.raises(ValueError, match=r"or name another directory\."):
            other.train()
        other.train()
        np.testing.assert_array_equal(one.predict(points()), other.predict(points()))


@pytest.mark.parametrize("is_trained", [False, True])
@pytest.mark.parametrize("do", [al.Session.ask, al.Session.train])
def test_what_another_has_computed_between_plan_and_lock_is_taken(
    tmp_path, monkeypatch, do, is_trained
):
    with opened(tmp_path) as one, opened(tmp_path) as other:
        one.tell(true(one.ask().ids))
        if is_trained:
            one.train()
            one.tell(true(one.draw(1, "random")) if do is al.Session.train else {})
        alone, done = one._alone, []

        def later():
            monkeypatch.undo()
            done.append((do(other), other.record))
            return alone()

        monkeypatch.setattr(one, "_alone", later)
        said = do(one)
        assert [(said, one.record)] == done


def test_classes_that_another_merges_meanwhile_are_trained_anew(tmp_path, monkeypatch):
    classes = (*CLASSES, "cow")
    with opened(tmp_path, classes=classes) as one, opened(tmp_path, classes=classes) as other:
        one.tell(true(one.ask().ids))
        one.train()
        assert one.predict(points()).shape == (40, 3)
        plan = one._plan

        def merged_first():
            monkeypatch.undo()
            other.merge_class("cat", "cow")
            return plan()

        monkeypatch.setattr(one, "_plan", merged_first)
        probs = one.predict(points())
        assert one.classes == ("dog", "cow")
        np.testing.assert_array_equal(probs.argmax(axis=1), 1 - np.arange(40) % 2)


KILLED = """
import os, pathlib, signal, sys
from tests import test_session_api as made

session = made.opened(pathlib.Path(sys.argv[1]))
for turn in range(2):
    request = session.ask()
    told = made.true(request.ids) if turn == 0 else made.true(request.ids[:2])
    session.tell(told)
    print(*told, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_told_survives_kill_9_and_the_session_goes_on(tmp_path):
    died = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed")],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    predictions = []
    for place in (tmp_path / "killed", None):
        with opened(place) as session:
            if place is None:
                session.tell(true(session.ask().ids))
                session.tell(true(session.ask().ids[:2]))
            else:
                assert set(session.labels) == set(died.stdout.split())
            session.tell(true(session.ask().ids))
            session.train()
            predictions.append((session.labels, session.predict(points()).tobytes()))
    assert predictions[0] == predictions[1]


def test_a_damaged_network_is_trained_again(tmp_path):
    told = []
    with opened(tmp_path) as session:
        session.tell(true(session.ask().ids))
        session.train()
        before = session.predict(points())
    for path in (tmp_path / "checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with opened(tmp_path, tell=told.append) as session:
        np.testing.assert_array_equal(session.predict(points()), before)
    assert any("training that learner again" in event.get("text", "") for event in told)


def test_who_answered_is_on_record(tmp_path):
    with opened(tmp_path) as session:
        session.tell(true(session.ask().ids[:2]), who="ana")
    said = [event for event in Journal(tmp_path).events() if event["event"] == "answered"]
    assert [event["who"] for event in said] == ["ana"]


class Empty(Own):
    ids = ()

    def __len__(self):
        return 0


def test_a_pool_without_examples_has_no_probabilities():
    session = opened()
    session.tell({id: CLASSES[int(id[1:]) % 2] for id in session.ask().ids})
    session.train()
    assert session.predict(Empty()).shape == (0, 2)


def test_a_pool_with_an_id_that_no_file_can_hold_is_refused():
    class Undecoded(Own):
        ids = tuple(f"\udce9{row}" for row in range(60))

    with pytest.raises(ValueError, match=r"id '\\udce90' is not UTF-8"):
        opened(pool=Undecoded())


def test_a_pool_that_reads_another_type_than_it_says_is_refused():
    class Doubles(Own):
        def read(self, rows):
            return points().read(rows).astype(np.float64)

    with pytest.raises(ValueError, match=r"must read arrays of float32, .* reads float64: end its"):
        opened(pool=Doubles())


def believing():
    """Returns a session whose strategy has just asked for the fourth time."""
    session = opened(
        learner=al.linear(penalty=0.01), strategy=al.make_strategy("ceal"), pool=points(80)
    )
    for _ in range(3):
        session.tell({id: CLASSES[int(id[1:]) % 2] for id in session.ask().ids})
    session.ask()
    return session


def test_what_an_audit_holds_out_is_not_trained_on_by_its_pseudo_label(monkeypatch):
    session = believing()
    (believed,) = session._driver._believed._held.values()
    drawn = session.draw(40, "audit")
    held = {int(id[1:]) for id in drawn}
    assert held & set(np.flatnonzero(believed >= 0).tolist())
    taught = []
    fit = session._engine.fit

    def spy(key, state, rows, *given):
        taught.extend(rows)
        return fit(key, state, rows, *given)

    monkeypatch.setattr(session._engine, "fit", spy)
    session.train()
    assert len(taught) > 12  # pseudo-labels among them
    assert not held & set(taught)


def test_what_is_believed_in_memory_survives_another_name_of_a_class():
    session = believing()
    session.rename_class("dog", "hound")
    session.train()
    assert (session.predict(session.pool).argmax(axis=1) == np.arange(80) % 2).mean() > 0.9
