"""Nothing that was said is lost or counted twice: offline, closed, several tabs, conflicts."""

import contextlib
import threading
import time

import pytest
from selenium.webdriver import Keys

from tests import page_browser
from tests.made_up_desk import MadeUpDesk
from tests.page_browser import SHOWN, press, ready, saved, text, twelve, view, visit
from tests.page_server import cutting, refusing, serving
from tests.test_report_browser import run, until

browser, labeling, pytestmark = page_browser.browser, page_browser.labeling, page_browser.pytestmark


def came(path):
    """A script: how many answers to a question have come to the page."""
    entries = "performance.getEntriesByType('resource')"
    return f"return {entries}.filter((one) => one.name.includes('{path}')).length"


def test_offline_and_back(browser):
    desk = MadeUpDesk(30, ["cat", "dog"])
    with serving(desk) as served:
        view(browser)
        visit(browser, served)
        press(browser, "1")
        saved(browser)
        until(browser, "return document.querySelector('.count').textContent === '1'")
    press(browser, "2", "1", Keys.BACKSPACE, "2", "2")  # those that were loaded ahead
    until(browser, "return document.querySelector('.trouble')")
    assert text(browser, "#saved") == "No connection: 5 answers wait in this browser"
    assert desk.calls == [(0, "cat")]
    with serving(desk, served.port):
        saved(browser)
        assert desk.calls[1:] == [(1, "dog"), (2, "cat"), (2, None), (2, "dog"), (3, "dog")]
        press(browser, "1")  # and on
        saved(browser)
        assert len(set(desk.told)) == 5


def label_three(browser, asked):
    """Labels where nobody answers, until all that the page asks of its own was asked in vain."""
    press(browser, "1", "2", "1")
    deadline = time.monotonic() + 30
    while not {"/api/next", "/api/answer", "/api/status"} <= asked:
        assert time.monotonic() < deadline, asked
        time.sleep(0.05)
    until(browser, "return document.querySelector('.trouble')")
    assert text(browser, "#saved") == "No connection: 3 answers wait in this browser"


def test_an_answer_that_is_cut_off_is_none(browser):
    desk = MadeUpDesk(30, ["cat", "dog"])
    with serving(desk) as served:
        view(browser)
        visit(browser, served)
    with cutting(served.port) as asked:
        label_three(browser, asked)
    with serving(desk, served.port):
        saved(browser)
        assert desk.calls == [(0, "cat"), (1, "dog"), (2, "cat")]
        press(browser, *"12121212")  # and more than were loaded ahead
        saved(browser)
        assert len(desk.told) == 11


@pytest.mark.parametrize("status", [200, 404, 405, 502])
def test_somebody_elses_page_is_no_answer(browser, status):
    desk = MadeUpDesk(30, ["cat", "dog"])
    with serving(desk) as served:
        view(browser)
        visit(browser, served)
    with refusing(served.port, status) as asked:
        label_three(browser, asked)
        assert text(browser, "#notices") == ""
    with serving(desk, served.port):
        saved(browser)
        assert desk.calls == [(0, "cat"), (1, "dog"), (2, "cat")]


def test_what_was_answered_meanwhile_is_not_shown_again(browser, labeling):
    desk = MadeUpDesk(30, ["cat", "dog"])
    real, late = desk.next, threading.Event()
    labeling(desk)
    saved(browser)

    def slow(client, count, holding):
        items = real(client, count, holding)
        assert late.wait(30)
        return items

    desk.next = slow  # it finds row 6, and says so when that is labeled in the grid
    press(browser, "1", "g")
    twelve(browser)
    press(browser, "2")
    until(browser, "return document.getElementById('saved').textContent === 'Saved'")
    assert set(desk.told) == set(range(13))
    late.set()
    ready(browser)
    assert run(browser, SHOWN) == "13"


