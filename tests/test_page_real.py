"""Labels by keys alone on a real project, whose server is killed while they are sent."""

import json
import time

import pytest
from PIL import Image
from selenium.webdriver import Keys

from tests import page_browser
from tests.page_browser import SHOWN, press, ready, saved, text, twelve, until, view, visit
from tests.page_process import CLASSES, begun, serving
from tests.test_report_browser import run

browser, pytestmark = page_browser.browser, page_browser.pytestmark

KILLS = {9: 0.0, 31: 0.006}  # label -> seconds from its key to kill -9
WAITING = """return Object.keys(localStorage)
    .flatMap((name) => JSON.parse(localStorage.getItem(name)).waiting).map((one) => one.row)"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return begun(tmp_path_factory.mktemp("project"), 90)


def told(work):
    """What stands, {row: class}, and how often each row was answered."""
    stands, times = {}, {}
    events = [json.loads(line) for line in (work / "journal.jsonl").read_text().splitlines()]
    names = dict(enumerate(CLASSES))
    for event in events:
        if event["event"] == "answered":
            for row, decision in event["answers"]:
                stands[row] = names[decision]
                times[row] = times.get(row, 0) + 1
        elif event["event"] == "undone":
            for row, _ in events[event["of"]]["answers"]:
                del stands[row]
                times[row] -= 1
    return stands, times


def label(browser, said):
    """Labels what is shown as it is, and notes it."""
    row, name = int(run(browser, SHOWN)), CLASSES[int(text(browser, "#caption")[:3]) % 2]
    press(browser, str(1 + CLASSES.index(name)))
    assert row not in said
    said[row] = name


def test_fifty_labels_while_the_server_is_killed(browser, work):
    said, kills = {}, dict(KILLS)
    while len(said) < 50:
        with serving(work) as (process, served):
            if not said:
                view(browser)
                visit(browser, served)
            while len(said) < 50 and process.poll() is None:
                ready(browser)
                label(browser, said)
                if len(said) in kills:
                    time.sleep(kills.pop(len(said)))
                    process.kill()
                    process.wait()
            if process.poll() is None:
                saved(browser)
        stands, _ = told(work)
        waiting = run(browser, WAITING)
        assert {row: said[row] for row in said.keys() - waiting}.items() <= stands.items()
        while len(said) < 50 and run(browser, SHOWN):  # what was loaded ahead
            label(browser, said)
    stands, times = told(work)
    assert stands == said  # none is lost
    assert set(times.values()) == {1}  # none is doubled


def test_undo_a_restart_and_another_page(browser, work):
    with serving(work) as (_, served):
        view(browser)
        visit(browser, served)
        before, _ = told(work)
        row = int(run(browser, SHOWN))
        press(browser, "1")
        saved(browser)
        assert told(work)[0] == before | {row: CLASSES[0]}
    with serving(work) as (_, served):
        visit(browser, served)  # another page, which knows nothing of the first
        press(browser, Keys.BACKSPACE)
        until(browser, f"{SHOWN} === '{row}'")
        saved(browser)
        assert told(work)[0] == before
        press(browser, "g")
        twelve(browser)
        press(browser, "2")
        saved(browser)
        stands, times = told(work)
        assert len(stands) == len(before) + 12
        assert set(times.values()) == {0, 1} - ({0} if row in stands else set())
        press(browser, Keys.BACKSPACE)
        saved(browser)
        assert told(work)[0] == before


def test_a_link_that_leads_out_shows_nothing(tmp_path):
    outside = tmp_path / "outside.jpg"
    Image.new("RGB", (50, 50), "red").save(outside)
    (tmp_path / "pool").mkdir()
    work = begun(tmp_path / "pool", 20)
    photos = tmp_path / "pool" / "photos"
    (photos / "link.jpg").symlink_to(outside)
    with serving(work) as (_, served):
        items = served.get("/api/past?client=me&count=50").json["items"]
        assert items == []
        ids = {}
        while len(ids) < 20:
            path = f"/api/next?client=me&count=50&holding={','.join(map(str, ids))}"
            found = served.get(path).json["items"]
            assert found or time.sleep(0.1) is None
            ids |= {item["row"]: item["id"] for item in found}
        assert "link.jpg" not in ids.values()
        row, name = ids.popitem()
        (photos / name).unlink()
        (photos / name).symlink_to(outside)  # after the folder was read
        reply = served.get(f"/picture/{row}?width=320")
        assert reply.status == 400
        assert reply.json["error"].startswith(name)
        (other, _) = ids.popitem()
        assert served.get(f"/picture/{other}?width=320").status == 200
        assert served.get("/picture/20?width=320").status == 400
