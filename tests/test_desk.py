"""The desk, on a real folder, a real session and a trainer in its thread."""

import threading
import time

import numpy as np
import pytest

from jax_al.errors import UsageError
from jax_al.people.desk import HELD, ConflictError, Desk
from jax_al.people.project import begin_project, open_project
from jax_al.people.settings import Settings
from jax_al.session.fold import fold
from jax_al.session.journal import Journal
from tests.made_up_pictures import encoded

CLASSES = ("dark", "light")
SIZE = 40


@pytest.fixture
def photos(tmp_path):
    """Returns a folder of pictures, the even ones dark and the odd ones light."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(SIZE):
        picture = rng.integers(0, 80, (30, 40, 3), np.uint8) + np.uint8(150 * (k % 2))
        (folder / f"{k:02}.png").write_bytes(encoded(picture, "PNG"))
    return folder


@pytest.fixture
def begun(photos, tmp_path):
    settings = Settings(
        str(photos),
        CLASSES,
        size=16,
        features="pixels_pca",
        features_args={"pca": 4},
        learner="linear",
        learner_args={"penalty": 0.1},
        strategy="random",
        budget=5,
        audit=5,
        who="eve",
        suggest=True,
        cache_dir=str(tmp_path / "cache"),
    )
    return begin_project(settings, tmp_path / "work")


@pytest.fixture
def desk(begun):
    with_desk = Desk(begun, begun.session())
    yield with_desk
    with_desk.close()


def true(item):
    return CLASSES[int(item.id[:2]) % 2]


def until(condition, seconds=60):
    """Waits for what the trainer does in its thread."""
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("It did not happen.")


def label(desk, count, client="tab"):
    told = []
    for k in range(count):
        item = desk.next(client, 1, ())[0]
        desk.answer(item.row, true(item), client, f"{client}{time.monotonic_ns()}{k}", 1.0)
        told.append(item)
    return told


def record_of(project):
    return fold(Journal(project.place).events())


def test_labels_train_while_the_audit_is_held_out(desk, begun):
    until(lambda: desk.status()["left"])
    told = label(desk, 30)
    assert len({item.row for item in told}) == 30
    until(lambda: desk.status()["accuracy"] is not None and not desk.status()["training"])
    record = record_of(begun)
    audit = {item.row for item in told if item.why == "audit"}
    assert len(audit) == 5
    assert not audit & set(record.order)
    assert audit == record.held_out.keys()
    status = desk.status()
    assert status["accuracy"]["right"] >= 0.8
    assert status["accuracy"]["answered"] == 5
    assert (status["labels"], status["errors"]) == (30, [])
    assert sum(one["count"] for one in desk.classes()) == 30
    assert all(d.who == "eve" and d.item and d.seconds == 1.0 for d in record.decisions.values())


def test_one_in_five_is_of_the_audit(desk):
    until(lambda: desk.status()["left"])
    assert "audit" not in [item.why for item in desk.next("tab", 4, ())]
    label(desk, 4)
    whys = [item.why for item in label(desk, 2)]
    assert "audit" in whys


def test_two_clients_are_not_handed_the_same(desk):
    until(lambda: desk.status()["left"])
    one, other = desk.next("a", 3, ()), desk.next("b", 3, ())
    assert not {item.row for item in one} & {item.row for item in other}
    assert desk.next("a", 3, ()) == one
    assert not {item.row for item in one} & {i.row for i in desk.next("a", 9, [i.row for i in one])}


def test_an_answer_counts_once_and_a_conflict_is_told(desk):
    item = desk.next("a", 1, ())[0]
    for _ in range(2):
        desk.answer(item.row, "dark", "a", "1", 2.0)
    with pytest.raises(ConflictError, match="is 'dark' already"):
        desk.answer(item.row, "light", "b", "1", None)
    desk.answer(item.row, "light", "b", "2", None, relabel=True)
    assert desk.past("a", 1)[0].answer == "light"
    assert desk.undo("b", "3").answer == "dark"
    assert desk.undo("b", "3") is None  # sent twice
    assert desk.undo("b", "4").answer is None  # of another client, where it has none itself
    assert desk.undo("b", "5") is None


def test_what_was_sent_again_after_an_undo_stays_undone(desk):
    item = desk.next("a", 1, ())[0]
    desk.answer(item.row, "dark", "a", "1", None)
    desk.undo("a", "2")
    desk.answer(item.row, "dark", "a", "1", None)
    assert desk.past("a", 5) == []


def test_what_was_sent_again_after_its_class_was_renamed_is_there(desk):
    item = desk.next("a", 1, ())[0]
    desk.answer(item.row, "dark", "a", "1", None)
    desk.rename_class("dark", "dim")
    desk.answer(item.row, "dark", "a", "1", None)
    assert desk.past("a", 5)[0].answer == "dim"


def test_undo_takes_back_what_was_meant_and_nothing_else(desk):
    first, second = desk.next("a", 2, ())
    desk.answer(first.row, "dark", "b", "1", None)
    desk.answer(second.row, "dark", "a", "1", None)
    desk.answer(second.row, "dark", "b", "2", None)  # as it stands: that of the other one
    assert desk.undo("b", "3", of="2") is None
    assert desk.undo("b", "4", of="0") is None  # never told
    assert {item.row for item in desk.past("b", 5)} == {first.row, second.row}
    for _ in range(2):
        desk.undo("b", "5", of="1")
    assert [item.row for item in desk.past("b", 5)] == [second.row]


def test_undo_takes_back_no_file_that_somebody_told(desk, begun):
    item = desk.next("a", 1, ())[0]
    desk.answer(item.row, "dark", "a", "1", None)
    rows = [row for row in range(SIZE) if row not in record_of(begun).asked][:6]
    names = begun.names(rows)
    begun.teller.draw(rows, names, "given")
    begun.teller.tell(dict.fromkeys(names, "light"), who="anna")
    with pytest.raises(UsageError, match="6 answers came last by jax-al tell"):
        desk.undo("fresh", "1")
    assert len(begun.teller.labels()) == 7
    assert desk.undo("a", "2").row == item.row
    assert begun.teller.labels() == dict.fromkeys(names, "light")


def test_who_waits_for_what_others_have_writes_nothing(desk, begun):
    until(lambda: desk.status()["left"])
    everything = [item.row for item in desk.next("a", SIZE, ())]
    while fresh := desk.next("a", SIZE, everything):
        everything += [item.row for item in fresh]
    assert len(everything) == SIZE
    before = record_of(begun).num_events
    assert desk.next("a", 6, everything) == []
    assert desk.next("b", 6, ()) != []  # nothing else is left
    assert record_of(begun).num_events == before


def test_what_a_client_still_has_stays_its_own(desk, monkeypatch):
    until(lambda: desk.status()["left"])
    now = [time.monotonic()]
    monkeypatch.setattr("jax_al.people.desk.time.monotonic", lambda: now[0])
    one = [item.row for item in desk.next("a", 2, ())]
    for _ in range(3):  # who is slow, asks on
        now[0] += HELD * 0.7
        desk.next("a", 1, one)
    assert not {item.row for item in desk.next("b", 3, ())} & set(one)
    now[0] += HELD * 1.1
    assert {item.row for item in desk.next("b", 3, ())} >= set(one)


def test_what_is_refused_leaves_nothing_on_record(desk, begun):
    until(lambda: desk.status()["left"])
    record = record_of(begun)
    row = next(row for row in range(SIZE) if row not in record.asked)
    with pytest.raises(UsageError, match="no class"):
        desk.answer(row, "drak", "a", "1", None)
    with pytest.raises(UsageError, match="token"):
        desk.answer(row, "dark", "a", "", None)
    assert record_of(begun).num_events == record.num_events


@pytest.mark.parametrize(
    ("row", "said", "sentence"),
    [(0, "drak", "did you mean 'dark'"), (SIZE, "dark", "no example"), (-1, "dark", "no example")],
)
def test_what_cannot_be_said_is_refused(desk, row, said, sentence):
    with pytest.raises(UsageError, match=sentence):
        desk.answer(row, said, "a", "1", None)


@pytest.mark.parametrize("word", ["skip", "unsure", "broken"])
def test_what_has_no_class_is_put_aside(desk, begun, word):
    until(lambda: desk.status()["left"])
    item = desk.next("a", 1, ())[0]
    desk.answer(item.row, word, "a", "1", None)
    assert desk.past("a", 1)[0].answer == word
    assert item.row in record_of(begun).excluded


def test_alike_are_nearest_first_and_can_be_labeled(desk, begun):
    until(lambda: desk.status()["left"])
    item = desk.next("a", 1, ())[0]
    alike = desk.alike("a", item.row, 6)
    assert {true(one) for one in alike} == {true(item)}
    assert not {one.row for one in alike} & record_of(begun).held_out.keys()
    asked = record_of(begun).asked
    for k, one in enumerate(alike):
        desk.answer(one.row, true(one), "a", str(k), None)
        expected = "strategy" if one.row in asked else "alike"
        assert record_of(begun).decisions[one.row].why == expected


def test_alike_are_nobody_elses_and_are_handed_to_nobody_else(desk):
    until(lambda: desk.status()["left"])
    others = {item.row for item in desk.next("b", 6, ())}
    row = desk.next("a", 1, ())[0].row
    alike = {one.row for one in desk.alike("a", row, 6)}
    assert len(alike) == 6
    assert not alike & others
    near = {one.row for one in desk.alike("c", row, 6)}
    assert near
    assert not near & (others | alike | {row})
    assert not {item.row for item in desk.next("b", 4, sorted(others))} & (alike | near)


def test_classes_change_at_the_desk(desk):
    desk.add_class("grey")
    assert [one["name"] for one in desk.classes()] == ["dark", "light", "grey"]
    label(desk, 12)
    desk.rename_class("grey", "gray")
    desk.merge_class("gray", "light")
    with pytest.raises(UsageError, match="cannot be a class"):
        desk.add_class("skip")
    desk.add_class("gr\u00fcn")
    with pytest.raises(UsageError, match="taken"):
        desk.add_class("gru\u0308n")
    (item,) = desk.next("a", 1, [])
    desk.answer(item.row, "gru\u0308n", "a", "other spelling", None)
    assert [item.answer for item in desk.past("a", 1)] == ["gr\u00fcn"]
    desk.merge_class("gru\u0308n", "light")
    label(desk, 6)
    until(lambda: desk.status()["left"] and not desk.status()["training"])
    assert desk.status()["errors"] == []


def test_suggestions_are_never_made_of_the_audit(desk):
    until(lambda: desk.status()["left"])
    label(desk, 12)
    until(lambda: any(i.suggestion for i in desk.next("tab", 9, ())))
    for item in desk.next("tab", 40, ()):
        assert item.suggestion is None or item.why != "audit"


def test_pictures_are_by_row(desk):
    content, kind = desk.picture(3, 320)
    assert (content[:2], kind) == (b"\xff\xd8", "image/jpeg")
    with pytest.raises(UsageError):
        desk.picture(SIZE, 320)


def test_many_clients_at_once_lose_nothing(desk, begun):
    clients = [threading.Thread(target=label, args=(desk, 8, name)) for name in "abc"]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len(desk.past("a", 100)) == 24
    assert sum(len(record_of(begun).held_out) + 1 for _ in "a") == 6


def test_a_project_goes_on_where_it_was_left(desk, begun):
    label(desk, 11)
    desk.close()
    project = open_project(begun.place)
    again = Desk(project, project.session())
    try:
        assert len(again.past("tab", 100)) == 11
        assert again.undo("other", "1").answer is None
        label(again, SIZE - 10)
        until(lambda: not again.next("tab", 1, ()))
        until(lambda: not again.status()["training"])
        assert again.status()["labels"] == SIZE
        assert again.status()["errors"] == []
    finally:
        again.close()


def test_a_photo_that_changed_is_put_aside_and_comes_back(desk, begun, photos):
    first = label(desk, 3)[0]
    desk.close()
    content = (photos / first.id).read_bytes()
    other = encoded(np.full((30, 40, 3), 7, np.uint8), "PNG")
    (photos / first.id).write_bytes(other)
    told = []
    project = open_project(begun.place, told.append)
    project.session().close()
    assert any(first.id in sentence and "Other content" in sentence for sentence in told)
    assert first.row in record_of(begun).excluded
    assert first.id not in project.teller.labels()
    (photos / first.id).write_bytes(content)
    project = open_project(begun.place)
    project.session().close()
    assert project.teller.labels()[first.id] == true(first)


def test_a_folder_that_has_moved_and_grown_goes_on(desk, begun, photos):
    label(desk, 7)
    desk.close()
    labels = begun.teller.labels()
    moved = photos.rename(photos.with_name("elsewhere"))
    for k in range(SIZE, SIZE + 6):
        picture = np.full((30, 40, 3), 3 * k, np.uint8)
        (moved / f"{k - SIZE:02}a.png").write_bytes(encoded(picture, "PNG"))
    project = open_project(begun.place, source=moved)
    session = project.session()
    assert len(session.pool) == SIZE + 6
    assert project.teller.labels() == labels
    assert session.ask() is not None
    (moved.parent / "others").mkdir()
    (moved.parent / "others" / "b.png").write_bytes(encoded(picture + np.uint8(9), "PNG"))
    with pytest.raises(UsageError, match="knows 0 are there"):
        open_project(begun.place, source=moved.parent / "others")


def test_rows_that_another_process_has_found_since_are_not_handed_out(desk, begun):
    data = record_of(begun).data
    Journal(begun.place).append({"event": "pool_changed", "data": data | {"size": SIZE + 2}})
    begun.teller.draw([SIZE, SIZE + 1], ["new.png", "newer.png"], "check")
    assert all(item.row < SIZE for item in desk.next("tab", SIZE, ()))


def test_a_table_is_labeled_by_what_it_shows(tmp_path):
    path = tmp_path / "birds.csv"
    lines = [f"b{k},song of {k},{k % 2},{k}" for k in range(12)]
    path.write_text("\n".join(["id,show,a,b", *lines]))
    settings = Settings(
        str(path), CLASSES, learner="linear", learner_args={}, strategy="random", budget=3, audit=0
    )
    project = begin_project(settings, tmp_path / "work")
    desk = Desk(project, project.session())
    try:
        assert desk.picture(3, 320) == (b"song of 3", "text/plain")
        until(lambda: desk.status()["left"])
        item = desk.next("a", 1, ())[0]
        desk.answer(item.row, "dark", "a", "1", None)
        assert project.teller.labels() == {item.id: "dark"}
    finally:
        desk.close()