def test_alike_ones_that_come_twice_are_marked_once(browser, labeling):
    desk = MadeUpDesk(30, ["cat", "dog"])
    real, first, second = desk.alike, threading.Event(), threading.Event()
    waiting = iter([first, second])

    def slow(client, row, count=12):
        assert next(waiting).wait(30)
        return real(client, row, count)

    desk.alike = slow
    labeling(desk)
    press(browser, "g", "g")  # nothing happens at once, so it is pressed again
    first.set()
    twelve(browser)
    press(browser, Keys.RIGHT, Keys.SPACE)
    second.set()
    until(browser, f"{came('/api/alike')} === 2")
    press(browser, "2")
    saved(browser)
    assert desk.told == dict.fromkeys((0, *range(2, 12)), "dog")


def test_classes_are_not_changed_back_by_what_was_asked_before(browser, labeling):
    desk = MadeUpDesk(30, ["cat", "dog"])
    real, late, asked = desk.classes, threading.Event(), threading.Event()

    def slow():
        found = real()
        if not asked.is_set():
            asked.set()
            assert late.wait(30)
        return found

    labeling(desk)
    desk.classes = slow
    assert asked.wait(30)  # by the page itself, every few seconds
    before = run(browser, came("/api/status"))
    press(browser, "n", "cow", Keys.ENTER)
    names = "return [...document.querySelectorAll('#classes .name')].map((n) => n.textContent)"
    until(browser, names + ".join() === 'cat,dog,cow'")
    late.set()
    until(browser, f"{came('/api/status')} > {before}")
    assert run(browser, names) == ["cat", "dog", "cow"]


def test_what_waits_outlives_its_tab(browser):
    desk = MadeUpDesk(30, ["cat", "dog"])
    with serving(desk) as served:
        view(browser)
        visit(browser, served)
        press(browser, "1")
        saved(browser)
    first = browser.current_window_handle
    press(browser, "2", "1", "1", Keys.BACKSPACE)
    browser.switch_to.new_window("tab")
    other = browser.current_window_handle
    browser.switch_to.window(first)
    browser.close()
    browser.switch_to.window(other)
    assert desk.calls == [(0, "cat")]
    with serving(desk, served.port) as served:
        visit(browser, served)
        saved(browser)
        assert desk.calls[1:] == [(1, "dog"), (2, "cat"), (3, "cat"), (3, None)]
        assert run(browser, "return localStorage.length") == 0


def test_what_waits_for_one_project_is_not_sent_to_another(browser):
    desk, other = MadeUpDesk(30, ["cat", "dog"]), MadeUpDesk(30, ["cat", "dog"])
    with serving(desk) as served:
        view(browser)
        visit(browser, served)
    press(browser, "2")
    until(browser, "return document.querySelector('.trouble')")
    with serving(other, served.port, "another") as served:
        leave(browser, served)
        press(browser, "1")
        saved(browser)
        assert other.calls == [(0, "cat")]
    with serving(desk, served.port) as served:
        leave(browser, served)
        saved(browser)
        assert desk.calls == [(0, "dog")]


def test_a_tab_that_is_open_sends_nothing_to_another_project(browser):
    desk, other = MadeUpDesk(30, ["cat", "dog"]), MadeUpDesk(9, ["cat", "dog"])
    other.project = "of another"
    with serving(desk) as served:
        view(browser)
        visit(browser, served)
    press(browser, "2", "2")
    until(browser, "return document.querySelector('.trouble')")
    with serving(other, served.port, "another"):
        until(browser, "return document.getElementById('project').textContent === 'of another'")
        press(browser, "1")
        saved(browser)
        assert other.calls == [(0, "cat")]
    with serving(desk, served.port) as served:
        until(browser, "return document.getElementById('project').textContent === 'photos'")
        saved(browser)
        assert desk.calls == [(0, "dog"), (1, "dog")]


