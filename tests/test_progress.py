import pytest
from made_up_journals import CLASSES, N, begun, selected, told

from jax_al.errors import UsageError
from jax_al.session.journal import Journal
from jax_al.session.progress import Progress
from jax_al.session.work import (
    Answered,
    Ask,
    Asked,
    ClassAdded,
    ClassMerged,
    ClassRenamed,
    Closed,
    Course,
    Select,
    Train,
    Trained,
    Undone,
    Wait,
)
from jax_al.types import BROKEN, SKIP, Answer

COURSE = Course(num_points=N, initial_size=2, budget=3, max_episodes=3)


def started(directory=None, **course):
    journal = Journal(directory)
    if not journal.events():
        journal.append(begun())
    return Progress(journal, COURSE._replace(**course))


def next_rows(progress, work):
    return [row for row in range(N) if row not in progress.record.decisions][: work.count]


def step(progress):
    """Does what is planned, as a driver does; returns it."""
    match work := progress.plan():
        case Select():
            progress.commit(selected(work, next_rows(progress, work)))
        case Train():
            progress.commit(Trained(work.episode, work.as_of, {"loss": 0.5}, f"d{work.episode}"))
        case Ask():
            progress.commit(Asked(work.request))
        case Wait():
            progress.commit(told(work.rows))
    return work


def finish(progress):
    """Does all that is planned; returns it in words."""
    done = []
    while (work := step(progress)) is not None:
        done.append(f"{type(work).__name__} {getattr(work, 'episode', work[0])}")
    return done


def until(progress, kind):
    """Goes on until work of that kind is planned; returns it."""
    while not isinstance(work := progress.plan(), kind):
        step(progress)
    return work


EPISODE = ["Train {}", "Select {}", "Ask {}", "Wait {}"]


def test_the_order_of_work():
    first = ["Select 0", "Ask 0", "Wait 0"]
    episodes = [line.format(e) for e in (1, 2) for line in EPISODE]
    assert finish(started()) == [*first, *episodes, "Train 3"]


def test_without_initial_labels_the_first_network_is_trained_on_nothing():
    done = finish(started(initial_size=0, max_episodes=2))
    assert done == ["Train 1", "Select 1", "Ask 0", "Wait 0", "Train 2"]


def test_the_last_purchase_is_what_is_left_and_is_trained_on():
    progress = started(num_points=6, max_episodes=None)
    assert finish(progress)[-4:] == ["Select 2", "Ask 2", "Wait 2", "Train 3"]
    assert [len(request.rows) for request in progress.record.requests] == [2, 3, 1]
    assert [row["num_bought"] for row in progress.rows()] == [3, 1, 0]


def test_what_is_skipped_counts_and_is_not_left():
    progress = started(num_points=6, max_episodes=None)
    until(progress, Wait)
    progress.commit(told([0, 1], SKIP))
    until(progress, Wait)
    progress.commit(told([2, 3, 4], SKIP))
    assert until(progress, Select) == Select(2, 2, 1)
    finish(progress)
    assert (progress.record.order, progress.record.num_initial) == ((5,), 0)
    assert [row["num_labeled"] for row in progress.rows()] == [0, 0, 1]


def test_what_is_planned_is_the_same_until_it_is_done_and_after_a_start(tmp_path):
    progress = started(tmp_path)
    while (work := progress.plan()) is not None:
        again = started(tmp_path).plan()
        if isinstance(work, Wait):  # a new process hands over again what the oracle may not have
            assert again == Ask(*work)
        else:
            assert again == work
        assert progress.plan() == work
        step(progress)
    assert started(tmp_path).plan() is None


@pytest.mark.parametrize("longer", [4, 5, None])
def test_a_run_that_shall_be_longer_goes_on_with_what_was_the_last_episode(tmp_path, longer):
    finish(progress := started(tmp_path, max_episodes=2))
    assert [row["num_bought"] for row in progress.rows()] == [3, 0]
    progress = started(tmp_path, max_episodes=longer, num_points=12)
    assert finish(progress)[:2] == ["Select 2", "Ask 2"]
    whole = started(max_episodes=longer, num_points=12)
    finish(whole)
    assert progress.rows() == whole.rows()
    assert progress.picks() == whole.picks()


