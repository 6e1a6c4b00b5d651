"""The page in a Chromium, and a person at it who has a keyboard alone."""

import contextlib

import pytest
from selenium.webdriver import ActionChains

from tests import test_report_browser
from tests.page_server import serving
from tests.test_report_browser import NOT_OURS, run, until

browser = test_report_browser.browser  # the fixture, for whoever has it as a name of its own
pytestmark = test_report_browser.pytestmark
SHOWN = "return document.getElementById('stage').dataset.row"
# What Chromium says of each request that fails, and where a page that the test before has left
# would have asked whether to leave, as an answer was still on its way.
NETWORK, LEFT = "Failed to load resource", "'beforeunload' confirmation panel"


def view(browser, width=1280, height=800, scheme="light", mobile=False):
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile},
    )


@pytest.fixture
def labeling(browser):
    """Opens the page of a desk; at the end no script has failed."""
    with contextlib.ExitStack() as stack:

        def begin(desk, **how):
            served = stack.enter_context(serving(desk))
            view(browser, **how)
            visit(browser, served)
            return served

        yield begin
    said = [entry["message"] for entry in browser.get_log("browser")]
    ours = [one for one in said if not any(word in one for word in (*NOT_OURS, NETWORK, LEFT))]
    assert not ours, ours


def visit(browser, served):
    browser.get(served.address)
    ready(browser)


def ready(browser):
    """Waits until there is something to label."""
    until(browser, SHOWN)


def twelve(browser):
    """Waits until the grid of alike ones is to be seen."""
    script = """const tiles = [...document.querySelectorAll("#tiles button")];
        return tiles.length === 12 && tiles.every((tile) => tile.querySelector("img"))"""
    until(browser, script)


def press(browser, *keys):
    """Presses keys, each when the picture that it is about is to be seen."""
    for key in keys:
        ready(browser)
        ActionChains(browser).send_keys(key).perform()


def text(browser, selector):
    return run(browser, "return document.querySelector(arguments[0]).textContent", selector)


def saved(browser):
    until(browser, "return document.getElementById('saved').textContent === 'Saved'")