def test_undo_is_of_what_was_meant(browser, labeling):
    desk = MadeUpDesk(30, ["cat", "dog"])
    labeling(desk)
    press(browser, "1")
    saved(browser)
    desk.told[1] = "dog"  # by somebody else
    real = desk.answer
    desk.answer = lambda row, *rest, **more: None if row == 1 else real(row, *rest, **more)
    press(browser, "2", Keys.BACKSPACE)  # which was said already: there is nothing to take back
    saved(browser)
    assert desk.told == {0: "cat", 1: "dog"}


def leave(browser, served):
    """Opens the page anew, though it says that something waits."""
    browser.execute_cdp_cmd("Page.enable", {})
    with contextlib.suppress(Exception):
        browser.get(served.address)
    with contextlib.suppress(Exception):
        browser.switch_to.alert.accept()
    visit(browser, served)


def test_an_answer_whose_acknowledgment_was_lost_counts_once(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    real, lost = desk.answer, []

    def answer(**said):
        real(**said)
        if not lost:
            lost.append(said)
            raise OSError(5, "the line is cut")

    desk.answer = answer
    labeling(desk)
    press(browser, "1", "2")
    saved(browser)
    assert len(lost) == 1
    assert desk.calls == [(0, "cat"), (1, "dog")]


def test_saved_is_said_only_when_it_is(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    labeling(desk)
    desk.fails = OSError(28, "No space left on device")
    press(browser, "1", "2")
    until(browser, "return document.querySelector('.trouble')")
    assert text(browser, "#saved") == "The server cannot save: 2 answers wait in this browser"
    desk.fails = None
    saved(browser)
    assert desk.calls == [(0, "cat"), (1, "dog")]


def test_two_tabs_label_different_items(browser, labeling):
    desk = MadeUpDesk(60, ["cat", "dog"])
    labeling(desk)
    first = browser.current_window_handle
    run(browser, "window.open(location.href)")  # a copy of the tab, its storage and all
    (second,) = set(browser.window_handles) - {first}
    for _ in range(5):
        for tab, key in ((first, "1"), (second, "2")):
            browser.switch_to.window(tab)
            press(browser, key, key)
    for tab in (second, first):
        browser.switch_to.window(tab)
        saved(browser)
        if tab == second:
            browser.close()
    rows = [row for row, _ in desk.calls]
    assert len(rows) == len(set(rows)) == 20
    assert sorted(said for _, said in desk.calls) == ["cat"] * 10 + ["dog"] * 10


@pytest.mark.parametrize("is_insisting", [True, False])
def test_a_conflict_is_shown_and_the_person_decides(browser, labeling, is_insisting):
    desk = MadeUpDesk(20, ["cat", "dog"])
    labeling(desk)
    desk.told[0] = "dog"
    press(browser, "1", "1")
    until(browser, "return document.querySelectorAll('#notices button').length === 2")
    assert text(browser, "#notices span") == "Somebody said dog of photos/000.jpg. You said cat."
    saved(browser)
    browser.refresh()  # it is not forgotten
    ready(browser)
    until(browser, "return document.querySelectorAll('#notices button').length === 2")
    button = browser.find_elements("css selector", "#notices button")[0 if is_insisting else 1]
    button.send_keys(Keys.ENTER)
    until(browser, "return document.querySelectorAll('#notices li').length === 0")
    saved(browser)
    assert desk.told == {0: "cat" if is_insisting else "dog", 1: "cat"}


def test_what_was_refused_is_not_undone(browser, labeling):
    desk = MadeUpDesk(20, ["cat", "dog"])
    labeling(desk)
    press(browser, "1")
    saved(browser)
    desk.told[1] = "dog"
    press(browser, "1", Keys.BACKSPACE)  # at once: the refusal may not be known yet
    until(browser, "return document.querySelector('#notices li')")
    saved(browser)
    assert desk.told in ({0: "cat", 1: "dog"}, {1: "dog"})
    assert (1, None) not in desk.calls
