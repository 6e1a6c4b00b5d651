"""Late and corrected answers are trained on; a directory goes on with its own learner only."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import jax_al as al

POOL = al.subset(al.benchmark("digits").pool, np.arange(12))
TRUTH = al.benchmark("digits").truth[:12]
CLASSES = tuple("0123456789")
LEARNERS = {
    "cnn": al.cnn(widths=(2, 2), embedding_size=4, epochs=2),
    "linear": al.linear(penalty=0.01),
    "host": al.host_learner(LogisticRegression()),
}


def opened(directory, learner, **changes):
    options = {"classes": CLASSES, "learner": learner, "strategy": "margin", "budget": 8}
    return al.Session(POOL, **options | changes, directory=directory)


def told(request, places):
    return {request.ids[place]: CLASSES[TRUTH[request.rows[place]]] for place in places}


@pytest.mark.parametrize("name", LEARNERS)
def test_late_and_corrected_answers_are_trained_on_and_all_is_there_again(tmp_path, name):
    learner = LEARNERS[name]
    with opened(tmp_path, learner) as session:
        request = session.ask()
        session.tell(told(request, range(5)))
        session.train()
        first = session.predict(POOL)
        session.tell(told(request, range(5, 8)))  # its request is closed already
        session.train()
        second = session.predict(POOL)
        assert (first != second).any()
        wrong = CLASSES[(TRUTH[request.rows[0]] + 1) % 10]
        session.tell({request.ids[0]: wrong}, relabel=True)
        session.train()
        third = session.predict(POOL)
        assert (second != third).any()
        session.train()  # nothing is new
        np.testing.assert_array_equal(session.predict(POOL), third)
    with opened(tmp_path, learner) as session:
        np.testing.assert_array_equal(session.predict(POOL), third)
        assert len(session.labels) == 8
        assert session.labels[request.ids[0]] == wrong
        rest = session.ask()
        assert len(rest.rows) == 4
        assert not set(rest.rows) & set(request.rows)


def test_two_sessions_may_tell_and_the_later_one_undoes_the_newest(tmp_path):
    with (
        opened(tmp_path, LEARNERS["linear"]) as page,
        opened(tmp_path, LEARNERS["linear"]) as script,
    ):
        request = page.ask()
        script.tell(told(request, [0]))
        page.tell(told(request, [1]))
        assert script.ask().rows == request.rows[2:]
        script.undo()
        assert page.ask().rows == request.rows[1:]


def test_another_learner_is_refused_and_another_budget_is_not(tmp_path):
    with opened(tmp_path, LEARNERS["linear"]) as session:
        session.ask()
    with pytest.raises(ValueError, match=r"begun with the learner linear\(.*penalty=0.01\), not"):
        opened(tmp_path, al.linear(penalty=1.0))
    with opened(tmp_path, LEARNERS["linear"], budget=3) as session:
        session.train()
        assert len(session.ask().rows) == 3


def test_a_closed_session_takes_nothing(tmp_path):
    session = opened(None, LEARNERS["linear"])
    request = session.ask()
    session.close()
    with pytest.raises(ValueError, match="closed"):
        session.tell(told(request, [0]))


def test_a_run_goes_on_with_its_own_learner_only(tmp_path):
    benchmark = al.benchmark("digits", pool_size=60, test_size=20)
    same = {"strategies": ["random"], "initial": 10, "budget": 5, "directory": tmp_path}
    learner = LEARNERS["host"]
    whole = al.run(benchmark, learner=learner, episodes=3, **same | {"directory": None})
    al.run(benchmark, learner=learner, episodes=2, **same)
    rows = al.run(benchmark, learner=learner, episodes=3, **same)
    assert [row["test_accuracy"] for row in rows] == [row["test_accuracy"] for row in whole]
    with pytest.raises(ValueError, match=r"model .*LogisticRegression\(C=3\)"):
        al.run(benchmark, learner=al.host_learner(LogisticRegression(C=3)), episodes=3, **same)