def test_fewer_episodes_than_are_on_record_are_refused(tmp_path):
    finish(started(tmp_path))
    with pytest.raises(UsageError, match="3 episodes of a seed, more than max_episodes=2"):
        started(tmp_path, max_episodes=2)
    until(started(tmp_path, max_episodes=None), Wait)
    with pytest.raises(UsageError, match="4 episodes of a seed, more than max_episodes=3"):
        started(tmp_path)


def test_a_damaged_network_is_trained_again_as_of_the_same_event():
    progress = started()
    finish(progress)
    before, rows = progress.record, progress.rows()
    progress.retrain(1)
    progress.retrain(2)
    assert progress.plan() is None  # nobody needs them
    progress.retrain(3)
    assert progress.plan() == Train(3, before.trained[3].as_of)
    progress.retrain(1)
    assert progress.plan().episode == 3  # nobody needs it yet
    progress.retrain(2)  # a warm start does
    progress.retrain(1)
    assert finish(progress) == ["Train 1", "Train 2", "Train 3"]
    assert progress.record.trained == before.trained
    assert progress.rows() == rows
    with pytest.raises(UsageError, match="Episode 4 is not trained"):
        progress.retrain(4)


def test_a_damaged_network_comes_before_the_query_that_needs_it():
    progress = started()
    until(progress, Train)
    step(progress)
    as_of = progress.record.trained[1].as_of
    progress.retrain(1)
    assert progress.plan() == Train(1, as_of)
    step(progress)
    assert isinstance(progress.plan(), Select)


def test_a_request_closes_early_and_the_rest_may_come_later():
    progress = started()
    until(progress, Wait)
    progress.commit(told([1]))
    progress.commit(Closed(0))
    assert progress.record.order == (1,)
    assert isinstance(progress.plan(), Train)
    progress.commit(told([0]))
    until(progress, Wait)
    finish(progress)
    assert progress.record.order[:5] == (1, 2, 3, 4, 0)


def test_a_network_whose_labels_are_corrected_while_it_is_trained_can_be_trained_afresh():
    progress = started(max_episodes=1)
    work = until(progress, Train)
    assert progress.refresh() is None  # there is none yet
    progress.commit(Answered([Answer(0, 2)], relabel=True))
    progress.commit(Trained(work.episode, work.as_of, {}, "before"))
    assert progress.plan() is None
    afresh = progress.refresh()
    assert afresh == Train(1, progress.record.num_events - 1)
    progress.commit(Trained(*afresh, {}, "after"))
    assert progress.record.trained[1].digest == "after"
    assert progress.refresh() is None
    with pytest.raises(UsageError, match="not wanted"):
        progress.commit(Trained(1, progress.record.num_events - 1, {}, "once more"))


def test_only_what_is_undecided_is_handed_over_again(tmp_path):
    progress = started(tmp_path)
    until(progress, Wait)
    progress.commit(told([1]))
    assert progress.plan() == Wait(0, (0,))
    assert started(tmp_path).plan() == Ask(0, (0,))


def test_a_kill_between_the_last_answer_and_the_close_is_made_good(tmp_path):
    progress = started(tmp_path)
    until(progress, Wait)
    progress.commit(told([0, 1]))
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert isinstance(started(tmp_path).plan(), Train)


def test_answers_that_come_while_rows_are_chosen_do_not_spoil_the_choice(tmp_path):
    progress = started(tmp_path)
    until(progress, Wait)
    progress.commit(told([1]))
    progress.commit(Closed(0))
    work = until(progress, Select)
    started(tmp_path).commit(told([0]))  # which the driver has chosen again
    progress.commit(selected(work, [0, 2, 3]))
    assert until(progress, Wait) == Wait(1, (2, 3))
    step(progress)
    assert progress.record.order == (1, 0, 2, 3)


