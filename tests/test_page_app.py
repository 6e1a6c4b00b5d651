"""What the page asks of its server, by real requests."""

import json

import pytest

from tests.made_up_desk import MadeUpDesk
from tests.page_server import serving

ANSWER = {
    "page": "page", "row": 3, "said": "cat", "client": "me", "token": "t", "seconds": 1.5,
    "relabel": False,
}  # fmt: skip


@pytest.fixture
def desk():
    return MadeUpDesk(20, ["cat", "dog"])


@pytest.fixture
def served(desk):
    with serving(desk) as one:
        yield one


def rows(reply):
    return [item["row"] for item in reply.json["items"]]


def test_an_item_comes_is_answered_and_is_past(served, desk):
    assert rows(served.get("/api/next?client=me&count=3&holding=")) == [0, 1, 2]
    assert rows(served.get("/api/next?client=me&count=3&holding=0,1")) == [2, 3, 4]
    assert served.post("/api/answer", ANSWER).json == {"saved": True}
    assert desk.told == {3: "cat"}
    assert served.get("/api/past?client=me&count=9").json["items"] == [
        {"row": 3, "id": "photos/003.jpg", "why": "strategy", "answer": "cat", "suggestion": None}
    ]
    assert 3 not in rows(served.get("/api/alike?row=5&count=12"))
    assert served.get("/api/status").json["classes"][0] == {"id": 0, "name": "cat", "count": 1}


def test_undo_says_what_is_to_be_answered_again(served, desk):
    served.post("/api/answer", ANSWER)
    served.post("/api/answer", ANSWER | {"row": 4, "token": "s"})

    def undo(token, of):
        what = {"page": "page", "client": "me", "token": token, "of": of}
        return served.post("/api/undo", what).json["item"]

    assert undo("u", "t")["row"] == 3
    assert desk.told == {4: "cat"}
    assert undo("v", "t") is None
    assert undo("w", "")["row"] == 4
    assert undo("x", "") is None


@pytest.mark.parametrize("path", ["/api/answer", "/api/undo", "/api/class"])
def test_what_is_for_the_page_of_another_project_is_not_taken(served, desk, path):
    said = {
        "/api/answer": ANSWER,
        "/api/undo": {"client": "me", "token": "u", "of": ""},
        "/api/class": {"do": "add", "name": "cow", "other": ""},
    }[path]
    assert served.post(path, said | {"page": "of another"}).status == 403
    assert (desk.calls, desk.names) == ([], ["cat", "dog"])
    assert served.post(path, said | {"page": "page"}).status == 200


def test_classes_are_added_renamed_and_merged(served, desk):
    def change(what, name, other=""):
        change = {"page": "page", "do": what, "name": name, "other": other}
        reply = served.post("/api/class", change)
        return [one["name"] for one in reply.json["classes"]]

    assert change("add", "cow") == ["cat", "dog", "cow"]
    assert change("rename", "cow", "<b>cow</b>") == ["cat", "dog", "<b>cow</b>"]
    assert change("merge", "dog", "cat") == ["cat", "<b>cow</b>"]
    change = {"page": "page", "do": "burn", "name": "cat", "other": ""}
    reply = served.post("/api/class", change)
    assert reply.status == 400
    assert desk.names == ["cat", "<b>cow</b>"]


WRONG = {
    "no JSON": b"{",
    "not UTF-8": b"\xff\xfe{}",
    "a list": [ANSWER],
    "a row of text": ANSWER | {"row": "3"},
    "a row that is a truth": ANSWER | {"row": True},
    "a row that is half": ANSWER | {"row": 3.5},
    "a label that is none": ANSWER | {"said": None},
    "seconds without end": json.dumps(ANSWER).replace("1.5", "Infinity").encode(),
    "seconds that no float holds": ANSWER | {"seconds": 10**400},
    "nested without end": b"[" * 60_000,
    "a field more": ANSWER | {"path": "/etc/passwd"},
    "a field less": {name: ANSWER[name] for name in ANSWER if name != "token"},
    "a row that is not there": ANSWER | {"row": 99},
}


@pytest.mark.parametrize("said", WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_is_one_sentence_and_nothing_is_told(served, desk, said):
    reply = served.post("/api/answer", said)
    assert reply.status == 400
    assert reply.json["error"].endswith(".")
    assert desk.calls == []


@pytest.mark.parametrize(
    "path",
    ["/api/next?client=me&count=-1", "/api/next?client=me", "/api/next?client=me&count=1&holding=a",
     "/api/next?client=me&count=1&holding=1,,2", "/api/next?client=me&count=٣", "/picture/1",
     f"/picture/{'9' * 5000}?width=320",
     "/picture/99?width=320", "/picture/1?width=1e3", "/api/alike?row=x&count=2"],
)  # fmt: skip
def test_a_question_that_is_wrong_is_one_sentence(served, path):
    reply = served.get(path.replace("٣", "%D9%A3"))
    assert reply.status == 400
    assert reply.json["error"].endswith(".")


def test_whole_seconds_are_seconds_and_a_second_is_said_once(served, desk):
    assert served.post("/api/answer", ANSWER | {"seconds": 2}).status == 200
    assert served.post("/api/answer", ANSWER | {"seconds": 2}).status == 200
    assert desk.calls == [(3, "cat")]


def test_what_somebody_else_said_is_a_conflict_until_it_is_changed_on_purpose(served, desk):
    desk.told[3] = "dog"
    reply = served.post("/api/answer", ANSWER)
    assert reply.status == 409
    assert "dog" in reply.json["error"]
    assert desk.told == {3: "dog"}
    assert served.post("/api/answer", ANSWER | {"relabel": True}).status == 200
    assert desk.told == {3: "cat"}


def test_a_full_disk_is_said_and_the_answer_may_come_again(served, desk):
    desk.fails = OSError(28, "No space left on device")
    reply = served.post("/api/answer", ANSWER)
    assert reply.status == 503
    assert "No space left" in reply.json["error"]
    desk.fails = None
    assert served.post("/api/answer", ANSWER).status == 200


def test_a_picture_is_kept_by_its_browser_and_asked_for_each_time(served, desk):
    first = served.get("/picture/4?width=320")
    assert first.status == 200
    assert first.headers["Content-Type"] == "image/jpeg"
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = served.get("/picture/4?width=320", If_None_Match=first.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert served.get("/picture/5?width=320", If_None_Match=first.headers["ETag"]).status == 200


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/pdf"])
def test_nothing_is_shown_that_could_run(desk, kind):
    desk.picture = lambda row, width: (b"<script>alert(1)</script>", kind)
    with serving(desk) as served:
        reply = served.get("/picture/1?width=320")
    assert reply.status == 500
    assert b"script" not in reply.body


def test_text_is_text(desk):
    desk.picture = lambda row, width: ("<b>Straße</b>".encode(), "text/plain")
    with serving(desk) as served:
        reply = served.get("/picture/1?width=320")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert reply.body.decode() == "<b>Straße</b>"