def test_one_call_is_one_event_for_each_who_and_when_and_none_for_what_is_known():
    progress = started(initial_size=4)
    until(progress, Wait)
    three = Answered(
        [Answer(0, 1, "eve", 1.0), Answer(2, 1, "bob", 1.0), Answer(1, SKIP, "eve", 1.0)]
    )
    progress.commit(three)
    assert len(progress.record.answered) == 2
    progress.commit(three)
    progress.commit(Answered([Answer(0, 1, "someone else", 9.0)]))
    assert len(progress.record.answered) == 2
    assert progress.record.decisions[0].who == "eve"


def test_classes_may_change_in_between():
    progress = started()
    until(progress, Wait)
    progress.commit(told([0], 1))
    progress.commit(ClassAdded("dog"))
    progress.commit(ClassRenamed(3, "hound"))
    progress.commit(ClassMerged(1, 3))
    record = progress.record
    assert record.classes == {0: "ant", 2: "cat", 3: "hound"}
    assert (record.order, record.labels, record.open) == ((0,), (3,), None)
    progress.commit(told([0], 3))  # it is that already
    for change, sentence in [
        (ClassAdded("cat"), "cannot be named"),
        (ClassAdded(""), "cannot be named"),
        (ClassRenamed(1, "dog"), "no class 1"),
        (ClassMerged(2, 2), "into itself"),
        (ClassMerged(2, 1), "no class 1"),
    ]:
        with pytest.raises(UsageError, match=sentence):
            progress.commit(change)


def wrong_selections():
    work, good = Select(1, 1, 3), [2, 3, 4]
    yield selected(work, [2, 3, 3]), "Row 3 was selected twice"
    yield selected(work, [2, 3]), "2 rows were selected where 3"
    yield selected(work, [2, 3, 4, 5]), "4 rows were selected where 3"
    yield selected(work, [2, 3, 0]), "Row 0 is labeled or excluded"
    yield selected(work, [2, 3, 1]), "Row 1 is labeled or excluded"
    yield selected(work, [2, 3, N]), f"Row {N} is not in the pool"
    yield selected(work, [2, 3, -1]), "Row -1 is not in the pool"
    yield selected(work._replace(request=2), good), "not in turn"
    yield selected(work._replace(request=0), good), "not in turn"
    yield selected(work._replace(episode=2), good), "not in turn"
    yield selected(work, good)._replace(ids=["a"]), "1 ids for 3 rows"
    yield selected(work, good)._replace(scores=[1.0]), "1 scores for 3 rows"


def wrong_results():
    yield Trained(2, 0, {}, "d"), "not wanted"
    yield Trained(1, 1, {}, "d"), "not wanted"
    yield Trained(1, 99, {}, "d"), "not wanted"
    yield told([5]), "Row 5 was never asked"
    yield told([0], len(CLASSES)), "none of the 3 classes"
    yield told([0], -1), "none of the 3 classes"
    yield told([0], 2), "'0.png' was answered 'ant' before, and now 'cat'"
    yield told([0], BROKEN), "'0.png' was answered 'ant' before, and now BROKEN"
    yield told([1], 2), "'1.png' was answered SKIP before"
    yield Answered([Answer(0, 0), Answer(0, 1)], relabel=True), "two answers at once"
    yield Undone(0), "Event 0 holds no answers"
    yield Undone(99), "Event 99 holds no answers"
    yield Closed(0), "Request 0 is not open"
    yield Closed(1), "Request 1 is not open"


@pytest.mark.parametrize(("result", "sentence"), [*wrong_selections(), *wrong_results()])
def test_what_does_not_fit_is_refused_and_leaves_nothing(tmp_path, result, sentence):
    progress = started(tmp_path)
    until(progress, Wait)
    progress.commit(told([0]))
    progress.commit(told([1], SKIP))
    until(progress, Select)
    before = (tmp_path / "journal.jsonl").read_bytes()
    with pytest.raises(UsageError, match=sentence):
        progress.commit(result)
    assert (tmp_path / "journal.jsonl").read_bytes() == before
    assert isinstance(progress.plan(), Select)


def test_an_answer_is_undone_once_only():
    progress = started()
    until(progress, Wait)
    progress.commit(told([0]))
    number = progress.record.answered[-1]
    progress.commit(Undone(number))
    assert progress.plan() == Wait(0, (0, 1))
    with pytest.raises(UsageError, match="no answers that stand"):
        progress.commit(Undone(number))
